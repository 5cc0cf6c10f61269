package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/utho/utho-cli/internal/expiry"
	"github.com/utho/utho-cli/internal/output"
	"github.com/utho/utho-cli/pkg/utho"
)

// clockSkew is how far the local clock may be off before a command that
// compares ages mentions it.
const clockSkew = 5 * time.Minute

// list asks for all tokens, inside the time one exchange has.
func (s *session) list(ctx context.Context) (*utho.TokenList, error) {
	return listWith(ctx, s.client, s.timeout)
}

func listWith(ctx context.Context, c *utho.Client, limit time.Duration) (*utho.TokenList, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return c.ListTokens(ctx)
}

// delete deletes a token. A signal leaves the answer some seconds.
func (s *session) delete(soft, hard context.Context, id string) error {
	return deleteWith(soft, hard, s.client, id, s.timeout)
}

func deleteWith(soft, hard context.Context, c *utho.Client, id string, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(hard, limit)
	defer cancel()
	ctx, done := leaveRoom(ctx, soft, lastAnswer)
	defer done()
	return c.DeleteToken(ctx, id)
}

// now is the service's clock, or the local one where the answer has no date.
func now(l *utho.TokenList) time.Time {
	if l.ServerTime.IsZero() {
		return time.Now()
	}
	return l.ServerTime
}

// mentionClock says that ages are told by the service's clock where the local
// one is far from it.
func (a *app) mentionClock(l *utho.TokenList) {
	if l.ServerTime.IsZero() {
		return
	}
	if off := time.Since(l.ServerTime); off > clockSkew || off < -clockSkew {
		a.warnOnce("the local clock is %v off the service's, which is the one that counts here", off.Abs().Round(time.Second))
	}
}

// noneEmpty refuses an empty ID or NAME, as from a variable that is not set: it
// would mean a token without a name.
func noneEmpty(args ...string) error {
	if slices.Contains(args, "") {
		return usagef("an ID or NAME is empty; nothing was changed").with("a token without a name is named by its id")
	}
	return nil
}

// find is the token an argument means. Digits are an id and only that, so that
// a stale command never hits a name; anything else is an id, else an exact
// name, else a name without its expiry.
func (a *app) find(tokens []utho.Token, arg string) (utho.Token, error) {
	matches := matching(tokens, func(t utho.Token) bool { return t.ID == arg })
	if len(matches) == 0 && !isDigits(arg) {
		matches = matching(tokens, func(t utho.Token) bool { return t.Name == arg })
		if len(matches) == 0 {
			matches = matching(tokens, func(t utho.Token) bool {
				base, _, ok := expiry.Split(t.Name)
				return ok && base == arg
			})
		}
	}
	switch len(matches) {
	case 1:
		return matches[0], nil
	case 0:
		what := "no token is named " + quoteText(arg)
		if isDigits(arg) {
			what = "no token has the id " + arg
		}
		f := failf(exitNotFound, "not_found", "%s", what)
		if named := matching(tokens, func(t utho.Token) bool { return t.Name == arg }); len(named) > 0 {
			return utho.Token{}, f.with("digits are always an id; token %s has them as its name: %s", output.Safe(named[0].ID), a.about([]string{named[0].ID}, "token", "get"))
		}
		return utho.Token{}, f.with("%s", a.command("token", "list", "-o", "wide"))
	}
	text := "several tokens are named " + quoteText(arg) + ":"
	for _, t := range matches {
		text += "\n" + describe(t)
	}
	return utho.Token{}, failf(exitAmbiguous, "ambiguous", "%s", lines(text)).with("name one by its id, for example: %s", a.about([]string{matches[0].ID}, "token", "get"))
}

func matching(tokens []utho.Token, keep func(utho.Token) bool) []utho.Token {
	var found []utho.Token
	for _, t := range tokens {
		if keep(t) {
			found = append(found, t)
		}
	}
	return found
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// ids is the set of what was there at one moment.
func ids(tokens []utho.Token) map[string]bool {
	set := make(map[string]bool, len(tokens))
	for _, t := range tokens {
		set[t.ID] = true
	}
	return set
}

// baseName is a token's name without its expiry.
func baseName(name string) string {
	if base, _, ok := expiry.Split(name); ok {
		return base
	}
	return name
}
