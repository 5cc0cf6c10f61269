//go:build unix

package deliver

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
)

// script writes a shell script and gives its path.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "script")
	write(t, path, "#!/bin/sh\n"+text+"\n", 0o700)
	return path
}

func TestExec(t *testing.T) {
	t.Parallel()
	env, _ := testEnv(t)
	var stderr bytes.Buffer
	env.Stderr = &stderr
	env.Environ = append(os.Environ(), "UTHO_API_KEY=live_test_old", "UTHO_TOKEN=live_test_old", "UTHO_PROFILE=ci", "KEEP=1")
	dir := t.TempDir()
	s := script(t, `cd "$1" || exit; cat >stdin; env >env; printf '%s\n' "$@" >args; echo to-stdout; echo to-stderr >&2
		tr '\0' '\n' </proc/$$/cmdline >cmdline 2>/dev/null; exit 0`)
	d := prepared(t, env, `exec:`+s+` `+dir+` 'two words' "" \|`)
	if entries, _ := os.ReadDir(dir); len(entries) > 0 {
		t.Error("prepare ran the command")
	}
	if err := d.Undo(t.Context()); err != nil {
		t.Errorf("undo before the command ran: %v", err)
	}
	deliver(t, d)
	if got := read(t, dir+"/stdin"); got != testSecret {
		t.Errorf("its stdin was %q", got)
	}
	if got := read(t, dir+"/args"); got != dir+"\ntwo words\n\n|\n" {
		t.Errorf("its arguments were %q", got)
	}
	if got := stderr.String(); got != "to-stderr\n" {
		t.Errorf("its stderr came through as %q", got)
	}
	vars := read(t, dir+"/env")
	if strings.Contains(vars, "live_test") || !strings.Contains(vars, "UTHO_PROFILE=ci\n") || !strings.Contains(vars, "KEEP=1\n") {
		t.Errorf("its environment was\n%s", vars)
	}
	if strings.Contains(read(t, dir+"/args")+vars+read(t, dir+"/cmdline"), testSecret) {
		t.Error("the secret was in arguments or environment")
	}
	if err := d.Undo(t.Context()); !errors.Is(err, ErrCannotUndo) {
		t.Errorf("undo: %v", err)
	}
}

func TestExecPrepareRefuses(t *testing.T) {
	t.Parallel()
	env, _ := testEnv(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "plain"), "#!/bin/sh\n", 0o600)
	for command, says := range map[string]string{
		"utho-no-such-command x": "executable file not found",
		dir + "/missing":         "no such file",
		dir + "/plain":           "permission denied",
		dir:                      "is a directory",
		"~/bin/put":              "write the whole path",
		"FOO=bar cat":            "not found",
	} {
		d := open(t, env, "exec:"+command)
		fails(t, d.Prepare(t.Context()), says)
		if err := d.Deliver(t.Context(), testSecret); err == nil {
			t.Errorf("%s ran", command)
		}
		if err := d.Undo(t.Context()); err != nil {
			t.Errorf("%s: undo: %v", command, err)
		}
	}
}

func TestExecEnds(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		"exit 0":                       "", // never reads its stdin
		"exec <&-; exit 0":             "",
		"cat >/dev/null":               "",
		"head -c 1 >/dev/full; exit 0": "",
		"exit 3":                       "exit status 3",
		"cat >&2; exit 1":              "exit status 1",
		"kill -9 $$":                   "signal: killed",
		"kill -TERM $$":                "signal: terminated",
		"cat >/dev/full":               "exit status 1",
	} {
		env, _ := testEnv(t)
		env.Stderr = io.Discard
		d := prepared(t, env, "exec:"+script(t, text))
		err := d.Deliver(t.Context(), testSecret+strings.Repeat("x", 1<<17)) // more than a pipe holds
		if says == "" {
			if err != nil {
				t.Errorf("%s: %v", text, err)
			}
		} else {
			fails(t, err, says)
		}
		if err := d.Undo(t.Context()); !errors.Is(err, ErrCannotUndo) {
			t.Errorf("%s: undo: %v", text, err)
		}
	}
}

