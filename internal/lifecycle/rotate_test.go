package lifecycle_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/utho/utho-cli/internal/lifecycle"
	"github.com/utho/utho-cli/internal/sandbox/sandboxtest"
	"github.com/utho/utho-cli/pkg/utho"
)

// rotating is a world with a token to rotate, whose secret is in place a and b.
func rotating(t *testing.T, name string, write bool) (*world, sandboxtest.Token) {
	t.Helper()
	w := newWorld(t)
	old := w.add(name, write)
	w.places["a"], w.places["b"] = old.Secret, old.Secret
	time.Sleep(time.Hour)
	return w, old
}

func onShelf(w *world, s shelf) *shelf {
	s.w = w
	if s.names == nil {
		s.names = []string{"a", "b"}
	}
	return &s
}

// checkRotation fails unless the old secret works, or the new one does and is in every
// place. What the consumer reads, place a, must work whatever happened.
func (w *world) checkRotation(old sandboxtest.Token, err error) {
	w.t.Helper()
	if w.srv.Works(old.Secret) && w.places["a"] == old.Secret {
		return
	}
	if !w.srv.Works(w.places["a"]) {
		w.t.Errorf("place a holds a secret that does not work; old works: %v (%v)", w.srv.Works(old.Secret), err)
	}
	if !w.srv.Works(old.Secret) && w.places["b"] != w.places["a"] {
		w.t.Errorf("the old token is gone, and the places differ (%v)", err)
	}
}

