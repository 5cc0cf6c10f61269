package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/child"
	"github.com/utho/utho-cli/internal/config"
	"github.com/utho/utho-cli/internal/lifecycle"
	"github.com/utho/utho-cli/pkg/utho"
)

type rotateRequest struct {
	lifecycle.RotateRequest
	self, yes, dryRun bool
	to, verify        []string
	verifyTimeout     time.Duration
}

func newRotate(p *program) *cobra.Command {
	var r rotateRequest
	cmd := &cobra.Command{
		Use: "rotate {ID|NAME | --self}", Short: "Give a token a new secret: same name and scope",
		Long: `Create a token of the same name and scope, verify its secret by using it, deliver
it, and only then delete the old token. Whatever fails, the old secret still works,
or the new one works and was delivered. An expiry is renewed for the same length; the
service does not enforce one, utho token delete --expired does.

If utho is killed on the way, run the same command again: it goes on, or names what
is left. --verify restarts and checks what uses the secret before the old token is
deleted.`,
		Example: `  utho token rotate ci --to env:.env --yes
  utho token rotate ci --if-expires-within 7d --to file:/run/ci.token --yes
  utho token rotate --self
  utho token rotate app --to env:/etc/app.env --yes \
    --verify 'systemctl restart app'`,
		ValidArgsFunction: p.completeTokens(1),
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		switch {
		case !r.self:
			return exactArg("one ID or NAME, or --self")(cmd, args)
		case len(args) > 0:
			return usagef("token rotate takes an ID or NAME, or --self, not both")
		}
		return nil
	}
	f := cmd.Flags()
	f.BoolVar(&r.self, "self", false, "the token that the profile in use holds")
	destinationFlag(cmd, &r.to)
	f.Var(durationFlag(&r.Lifetime), "expires-in", "another length of life: 90m, 36h, 30d, 12w")
	f.Var(durationFlag(&r.IfExpiresWithin), "if-expires-within", "only if it ends this soon: 90m, 36h, 30d, 12w")
	f.Var(listFlag(&r.verify, "COMMAND"), "verify", "run it before the old token is deleted; it must succeed (repeatable)")
	r.verifyTimeout = 10 * time.Minute
	f.Var(timeoutFlag(&r.verifyTimeout), "verify-timeout", "limit for all --verify commands together")
	f.BoolVar(&r.KeepOld, "keep-old", false, "do not delete the old token")
	f.BoolVarP(&r.yes, "yes", "y", false, "do not ask")
	f.BoolVar(&r.dryRun, "dry-run", false, "check everything, say what would happen")
	cmd.RunE = p.runE(func(ctx context.Context, args []string) error {
		if !r.self {
			r.Arg = args[0]
		}
		return p.rotateToken(ctx, r)
	})
	return cmd
}

func (p *program) rotateToken(ctx context.Context, r rotateRequest) error {
	if r.Arg == "" && !r.self {
		return emptyArgument()
	}
	specs, err := parseTo(r.to)
	if err != nil {
		return err
	}
	out, err := p.newStdout(len(specs) == 0 && !r.self || hasStdout(specs))
	if err != nil {
		return err
	}
	if r.Verify, err = p.verifier(r.verify, r.verifyTimeout); err != nil {
		return err
	}
	asks := !r.yes && !r.KeepOld && !r.dryRun
	if asks && !p.console.canAsk() {
		return hintf(usagef("token rotate deletes the old token and asks first, and %s", p.console.cannotAsk()),
			"add --yes to rotate without a question, or --keep-old to keep the old token")
	}
	s, err := p.connect(ctx)
	if err != nil {
		return err
	}
	if r.self {
		if r.Arg, err = p.ownToken(s); err != nil {
			return err
		}
	}
	to, err := p.destinations(s, specs, out, true)
	if err != nil {
		return err
	}
	records, err := p.records(s)
	if err != nil {
		return err
	}
	plan, err := s.PlanRotation(ctx, r.RotateRequest, records, to)
	if err != nil {
		return p.rotateError(err)
	}
	defer plan.Close()
	switch {
	case !plan.Due && p.console.terminal():
		p.console.note("token %s does not end that soon; nothing to do", describe(plan.Old))
		fallthrough
	case !plan.Due:
		return nil
	case r.dryRun:
		return p.showRotation(plan, to, r)
	case asks:
		p.console.plain("  " + describe(plan.Old))
		if s.item.TokenID == "" && s.box == nil {
			p.console.note("utho does not know which token %s holds: if it is this one, the new secret has to go there too", s.from())
		}
		question := "Rotate it, and delete the old token of "
		if plan.Resumes != nil {
			question = "Token " + plan.Resumes.ID + " has taken its place. Delete the old token of "
		}
		if err := p.console.ask(ctx, question+p.whose(ctx, s)+"?"); err != nil {
			return err
		}
	}
	return p.runRotation(ctx, s, plan, to, r)
}

