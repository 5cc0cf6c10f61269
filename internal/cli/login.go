package cli

import (
	"bufio"
	"bytes"
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
	"github.com/utho/utho-cli/internal/profiles"
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
	// A token that is shown once is not to be pasted in vain.
	if err := p.checkPlace(ctx, s, r); err != nil {
		return err
	}
	if s.item.Secret, err = p.readToken(ctx, s, r); err == nil {
		err = p.use(s)
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
		return hintf(fmt.Errorf("%s does not accept the token; nothing was saved: %w", s.origin, err),
			"create a token at %s and try again", consoleURL)
	default:
		return fmt.Errorf("the token could not be verified; nothing was saved: %w", err)
	}
	if r.own {
		err = p.loginOwn(ctx, s, r, list.Tokens)
	} else {
		err = p.change(func(b *profiles.Book) error {
			said, err := p.save(ctx, b, s, s.item)
			said()
			return err
		})
	}
	if err != nil {
		return err
	}
	where, place := s.origin, map[string]string{config.StoreFile: "a file that only you can read", config.StoreKeyring: "the keyring"}[s.kind]
	account := p.account(ctx, s)
	if who := account.who(); who != "" {
		where += " as " + who
	}
	p.console.note("logged in to %s; the token is kept in %s for profile %s", where, place, s.profile.Name)
	p.warnShadowed(s.profile.Name)
	if f == formatTable {
		return nil
	}
	return p.document(f, newStatusDoc(s, true, account))
}

// save stores the secret of a login over what the profile had. said says what that was.
func (p *program) save(ctx context.Context, b *profiles.Book, s *session, item auth.Item) (said func(), err error) {
	was, err := b.Save(ctx, s.profile, s.ref(), item)
	if err != nil {
		return func() {}, err
	}
	p.route = route{profile: s.typed} // the profile knows its address now
	return func() {
		if was.Current != "" && !strings.EqualFold(was.Current, s.profile.Name) {
			p.console.note("profile %s is now the current one; before it was %s", s.profile.Name, was.Current)
		}
		where, _ := originOf(addressOf(was.Profile))
		switch id := was.TokenID; {
		case id == "" || id == item.TokenID:
		case where == s.origin:
			p.console.note("it replaces token %s, which utho created and which still works; delete it with: %s",
				id, p.route.about([]string{id}, "token", "delete"))
		default:
			p.console.note("it replaces token %s of %s, which utho created and which still works", id, where)
		}
	}, nil
}

// who is the account in a sentence; "" if it is not known.
func (a *accountDoc) who() string {
	if a == nil {
		return ""
	}
	return firstOf(a.Email, a.Name, a.ID)
}

// loginTarget is the profile to log in to, and the place its token is for. The secret is empty.
func (p *program) loginTarget(r loginRequest) (*session, error) {
	name, typed, err := p.chosenProfile()
	if err != nil {
		return nil, err
	}
	if strings.EqualFold(name, sandboxName) {
		if p.flags.profile == "" {
			return nil, hintf(usagef("UTHO_PROFILE=sandbox is set, and the sandbox needs no login"),
				"to log in elsewhere: unset UTHO_PROFILE; utho login")
		}
		return nil, hintf(usagef("the sandbox needs no login"), "try it: utho -p sandbox token list")
	}
	if err := config.ValidName(name); err != nil {
		return nil, coded(exitUsage, err)
	}
	profile, ok := p.env.file.Profile(name)
	if !ok {
		profile = config.Profile{Name: name}
	}
	s, err := p.newSession(credential{profile: profile, exists: ok, typed: typed})
	if err != nil {
		return nil, err
	}
	switch {
	case r.store != "":
		s.profile.Store, s.profile.CredentialCommand = r.store, nil
	case len(profile.CredentialCommand) > 0:
		return nil, hintf(usagef("profile %s takes its token from its credential_command, so there is nothing to log in", profile.Name),
			"to keep a token instead: %s", p.route.command("login", "--store", "keyring"))
	}
	s.profile.Store, s.profile.APIURL = storeOf(s.profile), s.baseURL
	s.kind, s.source = s.profile.Store, s.profile.Store
	return s, nil
}

