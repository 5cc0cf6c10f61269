// Package cli holds the commands of utho: flags in, answers out. A command runs so: Main → cobra → the command's
// RunE → connect, if it talks to the service (settings, then the credential, then the client) → one function of
// lifecycle or one method of the client → one writer → an error, which exitOf turns into an exit code.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/profiles"
	"github.com/utho/utho-cli/internal/session"
	"github.com/utho/utho-cli/internal/terminal"
)

// consoleURL is the web page where a person creates the first token.
const consoleURL = "https://console.utho.com/api"

// Build is what the linker knows of a release; empty in other builds.
type Build struct{ Version, Commit, Date string }

// program is one run of utho: its streams and what every command may need.
type program struct {
	build   Build
	args    []string
	out     *answer
	console *terminal.Console
	signals *terminal.Signals
	env     *session.Env
	output  string // of -o; empty if it was not typed
	pipe    bool   // a closed stdout is silent: list, get, help
}

// answer is stdout. It remembers the first failed write, which fails the command: cobra and others drop the error.
type answer struct {
	f   *os.File
	ctx context.Context // ends a write that nobody reads
	err error
}

func (w *answer) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	n, err := terminal.Await(w.ctx, func() (int, error) { return w.f.Write(p) })
	if path, ok := errors.AsType[*os.PathError](err); ok {
		err = path.Err
	}
	if err != nil {
		w.err = &stdoutError{err}
	}
	return n, w.err
}

type stdoutError struct{ err error }

func (e *stdoutError) Error() string { return "write to stdout: " + e.err.Error() }
func (e *stdoutError) Unwrap() error { return e.err }

// Main runs utho with the arguments after the program's name and returns its exit status.
func Main(build Build, args []string, in, out, errFile *os.File) int {
	log.SetOutput(io.Discard) // net/http logs what a hostile service sends unasked
	p := newProgram(build, in, out, errFile)
	p.args = args
	root := newRoot(p)
	root.SetArgs(args)
	root.SetOut(p.out)
	root.SetErr(errFile)
	err := root.ExecuteContext(p.signals.Ctx)
	if err == nil {
		err = p.out.err
	}
	return p.exit(err)
}

// Command returns the tree of commands, for programs that document it.
func Command(build Build) *cobra.Command {
	return newRoot(newProgram(build, os.Stdin, os.Stdout, os.Stderr)) //nolint:forbidigo // not to be run
}

func newProgram(build Build, in, out, errFile *os.File) *program {
	p := &program{build: build, out: &answer{f: out}}
	p.console = &terminal.Console{Err: errFile, In: in}
	for _, name := range session.Variables {
		p.console.Hide(session.FromVariable(name))
	}
	p.env = &session.Env{Console: p.console, Version: p.version}
	p.signals = terminal.NewSignals(func() {
		p.console.Note("interrupted; cleaning up (up to %d s). Press Ctrl-C again to stop now", int(terminal.GraceTime.Seconds()))
	})
	p.out.ctx = p.signals.Grace
	return p
}

// exit reports err and returns the status for it.
func (p *program) exit(err error) int {
	if err == nil || p.pipe && errors.Is(err, syscall.EPIPE) && p.out.err != nil {
		return 0
	}
	if status, ok := errors.AsType[childStatus](err); ok {
		return int(status)
	}
	p.signals.Take() // a broken stderr
	// A signal is the reason for whatever it cut short.
	if cause := context.Cause(p.signals.Ctx); cause != nil && cutShort(err) {
		err = cause
	}
	p.report(err)
	return exitOf(err).status
}

// runE adapts a command's function: its flags and arguments were read.
func (p *program) runE(f func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		p.signals.Take()
		return f(cmd.Context(), args)
	}
}

// readE is runE for a command that changes nothing.
func (p *program) readE(f func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		p.reads()
		return f(cmd.Context(), args)
	}
}

// reads has a closed stdout be silent.
func (p *program) reads() {
	p.pipe = true
	p.signals.TakeIfLong(p.out.f, p.console.Err)
}

// change changes profiles and their secrets. A signal that comes before stops it, a later one ends its waiting.
func (p *program) change(f func(*profiles.Book) error) error {
	b, err := p.env.Book()
	if err != nil {
		return err
	}
	end, err := p.signals.Protect()
	if err != nil {
		return fmt.Errorf("%w; nothing was changed", err)
	}
	defer end()
	return f(b)
}
