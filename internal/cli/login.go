package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/utho/utho-cli/internal/auth"
	"github.com/utho/utho-cli/internal/config"
	"github.com/utho/utho-cli/pkg/utho"
)

// maxInput bounds what login reads from stdin, in bytes.
const maxInput = 64 << 10

// loginRequest is what `login` was asked.
type loginRequest struct {
	withToken bool
	store     string
	importing string // auto, or the path to import from
}

func (a *app) loginCommand() *cobra.Command {
	var req loginRequest
	cmd := &cobra.Command{
		Use:   "login",
		Short: "Log in with an API token",
		Long: `Log in with an API token made at ` + consoleURL + `.
Creating and deleting tokens needs one with Write access.

On a terminal the token is asked for and not shown; otherwise it is read from
stdin. It is proved with a request before it is kept, in the keyring of the
operating system or, with --store file, in a file that only you can read.`,
		Example: `  utho login
  echo "$TOKEN" | utho login --with-token
  utho -p staging login --store file
  utho login --import`,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 && req.importing != "" {
			return usagef("utho login takes no arguments").with("the file to import from goes behind an equals sign: utho login --import=PATH")
		}
		return a.none(cmd, args)
	}
	f := cmd.Flags()
	f.BoolVar(&req.withToken, "with-token", false, "read the token from stdin, without a question")
	f.Var(wordFlag{&req.store, "STORE", []string{config.StoreKeyring, config.StoreFile}}, "store", "where to keep it: keyring or file (default what the profile has, else keyring)")
	f.Var(filledFlag{&req.importing, "PATH", "the path is empty; without =PATH it looks where the other tools keep their tokens"}, "import", "take the token that uthoctl or the community tool holds; --import=PATH names the file")
	f.Lookup("import").NoOptDefVal = "auto"
	_ = cmd.RegisterFlagCompletionFunc("store", fixed(config.StoreKeyring, config.StoreFile))
	cmd.RunE = a.body(func(ctx context.Context, _ []string) error { return a.login(ctx, req) })
	return cmd
}

func (a *app) login(ctx context.Context, req loginRequest) error {
	format, err := a.format(docFormats)
	if err != nil {
		return err
	}
	if req.withToken && req.importing != "" {
		return usagef("login takes the token from --with-token or from --import, not both")
	}
	s, profile, err := a.loginTarget(req)
	if err != nil {
		return err
	}
	// The store and the configuration are tried first, so that a token shown
	// once is not pasted in vain.
	if err := s.store.Probe(ctx, s.ref()); err != nil {
		what := "keyring"
		switch {
		case errors.As(err, new(interrupted)):
			return err
		case s.kind == config.StoreFile:
			what = "file store"
		}
		return fmt.Errorf("the %s cannot keep a token: %w", what, err)
	}
	if err := a.tryEdit(ctx, makeCurrent(profile)); err != nil {
		return fmt.Errorf("the profile cannot be kept: %w", err)
	}
	if s.secret, err = a.readToken(ctx, s, req); err != nil {
		return err
	}
	if s.client, err = s.with(s.secret); err != nil {
		return failf(exitAuth, "auth", "this token cannot be used: %w", errors.Unwrap(err))
	}
	if _, err := s.list(ctx); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx) // a signal
		}
		f := classify(err)
		f.msg = fmt.Sprintf("the token cannot be proved; nothing was saved: %v", err)
		if f.exit == exitAuth {
			f.msg = fmt.Sprintf("%s does not accept the token; nothing was saved: %v", s.origin, err)
		}
		if f.code == "auth" {
			f.hint = "make a token at " + consoleURL + " and try again"
		}
		return f
	}
	if err := a.saveLogin(ctx, s, profile); err != nil {
		return err
	}
	account := a.account(ctx, s)
	a.note("logged in to %s%s; the token is kept in %s for profile %s", s.origin, asWhom(account), placeOf(s), s.profile)
	a.warnWinner(s.profile)
	if format == formatTable {
		return nil
	}
	return a.doc(format, a.statusDoc(s, true, account))
}

