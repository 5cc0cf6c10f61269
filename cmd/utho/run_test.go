//go:build unix

package main

import (
	"strings"
	"syscall"
	"testing"

	"github.com/utho/utho-cli/internal/sandbox/sandboxtest"
)

// Signals reach the command once: those of a terminal by its process group, all others by utho, which passes
// them on. The token lives until the command has ended.
func TestRunPassesSignalsOn(t *testing.T) {
	for name, send := range map[string]any{
		"TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP, "USR1": syscall.SIGUSR1, "ABRT": syscall.SIGABRT,
		"INT": ctrlC, "QUIT": ctrlB, // on a terminal
		"HUP terminal": syscall.SIGHUP,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newServed(t)
			w.fifo("gate")
			signal, terminal, _ := strings.Cut(name, " ")
			// The command takes the signal, and ends only when it is told to.
			args := []string{"utho", "token", "run", "--", "sh", "-c", `trap 'echo GOT >&2; got=1' ` + signal + `; got=; echo READY >&2
				while test -z "$got"; do sleep 0.05; done; cat gate >&2; utho token list >/dev/null && echo STILL WORKS >&2; exit 5`}
			keys, typed := send.(string)
			var p *process
			if typed || terminal != "" {
				p = w.onTerminal(nil, args...)
			} else {
				p = w.watch(args...)
			}
			p.until("READY")
			if sig, ok := send.(syscall.Signal); ok {
				p.signal(sig)
			} else {
				p.types(keys)
			}
			p.until("GOT")
			if w.Count(sandboxtest.Delete) != 0 {
				t.Error("the token was deleted before the command had ended")
			}
			w.feed("gate", "end\n")
			p.exits(5)
			p.says("STILL WORKS")
			if n := strings.Count(p.said(), "GOT"); n != 1 {
				t.Errorf("it came %d times:\n%s", n, p.said())
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
		// The shell itself reads: one that is stopped between its fork and exec can never be seen to stop.
		term.types("utho " + command + " -- sh -c 'echo \"U\"P" + status + "; read -r x <gate; echo $x; exit " + status + "'\n")
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