func (p *program) runRotation(ctx context.Context, s *session, plan *lifecycle.Rotation, to *destinations, r rotateRequest) error {
	end, err := p.signals.protect()
	if err != nil {
		return err
	}
	defer end()
	const cut = "an earlier rotation of %s was cut short "
	if plan.Resumes != nil {
		p.console.note(cut+"after it had delivered the secret of %s; going on from there", plan.Old.ID, plan.Resumes.ID)
	}
	if plan.Drops != nil {
		p.console.note(cut+"before it delivered the secret of %s; deleting that token first", plan.Old.ID, plan.Drops.ID)
	}
	issued, err := plan.Run(ctx, p.signals.grace, to)
	switch {
	case err != nil:
		return p.rotateError(err)
	case plan.Resumes == nil:
		p.created(s, issued, to)
	default:
		err = to.out.show(issued)
	}
	if r.KeepOld {
		p.console.note("the old token %s is kept; delete it with: %s", plan.Old.ID, p.route.about([]string{plan.Old.ID}, "token", "delete"))
		return err
	}
	p.console.note("deleted the old token %s", plan.Old.ID)
	end()
	p.warnOwn(ctx, s, to)
	return err
}

// ownToken is the id of the token that the profile in use holds, if utho knows it.
func (p *program) ownToken(s *session) (string, error) {
	if s.item.TokenID != "" {
		return s.item.TokenID, nil
	}
	err := usagef("utho does not know which token %s holds, because it was pasted", s.from())
	if s.kind != config.StoreKeyring && s.kind != config.StoreFile {
		err = usagef("--self rotates a token that a profile of utho stores, and this one comes from %s", s.from())
	}
	return "", hintf(err, "rotate it by its id: %s --to DEST; or let utho create one of its own: %s", p.route.command("token", "rotate", "ID"),
		p.route.command("login", "--own-token"))
}

func (p *program) showRotation(plan *lifecycle.Rotation, to *destinations, r rotateRequest) error {
	old := " and delete the old token"
	if r.KeepOld {
		old = " and keep the old token"
	}
	switch {
	case plan.Resumes != nil:
		p.console.note("would go on with an earlier rotation of %s, which delivered the secret of %s: verify it%s; nothing was changed",
			plan.Old.ID, plan.Resumes.ID, old)
	case plan.Drops != nil:
		p.console.note("would first delete token %s, which an earlier rotation of %s never delivered", plan.Drops.ID, plan.Old.ID)
		fallthrough
	default:
		p.console.note("would rotate %s to %s%s%s; nothing was changed", describe(plan.Old), quoteText(plan.Name), old, arrows(to.names()))
	}
	return to.out.show(lifecycle.Issued{Token: utho.Token{Name: plan.Name, Scope: plan.Old.Scope}, Replaces: &plan.Old, Now: time.Now()})
}

