package lifecycle

import (
	"fmt"
	"strings"

	"github.com/utho/utho-cli/pkg/utho"
)

// Next is what somebody has to do after an [OutcomeError].
type Next uint8

// What can be left to do.
const (
	NextLook         Next = iota // list the tokens and find out
	NextDelete                   // delete the tokens of IDs
	NextDeleteAgain              // delete the tokens of IDs, then run the same command again
	NextFinishOrDrop             // a rotation: delete Old to finish it, or the one of IDs to drop it
	NextFinish                   // a rotation: delete Old, since the new token works and was delivered
	NextRepeat                   // run the same command again
)

// OutcomeError says that the outcome is not known, or that something is left that somebody has to clean up.
type OutcomeError struct {
	Left string   // what is left, the answer: `token 10004 "ci" was created, but its secret is lost`
	Next Next     // what to do about it
	IDs  []string // the tokens concerned: exactly these, or candidates if Next is NextLook
	Old  string   // of a rotation: the id of the token that was to be deleted
	Err  error    // why; nil if Left says it all
}

func (e *OutcomeError) Unwrap() error { return e.Err }
func (e *OutcomeError) Error() string {
	if e.Err == nil {
		return e.Left
	}
	return e.Left + ": " + e.Err.Error()
}

// RolledBackError is a failure after which the token was deleted again and every place is as it was, but those named.
type RolledBackError struct {
	Name     string
	Old      string   // of a rotation: the token that still works
	Kept     []string // other programs that were given the secret, which is dead now
	Doubtful []string // other programs that failed and may have kept it
	Err      error    // why
}

func (e *RolledBackError) Unwrap() error { return e.Err }
func (e *RolledBackError) Error() string {
	text := "the new token " + quote(e.Name) + " was deleted again"
	if e.Old != "" {
		text += " and the old token " + e.Old + " still works"
	}
	text += said(e.Kept, "was given a secret that no longer works") + said(e.Doubtful, "may now hold a secret that does not work")
	return text + ": " + e.Err.Error()
}

// NotCreatedError is a create that the service refused, or that never left.
type NotCreatedError struct {
	Old string // of a rotation: the token that still works
	Err error
}

func (e *NotCreatedError) Unwrap() error { return e.Err }
func (e *NotCreatedError) Error() string {
	old := ""
	if e.Old != "" {
		old = ", and the old token " + e.Old + " still works"
	}
	return "nothing was created" + old + ": " + opless(e.Err)
}

// VerifyError is a --verify command that failed. Both tokens work, and nothing was undone.
type VerifyError struct {
	Old, New string // ids
	Err      error
}

func (e *VerifyError) Unwrap() error { return e.Err }
func (e *VerifyError) Error() string {
	return fmt.Sprintf("both tokens work, the old %s and the new %s, whose secret was delivered: %v", e.Old, e.New, e.Err)
}

// TakenError is a name that a token has.
type TakenError struct {
	Name   string
	Tokens []utho.Token
}

func (e *TakenError) Error() string {
	return "the name " + quote(e.Name) + " is taken; nothing was created"
}

// NotFoundError is an ID or NAME that no token has.
type NotFoundError struct {
	Arg   string
	Named []utho.Token // tokens that have the digits of Arg as their name
	Close string       // a name that differs little from Arg; empty if there is none
	Gone  bool         // it was there before a rotation was to start
}

func (e *NotFoundError) Error() string {
	if e.Gone {
		return "token " + e.Arg + " has gone meanwhile; nothing was created"
	}
	if IsID(e.Arg) {
		return "no token has the id " + e.Arg
	}
	return "no token is named " + quote(e.Arg)
}

// AmbiguousError is a NAME that several tokens have.
type AmbiguousError struct {
	Arg    string
	Tokens []utho.Token
	Held   string // the id of the one whose secret the place of a rotation holds; empty if it does not say
}

func (e *AmbiguousError) Error() string { return "several tokens are named " + quote(e.Arg) }

// opless is an error of the client without its operation and its kind, which the text around it names already.
func opless(err error) string {
	e, ok := err.(*utho.Error) //nolint:errorlint // only its own words are taken off
	if !ok {
		return err.Error()
	}
	return strings.TrimPrefix(strings.TrimPrefix(e.Error(), e.Op+": "), utho.ErrOutcomeUnknown.Error()+": ")
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`"`, `\"`, `\`, `\\`, "\n", `\n`).Replace(s) + `"`
}

// named names a token in a sentence, by its id if that is known.
func named(id, name string) string { return strings.TrimSpace(id + " " + quote(name)) }

func said(places []string, what string) string {
	if len(places) == 0 {
		return ""
	}
	return "; " + strings.Join(places, ", ") + " " + what
}

func candidates(tokens []utho.Token) string { return strings.Join(idsOf(tokens), ", ") }
