//go:build unix

package main

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/utho/utho-cli/internal/sandbox"
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
			w := newBench(t)
			mkfifo(t, w.path("gate"))
			// The command takes the signal, and ends only when it is told to.
			p := w.start("token", "run", "--", "sh", "-c",
				`trap 'echo got >&2; cat gate >/dev/null; utho token list >/dev/null && echo still works >&2; exit 5' `+sig.name+`
				echo ready >&2; while :; do sleep 0.05; done`)
			p.awaitSaid("ready")
			p.signal(sig.sig)
			p.awaitSaid("got")
			if w.faults.Count("DELETE", "") != 0 {
				t.Error("the token was deleted before the command had ended")
			}
			w.write("gate", "end\n")
			p.exits(5)
			p.says("still works")
			if strings.Count(p.said(), "got") != 1 {
				t.Errorf("not once: %s", p.said())
			}
			w.left(4)
		})
	}
	t.Run("a command that they end", func(t *testing.T) {
		t.Parallel()
		w := newBench(t)
		p := w.start("token", "run", "--", "sh", "-c", "echo ready >&2; exec sleep 1000")
		p.awaitSaid("ready")
		p.signal(syscall.SIGTERM)
		p.exits(128 + int(syscall.SIGTERM))
		w.left(4)
	})
}

// A signal while the token is being made: taken back, and the command not
// started.
func TestRunSignalBeforeStart(t *testing.T) {
	for _, s := range []stop{
		{name: "first list", request: "GET", nth: 1},
		{name: "create", request: "POST", nth: 1, after: true},
		{name: "confirming list", request: "GET", nth: 2},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			w := newBench(t)
			hold := make(chan struct{})
			rule := sandbox.Rule{Method: s.request, Nth: s.nth, Times: 1, Hold: hold}
			if s.after {
				rule.Hold, rule.HoldAfter = nil, hold
			}
			w.faults.Add(rule)
			p := w.start("token", "run", "--", "touch", "started")
			w.await(s.name, func([]sandbox.Request) bool { return w.faults.Count(s.request, "") >= s.nth })
			if s.after {
				w.await("effect", func(r []sandbox.Request) bool { return r[len(r)-1].Effect })
			}
			p.signal(syscall.SIGTERM)
			p.awaitSaid("ended by TERM")
			close(hold)
			p.exits(143)
			if w.read("started") != "" || exists(w.path("started")) {
				t.Error("the command was started")
			}
			w.left(4)
		})
	}
}

// After the command has ended, a signal leaves the deletion its time; so do
// those that are only the command's.
func TestRunSignalDuringDeletion(t *testing.T) {
	t.Parallel()
	w := newBench(t)
	hold := make(chan struct{})
	w.faults.Add(sandbox.Rule{Method: "DELETE", Hold: hold})
	p := w.start("token", "run", "--", "sh", "-c", "exit 3")
	w.await("deletion", func([]sandbox.Request) bool { return w.faults.Count("DELETE", "") == 1 })
	for _, sig := range []syscall.Signal{syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGALRM} {
		p.signal(sig)
	}
	p.signal(syscall.SIGINT)
	p.awaitSaid("finding out what stands")
	close(hold)
	p.exits(3)
	w.left(4)
}

// left pins how many tokens there are.
func (w *bench) left(want int) {
	w.t.Helper()
	names, err := w.names()
	if err != nil || len(names) != want {
		w.t.Errorf("%d tokens, want %d: %q, %v", len(names), want, names, err)
	}
}

