package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/utho/utho-cli/pkg/utho"
)

// undo deletes the new token and sees its secret refused. It deletes only where
// one new token of that name and scope can be told; else the error names what
// is left.
func (m *making) undo(hard context.Context) error {
	id := m.token.ID
	if id == "" {
		var err error
		if id, err = m.tell(hard); err != nil {
			return err
		}
	} else if !m.unique && m.token.Name != m.req.Name {
		// By all that can be told it is this one; that is not enough to delete it.
		return &leftover{err: fmt.Errorf("the list shows token %s, named %s, in its place, which may be somebody else's", id, quoteText(m.token.Name))}
	}
	if err := m.remove(hard, id); err != nil {
		return &leftover{ids: []string{id}, unseen: errors.As(err, new(unseenError)), err: fmt.Errorf("deleting it failed: %w", err)}
	}
	if m.secret == "" {
		return nil
	}
	probe, err := m.s.with(m.secret)
	if err != nil {
		return &leftover{ids: []string{id}, err: err}
	}
	ctx, cancel := context.WithTimeout(hard, refusedFor)
	defer cancel()
	accepted := false
	for wait := 100 * time.Millisecond; ; wait *= 2 {
		_, err = probe.ListTokens(ctx)
		if errors.Is(err, utho.ErrUnauthorized) || errors.Is(err, utho.ErrForbidden) {
			return nil
		}
		if err != nil {
			break
		}
		accepted = true
		if ctx.Err() != nil {
			break
		}
		pause(ctx, wait)
	}
	if m.mute && !accepted && errors.Is(err, utho.ErrUnavailable) {
		// What was never answered cannot be seen refused: the list has to do.
		if list, listErr := m.list(hard); listErr == nil && !ids(list.Tokens)[id] {
			m.a.note("warning: token %s is no longer listed; that its secret is refused could not be seen: %v", id, err)
			return nil
		}
	}
	left := &leftover{ids: []string{id}, gone: true, err: err}
	if accepted {
		left.err = errors.New("its secret still works")
		left.others = m.others(hard, id)
	}
	return left
}

// others are the new tokens of that name besides the one that was deleted, of
// which one is this one: the secret goes on working.
func (m *making) others(hard context.Context, id string) []string {
	if m.unique {
		return nil
	}
	list, err := m.list(hard)
	if err != nil {
		return nil
	}
	var others []string
	for _, t := range m.fresh(list.Tokens) {
		if t.ID != id {
			others = append(others, t.ID)
		}
	}
	return others
}

// tell finds the one new token of that name and scope, for undo.
func (m *making) tell(hard context.Context) (id string, err error) {
	ctx, cancel := context.WithTimeout(hard, confirmFor)
	defer cancel()
	list, err := m.look(ctx, ctx, func(fresh []utho.Token) bool { return len(m.asked(fresh)) > 0 })
	if list == nil {
		return "", &leftover{err: fmt.Errorf("it cannot be told which token it is: %w", err)}
	}
	found := m.asked(m.fresh(list.Tokens))
	switch len(found) {
	case 0:
		return "", &leftover{err: errors.New("the list does not show it")}
	case 1:
		return found[0].ID, nil
	}
	left := &leftover{err: errors.New("several new tokens have that name and scope")}
	for _, t := range found {
		left.ids = append(left.ids, t.ID)
	}
	return "", left
}

// remove deletes a token and decides by the list, not by words, whether it is
// gone.
func (m *making) remove(hard context.Context, id string) error {
	return removeToken(m.a.sig.soft, hard, m.s.client, id, min(deleteAtMost, m.s.timeout))
}

// unseenError is a deletion that failed and of which the list did not tell
// either whether the token is gone.
type unseenError struct{ err error }

func (e unseenError) Error() string { return e.err.Error() }

func (e unseenError) Unwrap() error { return e.err }

// removeToken deletes a token with a client. After any answer but success the
// list decides.
func removeToken(soft, hard context.Context, c *utho.Client, id string, limit time.Duration) error {
	err := deleteWith(soft, hard, c, id, limit)
	if err == nil {
		return nil
	}
	list, listErr := listWith(hard, c, min(listAtMost, limit))
	if listErr != nil {
		return unseenError{err}
	}
	if len(matching(list.Tokens, func(t utho.Token) bool { return t.ID == id })) == 0 {
		return nil
	}
	return err
}

// leftover is why an undo did not come to its end, and what may stand.
type leftover struct {
	ids    []string // the token, or those that it may be; none where unknown
	gone   bool     // it was deleted, but its secret was not seen refused
	others []string // new ones of that name that are left then: it may be one of these
	unseen bool     // whether it is gone could not be seen
	err    error
}

func (l *leftover) Error() string { return l.err.Error() }

func (l *leftover) Unwrap() error { return l.err }

// standing is the error of a protocol whose undo failed: outcome unknown, with
// what is left by name.
func (m *making) standing(what string, undo error) *failure {
	var l *leftover
	if !errors.As(undo, &l) {
		l = &leftover{err: undo}
	}
	var text string
	switch {
	case len(l.others) > 0:
		text = fmt.Sprintf("%s; token %s was deleted, but the secret still works, so that it may be another's: %s, new and named %s, is left",
			what, l.ids[0], strings.Join(l.others, ", "), quoteText(m.req.Name))
	case len(l.ids) == 1 && l.gone:
		text = fmt.Sprintf("%s; token %s was deleted again, but that its secret is refused could not be seen: %v", what, l.ids[0], l.err)
	case len(l.ids) == 1 && l.unseen:
		text = fmt.Sprintf("%s; token %s may still exist: %v", what, l.ids[0], l.err)
	case len(l.ids) == 1:
		text = fmt.Sprintf("%s; token %s still exists: %v", what, l.ids[0], l.err)
	case len(l.ids) > 1:
		text = fmt.Sprintf("%s; one of the tokens %s is left: %v", what, strings.Join(l.ids, ", "), l.err)
	default:
		text = fmt.Sprintf("%s; a token named %s may be left: %v", what, m.req.Name, l.err)
	}
	f := &failure{exit: exitUnknown, code: "unknown_outcome", msg: text, err: undo}
	if len(l.ids) == 1 && len(l.others) == 0 {
		return f.with("%s", m.a.deleteCommand(l.ids[0]))
	}
	return f.with("find it and delete it: %s", m.a.command("token", "list", "-o", "wide"))
}

// takeBack undoes after something went wrong before the secret arrived. The
// error is cause's where the undo succeeded.
func (m *making) takeBack(hard context.Context, cause error) error {
	f := classify(cause)
	if err := m.undo(hard); err != nil {
		return m.standing(f.msg, err).causedBy(f)
	}
	f.msg += "; the new token was deleted again"
	return f
}

// causedBy keeps an interrupt's status out of an unknown outcome but its cause
// in the chain.
func (f *failure) causedBy(cause *failure) *failure {
	f.err = errors.Join(f.err, cause)
	return f
}
