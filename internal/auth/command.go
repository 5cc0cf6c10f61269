package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// maxCommandOutput bounds what a credential command may print, in bytes.
const maxCommandOutput = 64 << 10

// pipeDelay is how long the output of a command is waited for after the command
// itself has ended: a child it left behind may hold the pipe for good.
const pipeDelay = time.Second

// A CommandError says why a credential command gave no secret. It repeats
// neither the command's output nor its arguments.
type CommandError struct {
	Name string // the program
	What string
	Err  error // may be nil
}

func (e *CommandError) Error() string { return e.Name + ": " + e.What }

func (e *CommandError) Unwrap() error { return e.Err }

// Command runs a credential command and returns the secret it prints.
//
// argv is the program, by a name on the PATH or an absolute path, and its
// arguments; no shell is involved. It reads nothing from stdin, its stderr goes
// to stderr, and its environment is env without utho's own credentials. It is
// ended where ctx ends, with all that it started where there is no terminal; on
// a terminal it stays in the process group of utho, so that it can ask there
// and Ctrl-C reaches it. At most 64 KiB of output are taken, and of those only
// one line that can be a secret.
//
// The error is a *CommandError, or the cause of ctx where that was cancelled.
func Command(ctx context.Context, argv, env []string, stderr io.Writer) (string, error) {
	if len(argv) == 0 || argv[0] == "" {
		return "", &CommandError{Name: "credential_command", What: "names no program"}
	}
	fail := func(err error, format string, args ...any) (string, error) {
		return "", &CommandError{Name: argv[0], What: fmt.Sprintf(format, args...), Err: err}
	}
	if filepath.Base(argv[0]) != argv[0] && !filepath.IsAbs(argv[0]) {
		return fail(nil, "a path must be absolute, since it would depend on the current directory")
	}
	path, err := exec.LookPath(argv[0])
	switch {
	case errors.Is(err, exec.ErrDot):
		return fail(err, "stands in the current directory, and programs there are not run")
	case errors.Is(err, exec.ErrNotFound):
		return fail(err, "no such program on the PATH")
	case err != nil:
		return fail(err, "cannot be run: %v", reason(err))
	}
	if ctx.Err() != nil {
		return "", fmt.Errorf("%s: %w", argv[0], context.Cause(ctx))
	}
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	out := &boundedBuffer{full: cancel}
	cmd := exec.CommandContext(running, path, argv[1:]...)
	cmd.Args[0] = argv[0]
	cmd.Env = withoutCredentials(env)
	cmd.Stdout, cmd.Stderr = out, stderr
	cmd.WaitDelay = pipeDelay
	ownGroup(cmd)
	err = cmd.Run()
	switch {
	case out.overflow:
		return fail(nil, "printed more than %d bytes", maxCommandOutput)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fail(nil, "did not end in time and was stopped")
	case ctx.Err() != nil:
		return "", fmt.Errorf("%s: %w", argv[0], context.Cause(ctx))
	case errors.Is(err, exec.ErrWaitDelay): // it ended well; a child of it did not
	case cmd.ProcessState == nil && err != nil:
		return fail(err, "cannot be run: %v", reason(err))
	case err != nil:
		return fail(err, "failed: %v", cmd.ProcessState)
	}
	return fromOutput(argv[0], out.taken.Bytes())
}

// reason is err without what it says of the call that failed.
func reason(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// fromOutput is the secret that a program printed.
func fromOutput(name string, out []byte) (string, error) {
	if lines := bytes.Split(bytes.TrimSpace(out), []byte("\n")); len(lines) > 1 {
		return "", &CommandError{Name: name, What: fmt.Sprintf("printed %d lines; only the token may be printed", len(lines))}
	}
	secret, _, err := Clean(out)
	switch {
	case errors.Is(err, ErrEmpty):
		return "", &CommandError{Name: name, What: "printed nothing", Err: err}
	case err != nil:
		return "", &CommandError{Name: name, What: "what it printed is no token: " + err.Error(), Err: err}
	}
	return secret, nil
}

// withoutCredentials is env without the variables that hold a credential.
func withoutCredentials(env []string) []string {
	kept := make([]string, 0, len(env))
	for _, kv := range env {
		name, _, _ := strings.Cut(kv, "=")
		if runtime.GOOS == "windows" {
			name = strings.ToUpper(name)
		}
		if name != "UTHO_API_KEY" && name != "UTHO_TOKEN" {
			kept = append(kept, kv)
		}
	}
	return kept
}

// boundedBuffer takes maxCommandOutput bytes, then calls full. The buffer is not
// embedded: its ReadFrom would be found and take everything.
type boundedBuffer struct {
	taken    bytes.Buffer
	overflow bool
	full     func()
}

func (b *boundedBuffer) Write(p []byte) (int, error) {
	if b.taken.Len()+len(p) > maxCommandOutput {
		b.overflow = true
		b.full()
		return 0, io.ErrShortWrite
	}
	return b.taken.Write(p)
}
