package cli

import (
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"syscall"

	"github.com/utho/utho-cli/internal/auth"
	"github.com/utho/utho-cli/internal/child"
	"github.com/utho/utho-cli/internal/lifecycle"
	"github.com/utho/utho-cli/pkg/utho"
)

// hint is the next step after an error, a sentence with a command if there is one.
func (p *program) hint(err error) string {
	var hinted *hintedError
	var left *lifecycle.OutcomeError
	var unusable *auth.KeyringError
	var taken *lifecycle.NotFoundError
	var several *lifecycle.AmbiguousError
	var verify *lifecycle.VerifyError
	var words *child.WordsError
	switch {
	case errors.As(err, &hinted):
		return hinted.hint
	case errors.As(err, &left):
		return p.outcomeHint(left)
	case errors.As(err, &verify):
		return "fix what failed, then run the same command again; or keep the old one and delete the new: " +
			p.route.about([]string{verify.New}, "token", "delete")
	case errors.As(err, &taken):
		return p.notFoundHint(taken)
	case errors.As(err, &several):
		return "name one by its id, for example: " + p.route.about([]string{newestOf(several.Tokens).ID}, "token", "get")
	case rejected(err):
		return p.rejectedHint()
	case errors.Is(err, utho.ErrForbidden):
		return "creating and deleting needs a token with Write access; create one at " + consoleURL + ", then: " + p.replaceHint()
	case errors.Is(err, utho.ErrWrongAddress):
		return p.addressHint()
	case errors.Is(err, utho.ErrUnavailable):
		return unavailableHint(err)
	case errors.As(err, &words):
		return words.Hint
	case errors.As(err, &unusable):
		return unusable.Hint()
	}
	return ""
}

// outcomeHint is what is left to do.
func (p *program) outcomeHint(e *lifecycle.OutcomeError) string {
	look := p.route.command("token", "list", "-o", "wide")
	remove := func(ids ...string) string { return p.route.about(ids, "token", "delete") }
	switch e.Next {
	case lifecycle.NextDelete:
		return "delete it: " + remove(e.IDs...)
	case lifecycle.NextDeleteAgain:
		return "delete it, then run the same command again: " + remove(e.IDs...)
	case lifecycle.NextFinish:
		return "delete the old token: " + remove(e.Old)
	case lifecycle.NextFinishOrDrop:
		return "if the new secret is in use, delete the old token: " + remove(e.Old) +
			"; if it is lost, delete the new one and rotate again: " + remove(e.New)
	case lifecycle.NextRepeat:
		return "run the same command again"
	}
	return "look for it, and delete it if it is there: " + look
}

func (p *program) notFoundHint(e *lifecycle.NotFoundError) string {
	switch {
	case len(e.Named) > 0:
		return "digits are always an id; the token with that name is: " + p.route.about([]string{e.Named[0].ID}, "token", "get")
	case strings.ContainsAny(e.Arg, "*?["):
		return "a pattern goes behind --name: " + p.route.command("token", "list", "--name", e.Arg)
	case e.Close != "":
		return "did you mean " + quoteText(e.Close) + "? " + p.route.command("token", "get", e.Close)
	}
	return "see what there is: " + p.route.command("token", "list", "-o", "wide")
}

// rejectedHint is the next step if the service rejects the credential.
func (p *program) rejectedHint() string {
	login := "log in with a token that works: " + p.route.command("login")
	if p.session == nil {
		return login
	}
	switch c := p.session.credential; c.kind {
	case kindEnvironment:
		if c.source == keyFileVariable {
			return "put a token that works in the file that " + c.source + " names; you create one at " + consoleURL
		}
		return "set " + c.source + " to a token that works; you create one at " + consoleURL
	case kindCommand:
		return "the token comes from the credential_command of profile " + c.profile.Name + "; have it print one that works"
	case sandboxName:
		return "start the sandbox afresh: utho sandbox reset"
	case "":
		return "create one that works at " + consoleURL
	}
	return login
}

func (p *program) replaceHint() string {
	if p.session == nil {
		return p.route.command("login")
	}
	return p.session.replaceCredential(p.route)
}

// addressHint says where the address came from, unless it is the default one. The error names that.
func (p *program) addressHint() string {
	if p.session != nil && p.session.baseURL == utho.DefaultBaseURL {
		return "the service says that this path does not exist; try again later"
	}
	return "check the address in --api-url, UTHO_API_URL or the profile"
}

// unavailableHint is the next step if the service cannot be reached.
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
