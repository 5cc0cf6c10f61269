//go:build unix

package main

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/utho/utho-cli/internal/sandbox/sandboxtest"
)

// many adds tokens named many-0 and so on.
func (m *machine) many(n int) *machine {
	for i := range n {
		m.Add(fmt.Sprint("many-", i), false)
	}
	return m
}

// Eight are deleted at once, and no ninth before one of them is answered. The first signal begins no
// further deletion, and waits for those under way.
func TestDeleteAtOnce(t *testing.T) {
	t.Parallel()
	w := newServed(t).many(20)
	let, f := make(chan struct{}), sandboxtest.Fault{On: sandboxtest.Delete}
	w.hold("deletions").before(&f)
	f.Hold = let
	w.Fault(f)
	p := w.start("token", "delete", "--name", "many-*", "--yes")
	for range 7 {
		w.awaitHeld("deletions")
	}
	for n := 8; n <= 12; n++ { // each answer lets one more in
		w.awaitHeld("deletions")
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

// On a terminal it asks, naming the tokens and the account; only a yes deletes. How far it is shows, and
// leaves nothing behind.
func TestDeleteConfirmation(t *testing.T) {
	t.Parallel()
	w := newServed(t).many(5)
	ask := func(typed string, code int) string {
		t.Helper()
		p := w.onTerminal(nil, "utho", "token", "delete", "--name", "many-*")
		shown := p.asks("Delete 5 tokens of asha.rao@example.com (UTHO_API_KEY)? [y/N]: ")
		if !strings.Contains(shown, `"many-4" (read-only, created `) {
			t.Errorf("the question is:\n%s", shown)
		}
		p.types(typed)
		return strings.ReplaceAll(p.ends(code), "\r\n", "\n")
	}
	for typed, code := range map[string]int{"\r": 3, "yeah\r": 3, ctrlD: 3, "y" + ctrlC: 130} {
		if shown := ask(typed, code); !strings.Contains(shown, "nothing was changed") {
			t.Errorf("typed %q: the terminal shows:\n%s", typed, shown)
		}
		w.remain(9)
	}
	shown := ask(" Yes \r", 0)
	w.remain(4)
	for line := range strings.Lines(shown) {
		// What a person sees of a line is what was written after the last return.
		if strings.Contains(line[strings.LastIndexByte(line, '\r')+1:], "deleting") {
			t.Errorf("the display stays on the terminal: %q", shown)
		}
	}
	if !strings.Contains(shown, "deleting 1/5") || strings.Count(shown, "deleted ") != 5 {
		t.Errorf("the terminal shows:\n%s", shown)
	}
}
