package cli

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/expiry"
	"github.com/utho/utho-cli/internal/lifecycle"
	"github.com/utho/utho-cli/internal/output"
	"github.com/utho/utho-cli/internal/problem"
	"github.com/utho/utho-cli/pkg/utho"
)

// notEnforced is said wherever an expiry is set.
const notEnforced = `The service has no expiry: utho writes it into the name, list shows it, and this
line, run by cron, enforces it:

  utho token delete --expired --yes`

type createRequest struct {
	lifecycle.CreateRequest
	to       []string
	noExpiry bool
}

func newCreate(p *program) *cobra.Command {
	var r createRequest
	r.Scope = utho.ScopeReadOnly
	cmd := &cobra.Command{
		Use: "create NAME", Short: "Create a token and print its secret, which is shown this once",
		Long: `Create a token and print its secret on stdout, or send it to where --to says.
Everything is checked before the token is created, and it is deleted again if
its secret cannot be delivered.

` + notEnforced,
		Example: `  TOKEN=$(utho token create ci)
  utho token create ci --scope write --expires-in 30d --to file:ci.token
  utho token create ci --to 'exec:gh secret set UTHO_API_KEY'`,
		Args: exactArg("one NAME"),
	}
	f := cmd.Flags()
	bind(cmd, "scope", scopeFlag(&r.Scope), "what the token may do: read-only or write", fixed("read-only", "write"))
	f.Var(durationFlag(&r.Lifetime), "expires-in", "write an expiry into the name: 90m, 36h, 30d, 12w")
	f.BoolVar(&r.noExpiry, "no-expiry", false, "no expiry, whatever the configuration says")
	destinationFlag(cmd, &r.to)
	f.BoolVar(&r.AllowDuplicate, "allow-duplicate", false, "create it although the name is taken")
	f.BoolVar(&r.DryRun, "dry-run", false, "check everything, create nothing")
	cmd.RunE = p.runE(func(ctx context.Context, args []string) error {
		r.Name = args[0]
		return p.createToken(ctx, r)
	})
	return cmd
}

func (p *program) createToken(ctx context.Context, r createRequest) error {
	if r.Lifetime > 0 && r.noExpiry {
		return problem.Usagef("token create takes --expires-in or --no-expiry, not both")
	}
	if r.Lifetime == 0 && !r.noExpiry {
		st, err := p.env.Settings()
		if err != nil {
			return err
		}
		r.Lifetime = st.ExpiresIn
	}
	if err := checkName(r.Name, r.Lifetime); err != nil {
		return err
	}
	to, err := p.connectFor(ctx, r.to, false, false)
	if err != nil {
		return err
	}
	end, err := p.signals.Protect()
	if err != nil {
		return err
	}
	defer end()
	issued, err := to.s.Create(ctx, p.signals.Grace, r.CreateRequest, to)
	var taken *lifecycle.TakenError
	switch {
	case errors.As(err, &taken):
		return problem.Hintf(err, "rotate it with %s, or create a second one with --allow-duplicate",
			p.env.Route.About([]string{taken.Tokens[0].ID}, "token", "rotate"))
	case err != nil:
		return err
	case r.DryRun:
		p.console.Note("would create %s (%s); its secret would go to %s; nothing was created",
			output.Name(issued.Token.Name), issued.Token.Scope, to.names())
		return to.out.show(issued)
	}
	p.created(issued, to)
	return nil
}

func (p *program) created(i lifecycle.Issued, to *destinations) {
	about := "" // the scope and id that were seen; a warning said that they were not
	if i.Token.ID != "" {
		about = " (" + i.Token.Scope.String() + ", id " + i.Token.ID + ")"
	}
	went := "went to " + to.names()
	switch {
	case to.names() == "stdout":
		went = "is shown this once"
	case to.out.secret:
		went = "is shown this once and " + went
	}
	p.console.Note("created %s%s; its secret %s", output.Name(i.Token.Name), about, went)
	if _, at, ok := expiry.Split(i.Token.Name); ok {
		p.console.Note("it ends at %s; the service does not enforce that, %s does", at.Format("2006-01-02 15:04 MST"),
			p.env.Route.Command("token", "delete", "--expired"))
	}
	if to.s.Box != nil {
		p.console.Note("this is a token of the sandbox, not a real one")
	}
}

// checkName refuses a name that a new token cannot have, or not with its expiry, before anything is sent.
func checkName(name string, lifetime time.Duration) error {
	err := expiry.CheckName(name)
	if err == nil && lifetime > 0 {
		_, err = expiry.Append(name, time.Now().Add(lifetime))
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, expiry.ErrSuffix):
		return problem.Usagef("token name: %w", err).Hintf("give the name without it, and --expires-in 30d")
	}
	return problem.Usagef("token name: %w", err)
}

func describe(t utho.Token) string {
	created := ""
	if t.CreatedRaw != "" {
		created = ", created " + t.CreatedRaw
	}
	return t.ID + " " + output.Name(t.Name) + " (" + t.Scope.String() + created + ")"
}

func describeAll(tokens []utho.Token) (all []string) {
	for _, t := range tokens {
		all = append(all, describe(t))
	}
	return all
}
