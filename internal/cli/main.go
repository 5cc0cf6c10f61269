// Package cli holds the commands of utho: flags in, answers out. It is the only
// room that knows several others. A command runs so: Main → cobra → the
// command's body → resolve (settings, credential, client; only where it is
// needed) → one writer → one error, which classify turns into an exit code.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/config"
	"github.com/utho/utho-cli/pkg/utho"
)

// consoleURL is the web page where a person makes the first token.
const consoleURL = "https://console.utho.com/api"

// app is one run of the program.
type app struct {
	version string
	in      *os.File
	out     *answer
	errFile *os.File
	getenv  func(string) string
	sig     *signals
	flags   globals

	started    bool // a command's body ran: what fails before is a usage error
	pipeQuiet  bool // a closed stdout is silent: list, get, help
	jsonErrors bool
	failed     error           // what cobra gives no way to return
	current    *session        // the session of this run, once it was resolved
	warned     map[string]bool // what warnOnce has said
	file       *config.File    // the configuration, once it was needed
	settings   *config.Settings
}

// globals are the flags that every command has.
type globals struct {
	profile, output, apiURL, color string
	timeout                        timeoutFlag
	noInput, debug                 bool
	changed                        func(flag string) bool
}

// answer is stdout. It remembers the first failed write, for cobra and others
// that drop the error: a failed write to stdout is a failed command.
type answer struct {
	f   *os.File
	err error
}

func (w *answer) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.f.Write(p)
	if err != nil {
		w.err = &stdoutError{err}
	}
	return n, w.err
}

// stdoutError is a write to stdout that failed.
type stdoutError struct{ err error }

func (e *stdoutError) Error() string {
	err := e.err
	var pe *os.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return "write to stdout: " + err.Error()
}
func (e *stdoutError) Unwrap() error { return e.err }

// Main runs utho with the arguments after the program's name and returns its
// exit status. version is empty in a build that is not a release.
func Main(version string, args []string, in, out, errFile *os.File) int {
	// A run is over before its garbage matters: collecting it while 100,000 tokens
	// are read took a third of the time, to save 1 MiB of 33.
	debug.SetGCPercent(400)
	// net/http reports what a hostile service sends unasked through package log.
	log.SetOutput(io.Discard)
	sig := watch()
	a := &app{
		version: version,
		in:      in,
		out:     &answer{f: out},
		errFile: errFile,
		getenv:  os.Getenv,
		sig:     sig,
	}
	sig.stopping = func(cause interrupted) {
		a.note("%v: finding out what stands first, for %v at most; once more ends it at once", cause, afterInterrupt)
	}
	a.jsonErrors = wantsJSON(args, a.getenv("UTHO_OUTPUT"))
	root := a.root()
	root.SetArgs(args)
	root.SetOut(a.out)
	root.SetErr(errFile)
	err := root.ExecuteContext(sig.soft)
	if err == nil {
		err = a.failed
	}
	if err == nil {
		err = a.out.err
	}
	return a.exit(err)
}

// exit reports err and gives the status for it.
func (a *app) exit(err error) int {
	if err == nil {
		return 0
	}
	if a.pipeQuiet && errors.Is(err, syscall.EPIPE) && a.out.err != nil {
		return 0
	}
	var status childStatus
	if errors.As(err, &status) {
		return int(status)
	}
	f := classify(err)
	// A signal is the reason for whatever it cut short, but where something is
	// left to clean up.
	if cause := context.Cause(a.sig.soft); cause != nil && a.sig.soft.Err() != nil && !knowsMore(err) &&
		(errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		c := classify(cause)
		if errors.As(err, new(*failure)) {
			c.msg += ": " + f.msg // it says what was put back
		}
		f = c
	}
	if !a.started && f.exit == exitError && !errors.As(err, new(*stdoutError)) {
		f.exit, f.code = exitUsage, "usage"
	}
	a.report(f)
	return f.exit
}

// knowsMore tells whether err says what is left, which matters more than the
// signal that led to it.
func knowsMore(err error) bool {
	var f *failure
	return errors.As(err, &f) && (f.exit == exitUnknown || f.exit == exitPartial || f.exit == exitRunFailed)
}

// wantsJSON tells whether errors are to be reported as JSON, before any flag is
// parsed: an error of the parsing itself has to know too.
func wantsJSON(args []string, env string) bool {
	want := strings.TrimSpace(env) == "json"
	for i, arg := range args {
		if arg == "--" {
			break
		}
		switch value, isFlag := strings.CutPrefix(arg, "--output="); {
		case isFlag:
			want = value == "json"
		case arg == "--output":
			want = i+1 < len(args) && args[i+1] == "json"
		case strings.HasPrefix(arg, "-") && !strings.HasPrefix(arg, "--"):
			// -o json, -ojson, -o=json, and behind flags without a value, as in -yo json.
			value, isFlag := strings.CutPrefix(strings.TrimLeft(arg[1:], "hy"), "o")
			if isFlag && value == "" && i+1 < len(args) {
				value = args[i+1]
			}
			if isFlag {
				want = strings.TrimPrefix(value, "=") == "json"
			}
		}
	}
	return want
}

// body adapts a command's function: what it returns is no usage error by
// default, since its flags and arguments were read.
func (a *app) body(f func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		a.started = true
		return f(cmd.Context(), args)
	}
}

// plain is body for a command whose answer has no formats: of -o it takes those
// in which its errors can be told.
func (a *app) plain(f func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return a.body(func(ctx context.Context, args []string) error {
		if _, err := a.flagFormat(docFormats); err != nil {
			return err
		}
		return f(ctx, args)
	})
}

// warnOnce says something on stderr, at most once a run.
func (a *app) warnOnce(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if a.warned[text] {
		return
	}
	if a.warned == nil {
		a.warned = map[string]bool{}
	}
	a.warned[text] = true
	a.note("warning: %s", text)
}

// command is a line of shell that people can paste: utho, the global flags
// that lead to the same place, and the words.
func (a *app) command(words ...string) string {
	line := []string{"utho"}
	if a.flags.profile != "" {
		line = append(line, "-p", quote(a.flags.profile))
	}
	if url := a.typedAddress(); url != "" {
		line = append(line, "--api-url", quote(url))
	}
	for _, w := range words {
		line = append(line, quote(w))
	}
	return strings.Join(line, " ")
}

// typedAddress is --api-url where it can be used: one that is refused may hold a
// password, and helps nobody.
func (a *app) typedAddress() string {
	if _, err := utho.Origin(a.flags.apiURL); err != nil {
		return ""
	}
	return a.flags.apiURL
}

// about is a.command with ids behind the words, and -- before them where one
// would pass for a flag.
func (a *app) about(ids []string, words ...string) string {
	if slices.ContainsFunc(ids, func(id string) bool { return strings.HasPrefix(id, "-") }) {
		words = append(words, "--")
	}
	return a.command(append(words, ids...)...)
}

// deleteCommand is the line that deletes the tokens with these ids.
func (a *app) deleteCommand(ids ...string) string { return a.about(ids, "token", "delete") }