// rotateError adds the next step to what only a rotation says.
func (p *program) rotateError(err error) error {
	var ambiguous *lifecycle.AmbiguousError
	var none *lifecycle.NoExpiryError
	var rolledBack *lifecycle.RolledBackError
	switch {
	case errors.As(err, &rolledBack) && len(rolledBack.Doubtful) > 0:
		return hintf(err, "fix what failed, then run the same command again: it delivers a secret that works")
	case errors.As(err, &ambiguous) && ambiguous.Held != "":
		var others []string
		for _, t := range ambiguous.Tokens {
			if t.ID != ambiguous.Held {
				others = append(others, t.ID)
			}
		}
		return hintf(err, "the destination holds the secret of %s; "+
			"if the rest is what a killed rotation left, delete it and run the same command again: %s",
			ambiguous.Held, p.route.about(others, "token", "delete"))
	case errors.As(err, &ambiguous):
		return hintf(err, "name one by its id; with the newest it is: %s",
			p.again(ambiguous.Arg, newestOf(ambiguous.Tokens).ID))
	case errors.As(err, &none):
		return hintf(err, "say how long the new one is to live: --expires-in 90d")
	}
	return err
}

// again is the command that was typed, with another argument behind the last word of its path.
func (p *program) again(arg, other string) string {
	words, way := slices.Clone(p.args), p.route
	for n := slices.Index(words, "rotate"); n < len(words); n++ {
		if words[n] == arg {
			words[n] = other
			break
		}
	}
	if p.flags.profile != "" {
		way.profile = ""
	}
	if p.flags.apiURL != "" {
		way.apiURL = ""
	}
	return way.command(words...)
}

// warnOwn says so if the credential in use was the token that was rotated, which utho could not know.
func (p *program) warnOwn(ctx context.Context, s *session, to *destinations) {
	if to.own != nil || s.item.TokenID != "" || s.box != nil {
		return
	}
	limited, cancel := context.WithTimeout(ctx, min(2*time.Second, s.Timeout))
	defer cancel()
	if _, err := s.Client.ListTokens(limited); errors.Is(err, utho.ErrUnauthorized) {
		p.console.warn("the credential of %s was the token that was rotated, and no longer works; "+
			"the new secret, which was delivered, is the one to use: %s", s.from(), s.replaceCredential(p.route))
	}
}

// replaceCredential is how another token takes the credential's place.
func (s *session) replaceCredential(r route) string {
	switch s.kind {
	case kindEnvironment:
		return "set " + s.source + " to it"
	case kindCommand:
		return "have the credential_command of profile " + s.profile.Name + " print it"
	}
	return r.loginTo(s.profile.Name)
}

func (p *program) verifier(commands []string, limit time.Duration) (func(context.Context, lifecycle.Issued) error, error) {
	var all [][]string
	for _, text := range commands {
		argv, err := child.Words(text)
		if err == nil && len(argv) == 0 {
			err = errors.New("the command is empty")
		}
		if err == nil {
			_, err = child.LookPath(argv[0])
		}
		if err != nil {
			return nil, usagef("--verify %s: %w", quoteText(text), err)
		}
		all = append(all, argv)
	}
	if len(all) == 0 {
		return nil, nil
	}
	return func(ctx context.Context, i lifecycle.Issued) error {
		limited, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		env := child.WithoutCredentials(os.Environ(), "UTHO_TOKEN_ID="+i.Token.ID, "UTHO_TOKEN_NAME="+i.Token.Name)
		for n, argv := range all {
			p.console.note("running --verify %s", quoteText(commands[n]))
			err := child.Command{Argv: argv, Env: env, Stdout: p.console.f, Stderr: p.console.f}.Run(limited)
			switch { // only a signal's kind shows: the service has not failed to answer
			case err == nil:
			case ctx.Err() != nil:
				return fmt.Errorf("--verify %s: %w", quoteText(commands[n]), context.Cause(ctx))
			case limited.Err() != nil:
				return fmt.Errorf("--verify %s did not end within %v", quoteText(commands[n]), limit)
			default:
				return fmt.Errorf("--verify %s failed: %w", quoteText(commands[n]), err)
			}
		}
		return nil
	}, nil
}

// newestOf is the token with the latest time stamp; of equal ones the last.
func newestOf(tokens []utho.Token) utho.Token {
	return slices.MaxFunc(tokens, func(a, b utho.Token) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), compareIDs(a.ID, b.ID))
	})
}

func (p *program) records(s *session) (lifecycle.Records, error) {
	dir, err := p.state()
	return lifecycle.Records{Dir: filepath.Join(dir, recordsDir), Origin: s.origin}, err
}
