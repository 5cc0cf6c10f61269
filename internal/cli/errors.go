package cli

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/utho/utho-cli/internal/auth"
	"github.com/utho/utho-cli/internal/child"
	"github.com/utho/utho-cli/internal/config"
	"github.com/utho/utho-cli/internal/deliver"
	"github.com/utho/utho-cli/internal/expiry"
	"github.com/utho/utho-cli/internal/lifecycle"
	"github.com/utho/utho-cli/internal/output"
	"github.com/utho/utho-cli/internal/profiles"
	"github.com/utho/utho-cli/pkg/utho"
)

// The exit codes of utho itself; `token run` and `exec` have those of a shell too.
const (
	exitError       = 1
	exitUsage       = 2
	exitCancelled   = 3
	exitAuth        = 4
	exitNotFound    = 5
	exitAmbiguous   = 6
	exitPartial     = 7
	exitUnknown     = 8
	exitUnavailable = 9
	exitMatched     = 10
	exitRunFailed   = 125
)

// codedError is an error that has an exit code of its own: the one of these that names what happened.
type codedError struct {
	error
	status int
}

func (e *codedError) Unwrap() error { return e.error }

func coded(status int, err error) error { return &codedError{err, status} }

func codef(status int, format string, args ...any) error {
	return coded(status, fmt.Errorf(format, args...))
}

// usagef is something wrong with flags, arguments or settings.
func usagef(format string, args ...any) error { return codef(exitUsage, format, args...) }

// missing is a profile that is not there.
func missing(profile string) error {
	return codef(exitNotFound, "there is no profile %s", quoteText(profile))
}

// hasStatus reports whether err, or one that it wraps, has that exit code of its own.
func hasStatus(err error, status int) bool {
	e, ok := errors.AsType[*codedError](err)
	return ok && (e.status == status || hasStatus(e.error, status))
}

// hintedError is an error with the next step.
type hintedError struct {
	error
	hint string
}

func (e *hintedError) Unwrap() error { return e.error }

// hintf adds the next step to an error, as a sentence with a command if there is one.
func hintf(err error, format string, args ...any) error {
	return &hintedError{err, fmt.Sprintf(format, args...)}
}

// childStatus is the command's own exit status, about which utho has nothing to say.
type childStatus int

func (childStatus) Error() string { return "the command's own exit status" }

// linesError is an error whose further lines are meant to be lines.
type linesError struct {
	error
	lines []string
}

func (e *linesError) Unwrap() error { return e.error }

// outcome is what a script can rely on.
type outcome struct {
	status int
	code   string // of the JSON error
}

// exitOf is the one place that turns errors into exit codes.
func exitOf(err error) outcome {
	var in interrupted
	is := func(target error) bool { return errors.Is(err, target) }
	has := func(status int) bool { return hasStatus(err, status) }
	around := has(exitRunFailed)
	switch {
	case errors.As(err, new(*lifecycle.OutcomeError)), errors.As(err, new(*auth.NotKnownError)):
		if around {
			return outcome{exitRunFailed, "unknown_outcome"}
		}
		return outcome{exitUnknown, "unknown_outcome"}
	case has(exitPartial):
		return outcome{exitPartial, "partial"}
	case errors.As(err, &in):
		return outcome{in.status(), "interrupted"}
	case has(exitUsage), isUsage(err):
		return outcome{exitUsage, "usage"}
	case around:
		if start, ok := errors.AsType[*child.StartError](err); ok && start.NotFound {
			return outcome{127, "not_found"}
		} else if ok {
			return outcome{126, "error"}
		}
		return outcome{exitRunFailed, exitOf(errors.Unwrap(err)).code}
	case has(exitMatched):
		return outcome{exitMatched, "matched"}
	case has(exitCancelled):
		return outcome{exitCancelled, "cancelled"}
	case has(exitNotFound), errors.As(err, new(*lifecycle.NotFoundError)), is(utho.ErrNotFound):
		return outcome{exitNotFound, "not_found"}
	case errors.As(err, new(*lifecycle.AmbiguousError)):
		return outcome{exitAmbiguous, "ambiguous"}
	case errors.As(err, new(*lifecycle.TakenError)), errors.As(err, new(*profiles.TakenError)):
		return outcome{exitAmbiguous, "exists"}
	case has(exitAuth), is(auth.ErrNotFound), rejected(err):
		return outcome{exitAuth, "auth"}
	case is(utho.ErrForbidden):
		return outcome{exitAuth, "forbidden"}
	case is(utho.ErrUnavailable), is(context.DeadlineExceeded):
		return outcome{exitUnavailable, "unavailable"}
	case is(utho.ErrOutcomeUnknown):
		return outcome{exitUnknown, "unknown_outcome"}
	}
	return outcome{exitError, "error"}
}

// isUsage reports whether a typed error of another room says that something was asked for that cannot be.
func isUsage(err error) bool {
	return errors.As(err, new(*utho.URLError)) || errors.As(err, new(*utho.VariableError)) ||
		errors.As(err, new(*config.ValueError)) || errors.As(err, new(*deliver.SpecError)) ||
		errors.As(err, new(*child.WordsError)) || errors.As(err, new(*expiry.SuffixError)) || errors.As(err, new(*lifecycle.NoExpiryError))
}

// rejected reports whether the service rejects the credential in use. Any token may read, so a 403 to a list says
// this too, not that write scope is missing.
func rejected(err error) bool {
	var e *utho.Error
	return errors.Is(err, utho.ErrUnauthorized) ||
		errors.Is(err, utho.ErrForbidden) && errors.As(err, &e) && !strings.HasPrefix(e.Op, "create ") && !strings.HasPrefix(e.Op, "delete ")
}

// cutShort reports whether err is no more than the end of a context.
func cutShort(err error) bool {
	return (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) &&
		!errors.As(err, new(*lifecycle.OutcomeError)) && !errors.As(err, new(*lifecycle.RolledBackError)) &&
		!hasStatus(err, exitPartial) && !errors.As(err, new(*exec.ExitError))
}

// report writes the one account of an error to stderr, for a person or, with -o json, as one object on one line.
func (p *program) report(err error) {
	text, hint := err.Error(), p.hint(err)
	more := &linesError{}
	errors.As(err, &more)
	c := p.console
	if c.json {
		type account struct {
			Code    string `json:"code"`
			Message string `json:"message"`
			Hint    string `json:"hint"`
			Exit    int    `json:"exit_code"`
		}
		o := exitOf(err)
		text = strings.Join(append([]string{text}, more.lines...), "\n")
		var b strings.Builder
		_ = output.JSONLine(&b, map[string]account{"error": {o.code, p.redact(text), p.redact(hint), o.status}}) // to memory: it cannot fail
		c.write(b.String())
		return
	}
	c.line("utho:", red, text)
	for _, l := range more.lines {
		c.plain("  " + l)
	}
	if hint != "" {
		c.line("hint:", cyan, hint)
	}
}
