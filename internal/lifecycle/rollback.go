package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/utho/utho-cli/pkg/utho"
)

// rollback restores the places and deletes the new token after something went wrong; to is nil if nothing was
// delivered yet. The token is deleted only if every place that utho wrote is known to be as it was: else somebody
// may hold the new secret, and both tokens stay.
func (i *issuance) rollback(ctx, grace context.Context, to Destinations, cause error) error {
	undone := Undone{}
	if to != nil {
		undone = to.Undo(grace)
	}
	if len(undone.Unknown) > 0 || i.old != "" && len(undone.Kept) > 0 {
		return i.bothStay(undone, cause)
	}
	id := i.issued.Token.ID
	if id == "" {
		var err error
		if id, err = i.identify(grace); err != nil {
			return i.remains(id, err, cause)
		}
	}
	if err := i.remove(ctx, grace, i.Client, id, deleteWithin); err != nil {
		return i.remains(id, err, cause)
	}
	if err := i.revoked(grace, id); err != nil {
		return err
	}
	return &RolledBackError{Name: i.req.Name, Old: i.old, Kept: undone.Kept, Doubtful: undone.Doubtful, Err: cause}
}

// bothStay is a delivery that failed and could not be undone everywhere.
func (i *issuance) bothStay(undone Undone, cause error) error {
	var where []string
	for _, u := range undone.Unknown {
		where = append(where, fmt.Sprintf("%s may hold its secret (%v)", u.Place, u.Err))
	}
	for _, place := range undone.Kept {
		where = append(where, place+" has its secret")
	}
	name := i.req.Name
	left := fmt.Sprintf("the new token %s stays: %s", named(i.issued.Token.ID, name), strings.Join(where, "; "))
	next := NextDelete
	if i.old != "" {
		left = fmt.Sprintf("both tokens stay, the old %s and the new %s: %s", i.old, named(i.issued.Token.ID, name), strings.Join(where, "; "))
		next = NextFinishOrDrop
	}
	if len(undone.Restored) > 0 {
		left += "; " + strings.Join(undone.Restored, ", ") + " is as it was"
	}
	e := &OutcomeError{Left: left, Next: next, Old: i.old, New: i.issued.Token.ID, Err: cause}
	if e.New == "" {
		e.Next = NextLook
	} else {
		e.IDs = []string{e.New}
	}
	return e
}

func named(id, name string) string {
	if id == "" {
		return quote(name)
	}
	return id + " " + quote(name)
}

// identify finds the one added token of the name.
func (i *issuance) identify(grace context.Context) (string, error) {
	list, err := i.look(grace, grace, func(added []utho.Token) bool { return len(added) > 0 })
	if list == nil && grace.Err() != nil {
		err = errors.New("no time was left to list the tokens")
	}
	if list == nil {
		return "", err
	}
	added := i.added(list.Tokens)
	switch len(added) {
	case 0:
		return "", errors.New("the list does not show it")
	case 1:
		return added[0].ID, nil
	}
	return "", fmt.Errorf("%s are new and have that name", candidates(added))
}

// remains is a rollback that could not delete the token.
func (i *issuance) remains(id string, err, cause error) error {
	e := &OutcomeError{
		Next: NextDelete, IDs: []string{id}, Old: i.old, New: id,
		Left: fmt.Sprintf("the new token %s may still exist, and its secret is lost; deleting it failed (%v)", named(id, i.req.Name), err),
		Err:  cause,
	}
	if id == "" {
		e.Next, e.IDs = NextLook, nil
		e.Left = fmt.Sprintf("a token %s is left, and its secret is lost; it was not deleted, because it cannot be told which it is: %v",
			quote(i.req.Name), err)
	}
	return e
}

// revoked waits until the secret of the token that was deleted is refused: only that shows that it was this token.
func (i *issuance) revoked(grace context.Context, id string) error {
	if i.issued.Secret == "" {
		return nil
	}
	defer i.Waiting("waiting for the secret to be revoked")()
	probe, err := i.As(i.issued.Secret)
	if err != nil {
		return nil //nolint:nilerr // a secret that no client takes was accepted by none
	}
	limited, cancel := context.WithTimeout(grace, revokedWithin)
	defer cancel()
	accepted := false
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		_, err = probe.ListTokens(limited)
		if errors.Is(err, utho.ErrUnauthorized) || errors.Is(err, utho.ErrForbidden) {
			return nil
		}
		if err != nil {
			break
		}
		accepted = true
		pause(wait, limited)
		if limited.Err() != nil {
			break
		}
	}
	e := &OutcomeError{Next: NextLook, IDs: []string{id}, Old: i.old}
	if accepted {
		e.Left = fmt.Sprintf("token %s was deleted, but the secret that was just created still works: another new token named %s is its own", id, quote(i.req.Name))
		return e
	}
	if list, listErr := i.list(grace); listErr == nil && !contains(list.Tokens, id) {
		// The service answers, but not to this secret: the list has to do.
		i.Warn("token %s is deleted; could not verify that its secret was revoked: %v", id, err)
		return nil
	}
	e.Left, e.Err = fmt.Sprintf("token %s was deleted, but could not verify that its secret was revoked", id), err
	return e
}

// unseenError is a deletion that failed, after which the list failed too.
type unseenError struct{ err, list error }

func (e *unseenError) Error() string {
	return fmt.Sprintf("%s; whether it is gone could not be seen: %s", opless(e.err), opless(e.list))
}
func (e *unseenError) Unwrap() error { return e.err }

// remove deletes a token with a client. After any answer but success the list decides whether it is gone, not the
// answer's words.
func (s *Session) remove(ctx, grace context.Context, c *utho.Client, id string, limit time.Duration) error {
	err := s.deleteOnce(ctx, grace, c, id, limit)
	if err == nil {
		return nil
	}
	list, listErr := listWith(grace, c, min(listWithin, s.Timeout))
	if listErr != nil {
		return &unseenError{err, listErr}
	}
	if !contains(list.Tokens, id) {
		return nil
	}
	return err
}

func (s *Session) deleteOnce(ctx, grace context.Context, c *utho.Client, id string, limit time.Duration) error {
	limited, cancel := context.WithTimeout(grace, min(limit, s.Timeout))
	defer cancel()
	limited, done := withGrace(limited, ctx, answerWithin)
	defer done()
	return c.DeleteToken(limited, id)
}
