package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/child"
	"github.com/utho/utho-cli/internal/config"
	"github.com/utho/utho-cli/internal/lifecycle"
	"github.com/utho/utho-cli/internal/listing"
	"github.com/utho/utho-cli/internal/output"
	"github.com/utho/utho-cli/internal/problem"
	"github.com/utho/utho-cli/internal/session"
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
		Long: `Create a token of the same name and scope, verify its secret by using it,
deliver it, and only then delete the old token. Whatever fails, the old secret
still works, or the new one works and was delivered. An expiry is renewed for
the same length; the service does not enforce one, utho token delete --expired
does.

If utho is killed on the way, run the same command again: it goes on, or names
what is left. --verify restarts and checks what uses the secret before the old
token is deleted.`,
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
			return problem.Usagef("token rotate takes an ID or NAME, or --self, not both")
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

func (p *program) rotateToken(ctx context.Context, r rotateRequest) (err error) {
	if r.Arg == "" && !r.self {
		return emptyArgument()
	}
	if r.Verify, err = p.verifier(r.verify, r.verifyTimeout); err != nil {
		return err
	}
	asks := !r.yes && !r.KeepOld && !r.dryRun
	if asks && !p.console.CanAsk() {
		return problem.Usagef("token rotate deletes the old token and asks first, and %s", p.console.CannotAsk()).
			Hintf("add --yes to rotate without a question, or --keep-old to keep the old token")
	}
	to, err := p.connectFor(ctx, r.to, r.self, true)
	if err != nil {
		return err
	}
	if r.self {
		if r.Arg, err = p.ownToken(to.s); err != nil {
			return err
		}
	}
	records, err := p.records(to.s)
	if err != nil {
		return err
	}
	plan, err := to.s.PlanRotation(ctx, r.RotateRequest, records, to)
	if several, ok := errors.AsType[*lifecycle.AmbiguousError](err); ok && several.Held == "" {
		return problem.Hintf(err, "name one by its id; with the newest it is: %s", p.again(r.Arg, listing.Newest(several.Tokens).ID))
	}
	if err != nil {
		return err
	}
	defer plan.Close()
	if !plan.Due {
		if p.console.Terminal() || r.dryRun { // cron mails every word
			p.console.Note("token %s does not end that soon; nothing to do", describe(plan.Old))
		}
		return nil
	}
	const earlier = "an earlier rotation of %s did not come to its end: "
	switch { // true for --dry-run too
	case plan.Resumes != nil:
		p.console.Note(earlier+"it had delivered the secret of %s, so this one goes on from there", plan.Old.ID, plan.Resumes.ID)
	case plan.Drops != nil:
		p.console.Note(earlier+"it had not delivered the secret of %s, so that token goes first", plan.Old.ID, plan.Drops.ID)
	}
	if r.dryRun {
		return p.showRotation(plan, to, r)
	}
	if asks {
		if err := p.confirm(ctx, to.s, []utho.Token{plan.Old}, "Rotate it, and delete the old token"); err != nil {
			return err
		}
	}
	return p.runRotation(ctx, plan, to, r)
}

func (p *program) runRotation(ctx context.Context, plan *lifecycle.Rotation, to *destinations, r rotateRequest) error {
	end, err := p.signals.Protect()
	if err != nil {
		return err
	}
	defer end()
	issued, err := plan.Run(ctx, p.signals.Grace, to)
	switch {
	case err != nil:
		return err
	case plan.Resumes == nil:
		p.created(issued, to)
	default:
		err = to.out.show(issued)
	}
	if r.KeepOld {
		p.console.Note("the old token %s is kept; delete it with: %s", plan.Old.ID, p.env.Route.About([]string{plan.Old.ID}, "token", "delete"))
		return err
	}
	p.console.Note("deleted the old token %s", plan.Old.ID)
	end()
	p.warnOwn(ctx, to.s)
	return err
}

