package cli

import (
	"context"
	"errors"
	"fmt"
	"html"
	"strings"
	"time"

	"github.com/utho/utho-cli/internal/expiry"
	"github.com/utho/utho-cli/internal/output"
	"github.com/utho/utho-cli/pkg/utho"
)

// How long the steps around a create wait.
const (
	confirmFor   = 5 * time.Second // for the new token to show in the list
	refusedFor   = 5 * time.Second // for a deleted token's secret to be refused
	lastAnswer   = 4 * time.Second // for the answer of a create or a delete, or a delivery, after a signal
	lastLook     = 2 * time.Second // for the new token to show after a signal
	scopeFor     = 2 * time.Second // for one of the asked scope, where another's has shown
	listAtMost   = 5 * time.Second // for one of these lists
	deleteAtMost = 8 * time.Second // for the deletion that undoes
)

// making is one token on its way: from the POST to the moment its secret has
// arrived where it was asked to go, or the token is gone again. It is the one
// place that create, rotate and run share, since a secret that the service
// shows once is lost or leaked here or nowhere.
//
// Two contexts run through it: soft, which the first signal ends, bounds what
// only waits; hard, which leaves 10 s after the first signal, bounds what finds
// out, delivers and undoes.
type making struct {
	a      *app
	s      *session
	req    utho.CreateTokenRequest
	unique bool            // utho made the name up: a token of that name is this one
	before map[string]bool // the ids that were there before
	since  time.Time       // what is older may be an earlier rotation's; zero where there was none

	secret string
	token  utho.Token // ID is empty where it could not be told
	mute   bool       // nothing that came with the secret was answered
}

// post makes the token, once. Where the answer is lost it finds out what stands
// and the error says so; nothing is left to do then.
func (m *making) post(soft, hard context.Context) error {
	if soft.Err() != nil {
		return fmt.Errorf("create %s: %w; nothing was created", quoteText(m.req.Name), context.Cause(soft))
	}
	ctx, cancel := context.WithTimeout(hard, m.s.timeout)
	defer cancel()
	ctx, done := leaveRoom(ctx, soft, lastAnswer)
	defer done()
	created, err := m.s.client.CreateToken(ctx, m.req)
	switch {
	case err == nil:
		m.secret = created.Secret
		return nil
	case errors.Is(err, utho.ErrOutcomeUnknown):
		return m.findLost(soft, hard, err)
	}
	if cause := context.Cause(soft); soft.Err() != nil && errors.Is(err, context.Canceled) {
		err = cause
	}
	f := classify(err)
	f.msg = said("create "+quoteText(m.req.Name), err).Error() + "; nothing was created"
	return f
}

// leaveRoom is a context that ends so long after soft has: what is under way
// may come to its end, and hard still has room to find out and to undo.
func leaveRoom(ctx, soft context.Context, last time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	unhook := context.AfterFunc(soft, func() {
		late := time.AfterFunc(last, cancel)
		context.AfterFunc(ctx, func() { late.Stop() })
	})
	return ctx, func() {
		unhook()
		cancel()
	}
}

// fresh are the tokens of the name asked for that were not there before.
func (m *making) fresh(tokens []utho.Token) []utho.Token {
	return matching(tokens, func(t utho.Token) bool { return !m.before[t.ID] && t.Name == m.req.Name })
}

// recent leaves out what an earlier rotation may have made and the list not shown
// until now.
func (m *making) recent(tokens []utho.Token) []utho.Token {
	return matching(tokens, func(t utho.Token) bool { return m.since.IsZero() || !t.CreatedAt.Before(m.since) })
}

// list asks what there is, in the time that such a look has.
func (m *making) list(ctx context.Context) (*utho.TokenList, error) {
	return listWith(ctx, m.s.client, min(listAtMost, m.s.timeout))
}

