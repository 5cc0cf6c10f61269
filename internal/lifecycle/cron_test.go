package lifecycle_test

import (
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/utho/utho-cli/internal/expiry"
	"github.com/utho/utho-cli/internal/lifecycle"
	"github.com/utho/utho-cli/internal/sandbox/sandboxtest"
	"github.com/utho/utho-cli/pkg/utho"
)

// TestCron runs two daily cron lines for sixty days, with faults, kills at random and days
// on which everything fails:
//
//	utho token rotate app --if-expires-within 7d --yes --to env:…
//	utho token delete --expired --yes
//
// At no moment does the place that the consumer reads hold a secret that does not work,
// and there are never more than two tokens of the name.
func TestCron(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rnd := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // chance, not a secret
				w := newWorld(t)
				w.srv.Fault(fault{On: "create", After: func() { w.check(t) }})
				name, err := expiry.Append("app", time.Now().Add(14*24*time.Hour))
				if err != nil {
					t.Fatal(err)
				}
				w.places["a"] = w.add(name, true).Secret
				failing := 0 // days in a row on which the rotation did not succeed
				for range 60 {
					time.Sleep(24 * time.Hour)
					w.srv.Clear()
					s := onShelf(w, shelf{names: []string{"a"}})
					disturb(w, s, rnd)
					plan, err := w.rotate(lifecycle.RotateRequest{Arg: "app", IfExpiresWithin: 7 * 24 * time.Hour}, s)
					failing++
					if err == nil {
						failing = 0
					}
					w.check(t)
					w.start()
					w.expire(rnd)
					w.check(t)
					if err == nil && !plan.Due && len(w.named("app")) > 1 {
						t.Errorf("two tokens, and nothing to do")
					}
				}
				w.srv.Clear()
				if _, err := w.rotate(lifecycle.RotateRequest{Arg: "app"}, onShelf(w, shelf{names: []string{"a"}})); err != nil && failing == 0 {
					t.Errorf("a quiet day: %v", err)
				}
				w.check(t)
			})
		})
	}
}

// check fails if the consumer's secret does not work, or tokens pile up.
func (w *world) check(t *testing.T) {
	if !w.srv.Works(w.places["a"]) {
		t.Errorf("the consumer's secret does not work")
	}
	if n := len(w.named("app")); n > 2 {
		t.Errorf("%d tokens", n)
	}
}

// disturb is what goes wrong on one day.
func disturb(w *world, s *shelf, rnd *rand.Rand) {
	ops := []sandboxtest.Op{"list", "create", "confirm", "verify", "delete"}
	on := ops[rnd.IntN(len(ops))]
	faults := []fault{
		{}, {}, {}, {DropBefore: true}, {DropAfter: true}, {Status: 503}, {Status: 429, RetryAfter: "1"}, {Body: "<html>"},
		{Before: runtime.Goexit}, {After: runtime.Goexit}, {Truncate: true}, {Unreachable: true}, {Status: 500, Effect: true},
	}
	f := faults[rnd.IntN(len(faults))]
	f.On, f.Times = on, 1+rnd.IntN(6)
	switch rnd.IntN(12) {
	case 0:
		f = fault{Status: 503} // everything fails
	case 1:
		s.failAt = "a"
	case 2:
		s.killBefore = true
	case 3:
		s.killAfter = true
	}
	w.srv.Fault(f)
}

// expire is `token delete --expired --yes` with another token as its credential; tokens
// whose rotation is unfinished are left out.
func (w *world) expire(rnd *rand.Rand) {
	if rnd.IntN(5) > 0 {
		w.srv.Clear()
	}
	_ = w.run(func() error {
		s := w.session()
		list, err := s.List(w.ctx)
		if err != nil {
			return err
		}
		unfinished, err := w.records().Unfinished(list.Tokens)
		if err != nil {
			return err
		}
		chosen := slices.DeleteFunc(list.Tokens, func(t utho.Token) bool {
			return !expiry.Expired(t.Name, lifecycle.Now(list)) || slices.Contains(unfinished, t.ID)
		})
		_, err = s.Delete(w.ctx, w.grace, chosen, "", func() {})
		return err
	})
}

// TestDelete is a table of what becomes of three tokens, of which the last is the own one.
func TestDelete(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		faults  []fault
		signal  bool // comes while the deletion of 10005 is under way, and nothing more is answered
		own     bool
		deleted int
		unknown int
		stopped error
	}{
		"all go":                    {deleted: 3},
		"the own one last":          {own: true, deleted: 3},
		"one refused":               {faults: []fault{{On: "delete", ID: "10005", Body: `{"status":"error","message":"no"}`}}, deleted: 2},
		"an answer lost":            {faults: []fault{{On: "delete", ID: "10005", DropAfter: true}}, deleted: 3},
		"gone meanwhile":            {faults: []fault{{On: "delete", ID: "10005", Effect: true, Status: 404}}, deleted: 3},
		"not deleted, says so":      {faults: []fault{{On: "delete", ID: "10005", Status: 404}}, deleted: 2},
		"a signal, before":          {signal: true, faults: []fault{{On: "delete", ID: "10005", DropBefore: true}}, deleted: 2, stopped: errSignal},
		"a signal, after":           {signal: true, faults: []fault{{On: "delete", ID: "10005", DropAfter: true}}, deleted: 3, stopped: errSignal},
		"a signal, and no list":     {signal: true, faults: []fault{{On: "delete", ID: "10005", DropAfter: true}, {On: "recheck", DropAfter: true}}, deleted: 2, unknown: 1, stopped: errSignal},
		"no answer, and no list":    {faults: []fault{{On: "delete", ID: "10005", DropAfter: true}, {On: "recheck", DropAfter: true}}, deleted: 2, unknown: 1},
		"the credential is refused": {faults: []fault{{On: "delete", ID: "10004", Status: 401, Body: `{"status":"error","message":"Unauthorized access"}`}}, stopped: utho.ErrUnauthorized, deleted: -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				for range 3 {
					w.add("ci", false)
				}
				s := w.session()
				list, err := s.List(w.ctx)
				if err != nil {
					t.Fatal(err)
				}
				if c.signal {
					c.faults[0].Before = func() {
						for w.srv.Count("delete") < 3 {
							time.Sleep(time.Millisecond)
						}
						w.signal()
					}
				}
				w.srv.Fault(c.faults...)
				own, last := "", ""
				if c.own {
					own = "10004"
				}
				tokens := slices.DeleteFunc(list.Tokens, func(t utho.Token) bool { return t.Name != "ci" })
				all, stopped := s.Delete(w.ctx, w.grace, tokens, own, func() {})
				gone, unknown := 0, 0
				for _, d := range all {
					if d.Deleted {
						gone++
					}
					if errors.Is(d.Err, utho.ErrNotFound) {
						t.Errorf("%s is called not found, and is there: %v", d.Token.ID, d.Err)
					}
					if errors.As(d.Err, new(*lifecycle.OutcomeError)) {
						unknown++
					} else if d.Deleted != (w.token(d.Token.ID) == nil) {
						t.Errorf("%s: deleted is %v (%v)", d.Token.ID, d.Deleted, d.Err)
					}
				}
				for _, r := range w.srv.Requests() {
					if r.Op == "delete" {
						last = r.Path
					}
				}
				if !errors.Is(stopped, c.stopped) || c.deleted >= 0 && gone != c.deleted || c.own && last != "/v2/api/10004/delete" || unknown != c.unknown {
					t.Errorf("%d deleted, %d unknown, the last %s, stopped by %v", gone, unknown, last, stopped)
				}
			})
		})
	}
}
