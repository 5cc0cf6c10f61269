package cli

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/utho/utho-cli/internal/auth"
	"github.com/utho/utho-cli/internal/config"
	"github.com/utho/utho-cli/pkg/utho"
)

// choice is which credential wins, before anything secret is read.
type choice struct {
	kind    string   // environment, profile or sandbox
	profile string   // the profile's name; for kind profile
	source  string   // the variable; for kind environment
	secret  string   // for kind environment
	named   bool     // the profile was named by a flag or a variable
	shadows []string // the variables with a credential that would have been used otherwise
	besides string   // the profile of UTHO_PROFILE where it is not used
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

// named are the profiles that --profile and UTHO_PROFILE name; "" for neither.
func (a *app) named() (flag, variable string) {
	return strings.TrimSpace(a.flags.profile), strings.TrimSpace(a.getenv("UTHO_PROFILE"))
}

// warnWinner says what the environment has that wins over a profile in the next
// command.
func (a *app) warnWinner(profile string) {
	variable, _, _ := a.environmentCredential()
	_, other := a.named()
	switch {
	case variable != "" && !strings.EqualFold(other, sandboxName):
		a.note("warning: %s is set and still wins over this profile", variable)
	case other != "" && !strings.EqualFold(other, profile):
		a.note("warning: UTHO_PROFILE=%s is set and still wins over this profile", other)
	}
}

// chooseCredential finds which credential wins. It reads the configuration only where
// neither a flag nor a variable decides.
func (a *app) chooseCredential() (choice, error) {
	variable, secret, both := a.environmentCredential()
	flag, fromEnv := a.named()
	var others []string
	if variable != "" {
		others = append(others, variable)
	}
	if both {
		others = append(others, "UTHO_TOKEN")
	}
	switch {
	case strings.EqualFold(flag, sandboxName):
		return choice{kind: sandboxName, shadows: others, besides: fromEnv}, nil
	case flag != "":
		return choice{kind: "profile", profile: flag, named: true, shadows: others, besides: fromEnv}, nil
	case strings.EqualFold(fromEnv, sandboxName):
		return choice{kind: sandboxName, shadows: others}, nil
	case secret != "":
		if both {
			a.warnOnce("UTHO_API_KEY and UTHO_TOKEN hold different values; UTHO_API_KEY is used")
		}
		if fromEnv != "" {
			a.warnOnce("%s is used; UTHO_PROFILE=%s has no effect beside it", variable, fromEnv)
		}
		return choice{kind: "environment", source: variable, secret: secret, shadows: others[1:], besides: fromEnv}, nil
	case fromEnv != "":
		return choice{kind: "profile", profile: fromEnv, named: true}, nil
	}
	file, err := a.profiles()
	if err != nil {
		return choice{}, err
	}
	return choice{kind: "profile", profile: firstOf(file.Current(), config.DefaultProfile)}, nil
}

// profiles is the configuration for what needs its profiles.
func (a *app) profiles() (*config.File, error) {
	file, err := a.config()
	if err == nil {
		err = file.Reachable()
	}
	return file, err
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
	return "log in with a token that works: " + s.a.loginTo(s.profile)
}

// replace is how another token takes the credential's place.
func (s *session) replace() string {
	switch s.kind {
	case "environment":
		return "set " + s.source + " to it"
	case "command":
		return "have the credential_command of profile " + s.profile + " print it"
	}
	return s.a.loginTo(s.profile)
}

// loginTo is the command that logs in to a profile at the address of this one.
func (a *app) loginTo(profile string) string {
	line := "utho -p " + quote(profile)
	if url := a.typedAddress(); url != "" {
		line += " --api-url " + quote(url)
	}
	return line + " login"
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

// profileStore is where a profile's token comes from.
func profileStore(p config.Profile) string {
	if len(p.CredentialCommand) > 0 {
		return "command"
	}
	return firstOf(p.Store, config.StoreKeyring)
}

// addressOf is the base URL of a profile.
func addressOf(p config.Profile) string { return firstOf(p.APIURL, utho.DefaultBaseURL) }

// secretOf is where a profile keeps its secret. The store is nil where there can
// be none: a command supplies it, or the keyring, of whose keys the address is a
// part, is used with one that login refuses.
func (a *app) secretOf(p config.Profile) (auth.Store, auth.Ref, error) {
	ref := auth.Ref{Profile: p.Name}
	kind := profileStore(p)
	if kind == "command" {
		return nil, ref, nil
	}
	var err error
	if ref.Origin, err = utho.Origin(addressOf(p)); err != nil {
		if kind == config.StoreKeyring {
			return nil, ref, nil
		}
		ref.Origin = "unknown" // the file is found by the profile's name alone
	}
	store, err := a.store(kind)
	return store, ref, err
}

// removeSecret removes a profile's secret, and tells whether there was one.
func (a *app) removeSecret(ctx context.Context, p config.Profile) (bool, error) {
	store, ref, err := a.secretOf(p)
	if err != nil || store == nil {
		return false, err
	}
	err = store.Delete(ctx, ref)
	if errors.Is(err, auth.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// hold keeps every other utho from changing a secret or what the configuration
// says of it, until release. The file is as it is then.
func (a *app) hold(ctx context.Context) (file *config.File, release func(), err error) {
	paths, err := a.paths()
	if err != nil {
		return nil, nil, err
	}
	waiting := time.AfterFunc(2*time.Second, func() { a.note("waiting for another login or logout of yours to end") })
	release, err = config.Hold(ctx, paths)
	waiting.Stop()
	if err != nil {
		return nil, nil, err
	}
	if file, err = config.Load(paths.File()); err != nil {
		release()
		return nil, nil, err
	}
	return file, release, nil
}

// tryEdit tries hold and a change of the configuration, before anything is made
// that needs them. Nothing is changed.
func (a *app) tryEdit(ctx context.Context, edit func(*config.Edit) error) error {
	_, release, err := a.hold(ctx)
	if err != nil {
		return err
	}
	release()
	paths, err := a.paths()
	if err != nil {
		return err
	}
	return config.Try(ctx, paths, edit)
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
		ctx, cancel := context.WithTimeout(ctx, s.timeout)
		defer cancel()
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
		return s.otherOrigin(origin.Stored)
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
	return f.with("log in with: %s; or set UTHO_API_KEY; or try it without an account: utho -p sandbox token list", a.command("login"))
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
