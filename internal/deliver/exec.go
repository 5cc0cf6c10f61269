package deliver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// waitDelay is how long a command that has ended may leave its stderr open in the hands of
// a child of its own before nobody listens any more.
const waitDelay = time.Second

// command is exec:COMMAND: a program that gets the secret, without a newline, on its
// stdin. No shell is involved. Its stdout is discarded, its stderr passes through, and it
// has to end with status 0 in time; whether it reads its stdin is its own affair.
//
// On unix without a terminal it runs in a process group of its own, all of which is killed
// when time is up. With one it stays in the group of the terminal, since a group in the
// background could not ask for a passphrase (as ssh, sudo and gpg do), and only the
// program itself is killed.
type command struct {
	spec  Spec
	argv  []string
	env   Env
	limit time.Duration

	path    string // of the program, found by Prepare
	started bool
}

func (d *command) String() string { return d.spec.String() }

func (d *command) Prepare(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	path, err := exec.LookPath(d.argv[0])
	switch {
	case err != nil && strings.HasPrefix(d.argv[0], "~"):
		return fmt.Errorf("%w (nothing is expanded in a command; write the whole path)", err)
	case err != nil:
		return err
	}
	d.path = path
	return nil
}

func (d *command) Deliver(ctx context.Context, secret string) error {
	if d.path == "" {
		return errors.New("the command was not prepared")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, d.limit, fmt.Errorf("it did not end within %s", d.limit))
	defer cancel()
	cmd := exec.CommandContext(ctx, d.path)
	cmd.Args = d.argv
	cmd.Env = withoutCredentials(d.env.Environ)
	cmd.Stdin = strings.NewReader(secret)
	if d.env.Stderr != nil {
		cmd.Stderr = lenient(d.env.Stderr)
	}
	cmd.WaitDelay = waitDelay
	group(cmd)
	if err := cmd.Start(); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return err
	}
	d.started = true
	err := cmd.Wait()
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		// The latter: it ended well, and a child of it still holds its stderr.
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("the command was killed: %w", context.Cause(ctx))
	}
	return fmt.Errorf("the command failed: %w", err)
}

// Undo cannot take back what a command was given.
func (d *command) Undo(context.Context) error {
	if d.started {
		return ErrCannotUndo
	}
	return nil
}

func (d *command) Close() error { return nil }

// lenient gives a file as it is, for the command to write to by itself. Any other writer
// is made one that never fails: a stderr nobody can write to is no fault of the command.
func lenient(w io.Writer) io.Writer {
	if f, ok := w.(*os.File); ok {
		return f
	}
	return lenientWriter{w}
}

type lenientWriter struct{ w io.Writer }

func (l lenientWriter) Write(p []byte) (int, error) {
	_, _ = l.w.Write(p)
	return len(p), nil
}

// withoutCredentials is environ, or that of this process where it is nil, without the
// variables that hold this user's own credential: the command gets the new secret only.
func withoutCredentials(environ []string) []string {
	if environ == nil {
		environ = os.Environ()
	}
	kept := make([]string, 0, len(environ))
	for _, v := range environ {
		name, _, _ := strings.Cut(v, "=")
		if runtime.GOOS == "windows" {
			name = strings.ToUpper(name)
		}
		if name != "UTHO_API_KEY" && name != "UTHO_TOKEN" {
			kept = append(kept, v)
		}
	}
	return kept
}
