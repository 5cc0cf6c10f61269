//go:build unix

package deliver

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
)

func init() { children["ask"] = childAsk }

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
	env.Environ = append(os.Environ(), "UTHO_API_KEY=live_test_old", "UTHO_TOKEN=live_test_old", "KEEP=1")
	dir := t.TempDir()
	put := script(t, `cd "$1" || exit; cat >stdin; env >env; printf '%s\n' "$@" >args; echo out; echo err >&2`)
	d := prepared(t, env, `exec:`+put+` `+dir+` 'two words' \|`)
	if entries, _ := os.ReadDir(dir); len(entries) > 0 {
		t.Error("prepare ran the command")
	}
	deliver(t, d)
	if got := read(t, dir+"/stdin") + "|" + read(t, dir+"/args") + stderr.String(); got != testSecret+"|"+dir+"\ntwo words\n|\nerr\n" {
		t.Errorf("stdin, arguments and stderr were %q", got)
	}
	if vars := read(t, dir+"/env"); strings.Contains(vars, "live_test") || !strings.Contains(vars, "KEEP=1\n") {
		t.Errorf("its environment was\n%s", vars)
	}
	if _, err := d.Holds(t.Context(), [32]byte{}); !errors.Is(err, ErrUnreadable) {
		t.Error(err)
	}
}

// Whether a command may have stored the secret decides what becomes of the token.
func TestExecEnds(t *testing.T) {
	t.Parallel()
	for text, c := range map[string]struct {
		says string
		undo error
	}{
		"exit 0":        {"", ErrKept}, // never reads its stdin
		"cat >&2":       {"", ErrKept}, // to a stderr that takes nothing
		"exit 3":        {"exit status 3", ErrDoubtful},
		"kill -9 $$":    {"signal: killed", ErrKept},
		"exec sleep 99": {"did not end within 1s", ErrKept},
		"gone":          {"no such file", nil}, // before it could start
	} {
		env, _ := testEnv(t)
		env.Stderr = brokenWriter{}
		s := script(t, text)
		d := prepared(t, env, "exec:"+s)
		if d.(*command).limit != time.Minute {
			t.Error("the limit is not a minute")
		}
		switch text {
		case "gone":
			_ = os.Remove(s)
		case "exec sleep 99":
			d.(*command).limit = time.Second
		}
		err := d.Deliver(t.Context(), Token{Secret: testSecret + strings.Repeat("x", 1<<17)}) // more than a pipe holds
		if c.says == "" && err != nil {
			t.Errorf("%s: %v", text, err)
		} else if c.says != "" {
			fails(t, err, c.says)
		}
		if err := d.Undo(t.Context()); !errors.Is(err, c.undo) || c.undo == nil && err != nil {
			t.Errorf("%s: undo: %v", text, err)
		}
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, syscall.EPIPE }

func TestExecPrepareRefuses(t *testing.T) {
	t.Parallel()
	env, _ := testEnv(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "plain"), "#!/bin/sh\n", 0o600)
	for command, says := range map[string]string{
		"utho-no-such-command x": "no such command",
		dir + "/plain":           "permission denied",
		"~/bin/put":              "write the whole path",
	} {
		fails(t, open(t, env, "exec:"+command).Prepare(t.Context()), says)
	}
}

// With a terminal the command may ask there, as ssh and gpg do.
func TestExecAsksOnTerminal(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "answer")
	cmd := childCmd(t, "ask", script(t, `cat >/dev/null; printf 'passphrase: ' >/dev/tty; read -r x </dev/tty; printf %s "$x" >"$1"`)+" "+out)
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
	if err := cmd.Wait(); err != nil || read(t, out) != "open sesame" {
		t.Fatalf("%v: %s", err, said.String())
	}
}

func childAsk(args []string) error {
	d, err := openSpec(Env{Environ: os.Environ()}, "exec:"+args[0])
	if err != nil {
		return err
	}
	return errors.Join(d.Prepare(context.Background()), d.Deliver(context.Background(), Token{Secret: testSecret}))
}
