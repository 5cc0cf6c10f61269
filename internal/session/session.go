package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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
	"github.com/utho/utho-cli/internal/problem"
	"github.com/utho/utho-cli/internal/sandbox"
	"github.com/utho/utho-cli/pkg/utho"
)

// Session is a credential, the place that it is for, and the client that uses it.
type Session struct {
	lifecycle.Session
	Credential
	BaseURL string
	Origin  string           // scheme, host and port
	Zone    *time.Location   // of the service's time stamps; nil for the default
	Item    auth.Item        // the secret, once it was read, and what is known of its token
	Box     *sandbox.Sandbox // of the profile sandbox
}

// Connect finds settings, credential and client. Nothing has been sent when it returns.
func (e *Env) Connect(ctx context.Context) (*Session, error) {
	s, err := e.Locate()
	if err != nil {
		return nil, err
	}
	if err := e.ReadSecret(ctx, s); err != nil {
		return nil, err
	}
	return s, e.Use(s)
}

// Locate is connect without the secret: whatever is wrong with flags, environment and configuration is found here.
func (e *Env) Locate() (*Session, error) {
	c, err := e.ChooseCredential()
	if err != nil {
		return nil, err
	}
	return e.New(c)
}

// New is a session for a credential, at the address that flags, environment and profile agree on.
func (e *Env) New(c Credential) (*Session, error) {
	st, err := e.Settings()
	if err != nil {
		return nil, err
	}
	s := &Session{Credential: c}
	e.Session = s
	s.Timeout, s.Warn, s.Waiting = st.Timeout, e.Console.Warn, e.Console.Wait
	if c.Kind == SandboxName {
		if e.Flags.APIURL != "" {
			return nil, problem.Usagef("--api-url has no place beside the sandbox, which is built in").
				Hintf("leave --api-url out, or use another profile")
		}
		s.BaseURL = sandbox.BaseURL
		s.Box, err = e.Sandbox()
	} else {
		s.BaseURL = cmp.Or(strings.TrimSpace(e.Flags.APIURL), strings.TrimSpace(os.Getenv("UTHO_API_URL")), AddressOf(c.Profile))
		s.Zone, err = c.Profile.Location()
	}
	if err != nil {
		return nil, err
	}
	e.Route = Route{} // repeats the profile if one was named, and the address if it is not the profile's
	if s.Typed != "" {
		e.Route.Profile = s.Profile.Name
	}
	if s.BaseURL != AddressOf(s.Profile) {
		e.Route.APIURL = s.BaseURL
	}
	s.Origin, err = OriginOf(s.BaseURL)
	return s, err
}

// otherOrigin is the refusal to send a secret elsewhere than to the place it was stored for.
func (s *Session) otherOrigin(stored string) error {
	err := problem.New(problem.Auth, "the token of profile %s was stored for %s and is not sent to %s; nothing was sent",
		s.Profile.Name, stored, s.Origin)
	return problem.Hintf(err, "log in there under a name of its own: utho -p NAME --api-url %s login", output.Quote(s.BaseURL))
}

// Ref is where a store keeps the secret of the session.
func (s *Session) Ref() auth.Ref { return auth.Ref{Profile: s.Profile.Name, Origin: s.Origin} }

// ReadSecret gets the secret from its source, if it may go where the session leads.
func (e *Env) ReadSecret(ctx context.Context, s *Session) (err error) {
	if s.Exists && s.BaseURL != AddressOf(s.Profile) {
		switch stored, err := OriginOf(AddressOf(s.Profile)); {
		case err != nil:
			return problem.Usagef("api_url of profile %s: %w", s.Profile.Name, err).
				Hintf("fix it in the configuration, or log in again: %s", e.Route.Command("login"))
		case stored != s.Origin:
			return s.otherOrigin(stored)
		}
	}
	switch {
	case s.Kind == KindEnvironment && s.Source == KeyFileVariable:
		if s.Item.Secret, err = auth.ReadKeyFile(os.Getenv(KeyFileVariable)); err != nil {
			return problem.New(problem.Auth, "%s: %w", KeyFileVariable, err).
				Hintf("write the token into that file, alone on its one line, or unset %s", KeyFileVariable)
		}
	case s.Kind == KindEnvironment:
		s.Item.Secret = FromVariable(s.Source)
	case s.Kind == SandboxName:
		limited, cancel := context.WithTimeout(ctx, s.Timeout)
		defer cancel()
		s.Item.Secret, err = s.Box.OperatorSecret(limited)
	case s.Kind == KindCommand && e.Silent:
		err = auth.ErrLocked
	case s.Kind == KindCommand:
		s.Item.Secret, err = e.runCredentialCommand(ctx, s)
	case !s.Exists:
		err = e.notLoggedIn(s)
	default:
		read := e.Store(s.Kind).Get
		if e.Silent {
			read = e.Store(s.Kind).Peek
		}
		s.Item, err = read(ctx, s.Ref())
		var origin *auth.OriginError
		switch {
		case errors.Is(err, auth.ErrNotFound):
			err = e.notLoggedIn(s)
		case errors.As(err, &origin):
			err = s.otherOrigin(origin.Stored)
		case err != nil && s.Kind == config.StoreFile:
			err = problem.Of(problem.Auth, err)
		}
	}
	if err == nil {
		e.Console.Hide(s.Item.Secret)
	}
	return err
}

