package auth

import (
	"context"
	"errors"
	"os/exec"

	"github.com/zalando/go-keyring"
)

func reachable() *unusable { return nil }

// classify tells what an error of the library means: it runs security(1), whose
// exit status is the last byte of the Keychain's own code.
func classify(err error) Reason {
	if errors.Is(err, keyring.ErrUnsupportedPlatform) {
		return ReasonUnsupported
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		switch exit.ExitCode() {
		case 36, 128: // errSecInteractionNotAllowed (over SSH, say), errSecUserCanceled
			return ReasonLocked
		case 37: // errSecNoDefaultKeychain
			return ReasonNeverCreated
		}
	}
	return ReasonOther
}

// unlocked cannot be told without security(1), which may raise a dialog itself.
func unlocked(context.Context, item) bool { return false }
