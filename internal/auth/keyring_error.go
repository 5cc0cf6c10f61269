package auth

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
)

// The operations a KeyringError names.
const (
	opGet    = "read from the keyring"
	opSet    = "save to the keyring"
	opDelete = "remove from the keyring"
	opCheck  = "try the keyring"
)

// What can be wrong with a keyring; see also ErrLocked.
var (
	errNoBus        = errors.New("there is no D-Bus session here, so no keyring can be reached")
	errNoService    = errors.New("nothing in this session keeps secrets (no gnome-keyring, KWallet or the like)")
	errNeverCreated = errors.New("this user has no keyring yet")
	errUnsupported  = errors.New("utho knows no keyring on this system")
	errTimeout      = errors.New("no answer in time")
)

// A KeyringError says what was to be done with the keyring and why it could not be. It is never ErrNotFound:
// that is the answer of a keyring that works.
type KeyringError struct {
	Op    string        // what was to be done
	After time.Duration // how long was waited, if there was no answer; else 0
	Err   error         // why; ErrLocked is one
}

func (e *KeyringError) Error() string {
	if e.After > 0 {
		return fmt.Sprintf("%s: no answer within %v; it may be waiting for somebody to unlock it", e.Op, e.After)
	}
	return fmt.Sprintf("%s: %v", e.Op, e.Err)
}

func (e *KeyringError) Unwrap() error { return e.Err }

// Hint says how to go on, or is "".
func (e *KeyringError) Hint() string {
	unlock := e.After > 0 || errors.Is(e.Err, ErrLocked)
	switch {
	case e.Op == opDelete && unlock:
		return "unlock the keyring and try again"
	case e.Op == opDelete:
		return ""
	case e.Op == opGet && unlock:
		return "unlock the keyring and try again, or put the token in UTHO_API_KEY"
	case e.Op == opGet:
		return "put the token in UTHO_API_KEY, or keep it in a file that only you can read: utho login --store file"
	}
	hint := "keep the token in a file that only you can read, with --store file, or put it in UTHO_API_KEY"
	if unlock {
		hint = "unlock the keyring and try again, or " + hint
	}
	return hint
}

// refusal reports whether an error says that the keyring was never asked, or said no before it did anything.
func refusal(err error) bool {
	for _, known := range []error{ErrLocked, errNoBus, errNoService, errNeverCreated, errUnsupported, ErrTooBig} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// reason is why the keyring failed, in words that a person can use: one of the errors above, or what the
// system said, made harmless: on one line, not long, and without the secret if that came back in it.
func reason(err error, secret string) error {
	if !errors.As(err, new(*readBackError)) {
		if refusal(err) {
			return err
		}
		if known := classify(err); known != nil {
			return known // the system's own words add nothing
		}
	}
	text := err.Error()
	if secret != "" && strings.Contains(text, secret) {
		return errors.New("it failed, and its answer holds the token and is not shown")
	}
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
	if runes := []rune(text); len(runes) > 300 {
		text = string(runes[:300]) + "…"
	}
	return errors.New("it failed: " + text)
}
