package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/auth"
	"github.com/utho/utho-cli/internal/config"
	"github.com/utho/utho-cli/pkg/utho"
)

// loginRequest is what `login` was asked for.
type loginRequest struct {
	withToken bool
	store     string
	from      string // auto, or the path to import from
	own       bool
	name      string
	lifetime  time.Duration
}

func newLogin(p *program) *cobra.Command {
	var r loginRequest
	cmd := &cobra.Command{
		Use:   "login",
		Short: "Log in with an API token",
		Long: `Log in with an API token, which you create at ` + consoleURL + `.
Creating and deleting tokens needs one with Write access.

On a terminal the token is asked for and not shown; otherwise the first line of
stdin is it. It is verified with a request and then kept in the keyring of your
system or, with --store file, in a file that only you can read.

--own-token uses it once to create a token for this machine, and keeps that one:
utho then knows its id, and can rotate (token rotate --self) and revoke it
(logout --revoke).`,
		Example: `  utho login
  utho login --own-token --expires-in 90d
  utho login --with-token < token.txt
  utho -p staging login --store file
  utho login --import`,
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) > 0 && r.from != "":
			return hintf(usagef("login takes no arguments"), "the file to import from goes behind an equals sign: utho login --import=PATH")
		case len(args) > 0 && len(args[0]) > 16:
			return hintf(usagef("login takes no arguments; if that was a token, it is in the history of your shell now"),
				"delete it there, then paste it at the prompt of: %s", p.route.command("login"))
		}
		return noArgs(cmd, args)
	}
	f := cmd.Flags()
	f.BoolVar(&r.withToken, "with-token", false, "read the token from stdin, without a question")
	f.Var(enumFlag(&r.store, "STORE", []string{config.StoreKeyring, config.StoreFile}), "store", "where to keep it: keyring or file (default what the profile has, else keyring)")
	f.Var(nonEmptyFlag(&r.from, "PATH", "the path is empty; without =PATH it looks where the other tools keep their tokens"), "import", "take the token of uthoctl or the community tool; --import=PATH names the file")
	f.Lookup("import").NoOptDefVal = "auto"
	_ = cmd.MarkFlagFilename("import") // fails only for a flag that is not there
	f.BoolVar(&r.own, "own-token", false, "create a token for this machine and keep that one")
	f.Var(nonEmptyFlag(&r.name, "NAME", "the name is empty"), "name", "with --own-token: its name (default utho-USER@HOST)")
	f.Var(durationFlag(&r.lifetime), "expires-in", "with --own-token: write an expiry into its name: 90m, 36h, 30d, 12w")
	_ = cmd.RegisterFlagCompletionFunc("store", fixed(config.StoreKeyring, config.StoreFile))
	cmd.RunE = p.runE(func(ctx context.Context, _ []string) error { return p.login(ctx, r) })
	return cmd
}

func (p *program) login(ctx context.Context, r loginRequest) error {
	format, err := p.format(documentFormats)
	if err != nil {
		return err
	}
	switch {
	case r.withToken && r.from != "":
		return usagef("login takes the token from --with-token or from --import, not both")
	case !r.own && (r.name != "" || r.lifetime > 0):
		return usagef("--name and --expires-in go with --own-token")
	case r.name != "":
		if err := checkName(r.name); err != nil {
			return err
		}
	}
	s, err := p.loginTarget(r)
	if err != nil {
		return err
	}
	book, err := p.book()
	if err != nil {
		return err
	}
	// The store and the configuration are tried first, so that a token shown once is not
	// pasted in vain.
	if err := book.Check(ctx, s.profile, s.ref()); err != nil {
		if err = p.offerFileStore(ctx, s, r, err); err != nil {
			return err
		}
		if err := book.Check(ctx, s.profile, s.ref()); err != nil {
			return err
		}
	}
	if s.item.Secret, err = p.readToken(ctx, s, r); err != nil {
		return err
	}
	p.secrets = append(p.secrets, s.item.Secret)
	if err := p.use(s); err != nil {
		return err
	}
	if err := p.verifyLogin(ctx, s); err != nil {
		return err
	}
	if r.own {
		err = p.loginOwn(ctx, s, r)
	} else {
		err = p.keepLogin(ctx, s)
	}
	if err != nil {
		return err
	}
	account := p.account(ctx, s)
	p.console.note("logged in to %s%s; the token is kept in %s for profile %s", s.origin, asWhom(account), placeOf(s.kind), s.profile.Name)
	p.warnShadowed(s.profile.Name)
	if format == formatTable {
		return nil
	}
	return p.document(format, newStatusDoc(s, true, account))
}

