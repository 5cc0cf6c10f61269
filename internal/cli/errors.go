package cli

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/utho/utho-cli/internal/auth"
	"github.com/utho/utho-cli/internal/child"
	"github.com/utho/utho-cli/internal/deliver"
	"github.com/utho/utho-cli/internal/lifecycle"
	"github.com/utho/utho-cli/internal/listing"
	"github.com/utho/utho-cli/internal/output"
	"github.com/utho/utho-cli/internal/problem"
	"github.com/utho/utho-cli/internal/profiles"
	"github.com/utho/utho-cli/internal/session"
	"github.com/utho/utho-cli/internal/terminal"
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

// linesOf are the further lines of err, such as the tokens that a name may mean.
func linesOf(err error) []string {
	if several, ok := errors.AsType[*lifecycle.AmbiguousError](err); ok {
		return describeAll(several.Tokens)
	} else if taken, ok := errors.AsType[*lifecycle.TakenError](err); ok {
		return describeAll(taken.Tokens)
	}
	return problem.Lines(err)
}

// childStatus is the command's own exit status, about which utho has nothing to say.
type childStatus int

func (childStatus) Error() string { return "the command's own exit status" }

// outcome is what a script can rely on.
type outcome struct {
	status int
	code   string // of the JSON error
}

// exitOf is the one place that turns errors into exit codes: the first that fits.
func exitOf(err error) outcome {
	var in terminal.Interrupted
	is := func(target error) bool { return errors.Is(err, target) }
	has := func(kind problem.Kind) bool { return problem.Is(err, kind) }
	around := has(problem.RunFailed)
	own := func(status int) int { // a command's own statuses are left to it
		if around {
			return exitRunFailed
		}
		return status
	}
	start, ok := errors.AsType[*child.StartError](err)
	ok = ok && around
	for _, o := range []struct {
		fits bool
		outcome
	}{
		{errors.As(err, new(*lifecycle.OutcomeError)) || errors.As(err, new(*auth.NotKnownError)), outcome{own(exitUnknown), "unknown_outcome"}},
		{has(problem.Partial), outcome{exitPartial, "partial"}},
		{errors.As(err, &in), outcome{in.Status(), "interrupted"}},
		{has(problem.Usage), outcome{exitUsage, "usage"}},
		{errors.As(err, new(*utho.URLError)) || errors.As(err, new(*utho.VariableError)), outcome{exitUsage, "usage"}},
		{errors.As(err, new(*lifecycle.NoExpiryError)), outcome{exitUsage, "usage"}},
		{ok && start.NotFound, outcome{127, "not_found"}},
		{ok, outcome{126, "error"}},
		{has(problem.Matched), outcome{own(exitMatched), "matched"}},
		{errors.As(err, new(terminal.CancelledError)), outcome{own(exitCancelled), "cancelled"}},
		{has(problem.NotFound) || errors.As(err, new(*lifecycle.NotFoundError)) || is(utho.ErrNotFound), outcome{own(exitNotFound), "not_found"}},
		{errors.As(err, new(*lifecycle.AmbiguousError)), outcome{own(exitAmbiguous), "ambiguous"}},
		{errors.As(err, new(*lifecycle.TakenError)) || errors.As(err, new(*profiles.TakenError)), outcome{own(exitAmbiguous), "exists"}},
		{has(problem.Auth) || is(auth.ErrNotFound) || rejected(err), outcome{own(exitAuth), "auth"}},
		{is(utho.ErrForbidden), outcome{own(exitAuth), "forbidden"}},
		{is(utho.ErrUnavailable) || is(context.DeadlineExceeded), outcome{own(exitUnavailable), "unavailable"}},
		{is(utho.ErrOutcomeUnknown), outcome{own(exitUnknown), "unknown_outcome"}},
	} {
		if o.fits {
			return o.outcome
		}
	}
	return outcome{own(exitError), "error"}
}

// rejected reports whether the service rejects the credential. Any token may read: a 403 to a list says this too.
func rejected(err error) bool {
	var e *utho.Error
	return errors.Is(err, utho.ErrUnauthorized) ||
		errors.Is(err, utho.ErrForbidden) && errors.As(err, &e) && !strings.HasPrefix(e.Op, "create ") && !strings.HasPrefix(e.Op, "delete ")
}

// cutShort reports whether err is no more than the end of a context.
func cutShort(err error) bool {
	return (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) &&
		!errors.As(err, new(*lifecycle.OutcomeError)) && !errors.As(err, new(*lifecycle.RolledBackError)) &&
		!problem.Is(err, problem.Partial) && !errors.As(err, new(*exec.ExitError))
}

