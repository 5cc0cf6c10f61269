package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	Tried   bool  // the request was sent
	Err     error // why it is not deleted, or not known to be
}

// Delete deletes tokens, several at once, and calls step after each. own is the id of the token that the credential
// itself is, or "": it goes last, since nothing can be deleted after it. A rejected credential or a signal stops
// the rest. The error is why it stopped; each Deletion says what became of its token.
func (s *Session) Delete(ctx, grace context.Context, tokens []utho.Token, own string, step func()) ([]*Deletion, error) {
	var all []*Deletion
	for _, t := range tokens {
		all = append(all, &Deletion{Token: t})
	}
	isOwn := func(d *Deletion) bool { return own != "" && d.Token.ID == own }
	stop, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	attempt := func(d *Deletion) {
		d.Tried = true
		d.Err = s.deleteOnce(ctx, grace, s.Client, d.Token.ID, s.Timeout)
		d.Deleted = d.Err == nil
		if errors.Is(d.Err, utho.ErrUnauthorized) {
			cancel(d.Err)
		}
		step()
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, deletesAtOnce)
	for _, d := range all {
		if isOwn(d) {
			continue
		}
		select {
		case <-stop.Done():
		case slots <- struct{}{}:
		}
		if stop.Err() != nil {
			break
		}
		wg.Go(func() {
			defer func() { <-slots }()
			attempt(d)
		})
	}
	wg.Wait()
	if n := slices.IndexFunc(all, isOwn); n >= 0 && stop.Err() == nil {
		attempt(all[n])
	}
	s.settle(ctx, grace, all)
	return all, context.Cause(stop)
}

// settle decides by the list what became of those that failed: one that went meanwhile counts as deleted.
func (s *Session) settle(ctx, grace context.Context, all []*Deletion) {
	if !slices.ContainsFunc(all, func(d *Deletion) bool { return d.Err != nil }) {
		return
	}
	list, listErr := listWith(grace, s.Client, s.Timeout)
	for _, d := range all {
		cut := ctx.Err() != nil && (errors.Is(d.Err, context.Canceled) || errors.Is(d.Err, context.DeadlineExceeded))
		cause := d.Err
		if cut {
			cause = context.Cause(ctx)
		}
		switch {
		case d.Err == nil:
		case listErr == nil && !contains(list.Tokens, d.Token.ID):
			d.Deleted, d.Err = true, nil
		case listErr == nil && cut:
			d.Err = fmt.Errorf("delete token %s: %w before an answer came; the list still shows it", d.Token.ID, cause)
		case listErr == nil && errors.Is(d.Err, utho.ErrNotFound):
			d.Err = fmt.Errorf("delete token %s: the list still shows it; the answer was: %s", d.Token.ID, opless(d.Err))
		case listErr != nil && !rejected(d.Err):
			d.Err = &OutcomeError{
				Left: fmt.Sprintf("token %s may be deleted or not; the list failed too (%s)", d.Token.ID, opless(listErr)),
				Next: NextLook, IDs: []string{d.Token.ID}, Err: cause,
			}
		}
	}
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
var errUnseen = errors.New("whether it is gone could not be seen")

// remove deletes a token. After a failure the list decides whether it is gone, not the answer's words.
func (s *Session) remove(ctx, grace context.Context, c *utho.Client, id string, limit time.Duration) error {
	err := s.deleteOnce(ctx, grace, c, id, limit)
	if err == nil {
		return nil
	}
	list, listErr := listWith(grace, c, min(listWithin, s.Timeout))
	switch {
	case listErr != nil:
		return fmt.Errorf("%w; %w: %w", err, errUnseen, listErr)
	case contains(list.Tokens, id):
		return err
	}
	return nil
}

func (s *Session) deleteOnce(ctx, grace context.Context, c *utho.Client, id string, limit time.Duration) error {
	limited, cancel := bounded(ctx, grace, min(limit, s.Timeout), answerWithin)
	defer cancel()
	return c.DeleteToken(limited, id)
}
