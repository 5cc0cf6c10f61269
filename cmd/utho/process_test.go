//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/utho/utho-cli/internal/sandbox"
)

// bench is one service and one home, for processes that a test starts, signals
// and kills itself.
type bench struct {
	*service
	t   *testing.T
	dir string
	env []string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	dir := t.TempDir()
	s, err := startService(filepath.Join(dir, ".service"), t.Cleanup)
	if err != nil {
		t.Fatal(err)
	}
	w := &bench{service: s, t: t, dir: dir}
	w.env = append(w.env,
		"GORACE="+goRace, "PATH="+os.Getenv("PATH"), "HOME="+dir, "NO_PROXY=*",
		"UTHO_CONFIG_DIR="+filepath.Join(dir, "config"), "UTHO_STATE_DIR="+filepath.Join(dir, "state"),
		"DBUS_SESSION_BUS_ADDRESS=unix:path="+filepath.Join(dir, "no-bus"),
		"UTHO_API_KEY="+s.key, "UTHO_API_URL="+s.url,
	)
	return w
}

// process is one run of the program.
type process struct {
	w      *bench
	cmd    *exec.Cmd
	stdout bytes.Buffer

	mu      sync.Mutex
	stderr  bytes.Buffer
	changed chan struct{} // closed and replaced when stderr has grown
	done    chan struct{}
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.changed)
	p.changed = make(chan struct{})
	return p.stderr.Write(b)
}

// command is utho in this world, not yet started.
func (w *bench) command(args ...string) *exec.Cmd {
	cmd := exec.Command("utho", args...)
	cmd.Dir, cmd.Env = w.dir, w.env
	return cmd
}

func (w *bench) start(args ...string) *process {
	w.t.Helper()
	p := &process{w: w, cmd: w.command(args...), changed: make(chan struct{}), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, p
	if err := p.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // its status is looked at
		close(p.done)
	}()
	w.t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
	})
	return p
}

// run is start and wait, where the exit status must be code.
func (w *bench) run(code int, args ...string) *process {
	w.t.Helper()
	p := w.start(args...)
	p.exits(code)
	return p
}

// said is what the process has written to stderr so far.
func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stderr.String()
}

// awaitSaid waits until stderr matches.
func (p *process) awaitSaid(pattern string) {
	p.w.t.Helper()
	re := regexp.MustCompile(pattern)
	limit := time.After(time.Minute)
	for {
		p.mu.Lock()
		matched, changed := re.Match(p.stderr.Bytes()), p.changed
		p.mu.Unlock()
		if matched {
			return
		}
		select {
		case <-changed:
		case <-p.done:
			if !re.MatchString(p.said()) {
				p.w.t.Fatalf("utho ended without saying %q:\n%s", pattern, p.said())
			}
			return
		case <-limit:
			p.w.t.Fatalf("utho never said %q:\n%s", pattern, p.said())
		}
	}
}

func (p *process) signal(sig syscall.Signal) {
	p.w.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.w.t.Fatalf("signal %v: %v\n%s", sig, err, p.said())
	}
}

// exits waits for the end and pins the status; -1 stands for a death by signal.
func (p *process) exits(code int) {
	p.w.t.Helper()
	select {
	case <-p.done:
	case <-time.After(time.Minute):
		p.w.t.Fatalf("utho does not end:\n%s", p.said())
	}
	if got := p.cmd.ProcessState.ExitCode(); got != code {
		p.w.t.Fatalf("%v: %v, want status %d\nstdout: %s\nstderr: %s", p.cmd.Args, p.cmd.ProcessState, code, p.stdout.Bytes(), p.said())
	}
}

// says pins what stderr holds in the end.
func (p *process) says(pattern string) {
	p.w.t.Helper()
	if pattern != "" && !regexp.MustCompile(pattern).MatchString(p.said()) {
		p.w.t.Errorf("stderr has no %q:\n%s", pattern, p.said())
	}
}

// await waits for requests.
func (w *bench) await(what string, ok func([]sandbox.Request) bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := w.faults.Await(ctx, ok); err != nil {
		w.t.Fatalf("await %s: %v", what, err)
	}
}

// count is how many tokens have that name, whatever its expiry.
func (w *bench) count(name string) int {
	w.t.Helper()
	names, err := w.names()
	if err != nil {
		w.t.Fatal(err)
	}
	n := 0
	for _, got := range names {
		if base, _, _ := strings.Cut(got, ".expires-"); base == name {
			n++
		}
	}
	return n
}

// works tells whether the service takes the secret.
func (w *bench) works(secret string) bool {
	w.t.Helper()
	cmd := w.command("token", "list")
	cmd.Env = append(cmd.Env, "UTHO_API_KEY="+secret)
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 4) {
		w.t.Fatalf("list with a secret: %v", err)
	}
	return err == nil
}

// noLeaks looks for secrets where there must be none.
func (w *bench) noLeaks() {
	w.t.Helper()
	found, err := leaks(filepath.Join(w.dir, "state"), filepath.Join(w.dir, "config"))
	if err != nil || len(found) > 0 {
		w.t.Errorf("secrets in %q, %v", found, err)
	}
}

func (w *bench) path(name string) string { return filepath.Join(w.dir, name) }

// read is the content of a file, empty where there is none.
func (w *bench) read(name string) string {
	w.t.Helper()
	content, err := os.ReadFile(w.path(name))
	if err != nil && !os.IsNotExist(err) {
		w.t.Fatal(err)
	}
	return string(content)
}

// write writes to a file that is there: a named pipe that a command reads.
func (w *bench) write(name, text string) {
	w.t.Helper()
	f, err := os.OpenFile(w.path(name), os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(text)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		w.t.Fatal(err)
	}
}
