package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/utho/utho-cli/internal/auth"
	"github.com/utho/utho-cli/internal/config"
	"github.com/utho/utho-cli/internal/lifecycle"
	"github.com/utho/utho-cli/internal/output"
	"github.com/utho/utho-cli/internal/sandbox"
	"github.com/utho/utho-cli/pkg/utho"
)

// session is a credential, the place that it is for, and the client that uses it.
type session struct {
	lifecycle.Session
	credential
	baseURL string
	origin  string
	zone    *time.Location
	item    auth.Item
	box     *sandbox.Sandbox // of the profile sandbox
}

// connect finds settings, credential and client. Nothing has been sent when it returns.
func (p *program) connect(ctx context.Context) (*session, error) {
	s, err := p.locate()
	if err != nil {
		return nil, err
	}
	if err := p.readSecret(ctx, s); err != nil {
		return nil, err
	}
	return s, p.use(s)
}

// list connects and lists the tokens.
func (p *program) list(ctx context.Context) (*session, *utho.TokenList, error) {
	s, err := p.connect(ctx)
	if err != nil {
		return nil, nil, err
	}
	list, err := s.List(ctx)
	return s, list, err
}

// locate is connect without the secret: whatever is wrong with flags, environment and configuration is found here.
func (p *program) locate() (*session, error) {
	c, err := p.chooseCredential()
	if err != nil {
		return nil, err
	}
	return p.newSession(c)
}

// newSession is a session for a credential, at the address that flags, environment and profile agree on.
func (p *program) newSession(c credential) (*session, error) {
	st, err := p.settings()
	if err != nil {
		return nil, err
	}
	s := &session{credential: c}
	p.session = s
	s.Timeout, s.Warn, s.Waiting = st.Timeout, p.console.warn, p.console.wait
	if c.kind == sandboxName {
		if p.flags.apiURL != "" {
			return nil, hintf(usagef("--api-url has no place beside the sandbox, which is built in"), "leave --api-url out, or use another profile")
		}
		s.baseURL = sandbox.BaseURL
		s.box, err = p.sandbox()
	} else {
		s.baseURL = firstOf(p.flags.apiURL, os.Getenv("UTHO_API_URL"), addressOf(c.profile))
		s.zone, err = c.profile.Location()
	}
	if err != nil {
		return nil, err
	}
	p.route = routeTo(s)
	s.origin, err = originOf(s.baseURL)
	return s, err
}

// routeTo repeats the way to a session: the profile if one was named, the address if it is not the profile's.
func routeTo(s *session) (r route) {
	if s.typed != "" {
		r.profile = s.profile.Name
	}
	if s.box == nil && s.baseURL != addressOf(s.profile) {
		r.apiURL = s.baseURL
	}
	return r
}

// otherOrigin is the refusal to send a secret elsewhere than to the place it was stored for.
func (s *session) otherOrigin(stored string) error {
	err := codef(exitAuth, "the token of profile %s was stored for %s and is not sent to %s; nothing was sent",
		s.profile.Name, stored, s.origin)
	return hintf(err, "log in there under a name of its own: utho -p NAME --api-url %s login", quote(s.baseURL))
}

func (s *session) ref() auth.Ref { return auth.Ref{Profile: s.profile.Name, Origin: s.origin} }

// readSecret gets the secret from its source, if it may go where the session leads.
func (p *program) readSecret(ctx context.Context, s *session) (err error) {
	if s.exists && s.baseURL != addressOf(s.profile) {
		switch stored, err := originOf(addressOf(s.profile)); {
		case err != nil:
			return hintf(usagef("api_url of profile %s: %w", s.profile.Name, err),
				"fix it in the configuration, or log in again: %s", p.route.command("login"))
		case stored != s.origin:
			return s.otherOrigin(stored)
		}
	}
	switch {
	case s.kind == kindEnvironment && s.source == keyFileVariable:
		if s.item.Secret, err = auth.ReadKeyFile(os.Getenv(keyFileVariable)); err != nil {
			return codef(exitAuth, "%s: %w", keyFileVariable, err)
		}
	case s.kind == kindEnvironment:
		s.item.Secret = fromVariable(s.source)
	case s.kind == sandboxName:
		limited, cancel := context.WithTimeout(ctx, s.Timeout)
		defer cancel()
		s.item.Secret, err = s.box.OperatorSecret(limited)
	case s.kind == kindCommand:
		s.item.Secret, err = p.runCredentialCommand(ctx, s)
	case !s.exists:
		err = p.notLoggedIn(s)
	default:
		var store auth.Store
		if store, err = p.store(s.kind); err == nil {
			s.item, err = store.Get(ctx, s.ref())
		}
		var origin *auth.OriginError
		switch {
		case errors.Is(err, auth.ErrNotFound):
			err = p.notLoggedIn(s)
		case errors.As(err, &origin):
			err = s.otherOrigin(origin.Stored)
		case err != nil && s.kind == config.StoreFile:
			err = coded(exitAuth, err)
		}
	}
	if err == nil {
		p.hide(s.item.Secret)
	}
	return err
}