// findLost lists at 0, 1 and 3 s after an answer that was lost, and says what
// stands. The token is deleted only where its name can be nobody else's.
func (m *making) findLost(soft, hard context.Context, lost error) error {
	lost = said("create "+quoteText(m.req.Name), lost)
	var listErr error
	for _, wait := range []time.Duration{0, time.Second, 2 * time.Second} {
		pause(soft, wait)
		var list *utho.TokenList
		if list, listErr = m.list(hard); listErr != nil {
			continue
		}
		found := m.fresh(list.Tokens)
		sure := len(found) == 1
		if len(found) == 0 {
			t, ok := m.altered(list.Tokens)
			if !ok {
				continue
			}
			found = append(found, t)
		}
		if sure {
			m.token = found[0]
		}
		if sure && m.unique {
			err := m.remove(hard, found[0].ID)
			if err == nil {
				return failf(exitError, "error", "%v; the token it had made, %s, was deleted again", lost, found[0].ID)
			}
			return m.left(lost, found, err)
		}
		return m.left(lost, found, nil)
	}
	after := " after 3 s"
	if soft.Err() != nil {
		after = ""
	}
	if listErr != nil {
		return failf(exitUnknown, "unknown_outcome",
			"%w; it is not known whether a token was made, since the list failed too: %v", lost, listErr).
			with("look for it, and delete it if it is there: its secret is lost: %s", m.a.command("token", "list", "-o", "wide"))
	}
	return failf(exitUnknown, "unknown_outcome", "%w; there is no new token named %s%s; it may still appear", lost, m.req.Name, after).
		with("look again before trying again: %s", m.a.command("token", "list", "-o", "wide"))
}

// left is the error for tokens that stand and whose secret nobody has.
func (m *making) left(cause error, tokens []utho.Token, removal error) error {
	var names []string
	for _, t := range tokens {
		names = append(names, output.Safe(t.ID))
	}
	text := fmt.Sprintf("%v; token %s exists and its secret is lost", cause, strings.Join(names, ""))
	if len(tokens) > 1 {
		text = fmt.Sprintf("%v; tokens %s are new and named %s: one of them is this one, and its secret is lost", cause, strings.Join(names, " and "), m.req.Name)
	}
	if removal != nil {
		text += fmt.Sprintf("; deleting it failed: %v", removal)
	}
	f := &failure{exit: exitUnknown, code: "unknown_outcome", msg: text, err: cause}
	if len(tokens) > 1 {
		// No command that deletes one: it may be somebody else's.
		return f.with("find out which is yours and delete it: %s", m.a.command("token", "list", "-o", "wide"))
	}
	return f.with("%s", m.a.deleteCommand(tokens[0].ID))
}

// look lists until enough of the new tokens of that name are there, or ctx ends.
// It returns the last list that came, or else why none did. A list that fails is
// asked for again, but where that cannot help or a signal came.
func (m *making) look(ctx, soft context.Context, enough func([]utho.Token) bool) (list *utho.TokenList, err error) {
	for wait := 250 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		l, listErr := m.list(ctx)
		switch {
		case listErr == nil:
			if list = l; enough(m.fresh(l.Tokens)) {
				return list, nil
			}
		case soft.Err() != nil || futile(ctx, listErr):
			return list, listErr
		case err == nil || ctx.Err() == nil: // that the time is over says less
			err = listErr
		}
		if soft.Err() != nil {
			pause(ctx, wait)
		} else {
			waiting, stop := context.WithCancel(ctx)
			unhook := context.AfterFunc(soft, stop)
			pause(waiting, wait)
			unhook()
			stop()
		}
		if ctx.Err() != nil {
			return list, err
		}
	}
}

// futile tells whether a list that failed would fail again: the credential is
// rejected, or the service asks for more time than there is.
func futile(ctx context.Context, err error) bool {
	var e *utho.Error
	until, limited := ctx.Deadline()
	return errors.Is(err, utho.ErrUnauthorized) || errors.Is(err, utho.ErrForbidden) ||
		limited && errors.As(err, &e) && e.RetryAfter > time.Until(until)
}

// asked are those of the tokens that have the scope that was asked for.
func (m *making) asked(tokens []utho.Token) []utho.Token {
	return matching(tokens, func(t utho.Token) bool { return t.Scope == m.req.Scope })
}

