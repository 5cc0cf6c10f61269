package cli

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/utho/utho-cli/internal/auth"
	"github.com/utho/utho-cli/internal/config"
	"github.com/utho/utho-cli/internal/output"
	"github.com/utho/utho-cli/internal/sandbox"
	"github.com/utho/utho-cli/pkg/utho"
)

// sandboxName is the built-in profile that needs no account.
const sandboxName = "sandbox"

// defaultProfile is the name of the first profile.
const defaultProfile = "default"

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
	timeout time.Duration
	sandbox bool
	box     *sandbox.Sandbox
	client  *utho.Client

	transport http.RoundTripper // see roundTripper
}

// choice is which credential wins, before anything secret is read.
type choice struct {
	kind    string   // environment, profile or sandbox
	profile string   // the profile's name; for kind profile
	source  string   // the variable; for kind environment
	secret  string   // for kind environment
	named   bool     // the profile was named by a flag or a variable
	shadows []string // what would have been used otherwise
}

// environmentCredential is the secret of UTHO_API_KEY, else of UTHO_TOKEN, the
// two names that Utho's own tools read.
func (a *app) environmentCredential() (name, secret string, other bool) {
	key := strings.TrimSpace(a.getenv("UTHO_API_KEY"))
	token := strings.TrimSpace(a.getenv("UTHO_TOKEN"))
	switch {
	case key != "":
		return "UTHO_API_KEY", key, token != "" && token != key
	case token != "":
		return "UTHO_TOKEN", token, false
	}
	return "", "", false
}

// choose finds which credential wins. It reads the configuration only where
// neither a flag nor a variable decides.
func (a *app) chooseCredential() (choice, error) {
	variable, secret, both := a.environmentCredential()
	fromEnv := a.getenv("UTHO_PROFILE")
	flag := a.flags.profile
	if a.flags.changed("profile") && flag == "" {
		return choice{}, usagef("--profile: the name is empty")
	}
	switch {
	case flag != "":
		if strings.EqualFold(flag, sandboxName) {
			return choice{kind: sandboxName, shadows: shadowed(variable, both, fromEnv)}, nil
		}
		return choice{kind: "profile", profile: flag, named: true, shadows: shadowed(variable, both, fromEnv)}, nil
	case strings.EqualFold(fromEnv, sandboxName):
		return choice{kind: sandboxName, shadows: shadowed(variable, both, "")}, nil
	case secret != "":
		c := choice{kind: "environment", source: variable, secret: secret}
		if both {
			a.warnOnce("UTHO_API_KEY and UTHO_TOKEN hold different values; UTHO_API_KEY is used")
			c.shadows = append(c.shadows, "UTHO_TOKEN")
		}
		if fromEnv != "" {
			a.warnOnce("%s is used; UTHO_PROFILE=%s has no effect beside it", variable, fromEnv)
			c.shadows = append(c.shadows, "profile "+fromEnv)
		}
		return c, nil
	case fromEnv != "":
		return choice{kind: "profile", profile: fromEnv, named: true}, nil
	}
	file, err := a.config()
	if err != nil {
		return choice{}, err
	}
	if name := file.Current(); name != "" {
		return choice{kind: "profile", profile: name}, nil
	}
	return choice{kind: "profile", profile: defaultProfile}, nil
}

func shadowed(variable string, both bool, profile string) (names []string) {
	if variable != "" {
		names = append(names, variable)
	}
	if both {
		names = append(names, "UTHO_TOKEN")
	}
	if profile != "" {
		names = append(names, "profile "+profile)
	}
	return names
}

// paths are the folders of the configuration and the state.
func (a *app) paths() (config.Paths, error) { return config.Locate(a.getenv, runtime.GOOS) }

// config is the configuration, read once, and only by commands that need it.
func (a *app) config() (*config.File, error) {
	if a.file != nil {
		return a.file, nil
	}
	paths, err := a.paths()
	if err != nil {
		// A container without HOME has no configuration; the environment can
		// still give everything. What needs the folder says so.
		a.file = &config.File{}
		return a.file, nil //nolint:nilerr // see above
	}
	file, err := config.Load(paths.File())
	if err != nil {
		return nil, err
	}
	a.file = file
	return file, nil
}

// loadSettings resolves output, colour and timeout from flags, environment,
// configuration and defaults.
func (a *app) loadSettings() (*config.Settings, error) {
	if a.settings != nil {
		return a.settings, nil
	}
	if a.flags.changed("api-url") && strings.TrimSpace(a.flags.apiURL) == "" {
		return nil, usagef("--api-url: the address is empty")
	}
	file, err := a.config()
	if err != nil {
		return nil, err
	}
	st, err := config.Resolve(file, a.flagValue)
	if err != nil {
		if errors.As(err, new(*config.ValueError)) {
			return nil, usagef("%w", err)
		}
		return nil, err
	}
	a.settings = &st
	if st.Output.Source == config.SourceFile && st.Output.Value == string(formatJSON) {
		a.jsonErrors = true
	}
	return a.settings, nil
}

