//go:build unix

package main

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/utho/utho-cli/internal/sandbox/sandboxtest"
)

// stop is one place where a signal meets a command: a request that the service
// holds.
type stop struct {
	name  string
	op    sandboxtest.Op
	after bool // the request has had its effect, the answer is held
	keep  bool // it is held for good: utho has to end by itself
	twice bool // a second signal follows

	code   int    // 0 for the signal's own status
	ok     bool   // the status is 0: it was too late to stop
	says   string // on stderr
	tokens int    // of that name in the end
	output bool   // the secret is on stdout
	quiet  bool   // nothing is open any more that would have to be found out
}

var createStops = []stop{
	{name: "first list", op: sandboxtest.List, keep: true, says: "interrupted|ended by"},
	{name: "create before its effect", op: sandboxtest.Create, says: "the new token was deleted again"},
	{name: "create after its effect", op: sandboxtest.Create, after: true, says: "the new token was deleted again"},
	{name: "confirming list", op: sandboxtest.Confirm, says: "the new token was deleted again"},
}

var createHeld = []stop{
	{name: "create before its effect, for good", op: sandboxtest.Create, keep: true, code: 8, says: `there is no new token named held; it may still appear`},
	{name: "create after its effect, for good", op: sandboxtest.Create, after: true, keep: true, code: 8, says: `token \d+ exists and its secret is lost(.|\n)*hint: utho token delete \d+`, tokens: 1},
	{name: "confirming list, for good", op: sandboxtest.Confirm, keep: true, says: "the new token was deleted again"},
	{name: "twice, create before its effect", op: sandboxtest.Create, keep: true, twice: true, code: 8, says: "it is not known whether a token was made"},
	{name: "twice, create after its effect", op: sandboxtest.Create, after: true, keep: true, twice: true, code: 8, says: "it is not known whether a token was made", tokens: 1},
	{name: "twice, confirming list", op: sandboxtest.Confirm, keep: true, twice: true, code: 8, says: "a token named held may be left", tokens: 1},
}

var rotateStops = []stop{
	{name: "first list", op: sandboxtest.List, keep: true, says: "interrupted|ended by", tokens: 1},
	{name: "create before its effect", op: sandboxtest.Create, says: `the new token was deleted again; the old token \d+ still works`, tokens: 1},
	{name: "create after its effect", op: sandboxtest.Create, after: true, says: `the new token was deleted again; the old token \d+ still works`, tokens: 1},
	{name: "confirming list", op: sandboxtest.Confirm, says: `the new token was deleted again; the old token \d+ still works`, tokens: 1},
	{name: "proof", op: sandboxtest.Verify, keep: true, says: `the new token was deleted again; the old token \d+ still works`, tokens: 1},
	{name: "deletion before its effect", op: sandboxtest.Delete, ok: true, says: "deleted the old token", tokens: 1, output: true},
	{name: "deletion after its effect", op: sandboxtest.Delete, after: true, ok: true, says: "deleted the old token", tokens: 1, output: true},
	{name: "last list", op: sandboxtest.Recheck, keep: true, quiet: true, ok: true, says: "deleted the old token", tokens: 1, output: true},
}

var rotateHeld = []stop{
	{name: "create before its effect, for good", op: sandboxtest.Create, keep: true, code: 8, says: `it may still appear; the old token \d+ still works`, tokens: 1},
	{name: "create after its effect, for good", op: sandboxtest.Create, after: true, keep: true, code: 8, says: `token \d+ exists and its secret is lost; the old token \d+ still works`, tokens: 2},
	{name: "deletion before its effect, for good", op: sandboxtest.Delete, keep: true, code: 8, says: `the new token \d+ works and its secret was delivered, and the old token \d+ (still works|may still work) too`, tokens: 2, output: true},
	{name: "deletion after its effect, for good", op: sandboxtest.Delete, after: true, keep: true, ok: true, says: "deleted the old token", tokens: 1, output: true},
	{name: "twice, create", op: sandboxtest.Create, after: true, keep: true, twice: true, code: 8, says: `it is not known whether a token was made.*; the old token \d+ still works`, tokens: 2},
	{name: "twice, confirming list", op: sandboxtest.Confirm, keep: true, twice: true, code: 8, says: `a token named held may be left.*; the old token \d+ still works`, tokens: 2},
	{name: "twice, deletion", op: sandboxtest.Delete, keep: true, twice: true, code: 8, says: `the old token \d+ may still work too`, tokens: 2, output: true},
}

// The first INT, TERM or HUP only stops the waiting: utho finds out what
// happened, then delivers or undoes. A second one ends it with 8.
func TestSignals(t *testing.T) {
	all := []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP}
	for _, group := range []struct {
		command string
		stops   []stop
		signals []syscall.Signal
	}{
		{"create", createStops, all},
		{"create", createHeld, all[:1]},
		{"rotate", rotateStops, all},
		{"rotate", rotateHeld, all[1:2]},
	} {
		for _, sig := range group.signals {
			for _, s := range group.stops {
				t.Run(fmt.Sprintf("%s/%v/%s", group.command, sig, s.name), func(t *testing.T) {
					t.Parallel()
					signalAt(t, group.command, sig, s)
				})
			}
		}
	}
}

