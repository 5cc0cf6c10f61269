package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/auth"
	"github.com/utho/utho-cli/internal/config"
	"github.com/utho/utho-cli/internal/output"
	"github.com/utho/utho-cli/internal/problem"
	"github.com/utho/utho-cli/internal/profiles"
	"github.com/utho/utho-cli/internal/session"
	"github.com/utho/utho-cli/internal/terminal"
	"github.com/utho/utho-cli/pkg/utho"
)

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
		Use: "login", Short: "Log in with an API token",
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
		Args: noArgs,
	}
	f, stores := cmd.Flags(), []string{config.StoreKeyring, config.StoreFile}
	f.BoolVar(&r.withToken, "with-token", false, "read the token from stdin, without a question")
	f.Var(enumFlag(&r.store, "STORE", stores), "store", "where to keep it: keyring or file (default what the profile has, else keyring)")
	f.Var(nonEmptyFlag(&r.from, "", "the path is empty; without =PATH it looks where the other tools keep their tokens"),
		"import", "take the token of uthoctl or the community tool; --import=PATH names the file")
	f.Lookup("import").NoOptDefVal = "auto"
	_ = cmd.MarkFlagFilename("import") // fails only for a flag that is not there
	f.BoolVar(&r.own, "own-token", false, "create a token for this machine and keep that one")
	f.Var(nonEmptyFlag(&r.name, "NAME", "the name is empty"), "name", "with --own-token: its name (default utho-USER@HOST)")
	f.Var(durationFlag(&r.lifetime), "expires-in", "with --own-token: write an expiry into its name: 90m, 36h, 30d, 12w")
	_ = cmd.RegisterFlagCompletionFunc("store", fixed(stores...))
	cmd.RunE = p.documentE(func(ctx context.Context, f format, _ []string) error { return p.login(ctx, f, r) })
	return cmd
}

func (p *program) login(ctx context.Context, f format, r loginRequest) error {
	switch {
	case r.withToken && r.from != "":
		return problem.Usagef("login takes the token from --with-token or from --import, not both")
	case !r.own && (r.name != "" || r.lifetime > 0):
		return problem.Usagef("--name and --expires-in go with --own-token")
	case r.name != "":
		if err := checkName(r.name, r.lifetime); err != nil {
			return err
		}
	}
	s, err := p.loginTarget(r)
	if err != nil {
		return err
	}
	// A token that is shown once is not to be pasted in vain.
	if err := p.checkPlace(ctx, s, r); err != nil {
		return err
	}
	if s.Item.Secret, err = p.readToken(ctx, s, r); err == nil {
		err = p.env.Use(s)
	}
	if err != nil {
		return err
	}
	// The service accepts it before anything is saved.
	list, err := s.List(ctx)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case rejected(err):
		return problem.Hintf(fmt.Errorf("%s does not accept the token; nothing was saved: %w", s.Origin, err),
			"create a token at %s and try again", consoleURL)
	default:
		return fmt.Errorf("the token could not be verified; nothing was saved: %w", err)
	}
	if r.own {
		err = p.loginOwn(ctx, s, r, list.Tokens)
	} else {
		err = p.change(func(b *profiles.Book) error { return p.save(ctx, b, s, s.Item) })
	}
	if err != nil {
		return err
	}
	where, place := s.Origin, map[string]string{config.StoreFile: "a file that only you can read", config.StoreKeyring: "the keyring"}[s.Kind]
	account := p.account(ctx, s)
	if who := account.who(); who != "" {
		where += " as " + who
	}
	p.console.Note("logged in to %s; profile %s keeps the token in %s", where, s.Profile.Name, place)
	p.env.WarnShadowed(s.Profile.Name)
	if f == formatTable {
		return nil
	}
	return document(p.out, f, newStatusDoc(s, true, account))
}

// save stores the secret of a login over what the profile had, and says what that was.
func (p *program) save(ctx context.Context, b *profiles.Book, s *session.Session, item auth.Item) error {
	was, err := b.Save(ctx, s.Profile, s.Ref(), item)
	if err != nil {
		return err
	}
	p.env.Route = session.Route{Profile: s.Typed} // the profile knows its address now
	if was.Current != "" && !strings.EqualFold(was.Current, s.Profile.Name) {
		p.console.Note("profile %s is now the current one; before it was %s", s.Profile.Name, was.Current)
	}
	where, _ := session.OriginOf(session.AddressOf(was.Profile))
	switch id := was.TokenID; {
	case id == "" || id == item.TokenID:
	case where == s.Origin:
		p.console.Note("it replaces token %s, which utho created and which still works; delete it with: %s",
			id, p.env.Route.About([]string{id}, "token", "delete"))
	default:
		p.console.Note("it replaces token %s of %s, which utho created and which still works", id, where)
	}
	return nil
}

// who is the account in a sentence; "" if it is not known.
func (a *accountDoc) who() string {
	if a == nil {
		return ""
	}
	return cmp.Or(a.Email, a.Name, a.ID)
}

