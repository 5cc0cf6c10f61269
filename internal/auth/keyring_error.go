package auth

import (
	"errors"
	"fmt"
	"slices"

	"github.com/zalando/go-keyring"
)

// The operations a KeyringError names.
const (
	opGet    = "read from the keyring"
	opSet    = "save to the keyring"
	opDelete = "remove from the keyring"
	opCheck  = "use the keyring"
)

// What can be wrong with a keyring; see also ErrLocked.
var (
	errNoBus        = errors.New("there is no D-Bus session here, so no keyring can be reached")
	errNoService    = errors.New("nothing in this session keeps secrets (no gnome-keyring, KWallet or the like)")
	errNeverCreated = errors.New("this user has no keyring yet")
	errTimeout      = errors.New("it may be waiting for somebody to unlock it")
)

// A KeyringError says what was to be done with the keyring and why it could not be. It is never ErrNotFound: that
// is the answer of a keyring that works.
type KeyringError struct {
	Op  string // what was to be done
	Err error  // why; ErrLocked is one
}

func (e *KeyringError) Error() string { return e.Op + ": " + e.Err.Error() }
func (e *KeyringError) Unwrap() error { return e.Err }

// Hint says how to go on, or is "".
func (e *KeyringError) Hint() string {
	const unlock = "unlock the keyring and try again"
	const other = "keep the token in a file that only you can read: utho login --store file; or put it in UTHO_API_KEY"
	switch locked := errors.Is(e.Err, errTimeout) || errors.Is(e.Err, ErrLocked); {
	case locked && e.Op == opDelete:
		return unlock
	case locked:
		return unlock + ", or " + other
	case e.Op == opDelete:
		return ""
	}
	return other
}

// refused reports whether an error says that the keyring was never asked, or said no before it did anything.
func refused(err error) bool {
	return slices.ContainsFunc([]error{
		ErrLocked, errNoBus, errNoService, errNeverCreated, keyring.ErrUnsupportedPlatform, keyring.ErrSetDataTooBig,
	}, func(known error) bool { return errors.Is(err, known) })
}

// reason is why the keyring failed, in words that a person can use if the system's are none.
func reason(err error) error {
	known := classify(err)
	switch {
	case refused(err):
		return err
	case known != nil:
		return known
	}
	return fmt.Errorf("it failed: %w", err)
}