// TestRotate is a table of what can go wrong in a rotation of "app", how it ends, whether
// the old token stays, and how many tokens of the name do.
func TestRotate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		faults  []fault
		shelf   shelf
		req     lifecycle.RotateRequest
		write   bool
		setup   func(*world)
		want    string
		oldStay bool
		stay    int
		names   string
	}{
		"nothing goes wrong":            {want: "done", stay: 1},
		"a write token":                 {write: true, want: "done", stay: 1},
		"keep the old one":              {req: lifecycle.RotateRequest{KeepOld: true}, want: "done", oldStay: true, stay: 2},
		"not prepared":                  {shelf: shelf{unprepared: errors.New("no")}, want: "error", oldStay: true, stay: 1},
		"refused":                       {faults: []fault{{On: "create", Body: `{"status":"error","message":"quota"}`}}, want: "not created", oldStay: true, stay: 1, names: "quota"},
		"lost":                          {faults: []fault{{On: "create", DropAfter: true}}, want: "outcome", oldStay: true, stay: 2, names: "10005"},
		"wrong scope":                   {faults: []fault{{On: "create", ForceWrite: true}}, want: "rolled back", oldStay: true, stay: 1},
		"the new one is never accepted": {faults: []fault{{On: "create", RefuseNew: 999}}, want: "rolled back", oldStay: true, stay: 1, names: "could not be verified"},
		"it is accepted late":           {faults: []fault{{On: "create", RefuseNew: 3}}, want: "done", stay: 1},
		"no answer to the verification": {faults: []fault{{On: "verify", Status: 503, Times: 9}}, want: "rolled back", oldStay: true, stay: 1},
		"the delivery fails":            {shelf: shelf{failAt: "b"}, want: "rolled back", oldStay: true, stay: 1, names: "old token 10004 still works"},
		"its undo is not known":         {shelf: shelf{failAt: "b", unknown: "a"}, want: "outcome", oldStay: true, stay: 2, names: "a (the keyring died) may hold the new secret"},
		"a program has it":              {shelf: shelf{names: []string{"a", "exec:x", "b"}, failAt: "b"}, want: "outcome", oldStay: true, stay: 2, names: "exec:x has the new secret"},
		"the profile's own fails":       {shelf: shelf{names: []string{"a", "b", "own:p"}, failAt: "own:p"}, want: "outcome", oldStay: true, stay: 2, names: "a, b has the new secret; own:p does not have it"},
		"the own fails, alone":          {shelf: shelf{names: []string{"own:p"}, failAt: "own:p"}, want: "outcome", oldStay: true, stay: 2, names: ": own:p does not have it: "},
		"the own is written and fails":  {shelf: shelf{names: []string{"own:p"}, failAt: "own:p", failWritten: true}, want: "outcome", oldStay: true, stay: 2, names: "own:p has the new secret"},
		"the deletion fails":            {faults: []fault{{On: "delete", Status: 400}}, want: "outcome", oldStay: true, stay: 2, names: "10004 still works"},
		"the deletion is lost":          {faults: []fault{{On: "delete", DropAfter: true}}, want: "done", stay: 1},
		"the deletion is forbidden":     {faults: []fault{{On: "delete", Status: 403}}, write: true, want: "outcome", oldStay: true, stay: 2},
		"the id never shows":            {faults: []fault{{On: "create", HideFor: time.Hour}}, want: "outcome", oldStay: true, stay: 2, names: "not confirmed"},
		"somebody deletes it meanwhile": {faults: []fault{{On: "list", Nth: 2, Times: 1, Before: nil}}, setup: func(w *world) {
			w.srv.Fault(fault{On: "list", Times: 1, After: func() { w.srv.Remove("10004") }})
		}, want: "not found", stay: 0},
		"verified": {req: lifecycle.RotateRequest{Verify: func(context.Context, lifecycle.Issued) error { return nil }}, want: "done", stay: 1},
		"--verify fails": {req: lifecycle.RotateRequest{Verify: func(context.Context, lifecycle.Issued) error { return errors.New("not ready") }},
			want: "verify", oldStay: true, stay: 2, names: "not ready"},
		"the new one is gone after --verify": {req: lifecycle.RotateRequest{Verify: func(context.Context, lifecycle.Issued) error { return nil }}, setup: func(w *world) {
			w.srv.Fault(fault{On: "verify", Nth: 2, Status: 401})
		}, want: "outcome", oldStay: true, stay: 2, names: "once more"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, old := rotating(t, "app", c.write)
				if c.setup != nil {
					c.setup(w)
				}
				w.srv.Fault(c.faults...)
				r := c.req
				r.Arg = "app"
				_, err := w.rotate(r, onShelf(w, c.shelf))
				if got := kindOf(err); got != c.want {
					t.Errorf("ended with %s: %v; want %s", got, err, c.want)
				}
				if err != nil && !strings.Contains(err.Error(), c.names) {
					t.Errorf("%v does not name %q", err, c.names)
				}
				if w.srv.Works(old.Secret) != c.oldStay || len(w.named("app")) != c.stay {
					t.Errorf("the old one works: %v, want %v; %d stay, want %d", w.srv.Works(old.Secret), c.oldStay, len(w.named("app")), c.stay)
				}
				if len(c.shelf.names) == 0 && c.want != "not found" {
					w.checkRotation(old, err)
				}
			})
		})
	}
}

