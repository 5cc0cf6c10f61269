package sandbox

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// A new token that the list does not show yet, or that does not work yet.
func TestSlowCreate(t *testing.T) {
	t.Parallel()
	now := aMoment()
	f := NewFaults(
		Rule{Method: "POST", Times: 1, HideLists: 2},
		Rule{Method: "POST", Nth: 2, Times: 1, HideFor: 2 * time.Second},
		Rule{Method: "POST", Nth: 3, Times: 1, HideLists: 1, HideFor: 2 * time.Second},
		Rule{Method: "POST", Nth: 4, Times: 1, RefuseNew: 2},
	)
	s := Memory(WithClock(func() time.Time { return now }), WithFaults(f))
	shown := func() bool {
		t.Helper()
		all := tokens(t, s)
		return len(all) == 5
	}
	clean := func(id string) {
		t.Helper()
		if g := do(t, s, "DELETE", "/api/"+id+"/delete", operator(t, s), ""); !strings.Contains(g.body, "success") {
			t.Fatal(g.body)
		}
	}

	// The secret works all the while.
	secret := mustCreate(t, s, "after two lists", "off")
	if g := do(t, s, "GET", "/account/info", secret, ""); !strings.Contains(g.body, "success") {
		t.Error(g.body)
	}
	for i, want := range []bool{false, false, true, true} {
		if got := shown(); got != want {
			t.Errorf("list %d shows it: %v", i+1, got)
		}
	}
	clean("10004") // by its id it could always be deleted

	mustCreate(t, s, "after two seconds", "off")
	for _, step := range []struct {
		time.Duration
		want bool
	}{{0, false}, {0, false}, {1999 * time.Millisecond, false}, {time.Millisecond, true}} {
		now = now.Add(step.Duration)
		if got := shown(); got != step.want {
			t.Errorf("at %v the list shows it: %v", now, got)
		}
	}
	clean("10005")

	mustCreate(t, s, "after both", "off")
	now = now.Add(time.Minute)
	if shown() || !shown() {
		t.Error("hidden for a list and a time: not so")
	}
	clean("10006")

	secret = mustCreate(t, s, "not accepted yet", "off")
	for i, want := range []string{msgUnauthorized, msgUnauthorized, "success", "success"} {
		if g := do(t, s, "GET", "/api", secret, ""); !strings.Contains(g.body, want) {
			t.Errorf("request %d: %s", i+1, g.body)
		}
	}
	last := f.Requests()[f.Count("", "")-1]
	if last.By != "10007" {
		t.Errorf("recorded by %q", last.By)
	}
}

// A list that fails once a create has gone through.
func TestListFailsAfterCreate(t *testing.T) {
	ways(t, func(t *testing.T, open func(...Rule) (*Faults, *Sandbox, *http.Client, string)) {
		_, s, c, base := open(Rule{Method: "GET", Path: "/v2/api", AfterCreate: true, Status: 503, Times: 2})
		op := operator(t, s)
		var got []int
		for _, method := range []string{"GET", "POST", "GET", "GET", "GET"} {
			path := map[string]string{"GET": "/api", "POST": "/api/generate"}[method]
			got = append(got, send(t, c, method, base+path, op, createX).status)
		}
		if !slices.Equal(got, []int{200, 200, 503, 503, 200}) {
			t.Errorf("%v", got)
		}
	})
}

// A request that is held has had its effect or not, as the rule says, and ends
// when it is let go.
func TestHold(t *testing.T) {
	ways(t, func(t *testing.T, open func(...Rule) (*Faults, *Sandbox, *http.Client, string)) {
		before, after := make(chan struct{}), make(chan struct{})
		f, s, c, base := open(Rule{Hold: before, HoldAfter: after})
		op := operator(t, s)
		answered := make(chan error, 1)
		go func() {
			_, err := roundTrip(t.Context(), c, "POST", base+"/api/generate", op, createX)
			answered <- err
		}()
		if err := f.Await(t.Context(), func(r []Request) bool { return len(r) == 1 }); err != nil {
			t.Fatal(err)
		}
		if r := f.Requests()[0]; r.Effect || len(stored(t, s)) != 0 {
			t.Errorf("it took effect while held: %+v", r)
		}
		before <- struct{}{}
		if err := f.Await(t.Context(), func(r []Request) bool { return r[0].Effect }); err != nil {
			t.Fatal(err)
		}
		if r := f.Requests()[0]; r.Status != 0 || len(stored(t, s)) != 1 {
			t.Errorf("held back after its effect: %+v", r)
		}
		select {
		case err := <-answered:
			t.Errorf("answered while held: %v", err)
		default:
		}
		close(after)
		if err := <-answered; err != nil {
			t.Error(err)
		}
	})
}

// Whoever gives up while a request is delayed or held gets its context's error;
// before the effect there is none.
func TestGivenUp(t *testing.T) {
	for name, tt := range map[string]struct {
		rule   Rule
		effect bool
	}{
		"delay":      {Rule{Delay: 1000 * time.Hour}, false},
		"hold":       {Rule{Hold: make(chan struct{})}, false},
		"hold after": {Rule{HoldAfter: make(chan struct{})}, true},
	} {
		t.Run(name, func(t *testing.T) {
			ways(t, func(t *testing.T, open func(...Rule) (*Faults, *Sandbox, *http.Client, string)) {
				f, s, c, base := open(tt.rule)
				op := operator(t, s)
				ctx, giveUp := context.WithCancel(t.Context())
				answered := make(chan error, 1)
				go func() {
					_, err := roundTrip(ctx, c, "POST", base+"/api/generate", op, createX)
					answered <- err
				}()
				if err := f.Await(t.Context(), func(r []Request) bool { return len(r) == 1 && r[0].Effect == tt.effect }); err != nil {
					t.Fatal(err)
				}
				giveUp()
				if err := <-answered; !errors.Is(err, context.Canceled) {
					t.Errorf("error %v", err)
				}
				if made := len(stored(t, s)) == 1; made != tt.effect {
					t.Errorf("made a token: %v", made)
				}
			})
		})
	}
}
