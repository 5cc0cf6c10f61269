package lifecycle_test

import (
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/utho/utho-cli/internal/lifecycle"
)

// What an error has named is remembered: the next rotation deletes it, whatever its scope and its stamp.
func TestNamedIsDropped(t *testing.T) {
	for name, faults := range map[string][]fault{
		"another scope, and its deletion failed": {
			{On: "create", Times: 1, ForceWrite: true}, {On: "delete", Times: 1, Status: 400, Body: `{"status":"error","message":"no"}`},
		},
		"a lost answer, and a clock that is off": {
			{On: "create", Times: 1, Effect: true, Status: 502, Body: "x"}, {On: "list", Times: 3, Date: time.Now().Add(10 * time.Minute)},
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			w, _ := rotating(t, "app", false)
			w.srv.Fault(faults...)
			_, first := w.rotate(lifecycle.RotateRequest{Arg: "app"}, onShelf(w, shelf{}))
			w.srv.Clear()
			w.start()
			if _, err := w.rotate(lifecycle.RotateRequest{Arg: "app"}, onShelf(w, shelf{})); first == nil || err != nil {
				t.Errorf("%s: %v; then %v", name, first, err)
			}
		})
	}
}

// A rotation that was killed before its create and is not due any more leaves no record.
func TestNothingUnfinished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := rotating(t, "app.expires-20991223T0930Z", false)
		w.srv.Fault(fault{On: "create", Times: 1, Before: runtime.Goexit})
		_, _ = w.rotate(lifecycle.RotateRequest{Arg: "app"}, onShelf(w, shelf{}))
		w.srv.Clear()
		w.start()
		_, err := w.rotate(lifecycle.RotateRequest{Arg: "app", IfExpiresWithin: time.Hour}, onShelf(w, shelf{}))
		list, listErr := w.session().List(t.Context())
		if err != nil || listErr != nil {
			t.Fatal(err, listErr)
		}
		if ids, err := w.records().Unfinished(list.Tokens); len(ids) > 0 || err != nil {
			t.Errorf("unfinished: %v, %v", ids, err)
		}
	})
}

// The looks after a lost answer have their time, also after a signal, and a deletion's look has that of an exchange.
func TestSlowLooks(t *testing.T) {
	slow := func(d time.Duration) func() { return func() { time.Sleep(d) } }
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.srv.Fault(fault{On: "create", Times: 1, Effect: true, Status: 502, Body: "x", After: func() { w.signal() }},
			fault{On: "confirm", Before: slow(3 * time.Second)})
		_, err := w.session().Create(w.ctx, w.grace, lifecycle.CreateRequest{Name: "ci", Scope: 1}, onShelf(w, shelf{}))
		if err == nil || !strings.Contains(err.Error(), `token 10004 "ci" was created, but its secret is lost`) {
			t.Errorf("after a signal: %v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.srv.Fault(fault{On: "create", Times: 1, Status: 502, Body: "x"}, fault{On: "list", Nth: 3, Status: 401, Body: "no"})
		_, err := w.session().Create(w.ctx, w.grace, lifecycle.CreateRequest{Name: "ci", Scope: 1}, onShelf(w, shelf{}))
		if err == nil || !strings.Contains(err.Error(), "the list failed too") {
			t.Errorf("the last list fails: %v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		gone := w.srv.Add("x", false)
		list, err := w.session().List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		w.srv.Remove(gone.ID)
		w.srv.Fault(fault{On: "list", Before: slow(7 * time.Second)})
		if all, err := w.session().Delete(w.ctx, w.grace, list.Tokens[len(list.Tokens)-1:], "", func() {}); err != nil || !all[0].Deleted {
			t.Errorf("deleted meanwhile: %v, %v", all[0].Err, err)
		}
	})
}