func asWhom(ac *accountDoc) string {
	if ac == nil {
		return ""
	}
	for _, who := range []string{ac.Email, ac.Name, ac.ID} {
		if who != "" {
			return " as " + who
		}
	}
	return ""
}

func placeOf(s *session) string {
	if s.kind == config.StoreFile {
		return "a file that only you can read"
	}
	return "the keyring"
}

// loginTarget is the profile to log in to, and the store its token goes to.
// The secret is empty.
func (a *app) loginTarget(req loginRequest) (*session, config.Profile, error) {
	none := config.Profile{}
	flag, variable := a.named()
	file, err := a.profiles()
	if err != nil {
		return nil, none, err
	}
	name := firstOf(flag, variable, file.Current(), config.DefaultProfile)
	if strings.EqualFold(name, sandboxName) {
		return nil, none, usagef("the sandbox needs no login").with("utho -p sandbox token list")
	}
	if err := config.ValidName(name); err != nil {
		return nil, none, usagef("%w", err)
	}
	p, ok := file.Profile(name)
	if !ok {
		p = config.Profile{Name: name}
	}
	switch {
	case req.store != "":
		p.Store, p.CredentialCommand = req.store, nil
	case len(p.CredentialCommand) > 0:
		return nil, none, usagef("profile %s takes its token from its credential_command, so there is nothing to log in", p.Name).
			with("to keep a token instead: %s --store keyring", a.command("login"))
	}
	p.Store = profileStore(p)
	s := &session{a: a, profile: p.Name, kind: p.Store, source: p.Store}
	s.baseURL = firstOf(a.flags.apiURL, a.getenv("UTHO_API_URL"), addressOf(p))
	if err := s.setOrigin(); err != nil {
		return nil, none, err
	}
	p.APIURL, p.TokenID = s.baseURL, ""
	st, err := a.loadSettings()
	if err != nil {
		return nil, none, err
	}
	s.timeout = st.Timeout.Value
	if s.zone, err = p.Location(); err != nil {
		return nil, none, err
	}
	s.store, err = a.store(p.Store)
	return s, p, err
}

// readToken gets the token from a prompt, stdin or another tool's file.
func (a *app) readToken(ctx context.Context, s *session, req loginRequest) (string, error) {
	var raw []byte
	var err error
	// Here stdin alone decides: what is typed there must not be shown, wherever
	// stderr goes.
	ask := !req.withToken && term.IsTerminal(int(a.in.Fd()))
	switch {
	case req.importing != "":
		return a.importToken(req.importing)
	case ask && a.flags.noInput:
		words := []string{"login", "--with-token"}
		if req.store != "" {
			words = append(words, "--store", req.store)
		}
		return "", usagef("login asks for the token, and --no-input forbids it").with("pipe it: %s", a.command(words...))
	case ask:
		a.note("make a token at %s; creating and deleting tokens needs Write access", consoleURL)
		// A variable that somebody else set must not lead a new token astray unseen.
		if usual, _ := utho.Origin(utho.DefaultBaseURL); s.origin != usual {
			a.note("it will be sent to %s", s.origin)
		}
		raw, err = a.askSecret(ctx, "Paste the token: ")
	default:
		raw, err = await(ctx, func() ([]byte, error) { return io.ReadAll(io.LimitReader(a.in, maxInput+1)) })
	}
	if err != nil {
		return "", err
	}
	if len(raw) > maxInput {
		return "", usagef("what stdin gave is too long for a token; nothing was saved")
	}
	secret, notes, err := auth.Clean(raw)
	switch {
	case errors.Is(err, auth.ErrEmpty):
		return "", usagef("no token was given; nothing was saved").with("make one at %s", consoleURL)
	case err != nil:
		return "", usagef("%w; nothing was saved", err)
	}
	for _, n := range notes {
		a.note("%s", n)
	}
	return secret, nil
}

