//go:build unix

package child

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func sh(script string, args ...string) Command {
	return Command{Argv: append([]string{"sh", "-c", script, "sh"}, args...), Env: os.Environ()}
}

func TestRun(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	c := sh(`cat; printf ' %s' "$@"; echo "${HOME-none}" >&2`, "two words", "", "|")
	c.Env, c.Stdin, c.Stdout, c.Stderr = nil, strings.NewReader("in"), &out, &errs
	if err := c.Run(t.Context()); err != nil || out.String() != "in two words  |" || errs.String() != "none\n" {
		t.Errorf("%q, %q, %v", out.String(), errs.String(), err)
	}
	for script, says := range map[string]string{
		"exit 0":         "", // never reads its stdin
		"exit 3":         "exit status 3",
		"kill -9 $$":     "signal: killed",
		"sleep 1000 & :": "", // what it leaves behind holds its output and is not waited for
	} {
		c := sh(script)
		c.Stdin = strings.NewReader(strings.Repeat("x", 1<<17)) // more than a pipe holds
		c.Stdout = io.Discard
		err := c.Run(t.Context())
		var exit *exec.ExitError
		if says == "" && err != nil || says != "" && (!errors.As(err, &exit) || err.Error() != says) {
			t.Errorf("%s: %v; want %q", script, err, says)
		}
	}
}

func TestNotStarted(t *testing.T) {
	dir := t.TempDir()
	err := errors.Join(os.WriteFile(dir+"/plain", nil, 0o600), os.WriteFile(dir+"/garbage", []byte("\x7fELF-not"), 0o700),
		os.WriteFile(dir+"/utho-test-here", []byte("#!/bin/sh\n"), 0o700))
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	t.Setenv("PATH", ".:"+os.Getenv("PATH")+":")
	for name, want := range map[string]struct {
		notFound bool
		says     string
	}{
		"utho-no-such-command": {true, "no such command"},
		"utho-test-here":       {true, "current directory"},
		dir + "/missing":       {true, "no such file"},
		"./plain":              {false, "permission denied"},
		dir + "/garbage":       {false, "exec format error"},
		dir:                    {false, "permission denied"},
	} {
		err := Command{Argv: []string{name}}.Run(t.Context())
		var start *StartError
		if !errors.As(err, &start) || start.NotFound != want.notFound || !strings.HasPrefix(err.Error(), name+": ") ||
			!strings.Contains(err.Error(), want.says) || strings.Count(err.Error(), "file") > 1 {
			t.Errorf("%s: %v, want %+v", name, err, want)
		}
	}
	if err := (Command{Argv: []string{"./utho-test-here"}}).Run(t.Context()); err != nil {
		t.Errorf("a path was refused: %v", err)
	}
}

// When the context ends, the group ends; what ignores TERM is killed. What runs in the foreground is ended alone.
func TestRunCancelled(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{ // which print the processes that they are
		"ignores TERM":      `trap '' TERM; sleep 1000 & echo $$ $!; wait`,
		"its child ignores": `sh -c 'trap "" TERM; echo $$; exec sleep 1000' & wait`,
		"cleans up":         `trap 'kill $! 2>/dev/null; echo cleaned >&2; exit 0' TERM; sleep 1000 & echo $$ $!; wait`,
		"foreground":        `sleep 1000 & echo $$ $!; wait`,
		"before it began":   "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cause := errors.New("by hand")
			ctx, cancel := context.WithCancelCause(t.Context())
			if script == "" {
				cancel(cause)
			}
			r, w := io.Pipe()
			var errs bytes.Buffer
			c := sh(script)
			c.Foreground, c.Stdout, c.Stderr = name == "foreground", w, &errs
			done := make(chan error, 1)
			go func() { done <- c.Run(ctx); w.Close() }()
			line, _ := bufio.NewReader(r).ReadString('\n')
			cancel(cause)
			if err := <-done; !errors.Is(err, cause) {
				t.Errorf("%v", err)
			}
			if (name == "cleans up") != (errs.String() == "cleaned\n") {
				t.Errorf("it said %q", errs.String())
			}
			for i, word := range strings.Fields(line) {
				should := i > 0 && c.Foreground
				if pid, err := strconv.Atoi(word); err != nil || running(pid, should) != should {
					t.Errorf("process %q runs: %v, %v", word, !should, err)
				} else if should {
					_ = syscall.Kill(pid, syscall.SIGKILL)
				}
			}
		})
	}
}

// running reports whether the process runs; unless it should, its end is waited for within a bound far above what
// that takes.
func running(pid int, should bool) bool {
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		state, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
		if err != nil || strings.HasPrefix(string(state), "Z") {
			return false
		}
		if should || time.Now().After(end) {
			return true
		}
	}
}

func TestWithoutCredentials(t *testing.T) {
	t.Parallel()
	environ := []string{"UTHO_API_KEY=1", "A=1", "UTHO_TOKEN=2", "UTHO_API_KEY_FILE=3", "UTHO_PROFILE=4", "UTHO_API_TOKEN=5",
		"UTHO_TOKENX=6", "UTHO_API_URL=7", "B"}
	given := slices.Clone(environ)
	got := WithoutCredentials(environ, "A=2", "UTHO_API_KEY=new=")
	if !slices.Equal(got, []string{"UTHO_TOKENX=6", "UTHO_API_URL=7", "B", "A=2", "UTHO_API_KEY=new="}) || !slices.Equal(environ, given) {
		t.Errorf("%q of %q", got, environ)
	}
}
