package profiles

import (
	"errors"
	"fmt"

	"github.com/utho/utho-cli/internal/auth"
)

// ErrChanged says that somebody else changed a profile or its secret meanwhile, which is left alone.
var ErrChanged = errors.New("it was changed meanwhile")

// A TakenError says that a profile has a secret already: in a store, or by its credential_command.
type TakenError struct{ Profile string }

func (e *TakenError) Error() string {
	return fmt.Sprintf("the profile %s holds a token already", e.Profile)
}

// Holds is what a profile holds after a change that failed.
type Holds uint8

// The values of Holds.
const (
	HoldsUnknown Holds = iota // a store failed, or did not answer in time and may still do what it was asked to
	HoldsNone
	HoldsOld // what it held before
	HoldsNew
)

// A StateError says that a change failed and could not be rolled back, and what the profile holds now. After
// any other error of a Book, secret and profile are what they were.
type StateError struct {
	Profile string
	Holds   Holds
	Err     error
}

func (e *StateError) Error() string {
	switch e.Holds {
	case HoldsNone:
		return fmt.Sprintf("%v; profile %s holds no token now", e.Err, e.Profile)
	case HoldsOld:
		return fmt.Sprintf("%v; profile %s still holds what it held before", e.Err, e.Profile)
	case HoldsNew:
		return fmt.Sprintf("%v; profile %s holds the new token", e.Err, e.Profile)
	}
	if errors.As(e.Err, new(*auth.NotKnownError)) { // which says so itself
		return e.Err.Error()
	}
	return fmt.Sprintf("%v; it is not known which token profile %s holds now", e.Err, e.Profile)
}

func (e *StateError) Unwrap() error { return e.Err }

func holdsBefore(old auth.Item) Holds {
	if old.Secret == "" {
		return HoldsNone
	}
	return HoldsOld
}