// report writes the one account of an error to stderr, for a person or, with -o json, as one object on one line.
func (p *program) report(err error) {
	c, text, lines, hint := p.console, err.Error(), linesOf(err), p.hint(err)
	format := cmp.Or(p.output, p.env.Output, strings.TrimSpace(os.Getenv("UTHO_OUTPUT")))
	if strings.EqualFold(format, string(formatJSON)) {
		type account struct {
			Code    string `json:"code"`
			Message string `json:"message"`
			Hint    string `json:"hint"`
			Exit    int    `json:"exit_code"`
		}
		o := exitOf(err)
		text = strings.Join(append([]string{text}, lines...), "\n")
		var b strings.Builder
		doc := account{o.code, p.console.Redact(text), p.console.Redact(hint), o.status}
		_ = output.JSONLine(&b, map[string]account{"error": doc}) // to memory: it cannot fail
		c.Write(b.String())
		return
	}
	c.Error(text)
	for _, l := range lines {
		c.Note("  %s", l)
	}
	if hint != "" {
		c.Hint(hint)
	}
}

func (p *program) hint(err error) string {
	hint := problem.Hint(err)
	var left *lifecycle.OutcomeError
	var unusable *auth.KeyringError
	var taken *lifecycle.NotFoundError
	var several *lifecycle.AmbiguousError
	var rolledBack *lifecycle.RolledBackError
	var undelivered *deliver.Failure
	switch {
	case hint != "":
		return hint
	case errors.As(err, &left):
		return p.outcomeHint(left)
	case errors.As(err, &undelivered) && undelivered.Kind == deliver.KindStdout:
		return "send the secret elsewhere, for example with --to file:PATH"
	case errors.As(err, new(*lifecycle.VerifyError)):
		return "fix what failed, then run the same command again: it goes on from here"
	case errors.As(err, &rolledBack) && len(rolledBack.Doubtful) > 0:
		return "fix what failed, then run the same command again: it delivers a secret that works"
	case errors.As(err, &taken):
		return p.notFoundHint(taken)
	case errors.As(err, &several):
		return "name one by its id: " + p.env.Route.About([]string{listing.Newest(several.Tokens).ID}, "token", "get")
	case rejected(err):
		return p.rejectedHint()
	case errors.Is(err, utho.ErrForbidden):
		return "creating and deleting needs a token with Write access; create one at " + consoleURL + ", then: " +
			p.env.Session.Replace(p.env.Route)
	case errors.Is(err, utho.ErrWrongAddress):
		return p.addressHint()
	case errors.Is(err, utho.ErrUnavailable):
		return unavailableHint(err)
	case errors.As(err, &unusable):
		return unusable.Hint()
	}
	return ""
}

func (p *program) outcomeHint(e *lifecycle.OutcomeError) string {
	remove := func(ids ...string) string { return p.env.Route.About(ids, "token", "delete") }
	switch e.Next {
	case lifecycle.NextDelete:
		return "delete it: " + remove(e.IDs...)
	case lifecycle.NextDeleteAgain:
		return "delete it, then run the same command again: " + remove(e.IDs...)
	case lifecycle.NextFinish:
		return "delete the old token: " + remove(e.Old)
	case lifecycle.NextFinishOrDrop:
		return "if the new secret is in use, delete the old token: " + remove(e.Old) +
			"; if it is lost, delete the new one and rotate again: " + remove(e.IDs...)
	case lifecycle.NextRepeat:
		return "run the same command again"
	}
	return "look for it, and delete it if it is there: " + p.env.Route.Command("token", "list", "-o", "wide")
}

func (p *program) notFoundHint(e *lifecycle.NotFoundError) string {
	switch {
	case len(e.Named) > 0:
		return "digits are always an id; the token with that name is: " + p.env.Route.About([]string{e.Named[0].ID}, "token", "get")
	case strings.ContainsAny(e.Arg, "*?["):
		return "a pattern goes behind --name: " + p.env.Route.Command("token", "list", "--name", e.Arg)
	case e.Close != "":
		return "did you mean " + output.Name(e.Close) + "? " + p.env.Route.Command("token", "get", e.Close)
	}
	return "see what there is: " + p.env.Route.Command("token", "list", "-o", "wide")
}

func (p *program) rejectedHint() string {
	switch s := p.env.Session; s.Kind {
	case session.SandboxName:
		return "start the sandbox afresh: utho sandbox reset"
	case "":
		return "create a token that works at " + consoleURL
	default:
		return "create a token that works at " + consoleURL + ", then: " + s.Replace(p.env.Route)
	}
}

// addressHint says where the address came from, unless it is the default one. The error names that.
func (p *program) addressHint() string {
	if p.env.Session.BaseURL == utho.DefaultBaseURL {
		return "the service says that this path does not exist; try again later"
	}
	if u, err := url.Parse(p.env.Session.BaseURL); err == nil && u.Path == "" {
		return "the path is missing: try " + p.env.Session.BaseURL + "/v2"
	}
	return "check the address in --api-url, UTHO_API_URL or the profile"
}

func unavailableHint(err error) string {
	var dns *net.DNSError
	var proxy *utho.ProxyError
	switch {
	case errors.As(err, &proxy):
		return "check the proxy in " + proxy.Variable
	case errors.As(err, new(*tls.CertificateVerificationError)):
		return "check the certificates of this machine, and those of a proxy on the way"
	case errors.As(err, &dns) && dns.IsNotFound:
		return "check the address, and the network"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing answers at that address; check it, and the network"
	}
	return "try again later, or allow more time with --timeout"
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