// notLoggedIn is auth.ErrNotFound in other words.
func (e *Env) notLoggedIn(s *Session) error {
	text := fmt.Sprintf("not logged in: profile %s has no token for %s", s.Profile.Name, s.Origin)
	for _, name := range Variables {
		if value, set := os.LookupEnv(name); set && strings.TrimSpace(value) == "" { // as in CI, if a secret is not there
			text += ", and " + name + " is empty"
			break
		}
	}
	err, login := problem.Reworded(auth.ErrNotFound, text), e.Route.Command("login")
	var names []string
	for _, other := range e.file.Profiles() {
		if !strings.EqualFold(other.Name, s.Profile.Name) {
			names = append(names, other.Name)
		}
	}
	if len(names) > 0 {
		return problem.Hintf(err, "log in with: %s; or choose another profile (%s) with: utho profile use NAME", login, strings.Join(names, ", "))
	}
	return problem.Hintf(err, "log in with: %s; or set UTHO_API_KEY; or try it without an account: utho -p sandbox token list", login)
}

func (e *Env) runCredentialCommand(ctx context.Context, s *Session) (string, error) {
	limit := s.Timeout
	if e.Console.Terminal() {
		limit = time.Minute
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	secret, err := auth.Command(limited, s.Profile.CredentialCommand, os.Environ(), e.Console.Err)
	if err == nil {
		return secret, nil
	}
	if e.Console.Terminal() { // Ctrl-C reaches both at once, and its end may be seen first
		wait, stop := context.WithTimeout(ctx, 200*time.Millisecond)
		<-wait.Done()
		stop()
	}
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	return "", problem.New(problem.Auth, "credential_command of profile %s: %w", s.Profile.Name, err)
}

// Use connects the session: nothing is sent yet.
func (e *Env) Use(s *Session) (err error) {
	if strings.HasPrefix(s.Item.Secret, sandbox.SecretPrefix) && !isLoopback(s.Origin) {
		return problem.New(problem.Auth, "this is a token of the sandbox, which is only sent to this machine, not to %s; nothing was sent",
			s.Origin).
			Hintf("use the sandbox with: utho -p sandbox token list")
	}
	options := []utho.Option{
		utho.WithBaseURL(s.BaseURL),
		utho.WithUserAgent("utho/" + e.Version() + " (" + runtime.GOOS + "/" + runtime.GOARCH + ")"),
	}
	if s.Box != nil {
		options = append(options, utho.WithTransport(s.Box.Transport()))
	}
	if s.Box != nil || e.Silent { // what the sandbox fails with is no passing state of a network, and Tab does not wait for one
		options = append(options, utho.WithRetry(utho.RetryPolicy{MaxAttempts: 1}))
	}
	if s.Zone != nil {
		options = append(options, utho.WithLocation(s.Zone))
	}
	if e.Debugging() {
		options = append(options, utho.WithRequestHook(e.trace))
	}
	s.Client, err = utho.New(s.Item.Secret, options...)
	if errors.Is(err, utho.ErrInvalidSecret) {
		return problem.New(problem.Auth, "the token from %s cannot be used: %w", s.From(), err).
			Hintf("a token is one word; for one that works: %s", s.Replace(e.Route))
	}
	return err
}

// From names the source of the credential in a sentence.
func (s *Session) From() string {
	if s.Profile.Name == "" {
		return s.Source
	}
	return "profile " + s.Profile.Name
}

// Replace is how another token takes the credential's place.
func (s *Session) Replace(r Route) string {
	switch {
	case s.Source == KeyFileVariable:
		return "write it into the file that " + s.Source + " names"
	case s.Kind == KindEnvironment:
		return "set " + s.Source + " to it"
	case s.Kind == KindCommand:
		return "have the credential_command of profile " + s.Profile.Name + " print it"
	}
	return r.Command("login")
}

// isLoopback reports whether an origin is this machine's literally: http may go there.
func isLoopback(origin string) bool {
	_, host, _ := strings.Cut(origin, "://")
	_, err := utho.ParseBaseURL("http://" + host)
	return err == nil
}

// Debugging reports whether requests and answers are shown.
func (e *Env) Debugging() bool {
	if e.Flags.Set.Changed("debug") {
		return e.Flags.Debug
	}
	return !slices.Contains([]string{"", "0", "false"}, os.Getenv("UTHO_DEBUG"))
}

// trace shows one exchange on stderr. The client has taken the secrets out.
func (e *Env) trace(x utho.Exchange) {
	status, failed := "no answer", ""
	if x.StatusCode != 0 {
		status = strconv.Itoa(x.StatusCode)
	}
	if x.Err != nil {
		failed = ": " + x.Err.Error()
	}
	e.Console.Note("debug: %s %s: %s in %v%s", x.Method, x.URL, status, x.Duration.Round(time.Microsecond), failed)
	if x.Body != "" {
		e.Console.Note("debug: %s", x.Body)
	}
}
