//go:build unix

package main

import (
	"strings"
	"syscall"
	"testing"

	"github.com/utho/utho-cli/internal/sandbox/sandboxtest"
)

// Eight are deleted at once, and no ninth before one of them is answered. The first signal begins no
// further deletion, and waits for those under way.
func TestDeleteAtOnce(t *testing.T) {
	t.Parallel()
	w := newServed(t).many(20)
	let, f := make(chan struct{}), sandboxtest.Fault{On: sandboxtest.Delete}
	w.hold("deletions").before(&f)
	f.Hold = let
	w.Fault(f)
	p := w.start(nil, "utho", "token", "delete", "--name", "many-*", "--yes")
	for range 7 {
		w.await(t, "deletions")
	}
	for n := 8; n <= 12; n++ { // each answer lets one more in
		w.await(t, "deletions")
		if got := w.Count(sandboxtest.Delete); got != n {
			t.Fatalf("%d deletions, want %d", got, n)
		}
		if n < 12 {
			let <- struct{}{}
		}
	}
	p.signal(syscall.SIGINT)
	p.until("cleaning up")
	close(let)
	p.exits(130)
	p.says("8 deletions not attempted")
	if n := strings.Count(p.stdout.String(), "deleted "); n != 12 {
		t.Errorf("%d deleted:\n%s", n, p.stdout.String())
	}
	w.remain(12)
}
