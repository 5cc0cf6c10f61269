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
		"HUP gone":     "", // the terminal goes away
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newServed(t)
			open := w.gate()
			signal, terminal, _ := strings.Cut(name, " ")
			// The command takes the signal, and ends only when it is told to.
			args := []string{"utho", "token", "run", "--", "sh", "-c", `trap 'echo GOT >>got; got=1' ` + signal + `; got=; echo READY >&2
				while test -z "$got"; do sleep 0.05; done; cat gate >text; utho token list >/dev/null && echo STILL WORKS >>got; exit 5`}
			keys, typed := send.(string)
			launch := w.start
			if typed || terminal != "" {
				launch = w.onTerminal
			}
			p := launch(nil, args...)
			p.until("READY")
			if sig, ok := send.(syscall.Signal); ok {
				p.signal(sig)
			} else if keys != "" {
				p.types(keys)
			} else if err := p.ptm.Close(); err != nil {
				t.Fatal(err)
			}
			open("end\n") // when the signal has come
			p.exits(5)
			if got := w.read("got"); got != "GOT\nSTILL WORKS\n" {
				t.Errorf("the command has\n%s%s", got, p.said())
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
	open := w.gate()
	w.write("trap 'echo \"G\"OT; exit 8' INT; echo \"U\"P1; while :; do sleep 0.05; done\n", "background")
	p := w.onTerminal(nil, "bash", "--norc", "--noprofile", "-i")
	p.until(`READY\$ `)
	p.types("utho token run -- sh background & pid=$!\n")
	p.until(`UP1\r?\n`)
	p.types("kill -INT $pid; wait $pid; echo background=$?\n")
	p.until(`GOT\r?\n(.|\n)*background=8`)

	for command, status := range map[string]string{"token run": "9", "exec": "10"} {
		// The shell itself reads: one that is stopped between its fork and exec can never be seen to stop.
		p.types("utho " + command + " -- sh -c 'echo \"U\"P" + status + "; read -r x <gate; echo $x; exit " + status + "'\n")
		p.until("UP" + status + `\r?\n`)
		deletions := w.Count(sandboxtest.Delete)
		p.types(ctrlZ)
		p.until(`(?i)stopped(.|\n)*READY\$ $`)
		if w.Count(sandboxtest.Delete) != deletions {
			t.Error("the token was deleted while the command was stopped")
		}
		p.types("echo B\"AC\"K" + status + "; fg\n")
		p.until("BACK" + status + `\r?\n`)
		open("THROUGH" + status + "\n")
		p.until("THROUGH" + status)
		p.types("echo status=$?\n")
		p.until("status=" + status)
	}
	w.remain(4)
	p.types("exit\n")
	p.exits(0)
}