func TestExecCannotStart(t *testing.T) {
	t.Parallel()
	env, _ := testEnv(t)
	s := script(t, "exit 0")
	d := prepared(t, env, "exec:"+s)
	if err := os.Remove(s); err != nil {
		t.Fatal(err)
	}
	fails(t, d.Deliver(t.Context(), testSecret), "no such file")
	if err := d.Undo(t.Context()); err != nil {
		t.Errorf("undo of a command that never ran: %v", err)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, syscall.EPIPE }

// A stderr that takes nothing is not the command's fault.
func TestExecStderr(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		full, err = os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	for _, w := range []io.Writer{nil, brokenWriter{}, full} {
		env, _ := testEnv(t)
		env.Stderr = w
		deliver(t, prepared(t, env, "exec:"+script(t, "echo hello >&2; cat; exit 0")))
	}
}

// waitGone waits until the process has ended.
func waitGone(t *testing.T, pid int) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		if state, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output(); err != nil || strings.HasPrefix(string(state), "Z") {
			return // no such process, or nobody has fetched its status yet
		}
		if time.Now().After(deadline) {
			t.Fatalf("process %d still runs", pid)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// A command that has ended is done, whatever its children hold open.
func TestExecGrandchildren(t *testing.T) {
	t.Parallel()
	env, _ := testEnv(t)
	env.Stderr = &bytes.Buffer{} // not a file, so that there is a pipe to hold
	out := filepath.Join(t.TempDir(), "pid")
	d := prepared(t, env, "exec:"+script(t, `sleep 100 & echo $! >"$1"`)+" "+out)
	deliver(t, d)
	pid, err := strconv.Atoi(strings.TrimSpace(read(t, out)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Errorf("a child that was left on purpose is gone: %v", err)
	}
	waitGone(t, pid)
}

// When the context ends, the command ends with everything it has started.
func TestExecCancelled(t *testing.T) {
	t.Parallel()
	if tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0); err == nil {
		tty.Close()
		t.Skip("with a terminal only the command itself is killed")
	}
	env, _ := testEnv(t)
	env.Stderr = &bytes.Buffer{}
	out := filepath.Join(t.TempDir(), "pids")
	if err := syscall.Mkfifo(out, 0o600); err != nil {
		t.Fatal(err)
	}
	d := prepared(t, env, "exec:"+script(t, `trap '' TERM INT; sleep 100 & echo $$ $! >"$1"; wait`)+" "+out)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- d.Deliver(ctx, testSecret) }()
	line := read(t, out) // waits for the command to write
	cancel()
	err := <-done
	fails(t, err, "killed")
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for _, f := range strings.Fields(line) {
		pid, err := strconv.Atoi(f)
		if err != nil {
			t.Fatal(err)
		}
		waitGone(t, pid)
	}
	if err := d.Undo(t.Context()); !errors.Is(err, ErrCannotUndo) {
		t.Errorf("undo: %v", err)
	}
}

func TestExecTimeLimit(t *testing.T) {
	t.Parallel()
	env, _ := testEnv(t)
	d := prepared(t, env, "exec:"+script(t, "exec sleep 100"))
	c, ok := d.(*command)
	if !ok || c.limit != time.Minute {
		t.Fatalf("the limit of %v is not a minute", d)
	}
	c.limit = time.Millisecond
	fails(t, d.Deliver(t.Context(), testSecret), "did not end within 1ms")
}

// With a terminal the command may ask there, as ssh and gpg do.
func TestExecAsksOnTerminal(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "answer")
	cmd := child(t, "ask", script(t, `cat >/dev/null; printf 'passphrase: ' >/dev/tty; read -r x </dev/tty; printf %s "$x" >"$1"`), out)
	tty, err := pty.Start(cmd) // a session of its own, with this terminal
	if err != nil {
		t.Skip(err)
	}
	defer tty.Close()
	var said bytes.Buffer
	buf := make([]byte, 256)
	for !strings.Contains(said.String(), "passphrase: ") {
		n, err := tty.Read(buf)
		said.Write(buf[:n])
		if err != nil {
			t.Fatalf("%v after %q", err, said.String())
		}
	}
	if _, err := tty.WriteString("open sesame\n"); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(&said, tty) // ends with EIO when the child has gone
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v: %s", err, said.String())
	}
	if got := read(t, out); got != "open sesame" {
		t.Errorf("it was told %q", got)
	}
}

func childAsk(args []string) error {
	d, err := openSpec(Env{}, "exec:"+args[0]+" "+args[1])
	if err != nil {
		return err
	}
	if err := d.Prepare(isolated()); err != nil {
		return err
	}
	return d.Deliver(isolated(), testSecret)
}
