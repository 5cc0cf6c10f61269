//go:build unix

package main

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/utho/utho-cli/internal/sandbox/sandboxtest"
)

// Many are deleted at once, but never more than eight, and all are attempted.
func TestDeleteAtOnce(t *testing.T) {
	t.Parallel()
	w := newServed(t)
	w.make(20)
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
	w := newServed(t)
	w.make(20)
	w.stopAt("deletions", sandboxtest.Delete, beforeEffect, 0)
	p := w.start("token", "delete", "--name", "many-*", "--yes")
	for range 8 {
		w.awaitHeld("deletions")
	}
	p.signal(syscall.SIGINT)
	p.until("finding out what stands first")
	w.release("deletions")
	p.exits(130)
	p.says("12 deletions not attempted")
	if n := strings.Count(p.stdout.String(), "deleted "); n != 8 {
		t.Errorf("%d deleted:\n%s", n, p.stdout.String())
	}
	w.remain(16)
}

// A deletion that a signal leaves without an answer is decided by the list; where
// the list fails too, that is said.
func TestDeleteUnanswered(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		after bool // it has taken its effect
		deaf  bool // nothing is answered any more
		args  []string
		code  int
		out   string
		says  string
	}{
		{name: "done", after: true, code: 0, out: "deleted 10001 grafana\n", says: "finding out what stands first"},
		{name: "not done", code: 143, says: "delete token 10001: ended by TERM before an answer came; the list still shows it"},
		{
			name: "nothing answers", after: true, deaf: true, code: 8,
			says: `delete token 10001: ended by TERM before an answer came; whether it is gone could not be seen: (.|\n)*hint: utho token list -o wide`,
		},
		{
			name: "done, of two", after: true, args: []string{"terraform", "-o", "json"}, code: 0,
			out: "[\n" + `{"id":"10001","name":"grafana","deleted":true,"error":null},` + "\n" + `{"id":"10003","name":"terraform","deleted":true,"error":null}` + "\n]\n",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newServed(t)
			w.Fault(sandboxtest.Fault{On: sandboxtest.Delete, ID: "10003"}) // nothing goes wrong with that one
			w.stopAt("deletion", sandboxtest.Delete, moment(test.after), 0)
			if test.deaf {
				w.stopAt("list", sandboxtest.Recheck, beforeEffect, 0)
			}
			p := w.start(append([]string{"token", "delete", "grafana", "--yes"}, test.args...)...)
			w.awaitHeld("deletion")
			w.awaitRequests("deletions", func(requests []sandboxtest.Request) bool {
				n := 0
				for _, r := range requests {
					if r.Op == sandboxtest.Delete && (r.Effect || !test.after) {
						n++
					}
				}
				return n == 1+min(len(test.args), 1)
			})
			p.signal(syscall.SIGTERM)
			p.exits(test.code)
			p.says(test.says)
			if got := p.stdout.String(); got != test.out {
				t.Errorf("stdout %q, want %q", got, test.out)
			}
		})
	}
}

// On a terminal it asks, and shows how far it is.
func TestDeleteOnTerminal(t *testing.T) {
	t.Parallel()
	w := newServed(t)
	w.make(5)
	term := w.onTerminal(nil, "utho", "token", "delete", "--name", "many-*")
	term.until(`\d+ "many-4" .*\n.*Delete 5 tokens for good\? \[y/N\]: `)
	term.types("n\n")
	term.exits(3)
	w.remain(9)
	term = w.onTerminal(nil, "utho", "token", "delete", "--name", "many-*")
	term.until(`\[y/N\]: `)
	term.types(ctrlC)
	term.exits(130)
	w.remain(9)
	term = w.onTerminal(nil, "utho", "token", "delete", "--name", "many-*")
	term.until(`\[y/N\]: `)
	term.types("y\n")
	term.exits(0)
	term.says(`deleting .*\(?[1-5]/5`)
	w.remain(4)
	// So does rotate.
	term = w.onTerminal(nil, "utho", "token", "rotate", "grafana")
	term.until(`10001 "grafana".*\n.*delete the old token for good\? \[y/N\]: `)
	term.types("\n")
	term.exits(3)
	if w.Count(sandboxtest.Create) != 5 {
		t.Error("made before it was confirmed")
	}
	for _, command := range []string{"delete", "rotate"} {
		p := w.onTerminal(nil, "utho", "--no-input", "token", command, "grafana")
		p.exits(2)
		p.says("asks first, and --no-input forbids that")
	}
}

// make makes tokens named many-0 and so on.
func (m *machine) make(n int) {
	m.t.Helper()
	for i := range n {
		m.utho("token", "create", fmt.Sprint("many-", i)).want(m.t, 0)
	}
}
