//go:build unix && !linux && !darwin

package deliver

import "errors"

// renameNoReplace: these systems have links and no such rename.
func renameNoReplace(string, string) error { return errors.ErrUnsupported }
