package auth

import (
	"context"
	"errors"
	"os/exec"

	"github.com/zalando/go-keyring"
)

func reachable() error { return nil }

// classify is what an error of the library means, or nil: it runs security(1), whose exit status is the last
// byte of the Keychain's own code.
func classify(err error) error {
	var exit *exec.ExitError
	switch {
	case errors.Is(err, keyring.ErrUnsupportedPlatform):
		return errUnsupported
	case errors.Is(err, keyring.ErrSetDataTooBig):
		return ErrTooBig
	case !errors.As(err, &exit):
	case exit.ExitCode() == 36, exit.ExitCode() == 128: // errSecInteractionNotAllowed (over SSH, say), errSecUserCanceled
		return ErrLocked
	case exit.ExitCode() == 37: // errSecNoDefaultKeychain
		return errNeverCreated
	}
	return nil
}

// unlocked is not to be known without security(1), which may raise a dialog itself.
func unlocked(context.Context, string, string) error { return ErrLocked }
