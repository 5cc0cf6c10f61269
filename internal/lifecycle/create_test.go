package lifecycle_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/utho/utho-cli/internal/lifecycle"
	"github.com/utho/utho-cli/internal/sandbox/sandboxtest"
	"github.com/utho/utho-cli/pkg/utho"
)

type fault = sandboxtest.Fault

var request = lifecycle.CreateRequest{Name: "ci", Scope: utho.ScopeReadOnly}

// TestCreate is a table of what can go wrong, how it ends, and how many tokens stay.
func TestCreate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		faults []fault
		shelf  shelf
		req    func(*lifecycle.CreateRequest)
		setup  func(*world)
		want   string
		kind   error
		stay   int    // tokens named ci
		names  string // what the error must name
		warns  string
	}{
		"nothing goes wrong":                    {want: "done", stay: 1},
		"the name is taken":                     {setup: func(w *world) { w.add("ci", true) }, want: "taken", stay: 1},
		"taken but expired":                     {setup: func(w *world) { w.add("ci.expires-19990101T0000Z", true) }, want: "done", stay: 2},
		"taken, with an expiry":                 {setup: func(w *world) { w.add("ci.expires-21000101T0000Z", true) }, want: "taken", stay: 1},
		"a duplicate is allowed":                {setup: func(w *world) { w.add("ci", true) }, req: func(r *lifecycle.CreateRequest) { r.AllowDuplicate = true }, want: "done", stay: 2},
		"dry run":                               {req: func(r *lifecycle.CreateRequest) { r.DryRun = true }, want: "done", stay: 0},
		"a place is not prepared":               {shelf: shelf{unprepared: errors.New("no folder")}, want: "error", stay: 0},
		"the first list fails":                  {faults: []fault{{On: "list", Status: 500}}, want: "error", stay: 0},
		"refused with 200":                      {faults: []fault{{On: "create", Body: `{"status":"error","message":"quota"}`}}, want: "not created", stay: 0, names: "quota"},
		"refused with 403":                      {faults: []fault{{On: "create", Status: 403, Body: `{"status":"error","message":"x"}`}}, want: "not created", kind: utho.ErrForbidden, stay: 0},
		"overloaded":                            {faults: []fault{{On: "create", Status: 429}}, want: "not created", kind: utho.ErrUnavailable, stay: 0},
		"unreachable":                           {faults: []fault{{On: "create", Unreachable: true}}, want: "not created", kind: utho.ErrUnavailable, stay: 0},
		"429 with an apikey":                    {faults: []fault{{On: "create", Status: 429, KeepBody: true}}, want: "done", stay: 1},
		"500 with an apikey":                    {faults: []fault{{On: "create", Status: 500, KeepBody: true}}, want: "done", stay: 1},
		"lost, it took effect":                  {faults: []fault{{On: "create", DropAfter: true}}, want: "outcome", stay: 1, names: "10004"},
		"lost, it did not":                      {faults: []fault{{On: "create", DropBefore: true}}, want: "outcome", stay: 0, names: "after 3 s"},
		"lost, and the list fails":              {faults: []fault{{On: "create", DropAfter: true}, {On: "confirm", Status: 500}}, want: "outcome", stay: 1, names: "may have been created"},
		"lost, shows late":                      {faults: []fault{{On: "create", DropAfter: true, HideFor: 2 * time.Second}}, want: "outcome", stay: 1, names: "10004"},
		"lost, with a rival":                    {faults: []fault{{On: "create", DropAfter: true, After: nil, Before: nil}}, setup: rivalAtCreate, want: "outcome", stay: 2, names: "10004, 10005"},
		"a page":                                {faults: []fault{{On: "create", Status: 502, Body: "<html>", Effect: true}}, want: "outcome", stay: 1, names: "10004"},
		"cut":                                   {faults: []fault{{On: "create", Truncate: true}}, want: "outcome", stay: 1, names: "10004"},
		"never answered":                        {faults: []fault{{On: "create", HoldAfter: make(chan struct{})}}, want: "outcome", stay: 1, names: "10004"},
		"shows late":                            {faults: []fault{{On: "create", HideFor: 3 * time.Second}}, want: "done", stay: 1},
		"does not show":                         {faults: []fault{{On: "create", HideFor: time.Hour}}, want: "done", stay: 1, warns: "not confirmed"},
		"the list after it fails":               {faults: []fault{{On: "confirm", Status: 400}}, want: "done", stay: 1, warns: "not confirmed"},
		"the list after it fails once":          {faults: []fault{{On: "confirm", Status: 400, Times: 1}}, want: "done", stay: 1},
		"wrong scope":                           {faults: []fault{{On: "create", ForceWrite: true}}, want: "rolled back", stay: 0, names: "scope write"},
		"wrong scope, deletion fails":           {faults: []fault{{On: "create", ForceWrite: true}, {On: "delete", Status: 400}}, want: "outcome", stay: 1, names: "10004"},
		"wrong scope, deletion is lost":         {faults: []fault{{On: "create", ForceWrite: true}, {On: "delete", DropAfter: true}}, want: "rolled back", stay: 0},
		"wrong scope and a rival's":             {faults: []fault{{On: "create", ForceWrite: true}}, setup: rivalAtCreate, want: "done", stay: 2, warns: "not confirmed"},
		"a rival of another scope first":        {faults: []fault{{On: "create", HideFor: time.Second}}, setup: writingRival, want: "done", stay: 2, warns: "not confirmed"},
		"a rival of the same scope":             {setup: rivalAtCreate, want: "done", stay: 2, warns: "not confirmed"},
		"wrong scope as a rival's":              {faults: []fault{{On: "create", ForceWrite: true}}, setup: writingRival, want: "outcome", stay: 2, names: "none has the scope"},
		"a rival, ours not shown":               {faults: []fault{{On: "create", ForceWrite: true, HideFor: time.Hour}}, setup: writingRival, want: "outcome", stay: 1, names: "still works"},
		"the delivery fails":                    {shelf: shelf{failAt: "b"}, want: "rolled back", stay: 0, names: "no space"},
		"it fails, and a signal comes":          {shelf: shelf{failAt: "b", signal: true}, want: "rolled back", kind: errSignal, stay: 0},
		"it fails after it was written":         {shelf: shelf{failAt: "b", failWritten: true}, want: "rolled back", stay: 0},
		"its undo is not known":                 {shelf: shelf{failAt: "b", unknown: "a"}, want: "outcome", stay: 1, names: "a (the keyring died) may hold the new secret"},
		"a program was given it":                {shelf: shelf{names: []string{"exec:x", "b"}, failAt: "b"}, want: "rolled back", stay: 0, names: "exec:x"},
		"it fails, id unknown":                  {faults: []fault{{On: "create", HideFor: 6 * time.Second}}, shelf: shelf{failAt: "b"}, want: "rolled back", stay: 0, warns: "not confirmed"},
		"it fails, never shown":                 {faults: []fault{{On: "create", HideFor: time.Hour}}, shelf: shelf{failAt: "b"}, want: "outcome", stay: 1, names: "ci", warns: "not confirmed"},
		"it fails, the secret works on":         {faults: []fault{{On: "create", HideFor: time.Hour}}, shelf: shelf{failAt: "b"}, setup: rivalAtCreate, want: "outcome", stay: 1, names: "still works"},
		"it fails, the deletion is no deletion": {faults: []fault{{On: "delete", Body: `{"status":"success","message":"x"}`}}, shelf: shelf{failAt: "b"}, want: "outcome", stay: 1, names: "still works"},
		"it fails, the secret is not asked for": {faults: []fault{{On: "verify", Status: 400}}, shelf: shelf{failAt: "b"}, want: "rolled back", warns: "could not verify"},
		"verified":                              {req: func(r *lifecycle.CreateRequest) { r.Verify = true }, want: "done", stay: 1},
		"verified late":                         {faults: []fault{{On: "create", RefuseNew: 3}}, req: func(r *lifecycle.CreateRequest) { r.Verify = true }, want: "done", stay: 1},
		"never accepted":                        {faults: []fault{{On: "create", RefuseNew: 99}}, req: func(r *lifecycle.CreateRequest) { r.Verify = true }, want: "rolled back", stay: 0},
		"another day":                           {setup: func(w *world) { w.srv.SetClock(0, 20*time.Hour) }, want: "done", stay: 1, warns: "off its own clock"},
		"another zone":                          {setup: func(w *world) { w.srv.SetClock(0, -5*time.Hour-30*time.Minute) }, want: "done", stay: 1, warns: `time_zone: "+00:00"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.srv.Fault(held(c.faults)...)
				if c.setup != nil {
					c.setup(w)
				}
				to := c.shelf
				to.w = w
				if to.names == nil {
					to.names = []string{"a", "b"}
				}
				r := request
				if c.req != nil {
					c.req(&r)
				}
				issued, err := w.create(r, &to)
				if got := kindOf(err); got != c.want || c.kind != nil && !errors.Is(err, c.kind) {
					t.Errorf("ended with %s: %v; want %s", got, err, c.want)
				}
				if err != nil && !strings.Contains(err.Error(), c.names) {
					t.Errorf("%v does not name %q", err, c.names)
				}
				if got := strings.Join(w.warned, "\n"); !strings.Contains(got, c.warns) || c.warns == "" && got != "" {
					t.Errorf("warned %q, want %q", got, c.warns)
				}
				if got := len(w.named("ci")); got != c.stay {
					t.Errorf("%d tokens stay, want %d", got, c.stay)
				}
				if err == nil && !r.DryRun && (!w.srv.Works(issued.Secret) || w.places["a"] != issued.Secret || w.places["b"] != issued.Secret) {
					t.Errorf("the secret did not arrive: %v", w.places)
				}
				w.checkLost(err)
			})
		})
	}
}

// rivalAtCreate has somebody else create a token of the name and scope between our first
// list and our create.
func rivalAtCreate(w *world) { w.rivals(false) }

func writingRival(w *world) { w.rivals(true) }

func (w *world) rivals(write bool) {
	w.srv.Fault(fault{On: "list", Times: 1, After: func() { w.add("ci", write) }})
}

// checkLost fails if a token stays whose secret nobody has and that no error names.
func (w *world) checkLost(err error) {
	w.t.Helper()
	var left *lifecycle.OutcomeError
	errors.As(err, &left)
	for _, tok := range w.srv.Tokens() {
		if tok.Secret == "" {
			continue
		}
		held := false
		for _, secret := range w.places {
			held = held || secret == tok.Secret
		}
		named := left != nil && (slices.Contains(left.IDs, tok.ID) || left.Next == lifecycle.NextLook)
		if !held && !named && !errors.Is(err, errKilled) && !w.others[tok.ID] {
			w.t.Errorf("token %s %s stays, and nobody has the new secret: %v", tok.ID, tok.Name, err)
		}
	}
	for place, secret := range w.places {
		if secret != "" && !w.srv.Works(secret) && place != "stdout" && !strings.HasPrefix(place, "exec:") {
			w.t.Errorf("%s holds a secret that does not work (%v)", place, err)
		}
	}
}

// held gives answers that never come a channel of the bubble.
func held(faults []fault) []fault {
	own := slices.Clone(faults)
	for i := range own {
		if own[i].HoldAfter != nil {
			own[i].HoldAfter = make(chan struct{})
		}
	}
	return own
}

// interrupt is a signal, or two.
func (w *world) interrupt(twice bool) {
	if w.signal(); twice {
		w.kill()
	}
}

// signalsAround runs a test for each way in which a signal, or two, can meet a request.
func signalsAround(t *testing.T, on sandboxtest.Op, test func(t *testing.T, twice bool, faultOf func(end func()) fault)) {
	for _, twice := range []bool{false, true} {
		for when, faultOf := range map[string]func(end func()) fault{
			"before":      func(end func()) fault { return fault{Before: end, DropBefore: true} },
			"after, lost": func(end func()) fault { return fault{After: end, DropAfter: true} },
			"after":       func(end func()) fault { return fault{After: end} },
			"held":        func(end func()) fault { return fault{Before: end, HoldAfter: make(chan struct{})} },
		} {
			t.Run(fmt.Sprintf("%s %s, twice %v", on, when, twice), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { test(t, twice, faultOf) })
			})
		}
	}
}

// TestCreateSignals sends a signal, or two, around every request of a create.
func TestCreateSignals(t *testing.T) {
	t.Parallel()
	for _, on := range []sandboxtest.Op{"list", "create", "confirm", "delete"} {
		signalsAround(t, on, func(t *testing.T, twice bool, faultOf func(end func()) fault) {
			w := newWorld(t)
			f := faultOf(func() { w.interrupt(twice) })
			f.On, f.Times = on, 1
			w.srv.Fault(held([]fault{f})...)
			to := &shelf{w: w, names: []string{"a"}}
			if on == "delete" {
				to.failAt = "a"
			}
			begun := time.Now()
			_, err := w.create(request, to)
			if took := time.Since(begun); took > 11*time.Second || twice && took > time.Second {
				t.Errorf("it took %v", took)
			}
			w.checkLost(err)
			if n := len(w.named("ci")); n > 0 && err == nil && w.places["a"] == "" {
				t.Errorf("%d tokens, nothing delivered, and no error", n)
			}
		})
	}
}

// TestLend runs something with a token that lives as long as it does.
func TestLend(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault fault
		used  bool
		want  string
		stay  int
	}{
		"all goes well":      {used: true, want: "done"},
		"refused":            {fault: fault{On: "create", Body: `{"status":"error","message":"no"}`}, want: "not created"},
		"lost":               {fault: fault{On: "create", DropAfter: true}, want: "rolled back"},
		"lost, undeletable":  {fault: fault{On: "create", DropAfter: true, HideFor: time.Hour}, want: "outcome", stay: 1},
		"its id is unknown":  {fault: fault{On: "create", HideFor: 6 * time.Second}, want: "rolled back"},
		"the deletion fails": {fault: fault{On: "delete", Status: 400}, used: true, want: "outcome", stay: 1},
		"it is no deletion":  {fault: fault{On: "delete", Body: `{"status":"success","message":"x"}`}, used: true, want: "outcome", stay: 1},
		"the deletion hangs": {fault: fault{On: "delete", HoldAfter: make(chan struct{})}, used: true, want: "done"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.srv.Fault(held([]fault{c.fault})...)
				worked := false
				used, err := w.session().Lend(w.ctx, w.grace, lifecycle.LendRequest{Prefix: "run", Scope: utho.ScopeReadOnly, Lifetime: time.Hour},
					func(i lifecycle.Issued) { worked = w.srv.Works(i.Secret) })
				if used && err != nil && !strings.Contains(err.Error(), "token 10004") {
					t.Errorf("%v", err)
				}
				if got := kindOf(err); got != c.want || used != c.used || worked != used {
					t.Errorf("used %v, worked %v, ended with %s: %v; want %s", used, worked, got, err, c.want)
				}
				stay := 0
				for _, tok := range w.srv.Tokens() {
					if strings.HasPrefix(tok.Name, "run-") {
						stay++
					}
				}
				if stay != c.stay {
					t.Errorf("%d tokens stay, want %d", stay, c.stay)
				}
			})
		})
	}
}