func signalAt(t *testing.T, command string, sig syscall.Signal, s stop) {
	w := newServed(t)
	args, old := []string{"token", "create", "held"}, ""
	if command == "rotate" {
		old = strings.TrimSpace(w.utho(args...).want(t, 0).stdout)
		args = []string{"token", "rotate", "held", "--yes"}
	}
	times := 1
	if s.twice {
		times = 0 // nothing is answered any more, as on a line that broke
	}
	w.stopAt("here", s.op, moment(s.after), times)
	p := w.start(args...)
	w.awaitHeld("here")
	p.signal(sig)
	if !s.quiet && s.op != sandboxtest.List {
		p.until("finding out what stands first")
	}
	if s.twice {
		p.signal(sig)
	}
	if !s.keep {
		w.release("here")
	}
	want := s.code
	if want == 0 && !s.ok {
		want = 128 + int(sig)
	}
	p.exits(want)
	p.says(s.says)
	if s.quiet && strings.Contains(p.said(), "finding out") {
		t.Errorf("nothing was open:\n%s", p.said())
	}
	if got := w.count("held"); got != s.tokens {
		t.Errorf("%d tokens in the end, want %d\n%s", got, s.tokens, p.said())
	}
	if got := p.stdout.Len() > 0; got != s.output {
		t.Errorf("stdout %q", p.stdout.String())
	}
	w.Clear()
	secret := strings.TrimSpace(p.stdout.String())
	if s.output && !w.Works(secret) {
		t.Error("the secret that was delivered does not work")
	}
	if old != "" && !s.output && !w.Works(old) {
		t.Error("nothing was delivered, and the old secret does not work")
	}
	w.noLeaks()
}

// A create that the service put off is not sent again after a signal.
func TestSignalWhilePutOff(t *testing.T) {
	t.Parallel()
	w := newServed(t)
	w.Fault(sandboxtest.Fault{On: sandboxtest.Create, RetryAfter: "25"})
	p := w.start("token", "create", "held")
	w.awaitRequests("create", func(r []sandboxtest.Request) bool { return len(r) == 2 && r[1].Status == 429 })
	p.signal(syscall.SIGINT)
	p.exits(130)
	p.says(`create "held": interrupted; nothing was created`)
	if w.count("held") != 0 || w.Count(sandboxtest.Create) != 1 {
		t.Errorf("%d tokens, %d creates", w.count("held"), w.Count(sandboxtest.Create))
	}
}

// A signal while the secret is being delivered lets the delivery come to its
// end, and what follows it too.
func TestSignalDuringDelivery(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			w := newServed(t)
			w.utho("token", "create", "held", "--to", "env:.env").want(w.t, 0)
			old := w.read(".env")
			w.fifo("gate")
			p := w.start("token", "rotate", "held", "--yes", "--to", "env:.env",
				"--to", "exec:sh -c 'echo delivering >&2; cat gate >/dev/null'")
			p.until("delivering")
			p.signal(sig)
			p.until("finding out what stands first")
			w.feed("gate", "go on\n")
			p.exits(0)
			p.says("deleted the old token")
			if w.count("held") != 1 || w.read(".env") == old {
				t.Errorf("%d tokens; .env %q, was %q", w.count("held"), w.read(".env"), old)
			}
			w.noLeaks()
		})
	}
	// On a terminal the command gets Ctrl-C too, and ends with it.
	t.Run("on a terminal", func(t *testing.T) {
		t.Parallel()
		w := newServed(t)
		term := w.onTerminal(nil, "utho", "token", "create", "held", "--to", "env:.env",
			"--to", "exec:sh -c 'echo DELIVERING >&2; while :; do sleep 0.05; done'")
		term.until(`DELIVERING\r?\n`)
		term.types(ctrlC)
		term.exits(130)
		term.says("put back as before: env:.env; cannot be taken back: exec:.*the new token was deleted again")
		if w.count("held") != 0 || w.read(".env") != "" {
			t.Errorf("%d tokens; .env %q", w.count("held"), w.read(".env"))
		}
	})
	// A second signal ends it, and what may be left is named.
	t.Run("twice", func(t *testing.T) {
		t.Parallel()
		w := newServed(t)
		w.fifo("gate")
		p := w.start("token", "create", "held", "--to", "env:.env",
			"--to", "exec:sh -c 'echo delivering >&2; cat gate >/dev/null'")
		p.until("delivering")
		p.signal(syscall.SIGTERM)
		p.until("finding out what stands first")
		p.signal(syscall.SIGTERM)
		p.exits(8)
		p.says(`put back as before: env:.env; cannot be taken back: exec:.*; token \d+ may still exist(.|\n)*hint: utho token delete \d+`)
		if w.count("held") != 1 || w.read(".env") != "" {
			t.Errorf("%d tokens; .env %q", w.count("held"), w.read(".env"))
		}
	})
	// A command that does not come to its end is ended, and the secret taken back.
	t.Run("for good", func(t *testing.T) {
		t.Parallel()
		w := newServed(t)
		w.fifo("gate")
		p := w.start("token", "create", "held", "--to", "env:.env",
			"--to", "exec:sh -c 'echo delivering >&2; cat gate >/dev/null'")
		p.until("delivering")
		p.signal(syscall.SIGTERM)
		p.exits(143)
		p.says("put back as before: env:.env; cannot be taken back: exec:.*the new token was deleted again")
		if w.count("held") != 0 || w.read(".env") != "" {
			t.Errorf("%d tokens; .env %q", w.count("held"), w.read(".env"))
		}
	})
}