// TestRotateName is which token a name means, and how an expiry is renewed.
func TestRotateName(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tokens []string
		req    lifecycle.RotateRequest
		want   string // the new name, or how it ends
	}{
		"no expiry":                     {[]string{"app"}, lifecycle.RotateRequest{}, "app"},
		"the same length":               {[]string{"app.expires-20000131T0000Z"}, lifecycle.RotateRequest{}, "app.expires-20000131T0100Z"},
		"another length":                {[]string{"app.expires-20000131T0000Z"}, lifecycle.RotateRequest{Lifetime: time.Hour}, "app.expires-20000101T0200Z"},
		"an expired one does not count": {[]string{"app.expires-19991231T0000Z", "app.expires-20000131T0000Z"}, lifecycle.RotateRequest{}, "app.expires-20000131T0100Z"},
		"two that count":                {[]string{"app.expires-20000130T0000Z", "app.expires-20000131T0000Z"}, lifecycle.RotateRequest{}, "ambiguous"},
		"not due":                       {[]string{"app.expires-20000131T0000Z"}, lifecycle.RotateRequest{IfExpiresWithin: 24 * time.Hour}, "not due"},
		"due":                           {[]string{"app.expires-20000101T1200Z"}, lifecycle.RotateRequest{IfExpiresWithin: 24 * time.Hour}, "app.expires-20000101T1300Z"},
		"expired is due":                {[]string{"app.expires-20000101T0030Z"}, lifecycle.RotateRequest{IfExpiresWithin: time.Hour}, "app.expires-20000101T0130Z"},
		"due without an expiry":         {[]string{"app"}, lifecycle.RotateRequest{IfExpiresWithin: time.Hour, Lifetime: time.Hour}, "app.expires-20000101T0200Z"},
		"no expiry and no length":       {[]string{"app"}, lifecycle.RotateRequest{IfExpiresWithin: time.Hour}, "error"},
		"not there":                     {nil, lifecycle.RotateRequest{}, "not found"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				for _, n := range c.tokens {
					w.add(n, false)
				}
				time.Sleep(time.Hour)
				c.req.Arg = "app"
				plan, err := w.rotate(c.req, onShelf(w, shelf{}))
				got := kindOf(err)
				switch {
				case err == nil && !plan.Due:
					got = "not due"
				case err == nil:
					got = plan.Name
				}
				if got != c.want {
					t.Errorf("%s, want %s (%v)", got, c.want, err)
				}
			})
		})
	}
}

// TestRotateHeld is a place that says whose secret it holds, when a killed rotation left another token and the state
// folder has gone: the one in use counts, though it has expired, and nothing is created.
func TestRotateHeld(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"app.expires-20000101T0030Z", "app.expires-20000101T0230Z"} {
		synctest.Test(t, func(t *testing.T) {
			w, old := rotating(t, name, true)
			w.add("app.expires-20000131T0000Z", true)
			w.places["k8s:x"] = old.Secret
			w.notes["k8s:x"] = lifecycle.Recorded{TokenID: old.ID, PreviousID: "9999", Sum: sha256.Sum256([]byte(old.Secret))}
			s := onShelf(w, shelf{names: []string{"k8s:x"}})
			_, err := w.rotate(lifecycle.RotateRequest{Arg: "app", IfExpiresWithin: 2 * time.Hour}, s)
			var several *lifecycle.AmbiguousError
			if !errors.As(err, &several) || several.Held != old.ID || len(several.Tokens) != 2 || len(w.named("app")) != 2 {
				t.Errorf("%s: %+v; %v", name, several, err)
			}
		})
	}
}