// ownToken is the id of the token that the profile in use holds, if utho knows it.
func (p *program) ownToken(s *session.Session) (string, error) {
	if s.Item.TokenID != "" {
		return s.Item.TokenID, nil
	}
	err := problem.Usagef("utho does not know which token %s holds, because it was pasted", s.From())
	if s.Kind != config.StoreKeyring && s.Kind != config.StoreFile {
		err = problem.Usagef("--self rotates a token that a profile of utho stores, and this one comes from %s", s.From())
	}
	return "", problem.Hintf(err, "rotate it by its id: %s --to DEST; or let utho create one of its own: %s",
		p.env.Route.Command("token", "rotate", "ID"), p.env.Route.Command("login", "--own-token"))
}

func (p *program) showRotation(plan *lifecycle.Rotation, to *destinations, r rotateRequest) error {
	old := "delete the old token"
	if r.KeepOld {
		old = "keep the old token"
	}
	if plan.Resumes != nil {
		p.console.Note("would verify it and %s; nothing was changed", old)
	} else {
		p.console.Note("would rotate %s to %s and %s; its secret would go to %s; nothing was changed",
			describe(plan.Old), output.Name(plan.Name), old, to.names())
	}
	return to.out.show(lifecycle.Issued{Token: utho.Token{Name: plan.Name, Scope: plan.Old.Scope}, Replaces: &plan.Old, Now: time.Now()})
}

// again is the command that was typed, with another argument behind its own words.
func (p *program) again(arg, other string) string {
	words, way := slices.Clone(p.args), p.env.Route
	if n := slices.Index(words, "rotate") + 1; slices.Contains(words[n:], arg) {
		words[n+slices.Index(words[n:], arg)] = other
	}
	if p.env.Flags.Profile != "" {
		way.Profile = ""
	}
	if p.env.Flags.APIURL != "" {
		way.APIURL = ""
	}
	return way.Command(words...)
}

// warnOwn says so if the credential in use was the token that was rotated, which utho could not know.
func (p *program) warnOwn(ctx context.Context, s *session.Session) {
	if s.Item.TokenID != "" || s.Box != nil {
		return
	}
	limited, cancel := context.WithTimeout(ctx, min(2*time.Second, s.Timeout))
	defer cancel()
	if _, err := s.Client.ListTokens(limited); errors.Is(err, utho.ErrUnauthorized) {
		p.console.Warn("the credential of %s was the token that was rotated, and no longer works; "+
			"the new secret, which was delivered, is the one to use: %s", s.From(), s.Replace(p.env.Route))
	}
}

func (p *program) verifier(commands []string, limit time.Duration) (func(context.Context, lifecycle.Issued) error, error) {
	var all [][]string
	for _, text := range commands {
		argv, err := child.Words(text)
		if err == nil {
			_, err = child.LookPath(argv[0])
		}
		if err != nil {
			return nil, problem.Usagef("--verify %s: %w", output.Name(text), err)
		}
		all = append(all, argv)
	}
	if len(all) == 0 {
		return nil, nil
	}
	return func(ctx context.Context, i lifecycle.Issued) error {
		limited, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it did not end within %v", limit))
		defer cancel()
		env := child.WithoutCredentials(os.Environ(), "UTHO_TOKEN_ID="+i.Token.ID, "UTHO_TOKEN_NAME="+i.Token.Name)
		for n, argv := range all {
			p.console.Note("running --verify %s", output.Name(commands[n]))
			err := child.Command{Argv: argv, Env: env, Stdout: p.console.Err, Stderr: p.console.Err}.Run(limited)
			if err != nil && limited.Err() != nil { // a signal's kind shows; the service has not failed to answer
				err = context.Cause(limited)
			}
			if err != nil {
				return fmt.Errorf("--verify %s failed: %w", output.Name(commands[n]), err)
			}
		}
		return nil
	}, nil
}

func (p *program) records(s *session.Session) (lifecycle.Records, error) {
	dir, err := p.env.Records()
	return lifecycle.Records{Dir: dir, Origin: s.Origin}, err
}
