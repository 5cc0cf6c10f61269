package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/expiry"
	"github.com/utho/utho-cli/pkg/utho"
)

// createRequest is what `token create` was asked.
type createRequest struct {
	name           string
	scope          utho.Scope
	lifetime       time.Duration // of --expires-in; 0 for none
	to             []string
	allowDuplicate bool
	dryRun         bool
}

// notEnforced is said wherever an expiry is set.
const notEnforced = `The service itself has no expiry and does not enforce one: utho writes it into
the token's name, list shows it, and this line, run by cron, enforces it:

  utho token delete --expired --yes`

func (a *app) createCommand() *cobra.Command {
	req := createRequest{scope: utho.ScopeReadOnly}
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Make an API token and print its secret, which is shown this once",
		Long: `Make an API token and print its secret on stdout, or take it where --to says.
The service shows a secret once, so every destination is checked before anything
is made, and the token is deleted again where its secret cannot be delivered.

--to takes stdout, file:PATH, env:PATH#NAME, profile:NAME or exec:COMMAND and
may be repeated.

` + notEnforced,
		Example: `  TOKEN=$(utho token create ci)
  utho token create ci --scope write --expires-in 30d --to file:ci.token
  utho token create ci --to 'exec:gh secret set UTHO_API_KEY'`,
		Args:              a.one("one NAME"),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	f := cmd.Flags()
	f.Var(&req.scope, "scope", "what the token may do; `SCOPE` is read-only or write")
	f.Var((*lifetimeFlag)(&req.lifetime), "expires-in", "write an expiry into the name: 90m, 36h, 30d, 12w")
	f.StringArrayVar(&req.to, "to", nil, "take the secret to `DEST` (repeatable): stdout, file:PATH, env:PATH#NAME, profile:NAME, exec:COMMAND")
	f.BoolVar(&req.allowDuplicate, "allow-duplicate", false, "make it although the name is taken")
	f.BoolVar(&req.dryRun, "dry-run", false, "check everything, make nothing")
	_ = cmd.RegisterFlagCompletionFunc("scope", fixed("read-only", "write"))
	_ = cmd.RegisterFlagCompletionFunc("to", completeDestinations)
	noFiles(cmd, "expires-in")
	cmd.RunE = a.body(func(ctx context.Context, args []string) error {
		req.name = args[0]
		return a.createToken(ctx, req)
	})
	return cmd
}

func (a *app) createToken(soft context.Context, req createRequest) error {
	hard := a.sig.hard
	if err := checkName(req.name); err != nil {
		return err
	}
	name := req.name
	if req.lifetime > 0 {
		var err error
		if name, err = withExpiry(name, time.Now().Add(req.lifetime)); err != nil {
			return err
		}
	}
	out, err := a.secretOutput(req.to)
	if err != nil {
		return err
	}
	s, err := a.resolve(soft)
	if err != nil {
		return err
	}
	dests, err := a.destinations(s, out)
	if err != nil {
		return err
	}
	defer dests.close()
	if err := dests.prepare(soft); err != nil {
		return err
	}
	list, err := s.list(soft)
	if err != nil {
		return said("create "+quoteText(name)+": list the tokens there are", err)
	}
	at := now(list)
	if req.lifetime > 0 {
		// The service's clock is the one that `delete --expired` reads.
		if name, err = withExpiry(req.name, at.Add(req.lifetime)); err != nil {
			return err
		}
		a.mentionClock(list)
	}
	if !req.allowDuplicate {
		if err := a.refuseTaken(list.Tokens, req.name, at); err != nil {
			return err
		}
	}
	if req.dryRun {
		a.note("would create %s (%s)%s; nothing was made", quoteText(name), req.scope, dests.arrows())
		return out.dry(utho.Token{Name: name, Scope: req.scope}, a.views(at))
	}

	end, err := a.sig.shield()
	if err != nil {
		return err
	}
	defer end()
	m := &making{a: a, s: s, req: utho.CreateTokenRequest{Name: name, Scope: req.scope}, before: ids(list.Tokens)}
	if err := m.post(soft, hard); err != nil {
		return err
	}
	if err := m.confirm(soft, hard); err != nil {
		return err
	}
	if soft.Err() != nil {
		return m.takeBack(hard, fmt.Errorf("create %s: %w", quoteText(name), context.Cause(soft)))
	}
	a.mask(m.secret, dests)
	out.show(m.token, a.views(at))
	dests.made(m.token)
	if err := dests.deliver(soft, hard, m.secret); err != nil {
		return m.takeBack(hard, fmt.Errorf("create %s: %w", quoteText(name), err))
	}
	a.created(m, s, dests)
	return nil
}

// created says on stderr what was made.
func (a *app) created(m *making, s *session, dests *destinations) {
	id := ""
	if m.token.ID != "" {
		id = ", id " + m.token.ID
	}
	a.note("created %s (%s%s); %s", quoteText(m.token.Name), m.token.Scope, id, dests.went())
	if s.sandbox {
		a.note("this is a token of the sandbox, not a real one")
	}
}

// checkName refuses a name that cannot be given to a new token.
func checkName(name string) error {
	err := expiry.CheckName(name)
	if err == nil {
		return nil
	}
	f := usagef("token name: %w", err)
	if errors.As(err, new(*expiry.SuffixError)) {
		return f.with("give the name without it, and --expires-in 30d")
	}
	return f
}

// refuseTaken refuses a name that a token has. Names are compared without their
// expiry, and expired tokens do not count.
func (a *app) refuseTaken(tokens []utho.Token, name string, at time.Time) error {
	taken := matching(tokens, func(t utho.Token) bool {
		return baseName(t.Name) == name && !expiry.Expired(t.Name, at)
	})
	if len(taken) == 0 {
		return nil
	}
	text := fmt.Sprintf("the name %s is taken; nothing was created:", quoteText(name))
	for _, t := range taken {
		text += "\n" + describe(t)
	}
	return failf(exitAmbiguous, "exists", "%s", lines(text)).
		with("replace its secret with %s, or make a second one with --allow-duplicate", a.about([]string{taken[0].ID}, "token", "rotate"))
}
