package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/utho/utho-cli/internal/auth"
	"github.com/utho/utho-cli/internal/output"
	"github.com/utho/utho-cli/internal/sandbox"
	"github.com/utho/utho-cli/pkg/utho"
)

// The exit codes, as docs/reference.md lists them.
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

// failure is an error that knows its exit code.
type failure struct {
	exit int
	code string // the word for it in JSON
	msg  string // what was being done to what, and what went wrong; lines after the first are indented
	hint string // the next step, a command where there is one
	err  error  // the cause, for errors.Is; its text is not added
}

func (f *failure) Error() string { return f.msg }
func (f *failure) Unwrap() error { return f.err }

// with adds the next step.
func (f *failure) with(hint string, args ...any) *failure {
	f.hint = fmt.Sprintf(hint, args...)
	return f
}

func failf(exit int, code, format string, args ...any) *failure {
	err := fmt.Errorf(format, inLine(args)...)
	return &failure{exit: exit, code: code, msg: err.Error(), err: errors.Unwrap(err)}
}

func usagef(format string, args ...any) *failure {
	return failf(exitUsage, "usage", format, args...)
}

// said is err with what was being done, in this program's words and not, again,
// in the client's.
func said(what string, err error) error { return &described{what, err} }

type described struct {
	what string
	err  error
}

func (d *described) Error() string {
	text := d.err.Error()
	if e, ok := d.err.(*utho.Error); ok { //nolint:errorlint // only its own words are taken off
		text = strings.TrimPrefix(text, e.Op+": ")
	}
	return d.what + ": " + text
}

func (d *described) Unwrap() error { return d.err }

// childStatus is the end of `token run`: the command's own exit status, about
// which utho has nothing to say.
type childStatus int

func (childStatus) Error() string { return "the command's own exit status" }

// classify turns any error into what a script can rely on.
func classify(err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		c := *f
		c.msg = err.Error()
		return &c
	}
	of := func(exit int, code, hint string) *failure {
		return &failure{exit: exit, code: code, msg: err.Error(), hint: hint, err: err}
	}
	var in interrupted
	var ke *auth.KeyringError
	var box *sandbox.StoreError
	switch {
	case errors.As(err, &box):
		return of(exitError, "error", "")
	case errors.As(err, &in):
		return of(in.exit(), "interrupted", "")
	case rejected(err):
		return of(exitAuth, "auth", "log in with a token that works: utho login")
	case errors.Is(err, utho.ErrForbidden):
		return of(exitAuth, "forbidden", "creating and deleting needs a token with Write access: make one at "+consoleURL+" and run utho login")
	case errors.Is(err, utho.ErrNotFound):
		return of(exitNotFound, "not_found", "")
	case errors.Is(err, utho.ErrOutcomeUnknown):
		return of(exitUnknown, "unknown_outcome", "utho token list shows what stands")
	case errors.Is(err, utho.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		return of(exitUnavailable, "unavailable", unavailableHint(err))
	case errors.As(err, &ke):
		return of(exitError, "error", ke.Hint())
	default:
		return of(exitError, "error", "")
	}
}

// unavailableHint is the next step where the service cannot be reached.
func unavailableHint(err error) string {
	var dns *net.DNSError
	switch {
	case errors.As(err, new(*tls.CertificateVerificationError)):
		return "check the certificates of this machine, and those of a proxy on the way"
	case errors.As(err, &dns) && dns.IsNotFound:
		return "check the address, and the network"
	}
	return "try again later, or give it longer with --timeout"
}

// rejected tells whether the service rejects the credential. Any token may read,
// so that a 403 to a list says this too, not that write scope is missing.
func rejected(err error) bool {
	var e *utho.Error
	return errors.Is(err, utho.ErrUnauthorized) ||
		errors.Is(err, utho.ErrForbidden) && errors.As(err, &e) && !strings.HasPrefix(e.Op, "create ") && !strings.HasPrefix(e.Op, "delete ")
}

// report writes the one account of an error to stderr, for a person or, with
// -o json, as one object on one line.
func (a *app) report(f *failure) {
	if f.code == "auth" && a.current != nil && rejected(f.err) {
		f.hint = a.current.mend()
	}
	if f.code == "forbidden" && a.current != nil && errors.Is(f.err, utho.ErrForbidden) {
		f.hint = "creating and deleting needs a token with Write access, made at " + consoleURL + ": " + a.current.replace()
	}
	msg, hint := a.redact(f.msg), a.redact(f.hint)
	if a.jsonErrors {
		var doc struct {
			Error struct {
				Code    string `json:"code"`
				Message string `json:"message"`
				Hint    string `json:"hint"`
				Exit    int    `json:"exit_code"`
			} `json:"error"`
		}
		doc.Error.Code, doc.Error.Message, doc.Error.Hint, doc.Error.Exit = f.code, msg, hint, f.exit
		_ = output.JSONLine(a.errFile, doc) // a broken stderr never stops a command
		return
	}
	a.note("%s", lines(msg))
	if hint != "" {
		a.note("hint: %s", hint)
	}
}

// lines is text of several lines that is meant to be so.
type lines string

// inLine spells out the line breaks in what is said: a name or an id of the
// service's making starts no line of its own.
func inLine(args []any) []any {
	for i, arg := range args {
		if s, ok := arg.(string); ok && strings.Contains(s, "\n") {
			args[i] = strings.ReplaceAll(s, "\n", `\n`)
		}
	}
	return args
}

// note says one thing on stderr, each line of it made harmless. A broken
// stderr never stops a command.
func (a *app) note(format string, args ...any) {
	for i, l := range strings.Split(fmt.Sprintf(format, inLine(args)...), "\n") {
		prefix := "utho: "
		if i > 0 {
			prefix = "  "
		}
		a.stderr(a.paint(prefix) + output.Safe(a.redact(l)))
	}
}

func (a *app) stderr(line string) { _, _ = fmt.Fprintln(a.errFile, line) }

// redact takes out the secrets in use, and what looks like one. It is the last
// fence, for what people type in the wrong place: no text should carry one.
func (a *app) redact(s string) string {
	own := []string{a.getenv("UTHO_API_KEY"), a.getenv("UTHO_TOKEN")}
	if a.current != nil {
		own = append(own, a.current.secret)
	}
	for _, secret := range own {
		// Shorter ones are no secrets, and would take words out of sentences.
		if secret = strings.TrimSpace(secret); len(secret) >= 8 {
			s = strings.ReplaceAll(s, secret, "[redacted]")
		}
	}
	return redactLive(s)
}

// redactLive takes out what looks like a secret of the service.
func redactLive(s string) string {
	const prefix = "live_"
	for from := 0; ; {
		i := strings.Index(s[from:], prefix)
		if i < 0 {
			return s
		}
		start := from + i
		end := start
		for end < len(s) && (s[end] == '_' || s[end] == '-' || isAlnum(s[end])) {
			end++
		}
		if random(s[start:end]) {
			s = s[:start] + "live_[redacted]" + s[end:]
			end = start + len("live_[redacted]")
		}
		from = end
	}
}

// random tells chance from what people call things, live_production_database:
// no words of letters alone, with a number behind them perhaps.
func random(s string) bool {
	if len(s) < 20 {
		return false
	}
	for word := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == '_' || r == '-' }) {
		stem := strings.TrimRight(word, "0123456789")
		mixed := strings.ContainsAny(stem, "0123456789")
		if len(word) >= 6 && mixed || len(word) >= 15 && stem != word || len(word) >= 24 {
			return true
		}
	}
	return false
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}
