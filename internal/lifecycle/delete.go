package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/utho/utho-cli/pkg/utho"
)

// deletesAtOnce bounds the deletions that run at the same time.
const deletesAtOnce = 8

// Deletion is one token to delete and what became of it.
type Deletion struct {
	Token   utho.Token
	Deleted bool
	Err     error // why it is not deleted, or not known to be; nil if it was not attempted
}

// Delete deletes tokens, several at once, and calls step after each. own is the id of the token that the credential
// itself is, or "": it goes last, since nothing can be deleted after it. A rejected credential or a signal stops
// the rest. The error is why it stopped; each Deletion says what became of its token.
func (s *Session) Delete(ctx, grace context.Context, tokens []utho.Token, own string, step func()) ([]*Deletion, error) {
	stop, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	attempt := func(d *Deletion) {
		if stop.Err() != nil {
			return
		}
		d.Err = s.remove(ctx, grace, s.Client, d.Token.ID, s.Timeout)
		d.Deleted = d.Err == nil
		switch {
		case errors.Is(d.Err, utho.ErrUnauthorized):
			cancel(d.Err)
		case errors.Is(d.Err, errUnseen) && !rejected(d.Err):
			left := fmt.Sprintf("token %s may be deleted or not", d.Token.ID)
			d.Err = &OutcomeError{Left: left, Next: NextLook, IDs: []string{d.Token.ID}, Err: d.Err}
		}
		step()
	}
	var all []*Deletion
	var last *Deletion
	var wg sync.WaitGroup
	slots := make(chan struct{}, deletesAtOnce)
	for _, t := range tokens {
		d := &Deletion{Token: t}
		if all = append(all, d); own != "" && t.ID == own {
			last = d
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			attempt(d)
		})
	}
	wg.Wait()
	if last != nil {
		attempt(last)
	}
	return all, context.Cause(stop)
}

// Revoke deletes the token that the credential itself is. A rejection of the credential after the deletion was sent
// counts as a deletion, unless the list still accepts it; but nobody has seen one: verified is false.
func (s *Session) Revoke(ctx, grace context.Context, id string) (verified bool, err error) {
	err = s.remove(ctx, grace, s.Client, id, s.Timeout)
	if errors.Is(err, utho.ErrUnauthorized) && errors.Is(err, errUnseen) {
		return false, nil
	}
	return err == nil, err
}

// errUnseen is a deletion that failed, after which the list failed too.
var errUnseen = errors.New("the list failed too")

// remove deletes a token. After a failure the list decides whether it is gone, not the answer's words.
func (s *Session) remove(ctx, grace context.Context, c *utho.Client, id string, limit time.Duration) error {
	limited, cancel := bounded(ctx, grace, min(limit, s.Timeout), answerWithin)
	defer cancel()
	err := c.DeleteToken(limited, id)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = fmt.Errorf("delete token %s: %w before an answer came", id, context.Cause(ctx))
	}
	list, listErr := listWith(grace, c, min(limit, s.Timeout))
	switch {
	case listErr != nil:
		return fmt.Errorf("%w; %w: %w", err, errUnseen, listErr)
	case !contains(list.Tokens, id):
		return nil
	case errors.Is(err, utho.ErrNotFound):
		return fmt.Errorf("delete token %s: the list still shows it; the answer was: %s", id, opless(err))
	}
	return err
}
