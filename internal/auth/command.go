package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/utho/utho-cli/internal/child"
	"github.com/utho/utho-cli/internal/privfile"
)

// A CommandError says why a credential command gave no secret. It repeats neither the command's output nor
// its arguments.
type CommandError struct {
	Name string // the program
	What string
	Err  error // may be nil
}

func (e *CommandError) Error() string { return e.Name + ": " + e.What }

func (e *CommandError) Unwrap() error { return e.Err }

// Command runs a credential command and returns the secret it prints.
//
// argv is the program, by a name on the PATH or an absolute path, and its arguments; no shell is involved. It
// reads nothing from stdin, its stderr goes to stderr, and its environment is env without utho's own
// credentials. When ctx ends it is ended, with all that it started; on a terminal it stays in the process
// group of utho, so that it can ask there and Ctrl-C reaches it. At most 64 KiB of output are taken, and of
// those only one line that can be a secret.
//
// The error is a *CommandError, or the cause of ctx if that was cancelled.
func Command(ctx context.Context, argv, env []string, stderr io.Writer) (string, error) {
	if len(argv) == 0 || argv[0] == "" {
		return "", &CommandError{Name: "credential_command", What: "names no program"}
	}
	name := argv[0]
	fail := func(err error, format string, args ...any) (string, error) {
		return "", &CommandError{Name: name, What: fmt.Sprintf(format, args...), Err: err}
	}
	if filepath.Base(name) != name && !filepath.IsAbs(name) {
		return fail(nil, "a path must be absolute, since it would depend on the current directory")
	}
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	out := &boundedBuffer{full: cancel}
	err := child.Command{
		Argv: argv, Env: child.WithoutCredentials(env), Stdout: out, Stderr: stderr, Foreground: child.Terminal(),
	}.Run(running)
	var start *child.StartError
	var exit *exec.ExitError
	switch {
	case out.overflow:
		return fail(nil, "printed more than %d bytes", maxRaw)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fail(nil, "did not end in time and was stopped")
	case ctx.Err() != nil:
		return "", fmt.Errorf("%s: %w", name, context.Cause(ctx))
	case errors.As(err, &start):
		return fail(err, "cannot be run: %v", start.Err)
	case errors.As(err, &exit):
		return fail(err, "failed: %v", exit.ProcessState)
	case err != nil:
		return fail(err, "failed: %v", err)
	}
	secret, err := oneLine(out.taken.Bytes())
	switch {
	case errors.Is(err, ErrEmpty):
		return fail(err, "printed nothing")
	case err != nil:
		return fail(err, "what it printed is no token: %v", err)
	}
	return secret, nil
}

// ReadKeyFile returns the secret in the file that UTHO_API_KEY_FILE names. Its mode and links are not judged.
// A file that is missing, unreadable, empty or of several lines is an error that names it.
func ReadKeyFile(path string) (string, error) {
	data, _, err := privfile.ReadForeign(path)
	if err != nil {
		return "", err // it names the file
	}
	secret, err := oneLine(data)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return secret, nil
}

// oneLine is the secret in what another program prints or keeps, which nobody sees: nothing may be left out.
func oneLine(data []byte) (string, error) {
	if n := strings.Count(strings.TrimSpace(string(data)), "\n"); n > 0 {
		return "", fmt.Errorf("there are %d lines; only the token may stand there", n+1)
	}
	secret, _, err := Clean(data)
	return secret, err
}

// boundedBuffer takes maxRaw bytes, then calls full. The buffer is not embedded: its ReadFrom would be found
// and take everything.
type boundedBuffer struct {
	taken    bytes.Buffer
	overflow bool
	full     func()
}

func (b *boundedBuffer) Write(p []byte) (int, error) {
	if b.taken.Len()+len(p) > maxRaw {
		b.overflow = true
		b.full()
		return 0, io.ErrShortWrite
	}
	return b.taken.Write(p)
}
