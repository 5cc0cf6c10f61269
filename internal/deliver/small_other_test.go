//go:build !linux

package deliver

import "errors"

func mountSmall(string) error { return errors.ErrUnsupported }

func unmount(string) {}
