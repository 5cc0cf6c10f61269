//go:build unix

package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// process is a run of a program that a test watches, signals and kills, perhaps
// on a terminal of its own with a person who types.
type process struct {
	t      testing.TB
	cmd    *exec.Cmd
	stdout bytes.Buffer  // not of one on a terminal
	done   chan struct{} // closed at its end, when all that it showed has come

	mu      sync.Mutex
	seen    bytes.Buffer  // stderr, or all that is on the terminal
	changed chan struct{} // closed and renewed when seen has grown

	ptm, tty      *os.File    // the person's side and the program's
	before, after *term.State // of the terminal
}

// theEnd is written to a terminal behind everything else: what was written last
// can be lost if the terminal is closed too soon.
const theEnd = "<the end>"

// Write takes what the program shows, and fails behind the end.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.changed)
	p.changed = make(chan struct{})
	p.seen.Write(b)
	if bytes.HasSuffix(p.seen.Bytes(), []byte(theEnd)) {
		return len(b), io.EOF
	}
	return len(b), nil
}

// start starts a program without a terminal; change may give it other streams.
func (m *machine) start(change func(*exec.Cmd), args ...string) *process {
	m.t.Helper()
	p := &process{t: m.t, cmd: m.command(args...), changed: make(chan struct{}), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, p
	p.launch(change)
	return p
}

// onTerminal starts a program as the leader of a session on a new terminal;
// change may give it other streams.
func (m *machine) onTerminal(change func(*exec.Cmd), args ...string) *process {
	m.t.Helper()
	p := &process{t: m.t, cmd: m.command(args...), changed: make(chan struct{}), done: make(chan struct{})}
	blocking, tty, err := pty.Open()
	if err != nil {
		m.t.Fatalf("open a terminal: %v", err)
	}
	// One that the poller knows: else Close would wait for the read under way.
	fd, err := unix.FcntlInt(blocking.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	err = errors.Join(err, syscall.SetNonblock(fd, true), blocking.Close())
	if err != nil {
		m.t.Fatal(err)
	}
	p.ptm, p.tty = os.NewFile(uintptr(fd), "terminal"), tty
	if p.before, err = term.GetState(int(tty.Fd())); err != nil {
		m.t.Fatal(err)
	}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = tty, tty, tty
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	m.t.Cleanup(func() {
		_ = tty.Close()
		_ = p.ptm.Close()
	})
	p.launch(change)
	return p
}

func (p *process) launch(change func(*exec.Cmd)) {
	p.t.Helper()
	if change != nil {
		change(p.cmd)
	}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	var shown sync.WaitGroup
	if p.tty != nil {
		shown.Go(func() { _, _ = io.Copy(p, p.ptm) }) // until the end, or the terminal is closed
	}
	go func() {
		_ = p.cmd.Wait() // its status is looked at
		if p.tty != nil {
			p.after, _ = term.GetState(int(p.tty.Fd())) // nil if the terminal has gone
			_, _ = p.tty.WriteString(theEnd)            // fails then
		}
		shown.Wait()
		close(p.done)
	}()
	p.t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
	})
}

// said is what the process has shown so far, on stderr or on its terminal.
func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.TrimSuffix(p.seen.String(), theEnd)
}

// until waits until what it shows matches.
func (p *process) until(pattern string) {
	p.t.Helper()
	re, late := regexp.MustCompile(pattern), time.After(patience)
	for ended := false; ; {
		p.mu.Lock()
		changed := p.changed
		p.mu.Unlock()
		if re.MatchString(p.said()) {
			return
		}
		if ended {
			p.t.Fatalf("%v ended without saying %q:\n%s", p.cmd.Args, pattern, p.said())
		}
		select {
		case <-changed:
		case <-p.done:
			ended = true
		case <-late:
			p.t.Fatalf("%v never said %q:\n%s", p.cmd.Args, pattern, p.said())
		}
	}
}

// asks waits for this text, and pins that nothing is shown behind it.
func (p *process) asks(text string) (shown string) {
	p.t.Helper()
	p.until(regexp.QuoteMeta(text))
	if shown = p.said(); !strings.HasSuffix(shown, text) {
		p.t.Errorf("the question does not end in %q:\n%s", text, shown)
	}
	return shown
}

// types sends keys.
func (p *process) types(keys string) {
	p.t.Helper()
	if _, err := p.ptm.WriteString(keys); err != nil && !errors.Is(err, syscall.EIO) {
		p.t.Fatal(err)
	}
}

const (
	ctrlB = "\x1c" // Ctrl-backslash, QUIT
	ctrlC = "\x03"
	ctrlD = "\x04"
	ctrlZ = "\x1a"
)

func (p *process) signal(sig syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatalf("signal %v: %v\n%s", sig, err, p.said())
	}
}

// exits waits for the end, pins the status, -1 for a death by signal, and that a
// terminal is as it was, and gives what was shown.
func (p *process) exits(code int) string {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatalf("%v does not end:\n%s", p.cmd.Args, p.said())
	}
	if got := p.cmd.ProcessState.ExitCode(); got != code {
		p.t.Fatalf("%v: %v, want status %d\nstdout: %s\nit shows: %s", p.cmd.Args, p.cmd.ProcessState, code, p.stdout.Bytes(), p.said())
	}
	if p.after != nil && !reflect.DeepEqual(p.before, p.after) {
		p.t.Errorf("%v left the terminal changed", p.cmd.Args)
	}
	return p.said()
}

// says pins what was shown in the end.
func (p *process) says(pattern string) {
	p.t.Helper()
	if !regexp.MustCompile(pattern).MatchString(p.said()) {
		p.t.Errorf("%v did not say %q:\n%s", p.cmd.Args, pattern, p.said())
	}
}

// gate creates a named pipe that a program waits at; open lets it through with a text.
func (m *machine) gate() (open func(text string)) {
	m.t.Helper()
	path := m.path("gate")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		m.t.Fatal(err)
	}
	return func(text string) {
		m.t.Helper()
		if err := os.WriteFile(path, []byte(text), 0); err != nil {
			m.t.Fatal(err)
		}
	}
}