// TestRecovery kills a rotation at every step, changes what is there meanwhile, and runs
// the same command again, or another one. In every row somebody holds a working secret,
// the consumer's place works, and no third token is created.
func TestRecovery(t *testing.T) {
	t.Parallel()
	kills := map[string]func(w *world, s *shelf){
		"before the create":   func(w *world, _ *shelf) { w.srv.Fault(fault{On: "create", Times: 1, Before: runtime.Goexit}) },
		"after the create":    func(w *world, _ *shelf) { w.srv.Fault(fault{On: "create", Times: 1, After: runtime.Goexit}) },
		"at the confirmation": func(w *world, _ *shelf) { w.srv.Fault(fault{On: "confirm", Times: 1, After: runtime.Goexit}) },
		"at the verification": func(w *world, _ *shelf) { w.srv.Fault(fault{On: "verify", Times: 1, After: runtime.Goexit}) },
		"before the delivery": func(_ *world, s *shelf) { s.killBefore = true },
		"after the delivery":  func(_ *world, s *shelf) { s.killAfter = true },
		"before the deletion": func(w *world, _ *shelf) { w.srv.Fault(fault{On: "delete", Times: 1, Before: runtime.Goexit}) },
		"after the deletion":  func(w *world, _ *shelf) { w.srv.Fault(fault{On: "delete", Times: 1, After: runtime.Goexit}) },
	}
	meanwhile := map[string]func(w *world, old sandboxtest.Token, s *shelf){
		"kept":       func(*world, sandboxtest.Token, *shelf) {},
		"lost":       func(w *world, old sandboxtest.Token, _ *shelf) { w.places["b"] = "" },
		"changed":    func(w *world, old sandboxtest.Token, _ *shelf) { w.places["b"] = old.Secret },
		"unreadable": func(_ *world, _ sandboxtest.Token, s *shelf) { s.unreadable = "b" },
		"unprepared": func(_ *world, _ sandboxtest.Token, s *shelf) { s.unprepared = errors.New("no folder") },
		"new rejected": func(w *world, _ sandboxtest.Token, _ *shelf) {
			w.srv.Fault(fault{On: "list", Nth: 3, Times: 1, Status: 401}) // the first with a secret that was read back
		},
		"new deleted": func(w *world, old sandboxtest.Token, _ *shelf) {
			for _, tok := range w.named("app") {
				if tok.ID != old.ID && w.token(old.ID) != nil {
					w.srv.Remove(tok.ID)
					w.places["a"], w.places["b"] = old.Secret, old.Secret // by whoever dropped it
				}
			}
		},
	}
	rows := 0
	for killed, kill := range kills {
		for changed, change := range meanwhile {
			for _, places := range [][]string{{"a", "b"}, {"a"}, {"a", "b", "stdout"}} {
				for _, keepsState := range []bool{true, false} {
					rows++
					t.Run(fmt.Sprintf("%s, %s, to %v, state kept %v", killed, changed, places, keepsState), func(t *testing.T) {
						t.Parallel()
						synctest.Test(t, func(t *testing.T) {
							w, old := rotating(t, "app", true)
							s := onShelf(w, shelf{})
							kill(w, s)
							if _, err := w.rotate(lifecycle.RotateRequest{Arg: "app"}, s); !errors.Is(err, errKilled) {
								t.Fatalf("not killed: %v", err)
							}
							w.srv.Clear()
							w.start()
							s = onShelf(w, shelf{names: places})
							change(w, old, s)
							unfinished, err := w.records().Unfinished([]utho.Token{{ID: "10005"}})
							if err != nil || w.token(old.ID) == nil && len(unfinished) > 0 {
								t.Errorf("the old one is gone, and %q are unfinished (%v)", unfinished, err)
							}
							if !keepsState {
								if err := os.RemoveAll(w.dir); err != nil {
									t.Fatal(err)
								}
							}
							_, err = w.rotate(lifecycle.RotateRequest{Arg: "app"}, s)
							if n := len(w.named("app")); n > 2 || err == nil && n != 1 {
								t.Errorf("%d tokens after %v", n, err)
							}
							if err != nil && !w.srv.Works(old.Secret) && !w.srv.Works(w.places["a"]) {
								t.Errorf("nobody holds a working secret: %v", err)
							}
							if err == nil && !w.srv.Works(w.places["a"]) {
								t.Errorf("done, and place a does not work")
							}
							delivered := killed == "after the delivery" || killed == "before the deletion"
							if delivered && keepsState && s.unprepared == nil && len(s.rotates) != 2 {
								t.Errorf("the profile that holds the new secret was not asked for: %q", s.rotates)
							}
							var left *lifecycle.OutcomeError
							if delivered && keepsState && s.unprepared != nil && kindOf(err) != "outcome" {
								t.Errorf("what is left is not named: %v", err)
							}
							if errors.As(err, &left) && (left.Old == "" || left.Next == lifecycle.NextFinishOrDrop && len(left.IDs) != 1) {
								t.Errorf("%v names not both tokens", err)
							}
						})
					})
				}
			}
		}
	}
	t.Logf("%d rows", rows)
}

// late has the create of a killed rotation arrive before the nth list of the next one.
func late(nth int) func(*world, sandboxtest.Token) {
	return func(w *world, _ sandboxtest.Token) {
		w.srv.Fault(fault{On: "list", Nth: nth, Times: 1, Before: func() { w.srv.Add("app", false) }})
	}
}

