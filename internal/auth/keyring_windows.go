package auth

import (
	"context"
	"errors"
	"syscall"

	"github.com/zalando/go-keyring"
)

// errNoSuchLogonSession is Windows' own code for a session without a Credential Manager, such as one over SSH
// or of a service.
const errNoSuchLogonSession = syscall.Errno(1312)

func reachable() error { return nil }

func classify(err error) error {
	switch {
	case errors.Is(err, keyring.ErrUnsupportedPlatform):
		return errUnsupported
	case errors.Is(err, keyring.ErrSetDataTooBig):
		return ErrTooBig
	case errors.Is(err, errNoSuchLogonSession):
		return errNoService
	}
	return nil
}

// unlocked is always so: the Credential Manager opens with the session.
func unlocked(context.Context, string, string) error { return nil }