// notLoggedIn is auth.ErrNotFound in other words.
func (p *program) notLoggedIn(s *session) error {
	text := fmt.Sprintf("not logged in: profile %s has no token for %s", s.profile.Name, s.origin)
	for _, name := range variables {
		if _, set := os.LookupEnv(name); set { // as in CI, if a secret is not there
			text += ", and " + name + " is empty"
			break
		}
	}
	err, login := &textError{text, auth.ErrNotFound}, p.route.command("login")
	var names []string
	for _, other := range p.env.file.Profiles() {
		if !strings.EqualFold(other.Name, s.profile.Name) {
			names = append(names, other.Name)
		}
	}
	if len(names) > 0 {
		return hintf(err, "log in with: %s; or choose another profile (%s) with: utho profile use NAME", login, strings.Join(names, ", "))
	}
	return hintf(err, "log in with: %s; or set UTHO_API_KEY; or try it without an account: utho -p sandbox token list", login)
}

func (p *program) runCredentialCommand(ctx context.Context, s *session) (string, error) {
	limit := s.Timeout
	if p.console.terminal() {
		limit = time.Minute
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	secret, err := auth.Command(limited, s.profile.CredentialCommand, os.Environ(), p.console.f)
	if err == nil {
		return secret, nil
	}
	if p.console.terminal() { // Ctrl-C reaches both at once, and its end may be seen first
		wait, stop := context.WithTimeout(ctx, 200*time.Millisecond)
		<-wait.Done()
		stop()
	}
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	return "", codef(exitAuth, "credential_command of profile %s: %w", s.profile.Name, err)
}

// use connects the session: nothing is sent yet.
func (p *program) use(s *session) (err error) {
	if strings.HasPrefix(s.item.Secret, sandbox.SecretPrefix) && !isLoopback(s.origin) {
		return hintf(codef(exitAuth, "this is a token of the sandbox, which is only sent to this machine, not to %s; nothing was sent", s.origin),
			"use the sandbox with: utho -p sandbox token list")
	}
	options := []utho.Option{
		utho.WithBaseURL(s.baseURL),
		utho.WithUserAgent("utho/" + p.version() + " (" + runtime.GOOS + "/" + runtime.GOARCH + ")"),
	}
	if s.box != nil {
		options = append(options, utho.WithHTTPClient(&http.Client{Transport: s.box.Transport()}))
	}
	if s.box != nil || p.console.silent { // what the sandbox fails with is no passing state of a network, and Tab does not wait for one
		options = append(options, utho.WithRetry(utho.RetryPolicy{MaxAttempts: 1}))
	}
	if s.zone != nil {
		options = append(options, utho.WithLocation(s.zone))
	}
	if p.debugging() {
		options = append(options, utho.WithRequestHook(p.trace))
	}
	if s.Client, err = utho.New(s.item.Secret, options...); err != nil {
		if errors.Is(err, utho.ErrInvalidSecret) {
			err = codef(exitAuth, "the token from %s cannot be used: %w", s.from(), err)
		}
		return err
	}
	return nil
}

// from names the source of the credential in a sentence.
func (s *session) from() string {
	if s.profile.Name == "" {
		return s.source
	}
	return "profile " + s.profile.Name
}

// isLoopback reports whether an origin is this machine's literally: http may go there.
func isLoopback(origin string) bool {
	_, host, _ := strings.Cut(origin, "://")
	_, err := utho.ParseBaseURL("http://" + host)
	return err == nil
}

func (p *program) debugging() bool {
	if p.flags.debug || p.flags.set != nil && p.flags.set.Changed("debug") {
		return p.flags.debug
	}
	return !slices.Contains([]string{"", "0", "false"}, os.Getenv("UTHO_DEBUG"))
}

// trace shows one exchange on stderr. The client has taken the secrets out.
func (p *program) trace(e utho.Exchange) {
	status := "no answer"
	if e.StatusCode != 0 {
		status = strconv.Itoa(e.StatusCode)
	}
	text := fmt.Sprintf("debug: %s %s: %s in %v", e.Method, e.URL, status, e.Duration.Round(time.Microsecond))
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	if e.Body != "" {
		text += "\ndebug: " + output.Safe(e.Body)
	}
	for line := range strings.SplitSeq(text, "\n") {
		p.console.plain(line)
	}
}
