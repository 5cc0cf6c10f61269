package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/utho/utho-cli/internal/output"
	"github.com/utho/utho-cli/pkg/utho"
)

// deletesAtOnce bounds the deletions that run at the same time.
const deletesAtOnce = 8

// deletion is one token to delete and what became of it. It is also its
// document in JSON.
type deletion struct {
	ID      string  `json:"id"`
	Name    string  `json:"name"`
	Deleted bool    `json:"deleted"`
	Error   *string `json:"error"`

	err   error
	tried bool
}

// runDeletions attempts all, several at once. It stops early where the
// credential is rejected (the reason is returned) or a signal came.
func (a *app) runDeletions(soft context.Context, s *session, work []*deletion) (stopped error) {
	bar := a.progress(len(work), "deleting")
	defer bar.done()
	queue := make(chan *deletion)
	stop, cancel := context.WithCancelCause(soft)
	defer cancel(nil)
	attempt := func(d *deletion) {
		d.tried = true
		d.err = s.delete(soft, a.sig.hard, d.ID)
		d.Deleted = d.err == nil
		if errors.Is(d.err, utho.ErrUnauthorized) {
			cancel(d.err)
		}
		bar.step()
	}
	var wg sync.WaitGroup
	for range min(deletesAtOnce, len(work)) {
		wg.Go(func() {
			for d := range queue {
				attempt(d)
			}
		})
	}
	// The profile's own token goes after all others have.
	last := len(work)
	if work[last-1].ID == s.tokenID && s.tokenID != "" {
		last--
	}
	for i, d := range work {
		if i == last && i > 0 {
			break
		}
		if stop.Err() != nil {
			break
		}
		select {
		case queue <- d:
			continue
		case <-stop.Done():
		}
		break
	}
	close(queue)
	wg.Wait()
	if last < len(work) && last > 0 && stop.Err() == nil {
		attempt(work[last])
	}
	if err := context.Cause(stop); stop.Err() != nil && soft.Err() == nil {
		return err
	}
	return nil
}

// settle decides by the list what became of those whose answer was not a
// success: one that went meanwhile counts as deleted.
func (a *app) settle(soft context.Context, s *session, work []*deletion) {
	if !slices.ContainsFunc(work, func(d *deletion) bool { return d.err != nil }) {
		return
	}
	list, err := s.list(a.sig.hard)
	if err != nil {
		for _, d := range work {
			switch {
			case cutShort(soft, d.err):
				d.err = failf(exitUnknown, "unknown_outcome", "delete token %s: %w before an answer came; whether it is gone could not be seen: %v", d.ID, context.Cause(soft), err).
					with("%s", a.command("token", "list", "-o", "wide"))
			case d.err != nil && !errors.Is(d.err, utho.ErrUnauthorized):
				f := classify(fmt.Errorf("%w; whether it is gone could not be seen: %v", d.err, err))
				if f.exit == exitError {
					f.exit, f.code = exitUnknown, "unknown_outcome"
					f = f.with("%s", a.command("token", "list", "-o", "wide"))
				}
				d.err = f
			}
		}
		return
	}
	there := ids(list.Tokens)
	for _, d := range work {
		switch {
		case d.err == nil:
		case !there[d.ID]:
			d.Deleted, d.err = true, nil
		case cutShort(soft, d.err):
			d.err = fmt.Errorf("delete token %s: %w before an answer came; the list still shows it", d.ID, context.Cause(soft))
		case errors.Is(d.err, utho.ErrNotFound):
			d.err = failf(exitError, "error", "%w; but the list still shows it", d.err)
		}
	}
}

// cutShort tells whether a signal kept a deletion from being answered.
func cutShort(soft context.Context, err error) bool {
	return soft.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded))
}

func (a *app) writeDeletions(f format, work []*deletion, dry bool) error {
	if f != formatTable {
		for _, d := range work {
			switch {
			case d.Deleted || dry:
			case d.err != nil:
				text := a.redact(d.err.Error())
				d.Error = &text
			default:
				text := "not attempted"
				d.Error = &text
			}
		}
		if f == formatYAML {
			return output.YAMLList(a.out, slices.Values(work))
		}
		return output.JSONList(a.out, slices.Values(work))
	}
	var b strings.Builder
	for _, d := range work {
		switch {
		case dry:
			b.WriteString("would delete ")
		case d.Deleted:
			b.WriteString("deleted ")
		default:
			continue
		}
		b.WriteString(output.Safe(d.ID + " " + d.Name))
		b.WriteByte('\n')
	}
	_, err := a.out.Write([]byte(b.String()))
	return err
}

// deletionError is the end of a delete: nothing where all went, the one error
// where all failed the same way, else a partial failure that names each.
func (a *app) deletionError(soft context.Context, req deleteRequest, work []*deletion, stopped error) error {
	var failed []*deletion
	untried := 0
	for _, d := range work {
		switch {
		case d.Deleted:
		case !d.tried:
			untried++
		default:
			failed = append(failed, d)
		}
	}
	if len(failed) == 0 && untried == 0 {
		return nil
	}
	if len(failed) == 0 { // what stopped them left no other trace
		if stopped == nil {
			stopped = context.Cause(soft)
		}
		f := classify(stopped)
		f.msg += fmt.Sprintf("; %s not attempted", plural(untried, "deletion"))
		return f
	}
	first := classify(failed[0].err)
	if len(work) == 1 {
		return failed[0].err // which says that it was a deletion, and of what
	}
	same := len(failed)+untried == len(work)
	text := fmt.Sprintf("%d of %s not deleted", len(failed)+untried, plural(len(work), "token"))
	if stopped != nil {
		text += ": the credential was rejected, so the rest was not attempted"
	}
	for _, d := range failed {
		c := classify(d.err)
		same = same && c.exit == first.exit && c.code == first.code
		text += fmt.Sprintf("\n%s %s: %v", output.Safe(d.ID), quoteText(d.Name), d.err)
	}
	for _, d := range work {
		if !d.tried && !d.Deleted {
			text += fmt.Sprintf("\n%s %s: not attempted", output.Safe(d.ID), quoteText(d.Name))
		}
	}
	if same {
		return &failure{exit: first.exit, code: first.code, msg: text, hint: first.hint, err: failed[0].err}
	}
	hint := "the same command again tries those that are left"
	if len(req.args) > 0 { // it would miss those that are gone
		var left []string
		for _, d := range work {
			if !d.Deleted {
				left = append(left, d.ID)
			}
		}
		hint = a.deleteCommand(left...)
	}
	return &failure{exit: exitPartial, code: "partial", msg: text, hint: hint, err: failed[0].err}
}
