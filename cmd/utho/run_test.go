//go:build unix

package main

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/utho/utho-cli/internal/sandbox/sandboxtest"
)

// Signals that no terminal sent are passed on; the token lives until the command has ended.
func TestRunPassesSignalsOn(t *testing.T) {
	for name, sig := range map[string]syscall.Signal{
		"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "HUP": syscall.SIGHUP, "QUIT": syscall.SIGQUIT,
		"USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2, "ABRT": syscall.SIGABRT,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newServed(t)
			w.fifo("gate")
			// The command takes the signal, and ends only when it is told to.
			p := w.start("token", "run", "--", "sh", "-c",
				`trap 'echo got >&2; cat gate >/dev/null; utho token list >/dev/null && echo still works >&2; exit 5' `+name+`
				echo ready >&2; while :; do sleep 0.05; done`)
			p.until("ready")
			p.signal(sig)
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
}

// A signal while the token is being created: rolled back, and the command not started.
func TestRunSignalBeforeStart(t *testing.T) {
	t.Parallel()
	w := newServed(t)
	w.stopAt("here", sandboxtest.Confirm, afterEffect, 1)
	p := w.start("token", "run", "--", "touch", "started")
	w.awaitHeld("here")
	p.signal(syscall.SIGTERM)
	p.until("cleaning up")
	w.release("here")
	p.exits(143)
	if _, err := os.Lstat(w.path("started")); err == nil {
		t.Error("the command was started")
	}
	w.remain(4)
}

// After the command has ended, a signal leaves the deletion its time.
func TestRunSignalDuringDeletion(t *testing.T) {
	t.Parallel()
	w := newServed(t)
	w.stopAt("deletion", sandboxtest.Delete, beforeEffect, 0)
	p := w.start("token", "run", "--", "sh", "-c", "exit 3")
	w.awaitHeld("deletion")
	p.signal(syscall.SIGUSR1)
	p.signal(syscall.SIGINT)
	p.until("cleaning up")
	w.release("deletion")
	p.exits(3)
	w.remain(4)
}

// On a terminal Ctrl-C and Ctrl-\ reach the command once, by its process group; what is sent
// to utho alone is passed on.
func TestRunOnTerminal(t *testing.T) {
	for name, test := range map[string]struct {
		trap string
		send func(p *process)
	}{
		"Ctrl-C":      {"INT", func(p *process) { p.types(ctrlC) }},
		"Ctrl-\\":     {"QUIT", func(p *process) { p.types(ctrlB) }},
		"HUP to utho": {"HUP", func(p *process) { p.signal(syscall.SIGHUP) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newServed(t)
			w.fifo("gate")
			term := w.onTerminal(nil, "utho", "token", "run", "--", "sh", "-c",
				`trap 'echo GOT; got=1' `+test.trap+`; got=; echo UP; while test -z "$got"; do sleep 0.05; done
				cat gate; utho token list >/dev/null && echo STILL WORKS; exit 6`)
			term.until("UP")
			test.send(term)
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

// In the background of a shell, INT that is sent to utho alone is passed on; Ctrl-Z stops
// both and fg goes on with both; exec leaves the job to the command.
func TestRunJobControl(t *testing.T) {
	t.Parallel()
	requires(t, "bash")
	w := newServed(t).with("PS1", "READY$ ")
	w.fifo("gate")
	w.write("trap 'echo \"G\"OT; exit 8' INT; echo \"U\"P1; while :; do sleep 0.05; done\n", "background")
	term := w.onTerminal(nil, "bash", "--norc", "--noprofile", "-i")
	term.until(`READY\$ `)
	term.types("utho token run -- sh background & pid=$!\n")
	term.until(`UP1\r?\n`)
	term.types("kill -INT $pid; wait $pid; echo background=$?\n")
	term.until(`GOT\r?\n(.|\n)*background=8`)

	for command, status := range map[string]string{"token run": "9", "exec": "10"} {
		term.types("utho " + command + " -- sh -c 'echo \"U\"P" + status + "; cat gate; exit " + status + "'\n")
		term.until("UP" + status + `\r?\n`)
		deletions := w.Count(sandboxtest.Delete)
		term.types(ctrlZ)
		term.until(`(?i)stopped(.|\n)*READY\$ $`)
		if w.Count(sandboxtest.Delete) != deletions {
			t.Error("the token was deleted while the command was stopped")
		}
		term.types("echo B\"AC\"K" + status + "; fg\n")
		term.until("BACK" + status + `\r?\n`)
		w.feed("gate", "THROUGH"+status+"\n")
		term.until("THROUGH" + status)
		term.types("echo status=$?\n")
		term.until("status=" + status)
	}
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
