//go:build unix

package main

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/utho/utho-cli/internal/sandbox/sandboxtest"
)

// Signals that the terminal did not send are passed on; the token lives until
// the command has ended.
func TestRunPassesSignalsOn(t *testing.T) {
	for _, sig := range []struct {
		name string
		sig  syscall.Signal
	}{
		{"TERM", syscall.SIGTERM},
		{"INT", syscall.SIGINT},
		{"HUP", syscall.SIGHUP},
		{"QUIT", syscall.SIGQUIT},
		{"USR1", syscall.SIGUSR1},
		{"USR2", syscall.SIGUSR2},
	} {
		t.Run(sig.name, func(t *testing.T) {
			t.Parallel()
			w := newServed(t)
			w.fifo("gate")
			// The command takes the signal, and ends only when it is told to.
			p := w.start("token", "run", "--", "sh", "-c",
				`trap 'echo got >&2; cat gate >/dev/null; utho token list >/dev/null && echo still works >&2; exit 5' `+sig.name+`
				echo ready >&2; while :; do sleep 0.05; done`)
			p.until("ready")
			p.signal(sig.sig)
			p.until("got")
			if w.Count(sandboxtest.Delete) != 0 {
				t.Error("the token was deleted before the command had ended")
			}
			w.feed("gate", "end\n")
			p.exits(5)
			p.says("still works")
			if strings.Count(p.said(), "got") != 1 {
				t.Errorf("not once: %s", p.said())
			}
			w.remain(4)
		})
	}
	t.Run("a command that they end", func(t *testing.T) {
		t.Parallel()
		w := newServed(t)
		p := w.start("token", "run", "--", "sh", "-c", "echo ready >&2; exec sleep 1000")
		p.until("ready")
		p.signal(syscall.SIGTERM)
		p.exits(128 + int(syscall.SIGTERM))
		w.remain(4)
	})
}

// A signal while the token is being made: taken back, and the command not
// started.
func TestRunSignalBeforeStart(t *testing.T) {
	for op, at := range map[sandboxtest.Op]moment{
		sandboxtest.List: beforeEffect, sandboxtest.Create: afterEffect, sandboxtest.Confirm: beforeEffect,
	} {
		t.Run(string(op), func(t *testing.T) {
			t.Parallel()
			w := newServed(t)
			w.stopAt("here", op, at, 1)
			p := w.start("token", "run", "--", "touch", "started")
			w.awaitHeld("here")
			p.signal(syscall.SIGTERM)
			p.until("ended by TERM")
			w.release("here")
			p.exits(143)
			if exists(w.path("started")) {
				t.Error("the command was started")
			}
			w.remain(4)
		})
	}
}

// After the command has ended, a signal leaves the deletion its time; so do
// those that are only the command's.
func TestRunSignalDuringDeletion(t *testing.T) {
	t.Parallel()
	w := newServed(t)
	w.stopAt("deletion", sandboxtest.Delete, beforeEffect, 0)
	p := w.start("token", "run", "--", "sh", "-c", "exit 3")
	w.awaitHeld("deletion")
	for _, sig := range []syscall.Signal{syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGALRM} {
		p.signal(sig)
	}
	p.signal(syscall.SIGINT)
	p.until("finding out what stands")
	w.release("deletion")
	p.exits(3)
	w.remain(4)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// Ctrl-C reaches the command once, by its process group, and the token lives
// until the command has ended.
func TestRunCtrlC(t *testing.T) {
	for _, key := range []struct{ name, key string }{{"INT", ctrlC}, {"QUIT", ctrlB}} {
		t.Run(key.name, func(t *testing.T) {
			t.Parallel()
			w := newServed(t)
			w.fifo("gate")
			term := w.onTerminal(nil, "utho", "token", "run", "--", "sh", "-c",
				`trap 'echo GOT; got=1' `+key.name+`; got=; echo UP; while test -z "$got"; do sleep 0.05; done
				cat gate; utho token list >/dev/null && echo STILL WORKS; exit 6`)
			term.until("UP")
			term.types(key.key)
			term.until("GOT")
			if w.Count(sandboxtest.Delete) != 0 {
				t.Error("the token was deleted before the command had ended")
			}
			w.feed("gate", "end\n")
			term.exits(6)
			term.says("STILL WORKS")
			if n := strings.Count(term.said(), "GOT"); n != 1 {
				t.Errorf("it came %d times:\n%s", n, term.said())
			}
			w.remain(4)
		})
	}
}

// Ctrl-Z stops both, fg goes on with both.
func TestRunCtrlZ(t *testing.T) {
	t.Parallel()
	requires(t, "bash")
	w := newServed(t)
	w.fifo("gate")
	term := w.with("TERM", "xterm", "PS1", "READY$ ").onTerminal(nil, "bash", "--norc", "--noprofile", "-i")
	term.until(`READY\$ `)
	term.types("utho token run -- sh -c 'echo \"U\"P; cat gate; exit 9'\n")
	term.until(`UP\r?\n`)
	term.types(ctrlZ)
	term.until(`(?i)stopped`)
	if w.Count(sandboxtest.Delete) != 0 {
		t.Error("the token was deleted while the command was stopped")
	}
	term.types("echo B\"AC\"K; fg\n")
	term.until(`BACK\r?\n`)
	w.feed("gate", "THROUGH\n")
	term.until(`THROUGH`)
	term.types("echo status=$?\n")
	term.until(`status=9`)
	w.remain(4)
	term.types("exit\n")
	term.exits(0)
}

// A terminal that goes away is a HUP for both; the token is deleted all the same.
func TestRunHangup(t *testing.T) {
	t.Parallel()
	w := newServed(t)
	term := w.onTerminal(nil, "utho", "token", "run", "--", "sh", "-c", `trap 'exit 4' HUP; echo UP; while :; do sleep 0.05; done`)
	term.until("UP")
	if err := term.ptm.Close(); err != nil {
		t.Fatal(err)
	}
	term.exits(4)
	w.remain(4)
}
