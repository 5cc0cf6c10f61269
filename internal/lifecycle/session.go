// Package lifecycle is how a token is created, rotated, lent to a command and deleted without losing a secret.
//
// The service shows a secret once, knows no idempotency key and may act without answering. So each protocol checks
// first whatever can be checked, sends its create once, finds out what happened if the answer is lost, and either
// delivers the secret or deletes the token. What it cannot settle is an [OutcomeError], which names what is left.
//
// ctx ends with the first signal and bounds what only waits. grace ends ten seconds later, or with the second
// signal, and bounds what finds out, delivers and cleans up.
package lifecycle

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/utho/utho-cli/internal/expiry"
	"github.com/utho/utho-cli/pkg/utho"
)

// How long the steps around a create take at most.
const (
	probeWithin    = 10 * time.Second // for a new secret to be accepted, or that of a deleted token refused
	listWithin     = 5 * time.Second  // for one list after a create
	deleteWithin   = 8 * time.Second  // for the deletion that rolls back
	deliverWithin  = 24 * time.Hour   // for all destinations, which have limits of their own
	answerWithin   = 4 * time.Second  // for what is under way when a signal comes
	confirmInGrace = 2 * time.Second  // for the new token to show after a signal
)

// Session is what a protocol needs of the outside.
type Session struct {
	Client  *utho.Client
	Timeout time.Duration                    // for one exchange with the service, its retries included
	Warn    func(format string, args ...any) // shows one line that is no error
	Waiting func(what string) (done func())  // says what is waited for until done is called
}

// Issued is a token that was created.
type Issued struct {
	Token    utho.Token // without an ID if the list did not show which one it is; its scope is the one asked for
	Secret   string
	Replaces *utho.Token // the old token of a rotation
	Deletes  string      // the id of the old token if it is to be deleted
	Now      time.Time   // of the service's clock, when the token was about to be created
}

// Destinations is where a new secret goes.
type Destinations interface {
	// Prepare checks all that can be checked before anything is created.
	Prepare(ctx context.Context) error
	// Deliver takes the secret to every place, in their order, and stops at the first that fails. own is that place if
	// it is the profile that the command runs with, the last one.
	Deliver(ctx context.Context, issued Issued) (own string, err error)
	// Undo restores the places that Deliver changed, in reverse order.
	Undo(ctx context.Context) Undone
	// Rotates says which tokens a rotation is about, after Prepare: the old one, and the new one of an unfinished
	// rotation. A profile in use that holds one of them becomes the last of the places, and is prepared.
	Rotates(ctx context.Context, ids ...string) error
	// Holds returns the secret whose SHA-256 is sum if every place can be read back and holds it, and "" if not;
	// holders are the places that do. The error says which place cannot be read.
	Holds(ctx context.Context, sum [32]byte) (secret string, holders []string, err error)
	// Places names the places for a record, independently of the working folder.
	Places() []string
	// Recorded returns what a place itself remembers of the last rotation into it.
	Recorded(ctx context.Context) (r Recorded, ok bool, err error)
}

// Undone is what became of each place after a delivery that failed.
type Undone struct {
	Restored []string // as they were
	Kept     []string // another program or a stream has the secret for good
	Doubtful []string // another program failed and may have kept a secret that is about to be deleted
	Unknown  []string // utho wrote there, and the place is not known to be as it was; with the reason
}

// Recorded is what a place remembers of a rotation.
type Recorded struct {
	TokenID, PreviousID string
	Sum                 [32]byte // SHA-256 of the secret that was delivered
}

// List asks for all tokens, within the time of one exchange.
func (s *Session) List(ctx context.Context) (*utho.TokenList, error) {
	defer s.Waiting("waiting for the list of tokens")()
	return listWith(ctx, s.Client, s.Timeout)
}

func listWith(ctx context.Context, c *utho.Client, limit time.Duration) (*utho.TokenList, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return c.ListTokens(ctx)
}

// Now is the service's clock when it sent the list, or the local one if the answer has no date.
func Now(l *utho.TokenList) time.Time {
	if l.ServerTime.IsZero() {
		return time.Now()
	}
	return l.ServerTime
}

// bounded ends with grace, after limit, or so long after ctx as last says: what is under way may complete.
func bounded(ctx, grace context.Context, limit, last time.Duration) (context.Context, context.CancelFunc) {
	limited, cancel := context.WithTimeout(grace, limit)
	stop := context.AfterFunc(ctx, func() {
		pause(limited, last)
		cancel()
	})
	return limited, func() { stop(); cancel() }
}

// pause waits for d, or less if ctx ends.
func pause(ctx context.Context, d time.Duration) {
	limited, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	<-limited.Done()
}

func filter(tokens []utho.Token, keep func(utho.Token) bool) []utho.Token {
	return slices.DeleteFunc(slices.Clone(tokens), func(t utho.Token) bool { return !keep(t) })
}

func contains(tokens []utho.Token, id string) bool { return slices.Contains(idsOf(tokens), id) }

func idsOf(tokens []utho.Token) []string {
	ids := make([]string, 0, len(tokens))
	for _, t := range tokens {
		ids = append(ids, t.ID)
	}
	return ids
}

// BaseName is a token's name without its expiry.
func BaseName(name string) string {
	base, _, _ := expiry.Split(name)
	return base
}

// IsID reports whether an argument can only be an id: digits.
func IsID(arg string) bool { return arg != "" && strings.Trim(arg, "0123456789") == "" }

// Find returns the token that an argument means. Digits are an id and only that, so that a stale command never hits
// a name; anything else is an id, else an exact name, else a name without its expiry. *NotFoundError,
// *AmbiguousError.
func Find(tokens []utho.Token, arg string) (utho.Token, error) {
	return only(tokens, matches(tokens, arg), arg)
}

func only(tokens, found []utho.Token, arg string) (utho.Token, error) {
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		same := filter(tokens, func(t utho.Token) bool { return t.Name == arg })
		return utho.Token{}, &NotFoundError{Arg: arg, Named: same, Close: closeName(tokens, arg)}
	}
	return utho.Token{}, &AmbiguousError{Arg: arg, Tokens: found}
}

func matches(tokens []utho.Token, arg string) []utho.Token {
	found := filter(tokens, func(t utho.Token) bool { return t.ID == arg })
	if len(found) > 0 || IsID(arg) {
		return found
	}
	if found = filter(tokens, func(t utho.Token) bool { return t.Name == arg }); len(found) > 0 {
		return found
	}
	return filter(tokens, func(t utho.Token) bool { return BaseName(t.Name) == arg })
}

// closeName is the one name that begins like arg, or that arg begins like.
func closeName(tokens []utho.Token, arg string) string {
	var found []string
	for _, t := range tokens {
		base := BaseName(t.Name)
		near := strings.HasPrefix(base, arg) || base != "" && strings.HasPrefix(arg, base)
		if len(arg) >= 3 && near && !slices.Contains(found, base) {
			found = append(found, base)
		}
	}
	if len(found) != 1 {
		return ""
	}
	return found[0]
}

// taken are the tokens that have a name, compared without their expiry. Expired ones do not count.
func taken(tokens []utho.Token, name string, now time.Time) []utho.Token {
	return filter(tokens, func(t utho.Token) bool { return BaseName(t.Name) == name && !expiry.Expired(t.Name, now) })
}

// addedTo are the tokens of a name that were not there before.
func addedTo(before []string, tokens []utho.Token, name string) []utho.Token {
	return filter(tokens, func(t utho.Token) bool { return t.Name == name && !slices.Contains(before, t.ID) })
}
