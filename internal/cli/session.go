package cli

import (
	"context"
	"net/http"
	"time"

	"github.com/utho/utho-cli/internal/auth"
	"github.com/utho/utho-cli/internal/config"
	"github.com/utho/utho-cli/internal/sandbox"
	"github.com/utho/utho-cli/pkg/utho"
)

// sandboxName is the built-in profile that needs no account.
const sandboxName = config.Sandbox

// session is what a command that talks to the service works with: who it is,
// where the service is, and the client.
type session struct {
	a       *app
	profile string // empty for a credential from the environment
	source  string // the variable's name, or keyring, file, command, sandbox
	kind    string // environment, keyring, file, command or sandbox
	baseURL string
	origin  string
	secret  string
	zone    *time.Location
	tokenID string     // the token the profile is known to use; empty where unknown
	store   auth.Store // where the secret is kept; nil where utho does not keep it
	shadows []string   // the variables that the credential wins over
	besides string     // the profile of UTHO_PROFILE where it wins over that
	timeout time.Duration
	once    bool // a request is sent once: nobody waits for it
	sandbox bool
	box     *sandbox.Sandbox
	client  *utho.Client

	transport http.RoundTripper // see roundTripper
}

// resolve finds settings, credential and client for a command that talks to the
// service. Nothing has been sent when it returns.
func (a *app) resolve(ctx context.Context) (*session, error) {
	s, err := a.prepare()
	if err != nil {
		return nil, err
	}
	if err := a.readSecret(ctx, s); err != nil {
		return nil, err
	}
	a.current = s
	return s, s.connect()
}

// prepare is resolve without the secret: everything that can be wrong with
// flags, environment and configuration is found here.
func (a *app) prepare() (*session, error) {
	st, err := a.loadSettings()
	if err != nil {
		return nil, err
	}
	c, err := a.chooseCredential()
	if err != nil {
		return nil, err
	}
	s := &session{a: a, timeout: st.Timeout.Value, kind: c.kind, source: c.source, secret: c.secret, shadows: c.shadows, besides: c.besides}
	switch c.kind {
	case sandboxName:
		return s, a.prepareSandbox(s)
	case "environment":
		s.baseURL = firstOf(a.flags.apiURL, a.getenv("UTHO_API_URL"), utho.DefaultBaseURL)
		return s, s.setOrigin()
	}
	return s, a.prepareProfile(s, c)
}

func (s *session) setOrigin() (err error) {
	if s.origin, err = utho.Origin(s.baseURL); err != nil {
		return usagef("%w", err).with("the default is %s", utho.DefaultBaseURL)
	}
	return nil
}

func (a *app) prepareSandbox(s *session) error {
	if a.flags.apiURL != "" {
		return usagef("--api-url has no place beside the sandbox, which is built in").with("leave --api-url out, or use another profile")
	}
	s.profile, s.kind, s.source, s.sandbox = sandboxName, sandboxName, sandboxName, true
	s.baseURL = sandbox.BaseURL
	box, err := a.sandbox()
	if err != nil {
		return err
	}
	s.box = box
	return s.setOrigin()
}

// prepareProfile reads a profile. A profile that was named must be there.
func (a *app) prepareProfile(s *session, c choice) error {
	asked := firstOf(a.flags.apiURL, a.getenv("UTHO_API_URL"))
	if s.baseURL = asked; asked != "" {
		if err := s.setOrigin(); err != nil {
			return err
		}
	}
	file, err := a.profiles()
	if err != nil {
		return err
	}
	p, ok := file.Profile(c.profile)
	if !ok && c.named {
		if err := config.ValidName(c.profile); err != nil {
			return usagef("%w", err)
		}
		return failf(exitNotFound, "not_found", "there is no profile %s", quoteText(c.profile)).
			with("make it with: %s; see what there is with: utho profile list", a.loginTo(c.profile))
	}
	if !ok {
		p = config.Profile{Name: c.profile}
	}
	if s.zone, err = p.Location(); err != nil {
		return err
	}
	s.profile, s.tokenID = p.Name, p.TokenID
	stored := addressOf(p)
	s.baseURL = firstOf(asked, stored)
	if err := s.setOrigin(); err != nil {
		return err
	}
	s.kind = profileStore(p)
	s.source = s.kind
	if s.kind == "command" {
		return s.bindStored(stored)
	}
	s.store, err = a.store(s.kind)
	if err != nil {
		return err
	}
	if !ok {
		s.store = nil
		return nil
	}
	return s.bindStored(stored)
}

// bindStored refuses, by the configuration alone, another address than the
// profile's. That the profile's own address was not edited is the store's to
// see: the origin is kept with the secret. For a credential command, the
// profile's address is all that is known about where its secret belongs.
func (s *session) bindStored(stored string) error {
	origin, err := utho.Origin(stored)
	if err != nil {
		return usagef("api_url of profile %s: %w", s.profile, err)
	}
	if origin == s.origin {
		return nil
	}
	return s.otherOrigin(origin)
}

// otherOrigin is the refusal to send a secret elsewhere than to where it was
// stored for.
func (s *session) otherOrigin(stored string) error {
	return failf(exitAuth, "auth", "the token of profile %s was stored for %s and is not sent to %s; nothing was sent", s.profile, stored, s.origin).
		with("to use %s, log in there under a name of its own: utho -p NAME --api-url %s login", s.origin, quote(s.baseURL))
}
