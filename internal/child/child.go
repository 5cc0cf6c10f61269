// Package child starts other programs: without utho's own credentials in their environment, in a process group of their
// own, and never longer than their caller's context.
package child

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

const pipeDelay = time.Second // for output after the end: a child left behind may hold the pipe for good

// A Command is one run of a program. No shell is involved.
type Command struct {
	Argv           []string // a name on the PATH or a path, then the arguments; never empty
	Env            []string // NAME=value, the whole environment; nil is an empty one
	Stdin          io.Reader
	Stdout, Stderr io.Writer // nil discards
	// Foreground keeps the program in utho's process group, where it can ask on the terminal and gets Ctrl-C by itself.
	// Otherwise it has a group of its own, which ends as a whole.
	Foreground bool
}

// A StartError says why a program was never started.
type StartError struct {
	Name     string // as it was given
	NotFound bool   // a shell's status is 127, otherwise 126
	Err      error
}

func (e *StartError) Error() string { return e.Name + ": " + e.Err.Error() }
func (e *StartError) Unwrap() error { return e.Err }

// Run starts the program and waits for it. When ctx ends, the program and its group get TERM, and KILL if any of it is
// left 5 s later (on Windows the program is killed at once), and the error is the cause of ctx. Otherwise it is a
// *StartError, or an *exec.ExitError. A child that the program left behind on purpose keeps running.
func (c Command) Run(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, c.Argv[0], c.Argv[1:]...)
	cmd.Env = append([]string{}, c.Env...) // to os/exec nil means this process's own
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Stdin, c.Stdout, c.Stderr
	cmd.WaitDelay = pipeDelay
	endGently(cmd, !c.Foreground)
	err := cmd.Run()
	switch {
	case err != nil && ctx.Err() != nil:
		return context.Cause(ctx)
	case cmd.Process == nil:
		return startError(c.Argv[0], err)
	case errors.Is(err, exec.ErrWaitDelay):
		return nil // it ended well, and a child of it still holds its output
	}
	return err
}

// LookPath finds a program on the PATH, never in the current directory, or at a path. The error is a *StartError.
func LookPath(name string) (string, error) {
	path, err := exec.LookPath(name)
	return path, startError(name, err)
}

func startError(name string, err error) error {
	missing := errors.Is(err, fs.ErrNotExist) || errors.Is(err, exec.ErrNotFound) || errors.Is(err, exec.ErrDot)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, exec.ErrDot):
		err = errors.New("it is only in the current directory, where no program is looked for")
	case errors.Is(err, exec.ErrNotFound):
		err = errors.New("no such command")
	}
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		err = inner // without the call and the path, which the name stands for
	}
	return &StartError{name, missing, err}
}

// WithoutCredentials is environ without what holds or chooses a credential of utho, and with set, each NAME=value.
func WithoutCredentials(environ []string, set ...string) []string {
	drop := append([]string{"UTHO_API_KEY", "UTHO_API_KEY_FILE", "UTHO_API_TOKEN", "UTHO_TOKEN", "UTHO_PROFILE"}, set...)
	return append(slices.DeleteFunc(slices.Clone(environ), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.ContainsFunc(drop, func(d string) bool {
			d, _, _ = strings.Cut(d, "=")
			return d == name || runtime.GOOS == "windows" && strings.EqualFold(d, name)
		})
	}), set...)
}
