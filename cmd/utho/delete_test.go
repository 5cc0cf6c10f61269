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

// Many are deleted at once, but never more than eight, and all are attempted.
func TestDeleteAtOnce(t *testing.T) {
	t.Parallel()
	w := newServed(t).many(20)
	hold := make(chan struct{})
	w.Fault(sandboxtest.Fault{On: sandboxtest.Delete, Hold: hold})
	p := w.start("token", "delete", "--name", "many-*", "--yes")
	// Eight come, and no ninth before one of them is answered: each answer lets one
	// more in.
	for n := 8; n <= 20; n++ {
		w.awaitRequests(fmt.Sprint(n, " deletions"), func([]sandboxtest.Request) bool { return w.Count(sandboxtest.Delete) >= n })
		if got := w.Count(sandboxtest.Delete); got != n {
			t.Fatalf("%d deletions, want %d", got, n)
		}
		hold <- struct{}{}
	}
	close(hold)
	p.exits(0)
	if n := strings.Count(p.stdout.String(), "deleted "); n != 20 {
		t.Errorf("%d deleted:\n%s", n, p.stdout.String())
	}
	w.remain(4)
}

// The first signal begins no further deletion, and waits for those under way.
func TestDeleteInterrupted(t *testing.T) {
	t.Parallel()
	w := newServed(t).many(20)
	w.stopAt("deletions", sandboxtest.Delete, beforeEffect, 0)
	p := w.start("token", "delete", "--name", "many-*", "--yes")
	for range 8 {
		w.awaitHeld("deletions")
	}
	p.signal(syscall.SIGINT)
	p.until("cleaning up")
	w.release("deletions")
	p.exits(130)
	p.says("12 deletions not attempted")
	if n := strings.Count(p.stdout.String(), "deleted "); n != 8 {
		t.Errorf("%d deleted:\n%s", n, p.stdout.String())
	}
	w.remain(16)
}

// On a terminal it asks, naming the account, and shows how far it is. A question that is
// not answered with yes changes nothing.
func TestDeleteOnTerminal(t *testing.T) {
	t.Parallel()
	w := newServed(t).many(5)
	for keys, code := range map[string]int{"n\n": 3, ctrlC: 130, ctrlD: 3} {
		term := w.onTerminal(nil, "utho", "token", "delete", "--name", "many-*")
		term.until(`\d+ "many-4" (.|\n)*Delete 5 tokens of asha.rao@example.com \(UTHO_API_KEY\)\? \[y/N\]: $`)
		term.types(keys)
		term.ends(code)
		term.says("nothing was changed")
		w.remain(9)
	}
	term := w.onTerminal(nil, "utho", "token", "delete", "--name", "many-*")
	term.until(`\[y/N\]: `)
	term.types("y\n")
	term.exits(0)
	term.says(`deleting [1-5]/5`)
	w.remain(4)
	for _, command := range []string{"delete", "rotate"} {
		p := w.onTerminal(nil, "utho", "--no-input", "token", command, "grafana")
		p.exits(2)
		p.says("asks first, and --no-input forbids that")
	}
}