// checkPlace tries the store and the configuration, and asks whether a file may replace a keyring that fails.
func (p *program) checkPlace(ctx context.Context, s *session, r loginRequest) error {
	check := func() error {
		return p.withBook(func(b *profiles.Book) error { return b.Check(ctx, s.profile, s.ref()) })
	}
	err := check()
	if !errors.As(err, new(*auth.KeyringError)) || r.store != "" || !p.console.canAsk() {
		return err
	}
	p.console.note("%v", err)
	if err := p.console.ask(ctx, "Keep the token in a file that only you can read instead?"); err != nil {
		return err
	}
	s.profile.Store, s.kind, s.source = config.StoreFile, config.StoreFile, config.StoreFile
	return check()
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
	return strings.TrimPrefix(p.account(ctx, s).who()+" ("+s.from()+")", " ")
}

// readToken gets the token from a prompt, the first line of stdin, or another tool's file.
func (p *program) readToken(ctx context.Context, s *session, r loginRequest) (secret string, err error) {
	if r.from != "" {
		secret, err = p.importToken(r.from)
		p.hide(secret)
		return secret, err
	}
	read, prompt := p.readLine, ""
	// Stdin alone decides: what is typed there must not be shown, wherever stderr goes.
	if term.IsTerminal(int(p.in.Fd())) {
		read = func(ctx context.Context) ([]byte, error) { return p.readHidden(ctx, prompt) }
		if !r.withToken {
			if p.console.noInput {
				return "", hintf(usagef("login asks for the token, and --no-input forbids it"),
					"pipe it: %s < FILE", p.route.command("login", "--with-token"))
			}
			prompt = "Paste the token: "
			p.console.note("create a token at %s; creating and deleting tokens needs Write access", consoleURL)
			// A variable that somebody else set must not lead a new token astray unseen.
			if usual, _ := originOf(utho.DefaultBaseURL); s.origin != usual {
				p.console.note("it will be sent to %s", s.origin)
			}
		}
	}
	raw, err := read(ctx)
	if err != nil {
		return "", err
	}
	secret, err = auth.Clean(raw)
	switch {
	case errors.Is(err, auth.ErrEmpty):
		return "", hintf(usagef("no token was given; nothing was saved"), "create one at %s", consoleURL)
	case err != nil:
		return "", usagef("%w; nothing was saved", err)
	}
	p.hide(secret)
	return secret, nil
}

// readLine is the first line of stdin that is not blank, which may stay open behind it.
func (p *program) readLine(ctx context.Context) ([]byte, error) {
	in := bufio.NewReader(io.LimitReader(p.in, maxInput+1))
	return await(ctx, func() (line []byte, err error) {
		for err == nil && len(bytes.TrimSpace(line)) == 0 {
			line, err = in.ReadBytes('\n')
		}
		switch {
		case len(line) > maxInput:
			return nil, usagef("stdin is too long for a token; nothing was saved")
		case err != nil && !errors.Is(err, io.EOF):
			return nil, fmt.Errorf("read the token: %w", err)
		}
		return line, nil
	})
}

// readHidden reads a line that is not shown. Whatever ends it, the terminal is as it was, and what was pasted
// behind the line is dropped: it may be the rest of a secret, which a shell would run, show and remember. The echo
// goes before the prompt comes: a script that answers the prompt is faster than a person.
func (p *program) readHidden(ctx context.Context, prompt string) ([]byte, error) {
	restore, err := hide(int(p.in.Fd()))
	if err != nil {
		return nil, fmt.Errorf("read the token: %w", err)
	}
	p.console.write(prompt)
	line, err := await(ctx, func() ([]byte, error) {
		return bufio.NewReader(io.LimitReader(p.in, maxInput+1)).ReadBytes('\n')
	})
	restore()
	p.console.write("\n") // the Enter was not shown
	switch eof := errors.Is(err, io.EOF); {
	case eof && len(line) == 0:
		return nil, codef(exitCancelled, "no token was entered; nothing was changed")
	case err != nil && !eof:
		return nil, fmt.Errorf("%w; nothing was changed", err)
	}
	return line, nil
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
	var not *auth.ImportError
	switch {
	case errors.As(err, &not) && not.Both:
		return "", hintf(coded(exitUsage, err), "choose one with --import=PATH")
	case errors.As(err, &not):
		return "", hintf(fmt.Errorf("import: %w", err), "name another file with --import=PATH, or leave --import out to paste the token")
	case err != nil:
		return "", err
	}
	p.console.note("found the token of %s in %s; that file still holds it", found.Tool, found.Path)
	if found.Open {
		p.console.warn("others can read %s; fix it with: chmod 600 %s", found.Path, quote(found.Path))
	}
	return found.Secret, nil
}