// flagValue gives the settings what was typed.
func (a *app) flagValue(name string) (value string, given bool) {
	switch name {
	case "output":
		value = a.flags.output
	case "color":
		value = a.flags.color
	case "timeout":
		value = a.flags.timeout.String()
	}
	return value, a.flags.changed(name)
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

// mend is the next step where the service rejects the credential.
func (s *session) mend() string {
	switch s.kind {
	case "environment":
		return "set " + s.source + " to a token that works; they are made at " + consoleURL
	case "command":
		return "the token comes from the credential_command of profile " + s.profile
	case sandboxName:
		return "utho sandbox reset starts the sandbox afresh"
	}
	return "log in with a token that works: utho -p " + quote(s.profile) + " login"
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
	s := &session{a: a, timeout: st.Timeout.Value, kind: c.kind, source: c.source, secret: c.secret}
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

func firstOf(values ...string) string {
	for _, v := range values {
		if v = strings.TrimSpace(v); v != "" {
			return v
		}
	}
	return ""
}

func (a *app) prepareSandbox(s *session) error {
	if a.flags.apiURL != "" {
		return usagef("--api-url has no place beside the sandbox, which is built in").with("leave --api-url out, or use another profile")
	}
	paths, err := a.paths()
	if err != nil {
		return err
	}
	s.profile, s.kind, s.source, s.sandbox = sandboxName, sandboxName, sandboxName, true
	s.baseURL = sandbox.BaseURL
	if s.box, err = sandbox.Open(sandboxFile(paths)); err != nil {
		return err
	}
	return s.setOrigin()
}

func sandboxFile(p config.Paths) string { return filepath.Join(p.State, "sandbox.json") }

// prepareProfile reads a profile. A profile that was named must be there.
func (a *app) prepareProfile(s *session, c choice) error {
	file, err := a.config()
	if err != nil {
		return err
	}
	p, ok := file.Profile(c.profile)
	if !ok && c.named {
		if err := config.ValidName(c.profile); err != nil {
			return usagef("profile %s: %w", quoteText(c.profile), err)
		}
		return failf(exitNotFound, "not_found", "there is no profile %s", quoteText(c.profile)).
			with("make it with: utho -p %s login; see what there is with: utho profile list", quote(c.profile))
	}
	if !ok {
		p = config.Profile{Name: c.profile}
	}
	if s.zone, err = p.Location(); err != nil {
		return err
	}
	s.profile, s.tokenID = p.Name, p.TokenID
	stored := firstOf(p.APIURL, utho.DefaultBaseURL)
	s.baseURL = firstOf(a.flags.apiURL, a.getenv("UTHO_API_URL"), stored)
	if err := s.setOrigin(); err != nil {
		return err
	}
	if len(p.CredentialCommand) > 0 {
		s.kind, s.source = "command", "command"
		return a.bindStored(s, stored)
	}
	s.kind = firstOf(p.Store, config.StoreKeyring)
	s.source = s.kind
	s.store, err = a.store(s.kind)
	if err != nil {
		return err
	}
	if !ok {
		s.store = nil
		return nil
	}
	return a.bindStored(s, stored)
}

// bindStored refuses, by the configuration alone, another address than the
// profile's. That the profile's own address was not edited is the store's to
// see: the origin is kept with the secret. For a credential command, the
// profile's address is all that is known about where its secret belongs.
func (a *app) bindStored(s *session, stored string) error {
	origin, err := utho.Origin(stored)
	if err != nil {
		return usagef("api_url of profile %s: %w", s.profile, err)
	}
	if origin == s.origin {
		return nil
	}
	return a.otherOrigin(s.profile, origin, s.origin)
}

// otherOrigin is the refusal to send a stored secret elsewhere.
func (a *app) otherOrigin(profile, stored, asked string) error {
	return failf(exitAuth, "auth", "the token of profile %s was stored for %s and is not sent to %s; nothing was sent", profile, stored, asked).
		with("to use %s, log in there under a name of its own: utho -p NAME --api-url %s login", asked, quote(asked))
}

// store is the store of a kind, keyring or file.
func (a *app) store(kind string) (auth.Store, error) {
	if kind == config.StoreFile {
		paths, err := a.paths()
		if err != nil {
			return nil, err
		}
		return auth.NewFile(paths.Credentials()), nil
	}
	return a.keyring(), nil
}

func (a *app) keyring() *auth.KeyringStore {
	return auth.NewKeyring(auth.KeyringOptions{
		Terminal: a.canAsk(),
		Waiting:  func(text string) { a.note("%s", text) },
	})
}

// readSecret gets the secret from where the profile keeps it.
func (a *app) readSecret(ctx context.Context, s *session) (err error) {
	switch s.kind {
	case "environment":
		return nil
	case sandboxName:
		s.secret, err = s.box.OperatorSecret(ctx)
		return err
	case "command":
		return a.runCredentialCommand(ctx, s)
	}
	if s.store == nil {
		return a.notLoggedIn(s)
	}
	s.secret, err = s.store.Get(ctx, s.ref())
	return a.storeError(s, err)
}

// storeError says what an error of a store means for a person.
func (a *app) storeError(s *session, err error) error {
	var origin *auth.OriginError
	switch {
	case errors.Is(err, auth.ErrNotFound):
		return a.notLoggedIn(s)
	case errors.As(err, &origin):
		return a.otherOrigin(s.profile, origin.Stored, origin.Asked)
	case err != nil && s.kind == config.StoreFile:
		return failf(exitAuth, "auth", "%w", err)
	}
	return err
}

func (s *session) ref() auth.Ref { return auth.Ref{Profile: s.profile, Origin: s.origin} }

func (a *app) notLoggedIn(s *session) error {
	f := failf(exitAuth, "auth", "not logged in: there is no token for profile %s at %s", s.profile, s.origin)
	if s.store != nil && s.kind == config.StoreKeyring {
		// The address is a part of the key there, so an edited profile and a
		// missing token look alike.
		f.msg += "; one that was stored for another address is not used"
	}
	login := "utho login"
	if a.flags.profile != "" || a.flags.apiURL != "" {
		login = a.command("login")
	}
	return f.with("log in with: %s; or set UTHO_API_KEY; or try it without an account: utho -p sandbox token list", login)
}

func (a *app) runCredentialCommand(ctx context.Context, s *session) error {
	file, err := a.config()
	if err != nil {
		return err
	}
	p, _ := file.Profile(s.profile)
	limit := s.timeout
	if a.terminal() {
		limit = time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	secret, err := auth.Command(ctx, p.CredentialCommand, os.Environ(), a.errFile)
	if err != nil {
		if cause := context.Cause(ctx); errors.As(cause, new(interrupted)) {
			return cause
		}
		return failf(exitAuth, "auth", "credential_command of profile %s: %w", s.profile, err)
	}
	s.secret = secret
	return nil
}

// connect makes the client.
func (s *session) connect() (err error) {
	s.client, err = s.with(s.secret)
	return err
}

// roundTripper is what all clients of the session share: the sandbox itself, or
// connections to the service.
func (s *session) roundTripper() http.RoundTripper {
	switch {
	case s.transport != nil:
	case s.sandbox:
		s.transport = s.box.Transport()
	default:
		t := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}
		if standard, ok := http.DefaultTransport.(*http.Transport); ok {
			t = standard.Clone()
		}
		t.MaxIdleConnsPerHost = deletesAtOnce
		t.MaxResponseHeaderBytes = 1 << 20
		s.transport = t
		if strings.HasPrefix(s.origin, "https:") {
			// The system's roots take some 12 ms to read: let that run beside
			// name resolution and connecting.
			go func() { _, _ = x509.SystemCertPool() }()
		}
	}
	return s.transport
}

// with is a client for the same place with another secret. It shares the
// connections of the first.
func (s *session) with(secret string) (*utho.Client, error) {
	options := []utho.Option{
		utho.WithBaseURL(s.baseURL),
		utho.WithUserAgent(s.a.userAgent()),
		utho.WithHTTPClient(&http.Client{Transport: s.roundTripper()}),
	}
	if s.sandbox { // what it fails with is no passing state of a network
		options = append(options, utho.WithRetry(utho.RetryPolicy{MaxAttempts: 1}))
	}
	if s.zone != nil {
		options = append(options, utho.WithLocation(s.zone))
	}
	if s.a.flags.debug || truthy(s.a.getenv("UTHO_DEBUG")) {
		options = append(options, utho.WithTrace(s.a.trace))
	}
	c, err := utho.New(secret, options...)
	if err != nil {
		if s.kind == "environment" {
			return nil, failf(exitAuth, "auth", "what %s holds cannot be used: %w", s.source, err)
		}
		return nil, failf(exitAuth, "auth", "the credential of profile %s cannot be used: %w", s.profile, err).with("log in again: %s", s.a.command("login"))
	}
	return c, nil
}

func truthy(s string) bool { return s != "" && s != "0" && s != "false" }

// trace shows one exchange on stderr. The client has taken the secrets out.
func (a *app) trace(e utho.Exchange) {
	status := "no answer"
	if e.Status != 0 {
		status = strconv.Itoa(e.Status)
	}
	text := fmt.Sprintf("%s %s: %s in %v", e.Method, e.URL, status, e.Duration.Round(time.Microsecond))
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	a.stderr("utho: debug: " + output.Safe(redact(text)))
	if e.Body != "" {
		a.stderr("utho: debug: " + output.Safe(redact(e.Body)))
	}
}
