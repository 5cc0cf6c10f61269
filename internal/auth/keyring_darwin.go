package auth

import (
	"context"
	"errors"
	"os/exec"
)

func reachable() error { return nil }

// classify is what an error of the library means, or nil: it runs security(1), whose exit status is the last byte
// of the Keychain's own code.
func classify(err error) error {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return nil
	}
	switch exit.ExitCode() {
	case 36, 128: // errSecInteractionNotAllowed (over SSH, say), errSecUserCanceled
		return ErrLocked
	case 37: // errSecNoDefaultKeychain
		return errNeverCreated
	}
	return nil
}

// unlocked is not to be known without security(1), which may raise a dialog itself.
func unlocked(context.Context, string, string) error { return ErrLocked }
