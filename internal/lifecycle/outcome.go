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
	NextFinishOrDrop             // a rotation: delete Old to finish it, or New to drop it
	NextFinish                   // a rotation: delete Old, since New works and was delivered
	NextRepeat                   // run the same command again
)

// OutcomeError says that the outcome is not known, or that something is left that somebody has to clean up.
type OutcomeError struct {
	Left string   // what is left, the answer: `token 10004 "ci" was created, but its secret is lost`
	Next Next     // what to do about it
	IDs  []string // the tokens concerned: exactly these, or candidates if Next is NextLook
	Old  string   // of a rotation: the id of the token that was to be deleted
	New  string   // of a rotation: the id of the new token; empty if not known
	Err  error    // why; nil if Left says it all
}

func (e *OutcomeError) Error() string {
	if e.Err == nil {
		return e.Left
	}
	return e.Left + ": " + e.Err.Error()
}

func (e *OutcomeError) Unwrap() error { return e.Err }

// RolledBackError is a failure after a token was created; the token was deleted again and every place is as it was,
// except those that it names.
type RolledBackError struct {
	Name     string
	Old      string   // of a rotation: the token that still works
	Kept     []string // other programs that were given the secret, which is dead now
	Doubtful []string // other programs that failed and may have kept it
	Err      error    // why
}

func (e *RolledBackError) Error() string {
	text := fmt.Sprintf("the new token %s was deleted again", quote(e.Name))
	if e.Old != "" {
		text += fmt.Sprintf(" and the old token %s still works", e.Old)
	}
	if len(e.Kept) > 0 {
		text += "; " + strings.Join(e.Kept, ", ") + " was given a secret that no longer works"
	}
	if len(e.Doubtful) > 0 {
		text += "; " + strings.Join(e.Doubtful, ", ") + " may now hold a secret that does not work"
	}
	return text + ": " + e.Err.Error()
}

func (e *RolledBackError) Unwrap() error { return e.Err }

// NotCreatedError is a create that the service refused, or that never left.
type NotCreatedError struct {
	Name string
	Old  string // of a rotation: the token that still works
	Err  error
}

func (e *NotCreatedError) Error() string {
	if e.Old != "" {
		return fmt.Sprintf("no new token was created, and the old token %s still works: %v", e.Old, opless(e.Err))
	}
	return fmt.Sprintf("token %s was not created: %v", quote(e.Name), opless(e.Err))
}

func (e *NotCreatedError) Unwrap() error { return e.Err }

// TakenError is a name that a token has.
type TakenError struct {
	Name   string
	Tokens []utho.Token
}

func (e *TakenError) Error() string {
	return fmt.Sprintf("the name %s is taken; nothing was created", quote(e.Name))
}

// NotFoundError is an ID or NAME that no token has.
type NotFoundError struct {
	Arg   string
	Named []utho.Token // tokens that have the digits of Arg as their name
	Close string       // a name that differs little from Arg; empty if there is none
}

func (e *NotFoundError) Error() string {
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

func (e *AmbiguousError) Error() string {
	return "several tokens are named " + quote(e.Arg)
}

// opless is an error of the client without its operation, which the text around it names already.
func opless(err error) string {
	text := err.Error()
	if e, ok := err.(*utho.Error); ok { //nolint:errorlint // only its own words are taken off
		text = strings.TrimPrefix(text, e.Op+": ")
	}
	return text
}

// quote is a name in a sentence.
func quote(s string) string {
	return `"` + strings.NewReplacer(`"`, `\"`, `\`, `\\`, "\n", `\n`).Replace(s) + `"`
}

// candidates names tokens in a sentence.
func candidates(tokens []utho.Token) string { return strings.Join(idsOf(tokens), ", ") }