func mkfifo(t *testing.T, path string) {
	t.Helper()
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// console is a shell with job control on a terminal of its own.
type console struct {
	*process
	tty *os.File
}

// onTerminal starts a command as the leader of a session on a new terminal; what
// it shows counts as said.
func (w *bench) onTerminal(name string, args ...string) *console {
	w.t.Helper()
	p := &process{w: w, cmd: exec.Command(name, args...), changed: make(chan struct{}), done: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env = w.dir, append(w.env, "TERM=xterm", "PS1=READY$ ", "HISTFILE=")
	blocking, err := pty.Start(p.cmd)
	if err != nil {
		w.t.Fatal(err)
	}
	// One that the poller knows: else Close would wait for the read under way.
	fd, err := unix.FcntlInt(blocking.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	err = errors.Join(err, syscall.SetNonblock(fd, true), blocking.Close())
	if err != nil {
		w.t.Fatal(err)
	}
	tty := os.NewFile(uintptr(fd), "terminal")
	shown := make(chan struct{})
	go func() {
		_, _ = io.Copy(p, tty) // ends with an error when the last process has closed it
		close(shown)
	}()
	go func() {
		_ = p.cmd.Wait()
		select { // what it showed last
		case <-shown:
		case <-time.After(5 * time.Second):
		}
		close(p.done)
	}()
	w.t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		_ = tty.Close()
		<-p.done
	})
	return &console{p, tty}
}

// types sends keys.
func (t *console) types(keys string) {
	t.w.t.Helper()
	if _, err := io.WriteString(t.tty, keys); err != nil && !errors.Is(err, syscall.EIO) {
		t.w.t.Fatal(err)
	}
}

const (
	ctrlC = "\x03"
	ctrlZ = "\x1a"
	ctrlB = "\x1c" // Ctrl-backslash, QUIT
)

// Ctrl-C reaches the command once, by its process group, and the token lives
// until the command has ended.
func TestRunCtrlC(t *testing.T) {
	for _, key := range []struct{ name, key string }{{"INT", ctrlC}, {"QUIT", ctrlB}} {
		t.Run(key.name, func(t *testing.T) {
			t.Parallel()
			w := newBench(t)
			mkfifo(t, w.path("gate"))
			term := w.onTerminal("utho", "token", "run", "--", "sh", "-c",
				`trap 'echo GOT; got=1' `+key.name+`; got=; echo UP; while test -z "$got"; do sleep 0.05; done
				cat gate; utho token list >/dev/null && echo STILL WORKS; exit 6`)
			term.awaitSaid("UP")
			term.types(key.key)
			term.awaitSaid("GOT")
			if w.faults.Count("DELETE", "") != 0 {
				t.Error("the token was deleted before the command had ended")
			}
			w.write("gate", "end\n")
			term.exits(6)
			term.says("STILL WORKS")
			if n := strings.Count(term.said(), "GOT"); n != 1 {
				t.Errorf("it came %d times:\n%s", n, term.said())
			}
			w.left(4)
		})
	}
}

// Ctrl-Z stops both, fg goes on with both.
func TestRunCtrlZ(t *testing.T) {
	t.Parallel()
	if !needTool(t, "bash") {
		t.Skip("bash is not installed")
	}
	w := newBench(t)
	mkfifo(t, w.path("gate"))
	term := w.onTerminal("bash", "--norc", "--noprofile", "-i")
	term.awaitSaid(`READY\$ `)
	term.types("utho token run -- sh -c 'echo \"U\"P; cat gate; exit 9'\n")
	term.awaitSaid(`UP\r?\n`)
	term.types(ctrlZ)
	term.awaitSaid(`(?i)stopped`)
	if w.faults.Count("DELETE", "") != 0 {
		t.Error("the token was deleted while the command was stopped")
	}
	term.types("echo B\"AC\"K; fg\n")
	term.awaitSaid(`BACK\r?\n`)
	w.write("gate", "THROUGH\n")
	term.awaitSaid(`THROUGH`)
	term.types("echo status=$?\n")
	term.awaitSaid(`status=9`)
	w.left(4)
	term.types("exit\n")
	term.exits(0)
}

// A terminal that goes away is a HUP for both; the token is deleted all the same.
func TestRunHangup(t *testing.T) {
	t.Parallel()
	w := newBench(t)
	term := w.onTerminal("utho", "token", "run", "--", "sh", "-c", `trap 'exit 4' HUP; echo UP; while :; do sleep 0.05; done`)
	term.awaitSaid("UP")
	if err := term.tty.Close(); err != nil {
		t.Fatal(err)
	}
	term.exits(4)
	w.left(4)
}