// loginTarget is the profile to log in to, and the place its token is for. The secret is empty.
func (p *program) loginTarget(r loginRequest) (*session.Session, error) {
	c, err := p.env.ChosenProfile()
	switch {
	case err != nil:
		return nil, err
	case c.Kind == session.SandboxName && p.env.Flags.Profile == "":
		return nil, problem.Usagef("UTHO_PROFILE=sandbox is set, and the sandbox needs no login").
			Hintf("to log in elsewhere: unset UTHO_PROFILE; utho login")
	case c.Kind == session.SandboxName:
		return nil, problem.Usagef("the sandbox needs no login").Hintf("try it: utho -p sandbox token list")
	}
	s, err := p.env.New(c)
	switch {
	case err != nil:
		return nil, err
	case s.Kind == session.KindCommand && r.store == "":
		return nil, problem.Usagef("profile %s takes its token from its credential_command, so there is nothing to log in", s.Profile.Name).
			Hintf("to keep a token instead: %s", p.env.Route.Command("login", "--store", "keyring"))
	}
	s.Profile.APIURL, s.Profile.CredentialCommand = s.BaseURL, nil
	keepIn(s, cmp.Or(r.store, s.Kind))
	return s, nil
}

// keepIn has a session keep its token in a store.
func keepIn(s *session.Session, store string) {
	s.Profile.Store, s.Kind, s.Source = store, store, store
}

// checkPlace tries the store and the configuration, and asks whether a file may replace a keyring that fails.
func (p *program) checkPlace(ctx context.Context, s *session.Session, r loginRequest) error {
	b, err := p.env.Book()
	if err != nil {
		return err
	}
	err = b.Check(ctx, s.Profile, s.Ref())
	if !errors.As(err, new(*auth.KeyringError)) || r.store != "" || !p.console.CanAsk() {
		return err
	}
	p.console.Note("%v", err)
	if err := p.console.Ask(ctx, "Keep the token in a file that only you can read instead?"); err != nil {
		return err
	}
	keepIn(s, config.StoreFile)
	return b.Check(ctx, s.Profile, s.Ref())
}

// account is who is logged in, if the service says so soon.
func (p *program) account(ctx context.Context, s *session.Session) *accountDoc {
	limited, cancel := context.WithTimeout(ctx, min(5*time.Second, s.Timeout))
	defer cancel()
	defer p.console.Wait("waiting for the account")()
	a, err := s.Client.Account(limited)
	if err != nil {
		return nil
	}
	return &accountDoc{ID: a.ID, Email: a.Email, Name: a.Name}
}

// whose names the account and the credential, at the point of no return.
func (p *program) whose(ctx context.Context, s *session.Session) string {
	if s.Box != nil {
		return "the sandbox"
	}
	return strings.TrimPrefix(p.account(ctx, s).who()+" ("+s.From()+")", " ")
}

// readToken gets the token from a prompt, the first line of stdin, or another tool's file.
func (p *program) readToken(ctx context.Context, s *session.Session, r loginRequest) (secret string, err error) {
	if r.from != "" {
		secret, err = p.importToken(r.from)
		p.console.Hide(secret)
		return secret, err
	}
	// Stdin alone decides: what is typed there must not be shown, wherever stderr goes.
	if terminal.IsTerminal(p.console.In) && !r.withToken {
		if p.console.NoInput {
			return "", problem.Usagef("login asks for the token, and --no-input forbids it").
				Hintf("pipe it: %s < FILE", p.env.Route.Command("login", "--with-token"))
		}
		p.console.Note("create a token at %s; creating and deleting tokens needs Write access", consoleURL)
		// A variable that somebody else set must not lead a new token astray unseen.
		if usual, _ := session.OriginOf(utho.DefaultBaseURL); s.Origin != usual {
			p.console.Note("it will be sent to %s", s.Origin)
		}
	}
	raw, err := p.console.ReadSecret(ctx, "Paste the token: ")
	if err != nil {
		return "", err
	}
	secret, err = auth.Clean(raw)
	switch {
	case errors.Is(err, auth.ErrEmpty):
		return "", problem.Usagef("no token was given; nothing was saved").Hintf("create one at %s", consoleURL)
	case err != nil:
		return "", problem.Usagef("%w; nothing was saved", err)
	}
	p.console.Hide(secret)
	return secret, nil
}

func (p *program) importToken(from string) (string, error) {
	find := auth.FindImport
	if from != "auto" {
		if rest, ok := strings.CutPrefix(from, "~/"); ok { // no shell expands it behind the equals sign
			if home, err := os.UserHomeDir(); err == nil {
				from = filepath.Join(home, rest)
			}
		}
		find = func() (auth.Import, error) { return auth.ReadImport(from) }
	}
	found, err := find()
	if err != nil {
		return "", err
	}
	p.console.Note("found the token of %s in %s; that file still holds it", found.Tool, found.Path)
	if found.Open {
		p.console.Warn("others can read %s; fix it with: chmod 600 %s", found.Path, output.Quote(found.Path))
	}
	return found.Secret, nil
}