// confirm finds the new token in the list, for its id and to see its scope,
// which nothing else tells. What cannot be told leaves token.ID empty and is a
// warning; a scope that came out otherwise than asked is undone and an error.
func (m *making) confirm(soft, hard context.Context) error {
	ctx, cancel := context.WithTimeout(hard, confirmFor)
	defer cancel()
	ctx, done := leaveRoom(ctx, soft, lastLook)
	defer done()
	m.token = utho.Token{Name: m.req.Name, Scope: m.req.Scope}
	var until time.Time
	list, err := m.look(ctx, soft, func(fresh []utho.Token) bool {
		found := m.recent(fresh)
		switch {
		case len(found) == 0:
			return soft.Err() != nil
		case m.unique || len(m.asked(found)) > 0:
			return true
		case until.IsZero():
			// It may be somebody else's that shows before this one does.
			until = time.Now().Add(scopeFor)
		}
		return time.Now().After(until)
	})
	if list == nil && soft.Err() != nil {
		return nil // the caller takes it back
	}
	if list == nil {
		m.a.note("warning: the list after the create failed, so the id and the scope of %s are not confirmed: %v", quoteText(m.req.Name), err)
		return nil
	}
	fresh := m.fresh(list.Tokens)
	found := m.recent(fresh)
	asked := m.asked(found)
	switch {
	case len(found) == 0 && len(fresh) > 0 && len(m.asked(fresh)) == 0:
		// An earlier rotation asked for the same scope.
		return m.left(fmt.Errorf("create %s: what is new and has that name has not the scope %s that was asked for, so the secret was not given out", quoteText(m.req.Name), m.req.Scope), fresh, nil)
	case len(found) == 0 && len(fresh) > 0:
		m.a.note("warning: what is new and named %s may be what an earlier rotation made (%s), so the id and the scope of this one are not confirmed", quoteText(m.req.Name), idList(fresh))
		return nil
	case len(found) == 1 && len(asked) == 1:
		m.token = found[0]
		return nil
	case len(found) == 1:
		m.token = found[0]
		return m.otherScope(hard, found[0])
	case len(found) > 1 && len(asked) == 0:
		return m.left(fmt.Errorf("create %s: none of the new tokens of that name has the scope %s that was asked for, so the secret was not given out", quoteText(m.req.Name), m.req.Scope), found, nil)
	case len(found) > 1 && len(asked) == len(found):
		m.a.note("warning: %d new tokens are named %s, so the id of this one is not known (%s)", len(found), quoteText(m.req.Name), idList(found))
		return nil
	case len(found) > 1:
		m.a.note("warning: %d new tokens are named %s, so the id and the scope of this one are not confirmed (%s)", len(found), quoteText(m.req.Name), idList(found))
		return nil
	}
	if t, ok := m.altered(list.Tokens); ok {
		return m.otherName(hard, t)
	}
	m.a.note("warning: the list does not show the new token %s, so its id and scope are not confirmed", quoteText(m.req.Name))
	return nil
}

// otherScope takes back a token that the service made with another scope. That
// it is this one is not certain where others may use the name: confirm has waited
// for another then, and undo sees by the secret whether it was.
func (m *making) otherScope(hard context.Context, t utho.Token) error {
	what := fmt.Sprintf("create %s: the service made token %s with the scope %s instead of %s", quoteText(m.req.Name), t.ID, t.Scope, m.req.Scope)
	if err := m.undo(hard); err != nil {
		return m.standing(what+"; its secret was not given out", err)
	}
	return failf(exitError, "error", "%s; it was deleted again and its secret was not given out", what)
}

// altered is the one new token whose name is what the service may have made of
// the one asked for: cut, trimmed or escaped.
func (m *making) altered(tokens []utho.Token) (utho.Token, bool) {
	recent := matching(tokens, func(t utho.Token) bool { return !m.before[t.ID] })
	if len(recent) != 1 || !resembles(recent[0].Name, m.req.Name) {
		return utho.Token{}, false
	}
	return recent[0], true
}

func resembles(got, want string) bool {
	fold := func(s string) string {
		return strings.ToLower(strings.Join(strings.Fields(html.UnescapeString(s)), " "))
	}
	got, want = fold(got), fold(want)
	return got != "" && strings.HasPrefix(want, got)
}

// otherName is for a token whose name the service changed: it is the one, by
// all that can be told, but the name no longer says what it was to say.
func (m *making) otherName(hard context.Context, t utho.Token) error {
	m.token = t
	text := fmt.Sprintf("warning: the service changed the name %s to %s", quoteText(m.req.Name), quoteText(t.Name))
	if expiry.Has(m.req.Name) && !expiry.Has(t.Name) {
		text += "; its expiry will not work"
	}
	m.a.note("%s", text)
	if t.Scope != m.req.Scope {
		return m.otherScope(hard, t)
	}
	return nil
}

func idList(tokens []utho.Token) string {
	var ids []string
	for _, t := range tokens {
		ids = append(ids, t.ID)
	}
	return strings.Join(ids, ", ")
}