// TestRotateTwice is what a second rotation does with what a first one, or somebody else, left behind.
func TestRotateTwice(t *testing.T) {
	t.Parallel()
	verify := func(err error) func(context.Context, lifecycle.Issued) error {
		return func(context.Context, lifecycle.Issued) error { return err }
	}
	for name, c := range map[string]struct {
		first, then   lifecycle.RotateRequest
		faults        []fault // of the first
		shelf, second shelf
		setup         func(w *world, old sandboxtest.Token)
		between       func(w *world, old sandboxtest.Token)
		want          string // how both end
		oldStay       bool
		stay          int
	}{
		"--self, the deletion failed": {faults: []fault{{On: "delete", Status: 400}}, shelf: shelf{names: []string{"a"}, ownID: "10004"},
			then: lifecycle.RotateRequest{Arg: "10005"}, second: shelf{names: []string{"a"}, ownID: "10005"}, want: "outcome, done", stay: 1},
		"its own, killed before the deletion": {faults: []fault{{On: "delete", Before: runtime.Goexit}}, shelf: shelf{names: []string{"a"}, ownID: "10004"},
			second: shelf{names: []string{"a"}, ownID: "10005"}, want: "killed, done", stay: 1},
		"its own, killed before it was written": {shelf: shelf{names: []string{"a"}, ownID: "10004", killBefore: true},
			second: shelf{names: []string{"a"}, ownID: "10004"}, want: "killed, outcome", oldStay: true, stay: 2},
		"--self, --verify failed": {first: lifecycle.RotateRequest{Verify: verify(errors.New("no"))}, shelf: shelf{names: []string{"a"}, ownID: "10004"},
			then: lifecycle.RotateRequest{Verify: verify(nil)}, second: shelf{names: []string{"a"}, ownID: "10005"}, want: "verify, done", stay: 1},
		"an old token that was kept stays": {first: lifecycle.RotateRequest{KeepOld: true}, then: lifecycle.RotateRequest{Arg: "10005"},
			shelf: shelf{names: []string{"k8s:x", "a"}}, second: shelf{names: []string{"k8s:x", "a"}}, want: "done, done", oldStay: true, stay: 2},
		"k8s remembers": {faults: []fault{{On: "delete", Status: 400}}, shelf: shelf{names: []string{"k8s:x"}}, second: shelf{names: []string{"k8s:x"}},
			between: func(w *world, _ sandboxtest.Token) { _ = os.RemoveAll(w.dir) }, want: "outcome, done", stay: 1},
		"k8s remembers another's": {shelf: shelf{names: []string{"k8s:x"}}, second: shelf{names: []string{"k8s:x"}},
			between: func(w *world, _ sandboxtest.Token) {
				other := w.add("admin", false)
				r := w.notes["k8s:x"]
				r.PreviousID = other.ID
				w.notes["k8s:x"] = r
			}, want: "done, done", stay: 1},
		"the old one is gone, and a place fails": {shelf: shelf{failAt: "b"}, setup: func(w *world, old sandboxtest.Token) {
			w.srv.Fault(fault{On: "verify", After: func() { w.srv.Remove(old.ID) }})
		}, want: "outcome, done", stay: 1},
		"the old one is gone, and none has the new": {shelf: shelf{failAt: "a"}, setup: func(w *world, old sandboxtest.Token) {
			w.srv.Fault(fault{On: "verify", After: func() { w.srv.Remove(old.ID) }})
		}, want: "rolled back, not found", stay: 0},
		"--keep-old, --verify fails": {first: lifecycle.RotateRequest{KeepOld: true, Verify: verify(errors.New("no"))},
			then: lifecycle.RotateRequest{Arg: "10005"}, want: "verify, done", oldStay: true, stay: 2},
		"another is killed while this one plans": {setup: func(w *world, _ sandboxtest.Token) {
			w.srv.Fault(fault{On: "list", Times: 1, After: func() {
				_, _ = w.rotate(lifecycle.RotateRequest{Arg: "app"}, onShelf(w, shelf{killAfter: true}))
			}})
		}, want: "done, done", stay: 1},
		"its create arrives late":                 {faults: []fault{{On: "create", Before: runtime.Goexit}}, between: late(1), want: "killed, done", stay: 1},
		"its create arrives after the first list": {faults: []fault{{On: "create", Before: runtime.Goexit}}, between: late(2), want: "killed, done", stay: 1},
		"its create arrives after the plan":       {faults: []fault{{On: "create", Before: runtime.Goexit}}, between: late(3), want: "killed, done", stay: 1},
		"it never arrives, and somebody creates one": {faults: []fault{{On: "create", Before: runtime.Goexit}}, between: func(w *world, _ sandboxtest.Token) {
			time.Sleep(2 * time.Minute)
			w.add("app", false)
		}, want: "killed, outcome", oldStay: true, stay: 2},
		"it never arrives, and somebody creates one of another scope at once": {faults: []fault{{On: "create", Before: runtime.Goexit}},
			between: func(w *world, _ sandboxtest.Token) { w.add("app", true) }, want: "killed, outcome", oldStay: true, stay: 2},
		"killed when it was known, and somebody creates one": {faults: []fault{{On: "verify", After: runtime.Goexit}},
			between: func(w *world, _ sandboxtest.Token) { w.add("app", false) }, want: "killed, done", stay: 2},
		"of another scope, which did not show": {faults: []fault{{On: "create", ForceWrite: true, HideFor: 6 * time.Second}}, shelf: shelf{killAfter: true},
			between: func(*world, sandboxtest.Token) { time.Sleep(time.Minute) }, want: "killed, outcome", oldStay: true, stay: 2},
		"k8s has a UID meanwhile": {shelf: shelf{names: []string{"k8s:s/n/x/#k"}, killAfter: true}, second: shelf{names: []string{"k8s:s/n/x/uid#k"}},
			between: func(w *world, _ sandboxtest.Token) { w.places["k8s:s/n/x/uid#k"] = w.places["k8s:s/n/x/#k"] }, want: "killed, done", stay: 1},
		"the new secret cannot be asked for": {shelf: shelf{killAfter: true}, between: func(w *world, _ sandboxtest.Token) {
			w.srv.Fault(fault{On: "list", Nth: 3, Status: 503})
		}, want: "killed, error", oldStay: true, stay: 2},
		"a signal before the create": {faults: []fault{{On: "verify", After: runtime.Goexit}}, between: func(w *world, _ sandboxtest.Token) {
			w.srv.Fault(fault{On: "delete", After: w.signal}) // what was left is gone then
		}, want: "killed, not created", oldStay: true, stay: 1},
		"a signal": {setup: func(w *world, _ sandboxtest.Token) {
			w.srv.Fault(fault{On: "list", Times: 1, After: func() { w.signal() }})
		}, want: "error, done", stay: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, old := rotating(t, "app", false)
				if c.setup != nil {
					c.setup(w, old)
				}
				w.srv.Fault(c.faults...)
				c.first.Arg = "app"
				_, err := w.rotate(c.first, onShelf(w, c.shelf))
				w.srv.Clear()
				w.start()
				if c.between != nil {
					c.between(w, old)
				}
				if place := append(c.shelf.names, "a")[0]; !w.srv.Works(w.places[place]) && c.stay > 0 {
					t.Errorf("after the first (%v) %s does not work", err, place)
				}
				if c.then.Arg == "" {
					c.then.Arg = "app"
				}
				_, again := w.rotate(c.then, onShelf(w, c.second))
				if got := kindOf(err) + ", " + kindOf(again); got != c.want {
					t.Errorf("ended with %s, want %s:\n%v\n%v", got, c.want, err, again)
				}
				if w.srv.Works(old.Secret) != c.oldStay || len(w.named("app")) != c.stay {
					t.Errorf("the old one works: %v, want %v; %d stay, want %d", w.srv.Works(old.Secret), c.oldStay, len(w.named("app")), c.stay)
				}
				if place := append(c.second.names, "a")[0]; again == nil && !w.srv.Works(w.places[place]) {
					t.Errorf("done, and %s does not work", place)
				}
				for id := range w.others {
					if id != old.ID && w.token(id) == nil {
						t.Errorf("somebody else's token %s was deleted", id)
					}
				}
			})
		})
	}
}

