package auth

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
)

// KeyringHint names the two ways to go on without a keyring.
const KeyringHint = "keep the token in a file that only you can read, with --store file, or put it in UTHO_API_KEY"

// A Reason says why a keyring could not be used.
type Reason uint8

// What can be wrong with a keyring.
const (
	ReasonOther        Reason = iota // none of those below; Err says what
	ReasonNoBus                      // there is no D-Bus session
	ReasonNoService                  // nothing in the session keeps secrets
	ReasonNeverCreated               // this user has no keyring yet
	ReasonLocked                     // the keyring is locked and was not unlocked
	ReasonTimeout                    // no answer within the bound
	ReasonUnsupported                // no keyring on this system
	ReasonTooBig                     // the secret is larger than MaxSecret
)

func (r Reason) String() string {
	switch r {
	case ReasonNoBus:
		return "no bus"
	case ReasonNoService:
		return "no service"
	case ReasonNeverCreated:
		return "never created"
	case ReasonLocked:
		return "locked"
	case ReasonTimeout:
		return "timeout"
	case ReasonUnsupported:
		return "unsupported"
	case ReasonTooBig:
		return "too big"
	default:
		return "other"
	}
}

// The operations a KeyringError names.
const (
	opGet    = "read from the keyring"
	opSet    = "save to the keyring"
	opDelete = "remove from the keyring"
	opProbe  = "try the keyring"
)

// A KeyringError says what was to be done with the keyring and why it could not
// be. It is never ErrNotFound: that is the answer of a keyring that works.
type KeyringError struct {
	Op     string // what was to be done
	Reason Reason
	After  time.Duration // how long was waited, for ReasonTimeout
	Err    error         // what the system said, if anything
}

func (e *KeyringError) Error() string {
	text := e.Op + ": "
	switch e.Reason {
	case ReasonNoBus:
		text += "there is no D-Bus session here, so no keyring can be reached"
	case ReasonNoService:
		text += "nothing in this session keeps secrets (no gnome-keyring, KWallet or the like)"
	case ReasonNeverCreated:
		text += "this user has no keyring yet"
	case ReasonLocked:
		text += "it is locked"
	case ReasonTimeout:
		text += fmt.Sprintf("no answer within %v; it may be waiting for somebody to unlock it", e.After)
	case ReasonUnsupported:
		text += "utho knows no keyring on this system"
	case ReasonTooBig:
		text += ErrTooBig.Error()
	default:
		text += "it failed"
	}
	if e.Err != nil && e.Reason != ReasonTooBig {
		text += ": " + e.Err.Error()
	}
	if e.Op == opSet && (e.Reason == ReasonTimeout || e.Reason == ReasonOther) {
		text += "; the token is not known to be saved"
	}
	return text
}

func (e *KeyringError) Unwrap() error { return e.Err }

// Hint says how to go on.
func (e *KeyringError) Hint() string {
	switch e.Reason {
	case ReasonLocked, ReasonTimeout:
		return "unlock the keyring, or " + KeyringHint
	case ReasonTooBig:
		return ""
	default:
		return KeyringHint
	}
}

// saying is an error with what another program said, made harmless: on one
// line, not long, and without the secret where it came back in it.
func saying(err error, secret string) error {
	text := err.Error()
	if secret != "" && strings.Contains(text, secret) {
		return errors.New("(its answer holds the token and is not shown)")
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
	return errors.New(text)
}
