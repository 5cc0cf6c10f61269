// Package auth finds, keeps and removes the one secret of a profile.
//
// A stored secret is kept together with the origin it is for, so that neither an edited configuration nor another
// --api-url can send it elsewhere, and with the id of its token if that is known. No error of this package holds
// a secret or text that may be one, but for the words of a keyring, which whoever shows them redacts.
package auth

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// MaxSecret is the size of the largest secret taken anywhere, in bytes. The keyrings' own limits are 2560 on
// Windows and about 3000 on macOS, where at the very edge a save that failed can look like one that did not.
const MaxSecret = 2000

var (
	// ErrNotFound says that a store holds no secret for a Ref; one that could not be asked gives another error.
	ErrNotFound = errors.New("no token is stored")
	// ErrLocked says that a store would have to ask somebody first, or be unlocked.
	ErrLocked = errors.New("it is locked")
	// ErrTooBig says that a secret is larger than MaxSecret.
	ErrTooBig = fmt.Errorf("the token is longer than %d bytes", MaxSecret)
	// ErrEmpty says that there was no secret where one was expected.
	ErrEmpty = errors.New("the token is empty")
)

// An Item is what is kept of one profile: the secret, and which token it is of, if utho knows that.
type Item struct {
	Secret    string `json:"token"`
	TokenID   string `json:"token_id,omitempty"`
	TokenName string `json:"token_name,omitempty"` // as the service has it, with its expiry
}

// check refuses what is no secret.
func (i Item) check() error {
	switch {
	case i.Secret == "":
		return ErrEmpty
	case len(i.Secret) > MaxSecret:
		return ErrTooBig
	}
	return nil
}

// A Ref names a secret: whose, and to where it may be sent.
type Ref struct {
	Profile string // a valid name, as the configuration spells it
	Origin  string // see Origin; Delete from a file needs none
}

// Origin is scheme://host[:port] of a URL, in lower case, with the port only if it is not the scheme's own.
func Origin(u *url.URL) string {
	origin, port := strings.TrimSuffix(strings.ToLower(u.Scheme+"://"+u.Host), ":"), ":80"
	if strings.HasPrefix(origin, "https:") {
		port = ":443"
	}
	return strings.TrimSuffix(origin, port)
}

// A Store keeps one secret per profile. FileStore and KeyringStore implement it.
type Store interface {
	// Get returns the item. ErrNotFound if there is none, *OriginError if it is for another place.
	Get(ctx context.Context, ref Ref) (Item, error)
	// Peek is Get for those who must not disturb anybody: it unlocks nothing, asks nobody and takes a second at
	// most. ErrLocked if it cannot see without that.
	Peek(ctx context.Context, ref Ref) (Item, error)
	// Set saves the item over what the profile had. *NotKnownError if it may have been saved all the same; after
	// any other error what was stored is as it was.
	Set(ctx context.Context, ref Ref, item Item) error
	// Delete removes the item, for whatever place it is. ErrNotFound if there is none, *NotKnownError if it may
	// have gone all the same.
	Delete(ctx context.Context, ref Ref) error
	// CheckSet reports whether Set would work, by saving a throw-away value beside what is stored.
	CheckSet(ctx context.Context, ref Ref) error
}

// An OriginError says that the secret of a profile is for another place than the one it was asked for.
type OriginError struct {
	Profile string
	Stored  string // the origin it is for
	Asked   string
}

func (e *OriginError) Error() string {
	return fmt.Sprintf("the token of profile %s is for %s and is not sent to %s", e.Profile, e.Stored, e.Asked)
}

// A NotKnownError says that a store failed, or did not answer in time, in a way that leaves open whether it did
// what it was asked to. It may still do it later.
type NotKnownError struct {
	Done string // what it may have done: saved, removed
	Err  error
}

func (e *NotKnownError) Error() string {
	return fmt.Sprintf("%v; it is not known whether the token was %s", e.Err, e.Done)
}

func (e *NotKnownError) Unwrap() error { return e.Err }
