package auth

import (
	"context"
	"errors"
	"syscall"

	"github.com/zalando/go-keyring"
)

// errNoSuchLogonSession is Windows' own code for a session without a Credential
// Manager, such as one over SSH or of a service.
const errNoSuchLogonSession = syscall.Errno(1312)

func reachable() *unusable { return nil }

func classify(err error) Reason {
	switch {
	case errors.Is(err, keyring.ErrUnsupportedPlatform):
		return ReasonUnsupported
	case errors.Is(err, keyring.ErrSetDataTooBig):
		return ReasonTooBig
	case errors.Is(err, errNoSuchLogonSession):
		return ReasonNoService
	}
	return ReasonOther
}

// unlocked is always so: the Credential Manager opens with the session.
func unlocked(context.Context, item) bool { return true }
