package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/auth"
	"github.com/utho/utho-cli/internal/config"
	"github.com/utho/utho-cli/internal/output"
	"github.com/utho/utho-cli/internal/problem"
	"github.com/utho/utho-cli/internal/profiles"
	"github.com/utho/utho-cli/internal/session"
)

type logoutRequest struct{ all, revoke, yes bool }

func newLogout(p *program) *cobra.Command {
	var r logoutRequest
	cmd := &cobra.Command{
		Use: "logout", Short: "Remove the stored token from this machine",
		Long: `Remove the stored token of a profile from this machine. The token itself still
works until it is deleted; --revoke deletes it too, if utho created it for this
machine.`,
		Example: `  utho logout
  utho logout --revoke
  utho logout --all`,
		Args: noArgs,
	}
	f := cmd.Flags()
	f.BoolVar(&r.all, "all", false, "every profile")
	f.BoolVar(&r.revoke, "revoke", false, "delete the token at the service first")
	f.BoolVarP(&r.yes, "yes", "y", false, "with --revoke: do not ask")
	cmd.RunE = p.documentE(func(ctx context.Context, f format, _ []string) error { return p.logout(ctx, f, r) })
	return cmd
}

func (p *program) logout(ctx context.Context, f format, r logoutRequest) error {
	c, err := p.env.ChosenProfile()
	if err != nil {
		return err
	}
	switch {
	case r.all && (p.env.Flags.Profile != "" || r.revoke):
		return problem.Usagef("logout takes --all alone, without --profile and --revoke")
	case r.yes && !r.revoke:
		return problem.Usagef("logout asks only with --revoke, so there is nothing for --yes to answer")
	case r.revoke && !r.yes && !p.console.CanAsk():
		return problem.Usagef("logout --revoke deletes the token and asks first, and %s", p.console.CannotAsk()).
			Hintf("add --yes to do it without a question")
	case r.all:
		return p.logoutAll(ctx, f)
	case c.Kind == session.SandboxName:
		return problem.Usagef("the sandbox has no login, so there is nothing to log out of").Hintf("utho sandbox reset starts it afresh")
	case !c.Exists && c.Typed != "":
		return noProfile(c.Typed)
	case !c.Exists:
		p.console.Note("not logged in: there is no profile %s", c.Profile.Name)
	case r.revoke:
		err = p.revoke(ctx, c.Profile, r)
	default:
		err = p.forget(ctx, c.Profile, false)
	}
	if err == nil && f != formatTable {
		return document(p.out, f, loggedOut(c.Profile))
	}
	return err
}

func loggedOut(profile config.Profile) statusDoc {
	c := session.Credential{Kind: session.StoreOf(profile), Profile: profile}
	return newStatusDoc(&session.Session{BaseURL: session.AddressOf(profile), Credential: c}, false, nil)
}

// logoutAll removes the secret of every profile. Those before a failure stay done.
func (p *program) logoutAll(ctx context.Context, f format) error {
	file, err := p.env.Profiles()
	if err != nil {
		return err
	}
	all := file.Profiles()
	if len(all) == 0 {
		p.console.Note("not logged in: there is no profile yet")
	}
	docs := []statusDoc{}
	var kept []string
	var failed error
	for _, profile := range all {
		if err := p.forget(ctx, profile, false); err != nil {
			kept, failed = append(kept, profile.Name+": "+err.Error()), errors.Join(failed, err)
			continue
		}
		docs = append(docs, loggedOut(profile))
	}
	if f != formatTable {
		if err := document(p.out, f, docs); err != nil {
			return err
		}
	}
	if failed == nil {
		return nil
	}
	err = problem.Reworded(failed, fmt.Sprintf("%d of %d profiles keep their token", len(kept), len(all)))
	if len(docs) > 0 && ctx.Err() == nil {
		err = problem.Of(problem.Partial, err)
	}
	return problem.WithLines(err, kept)
}

// revoke deletes the profile's own token at the service, then removes its secret.
func (p *program) revoke(ctx context.Context, profile config.Profile, r logoutRequest) error {
	p.env.Flags.Profile = profile.Name // never a credential from the environment
	s, err := p.env.Connect(ctx)
	if err != nil {
		return err
	}
	id := s.Item.TokenID
	if id == "" {
		return problem.Usagef("utho does not know which token profile %s holds; nothing was removed", profile.Name).
			Hintf("log out with %s, then delete the token with another one, or at %s", p.env.Route.Command("logout"), consoleURL)
	}
	if !r.yes {
		question := "Delete token " + id + " " + output.Name(s.Item.TokenName) + " of " + p.whose(ctx, s) + " and log out?"
		if err := p.console.Ask(ctx, question); err != nil {
			return err
		}
	}
	return p.change(func(b *profiles.Book) error {
		switch verified, err := s.Revoke(ctx, p.signals.Grace, id); {
		case err != nil:
			return fmt.Errorf("token %s was not deleted, and profile %s keeps it: %w", id, profile.Name, err)
		case verified:
			p.console.Note("deleted token %s", id)
		default:
			p.console.Warn("token %s counts as deleted, since the service rejects it now; "+
				"could not verify that its secret was revoked; look for it with another token, or at %s", id, consoleURL)
		}
		switch _, err := b.Forget(p.signals.Grace, profile.Name, s.Item, false); {
		case errors.Is(err, profiles.ErrChanged):
			p.console.Note("profile %s holds another token now, which stays", profile.Name)
			return nil
		case err != nil:
			return fmt.Errorf("log out of profile %s: %w", profile.Name, err)
		}
		p.saidLoggedOut(profile)
		return nil
	})
}

// forget removes the secret of one profile, and the profile itself if that is asked for.
func (p *program) forget(ctx context.Context, profile config.Profile, remove bool) error {
	if !remove && session.StoreOf(profile) == session.KindCommand {
		p.console.Note("profile %s keeps no token: its credential_command supplies it", profile.Name)
		return nil
	}
	item, _ := p.env.Peek(ctx, profile) // empty after an error
	return p.change(func(b *profiles.Book) error {
		had, err := b.Forget(ctx, profile.Name, auth.Item{}, remove)
		// It is never an unknown outcome: the next removal does the rest.
		late, unknown := errors.AsType[*auth.NotKnownError](err)
		switch {
		case err != nil && ctx.Err() != nil:
			err = problem.Reworded(context.Cause(ctx), err.Error())
		case unknown:
			err = problem.Reworded(late.Err, err.Error())
		}
		switch {
		case err != nil && remove:
			return err
		case err != nil:
			return fmt.Errorf("log out of profile %s: %w", profile.Name, err)
		case remove && had:
			p.console.Note("removed profile %s and its stored token from this machine", profile.Name)
		case remove:
			p.console.Note("removed profile %s; it held no token on this machine", profile.Name)
		case had:
			p.saidLoggedOut(profile)
		default:
			p.console.Note("profile %s held no token", profile.Name)
		}
		if had {
			p.console.Note("%s itself still works until it is deleted: at %s, or with another token by utho token delete %s",
				strings.TrimSpace("the token "+item.TokenID), consoleURL, output.Quote(cmp.Or(item.TokenID, "ID")))
		}
		return nil
	})
}

func (p *program) saidLoggedOut(profile config.Profile) {
	p.console.Note("logged out: the token of profile %s was removed from this machine", profile.Name)
	if set := session.FromEnvironment(); len(set) > 0 {
		p.console.Note("%s is still set in the environment and supplies a credential", set[0])
	}
}
