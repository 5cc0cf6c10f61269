package cli

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/utho/utho-cli/internal/auth"
	"github.com/utho/utho-cli/internal/config"
)

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

// chooseCredential finds which credential wins. It reads the configuration only where
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
	return choice{kind: "profile", profile: config.DefaultProfile}, nil
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

// replace is how another token takes the credential's place.
func (s *session) replace() string {
	switch s.kind {
	case "environment":
		return "set " + s.source + " to it"
	case "command":
		return "have the credential_command of profile " + s.profile + " print it"
	}
	return "utho -p " + quote(s.profile) + " login"
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
	f.err = auth.ErrNotFound
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
		a.seeSignal()
		if cause := context.Cause(ctx); errors.As(cause, new(interrupted)) {
			return cause
		}
		return failf(exitAuth, "auth", "credential_command of profile %s: %w", s.profile, err)
	}
	s.secret = secret
	return nil
}
