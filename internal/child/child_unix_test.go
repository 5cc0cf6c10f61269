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
	"path/filepath"
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
	c := sh(`cat; printf ' %s' "$@"; echo "$A:${UTHO_API_KEY-none}" >&2`, "two words", "", "|")
	c.Env = WithoutCredentials([]string{"PATH=" + os.Getenv("PATH"), "UTHO_API_KEY=k", "A=1"}, "A=2")
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader("in"), &out, &errs
	if err := c.Run(t.Context()); err != nil || out.String() != "in two words  |" || errs.String() != "2:none\n" {
		t.Errorf("%q, %q, %v", out.String(), errs.String(), err)
	}
	c = sh("env")
	c.Env, c.Stdout = nil, &out
	out.Reset()
	if err := c.Run(t.Context()); err != nil || strings.Contains(out.String(), "HOME=") {
		t.Errorf("an empty environment was %q, %v", out.String(), err)
	}
}

func TestRunEnds(t *testing.T) {
	t.Parallel()
	for script, says := range map[string]string{
		"exit 0":         "", // never reads its stdin
		"exec <&-":       "",
		"exit 3":         "exit status 3",
		"kill -9 $$":     "signal: killed",
		"kill -TERM $$":  "signal: terminated",
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
	for name, content := range map[string]string{"plain": "", "garbage": "\x7fELF-not", "utho-test-here": "#!/bin/sh\n"} {
		mode := os.FileMode(0o700)
		if name == "plain" {
			mode = 0o600
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), mode); err != nil {
			t.Fatal(err)
		}
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
		dir + "/plain":         {false, "permission denied"},
		"./plain":              {false, "permission denied"},
		dir + "/garbage":       {false, "exec format error"},
		dir:                    {false, "is a directory"},
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

// When the context ends, the group ends; what ignores TERM is killed. What runs in the
// foreground is ended alone.
func TestRunCancelled(t *testing.T) {
	t.Parallel()
	cause := errors.New("by hand")
	for name, c := range map[string]struct {
		script     string
		foreground bool
		survivors  int
	}{
		"ends at TERM":          {`sleep 1000 & echo $$ $!; wait`, false, 0},
		"ignores TERM":          {`trap '' TERM; sleep 1000 & echo $$ $!; wait`, false, 0},
		"its child ignores":     {`sh -c 'trap "" TERM; echo $$; exec sleep 1000' & wait`, false, 0},
		"cleans up after TERM":  {`trap 'kill $! 2>/dev/null; echo cleaned >&2; exit 0' TERM; sleep 1000 & echo $$ $!; wait`, false, 0},
		"alone, if foreground":  {`sleep 1000 & echo $$ $!; wait`, true, 1},
		"ended before it began": {"", false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancelCause(t.Context())
			cmd := sh(c.script)
			cmd.Foreground = c.foreground
			var errs bytes.Buffer
			cmd.Stderr = &errs
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			cmd.Stdout = w
			if c.script == "" {
				cancel(cause)
			}
			done := make(chan error, 1)
			go func() { done <- cmd.Run(ctx); w.Close() }()
			line, _ := bufio.NewReader(r).ReadString('\n')
			cancel(cause)
			if err := <-done; !errors.Is(err, cause) {
				t.Errorf("%v", err)
			}
			if strings.HasPrefix(name, "cleans") != (errs.String() == "cleaned\n") {
				t.Errorf("it said %q", errs.String())
			}
			alive := 0
			for _, word := range strings.Fields(line) {
				pid, err := strconv.Atoi(word)
				if err != nil {
					t.Fatal(err)
				}
				if running(t, pid, c.survivors > 0 && word != strings.Fields(line)[0]) {
					alive++
					_ = syscall.Kill(pid, syscall.SIGKILL)
				}
			}
			if alive != c.survivors {
				t.Errorf("%d processes survived, want %d", alive, c.survivors)
			}
		})
	}
}

// running reports whether the process runs; unless it should, its end is waited for within a
// bound far above what that takes.
func running(t *testing.T, pid int, should bool) bool {
	t.Helper()
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
