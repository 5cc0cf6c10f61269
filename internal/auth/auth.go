// Package auth finds, keeps and removes the one secret of a profile.
//
// A stored secret is kept together with the origin it is for, so that neither
// an edited configuration nor another --api-url can send it elsewhere. No error
// of this package holds a secret, or text that may be one.
package auth

import (
	"context"
	"errors"
	"fmt"
)

// MaxSecret is the size of the largest secret taken anywhere, in bytes. The
// keyrings' own limits are 2560 on Windows and about 3000 on macOS, where at
// the very edge a save that failed can look like one that did not.
const MaxSecret = 2000

var (
	// ErrNotFound says that a store holds no secret for a Ref. A store that
	// could not be asked gives another error.
	ErrNotFound = errors.New("no token is stored")
	// ErrTooBig says that a secret is larger than MaxSecret.
	ErrTooBig = fmt.Errorf("the token is longer than %d bytes", MaxSecret)
	// ErrEmpty says that there was no secret where one was expected.
	ErrEmpty = errors.New("the token is empty")
)

// A Ref names a secret: whose, and where it may be sent.
type Ref struct {
	Profile string // a profile's name as the configuration spells it
	Origin  string // scheme://host[:port], the port only where it is not the scheme's own
}

// A Store keeps one secret per profile. FileStore and KeyringStore implement it.
type Store interface {
	// Get returns the secret. ErrNotFound where there is none, *OriginError
	// where it is for another place.
	Get(ctx context.Context, ref Ref) (string, error)
	// Set saves the secret over what the profile had, and reads it back.
	Set(ctx context.Context, ref Ref, secret string) error
	// Delete removes the secret, whatever place it is for. ErrNotFound where
	// there is none.
	Delete(ctx context.Context, ref Ref) error
	// Probe tells whether Set would work, by saving a throw-away value beside
	// what is stored, reading it back, and removing it.
	Probe(ctx context.Context, ref Ref) error
}

// An OriginError says that the secret of a profile is for another place than
// the one it was asked for. The secret was not given out.
type OriginError struct {
	Profile string
	Stored  string // the origin it is for
	Asked   string
}

func (e *OriginError) Error() string {
	return fmt.Sprintf("the token of profile %s is for %s and is not sent to %s", e.Profile, e.Stored, e.Asked)
}

// check refuses a Ref that cannot name a secret. Names are checked where they
// enter; here they become parts of paths and of keys, so it is done again.
func (r Ref) check() error {
	for i := range len(r.Profile) {
		switch c := r.Profile[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case i > 0 && (c == '.' || c == '_' || c == '-'):
		default:
			return fmt.Errorf("profile name %q cannot have a stored token", r.Profile)
		}
	}
	if r.Profile == "" {
		return errors.New("a stored token needs the name of a profile")
	}
	if r.Origin == "" {
		return errors.New("a stored token needs the place it is for")
	}
	return nil
}

// checkSecret refuses what is no secret.
func checkSecret(secret string) error {
	switch {
	case secret == "":
		return ErrEmpty
	case len(secret) > MaxSecret:
		return ErrTooBig
	}
	return nil
}