// saveLogin keeps the proved token and makes the profile current. Where that
// fails half-way, what was stored is put back.
func (a *app) saveLogin(ctx context.Context, s *session, p config.Profile) error {
	paths, err := a.paths()
	if err != nil {
		return err
	}
	file, release, err := a.hold(ctx)
	if err != nil {
		return fmt.Errorf("save the token: %w", err)
	}
	defer release()
	// Ctrl-C from here on still puts back what was there.
	unshield, err := a.sig.shield()
	if err != nil {
		return err
	}
	defer unshield()
	before, had := file.Profile(p.Name)
	old := s.ref()
	previous, err := s.store.Get(ctx, old)
	var other *auth.OriginError
	if errors.As(err, &other) { // Set replaces that too
		old.Origin = other.Stored
		previous, err = s.store.Get(ctx, old)
	}
	if err != nil {
		previous = ""
	}
	if err := s.store.Set(ctx, s.ref(), s.secret); err != nil {
		if previous != "" {
			err = errors.Join(err, s.store.Set(a.sig.hard, old, previous))
		}
		return fmt.Errorf("save the token: %w", err)
	}
	if err := config.Update(ctx, paths, makeCurrent(p)); err != nil {
		if previous != "" {
			err = errors.Join(err, s.store.Set(a.sig.hard, old, previous))
		} else {
			err = errors.Join(err, s.store.Delete(a.sig.hard, s.ref()))
		}
		return fmt.Errorf("save the profile: %w", err)
	}
	if had {
		a.dropOldSecret(ctx, s, before)
	}
	return nil
}

// makeCurrent writes a profile down and makes it the current one.
func makeCurrent(p config.Profile) func(*config.Edit) error {
	return func(e *config.Edit) error {
		if err := e.SetProfile(p); err != nil {
			return err
		}
		return e.SetCurrent(p.Name)
	}
}

// dropOldSecret removes what the profile had in another store or for another
// address. It could not be used any more.
func (a *app) dropOldSecret(ctx context.Context, s *session, before config.Profile) {
	kind := profileStore(before)
	_, old, err := a.secretOf(before)
	if err == nil && kind == s.kind && (kind == config.StoreFile || auth.SameItem(old, s.ref())) {
		return // the new one has taken its place
	}
	if err == nil {
		_, err = a.removeSecret(ctx, before)
	}
	if err != nil {
		a.note("warning: the token this profile had before could not be removed from the %s: %v", kind, err)
	}
}

// account is who is logged in, where the service tells it soon.
func (a *app) account(ctx context.Context, s *session) *accountDoc {
	ctx, cancel := context.WithTimeout(ctx, min(5*time.Second, s.timeout))
	defer cancel()
	ac, err := s.client.Account(ctx)
	if err != nil {
		return nil
	}
	return &accountDoc{ID: ac.ID, Email: ac.Email, Name: ac.Name}
}

// importToken takes the token that another tool holds.
func (a *app) importToken(from string) (string, error) {
	var found auth.Import
	var err error
	rest, atHome := strings.CutPrefix(from, "~/") // no shell expands it behind the equals sign
	switch {
	case from == "auto":
		found, err = auth.FindImport(a.getenv)
	case atHome:
		var home string
		if home, err = os.UserHomeDir(); err == nil {
			found, err = auth.ReadImport(filepath.Join(home, rest))
		}
	default:
		found, err = auth.ReadImport(from)
	}
	if err != nil {
		switch {
		case errors.As(err, new(*auth.BothError)):
			return "", usagef("%w", err).with("choose one with --import=PATH")
		case errors.As(err, new(*auth.NoImportError)):
			return "", failf(exitError, "error", "import: %w", err).with("another file is named with --import=PATH; without --import, login asks for the token")
		}
		return "", err
	}
	a.note("found the token of %s in %s; that file still holds it", found.Tool, found.Path)
	for _, n := range found.Notes {
		a.note("%s", n)
	}
	if found.Open {
		a.note("warning: others can read %s; mend it with: chmod 600 %s", found.Path, quote(found.Path))
	}
	return found.Secret, nil
}