// TestRotateSignals sends a signal, or two, around every request of a rotation.
func TestRotateSignals(t *testing.T) {
	t.Parallel()
	for _, on := range []sandboxtest.Op{"list", "create", "confirm", "verify", "delete", "recheck"} {
		signalsAround(t, on, func(t *testing.T, second bool, faultOf func(end func()) fault) {
			w, old := rotating(t, "app", true)
			f := faultOf(func() { w.interrupt(second) })
			f.On, f.Times = on, 1
			w.srv.Fault(held([]fault{f})...)
			begun := time.Now()
			_, err := w.rotate(lifecycle.RotateRequest{Arg: "app"}, onShelf(w, shelf{}))
			if took := time.Since(begun); took > 11*time.Second || second && took > time.Second {
				t.Errorf("it took %v", took)
			}
			w.checkRotation(old, err)
			var left *lifecycle.OutcomeError
			if n := len(w.named("app")); n > 1 && !errors.As(err, &left) || n == 2 && err == nil {
				t.Errorf("%d tokens after %v", n, err)
			}
		})
	}
}

// TestTwoMachines rotates one token from two machines, which share no records: the second one runs whole at any moment
// of the first. Who succeeds has a secret that works; who fails says so, and the other's token is not touched.
func TestTwoMachines(t *testing.T) {
	t.Parallel()
	for _, on := range []sandboxtest.Op{"list", "create", "confirm", "verify", "delete"} {
		for _, after := range []bool{false, true} {
			for _, fails := range []string{"", "a", "x"} {
				for _, arg := range []string{"app", "10004"} {
					if on == "list" && !after && arg == "app" {
						continue // the second has ended before, and the name means its token
					}
					t.Run(fmt.Sprintf("%s after %v, %q fails, %s", on, after, fails, arg), func(t *testing.T) {
						t.Parallel()
						synctest.Test(t, func(t *testing.T) {
							w, old := rotating(t, "app", true)
							w.places["x"] = old.Secret
							other := lifecycle.Records{Dir: t.TempDir(), Origin: w.records().Origin}
							var theirs error
							second := func() {
								theirs = w.run(func() error {
									to := onShelf(w, shelf{names: []string{"x"}, failAt: fails})
									p, err := w.session().PlanRotation(w.ctx, lifecycle.RotateRequest{Arg: "10004"}, other, to)
									if err != nil {
										return err
									}
									defer p.Close()
									_, err = p.Run(w.ctx, w.grace, to)
									return err
								})
							}
							f := fault{On: on, Times: 1, Before: second}
							if after {
								f.Before, f.After = nil, second
							}
							w.srv.Fault(f)
							_, ours := w.rotate(lifecycle.RotateRequest{Arg: arg}, onShelf(w, shelf{names: []string{"a"}, failAt: fails}))
							for place, err := range map[string]error{"a": ours, "x": theirs} {
								if err == nil && !w.srv.Works(w.places[place]) {
									t.Errorf("done, and %s does not work (ours %v; theirs %v)", place, ours, theirs)
								}
							}
							if !w.srv.Works(w.places["a"]) && !w.srv.Works(w.places["x"]) {
								t.Errorf("no place works (ours %v; theirs %v)", ours, theirs)
							}
							if w.srv.Works(old.Secret) && ours == nil && theirs == nil {
								t.Errorf("both are done, and the old token works")
							}
						})
					})
				}
			}
		}
	}
}