// verifyLogin has the service accept the token, before anything is saved.
func (p *program) verifyLogin(ctx context.Context, s *session) error {
	_, err := s.List(ctx)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case rejected(err):
		return hintf(fmt.Errorf("%s does not accept the token; nothing was saved: %w", s.origin, err), "create a token at %s and try again", consoleURL)
	}
	return fmt.Errorf("the token could not be verified; nothing was saved: %w", err)
}

// keepLogin saves the token that was pasted. A signal does not cut it in half.
func (p *program) keepLogin(ctx context.Context, s *session) error {
	book, err := p.book()
	if err != nil {
		return err
	}
	end, err := p.signals.protect()
	if err != nil {
		return err
	}
	defer end()
	before, err := book.Save(ctx, s.profile, s.ref(), s.item, true)
	if err != nil {
		return err
	}
	p.saidCurrent(before, s.profile.Name)
	return nil
}

// saidCurrent names the profile that was current before.
func (p *program) saidCurrent(before, now string) {
	if before != "" && !strings.EqualFold(before, now) {
		p.console.note("profile %s is now the current one; before it was %s", now, before)
	}
}

func asWhom(a *accountDoc) string {
	if a == nil {
		return ""
	}
	if who := firstOf(a.Email, a.Name, a.ID); who != "" {
		return " as " + who
	}
	return ""
}

func placeOf(kind string) string {
	if kind == config.StoreFile {
		return "a file that only you can read"
	}
	return "the keyring"
}

// loginTarget is the profile to log in to, and the place its token is for. The secret is
// empty.
func (p *program) loginTarget(r loginRequest) (*session, error) {
	st, err := p.settings()
	if err != nil {
		return nil, err
	}
	file, err := p.profiles()
	if err != nil {
		return nil, err
	}
	flag, variable := p.named()
	name := firstOf(flag, variable, file.Current(), config.DefaultProfile)
	if strings.EqualFold(name, sandboxName) {
		return nil, hintf(usagef("the sandbox needs no login"), "try it: utho -p sandbox token list")
	}
	if err := config.ValidName(name); err != nil {
		return nil, &usageError{err}
	}
	profile, ok := file.Profile(name)
	if !ok {
		profile = config.Profile{Name: name}
	}
	switch {
	case r.store != "":
		profile.Store, profile.CredentialCommand = r.store, nil
	case len(profile.CredentialCommand) > 0:
		return nil, hintf(usagef("profile %s takes its token from its credential_command, so there is nothing to log in", profile.Name),
			"to keep a token instead: %s --store keyring", p.route.loginTo(profile.Name))
	}
	profile.Store = storeOf(profile)
	s := &session{credential: credential{kind: profile.Store, source: profile.Store, exists: ok, typed: firstOf(flag, variable)}}
	s.baseURL = firstOf(p.flags.apiURL, os.Getenv("UTHO_API_URL"), addressOf(profile))
	if s.origin, err = originOf(s.baseURL); err != nil {
		return nil, hintf(err, "the default is %s", utho.DefaultBaseURL)
	}
	if s.zone, err = profile.Location(); err != nil {
		return nil, err
	}
	profile.APIURL = s.baseURL
	s.profile = profile
	p.session = s
	s.Timeout, s.Warn, s.Waiting = st.Timeout, p.console.warn, p.console.wait
	p.route = route{profile: s.typed, apiURL: p.flags.apiURL}
	return s, nil
}

// offerFileStore asks whether a file may take the place of a keyring that cannot be used.
// Without a terminal, or if a store was named, there is never a silent fallback.
func (p *program) offerFileStore(ctx context.Context, s *session, r loginRequest, cause error) error {
	var unusable *auth.KeyringError
	if !errors.As(cause, &unusable) || r.store != "" || !p.console.canAsk() {
		return cause
	}
	p.console.note("%v", cause)
	if err := p.console.ask(ctx, "Keep the token in a file that only you can read instead?"); err != nil {
		return err
	}
	s.profile.Store, s.kind, s.source = config.StoreFile, config.StoreFile, config.StoreFile
	return nil
}

// account is who is logged in, if the service says so soon.
func (p *program) account(ctx context.Context, s *session) *accountDoc {
	limited, cancel := context.WithTimeout(ctx, min(5*time.Second, s.Timeout))
	defer cancel()
	defer p.console.wait("waiting for the account")()
	a, err := s.Client.Account(limited)
	if err != nil {
		return nil
	}
	return &accountDoc{ID: a.ID, Email: a.Email, Name: a.Name}
}

// whose names the account and the credential, at the point of no return.
func (p *program) whose(ctx context.Context, s *session) string {
	if s.box != nil {
		return "the sandbox"
	}
	if a := p.account(ctx, s); a != nil {
		if who := firstOf(a.Email, a.Name, a.ID); who != "" {
			return who + " (" + s.from() + ")"
		}
	}
	return s.from()
}
