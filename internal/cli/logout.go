package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/config"
)

// logoutRequest is what `logout` was asked for.
type logoutRequest struct{ all, revoke, yes bool }

func newLogout(p *program) *cobra.Command {
	var r logoutRequest
	cmd := &cobra.Command{
		Use:   "logout",
		Short: "Remove the stored token from this machine",
		Long: `Remove the stored token of a profile from this machine. The token itself still works
until it is deleted; --revoke deletes it too, if utho created it for this machine.`,
		Example: `  utho logout
  utho logout --revoke
  utho logout --all`,
		Args: noArgs,
	}
	f := cmd.Flags()
	f.BoolVar(&r.all, "all", false, "every profile")
	f.BoolVar(&r.revoke, "revoke", false, "delete the token at the service first")
	f.BoolVarP(&r.yes, "yes", "y", false, "with --revoke: do not ask")
	cmd.RunE = p.runE(func(ctx context.Context, _ []string) error { return p.logout(ctx, r) })
	return cmd
}

func (p *program) logout(ctx context.Context, r logoutRequest) error {
	format, err := p.format(documentFormats)
	if err != nil {
		return err
	}
	flag, variable := p.named()
	file, err := p.profiles()
	if err != nil {
		return err
	}
	switch {
	case r.all && (flag != "" || r.revoke):
		return usagef("logout takes --all alone, without --profile and --revoke")
	case r.yes && !r.revoke:
		return usagef("logout asks only with --revoke, so there is nothing for --yes to answer")
	case r.all:
		return p.logoutAll(ctx, format, file.Profiles())
	}
	name := firstOf(flag, variable, file.Current(), config.DefaultProfile)
	if strings.EqualFold(name, sandboxName) {
		return hintf(usagef("the sandbox has no login, so there is nothing to log out of"), "utho sandbox reset starts it afresh")
	}
	profile, ok := file.Profile(name)
	switch {
	case !ok && (flag != "" || variable != ""):
		return noProfile(name)
	case !ok:
		p.console.note("not logged in: there is no profile %s", name)
		profile = config.Profile{Name: name}
	case r.revoke:
		err = p.revoke(ctx, r)
	}
	if err == nil && ok {
		err = p.forget(ctx, profile)
	}
	if err == nil && format != formatTable {
		return p.document(format, loggedOut(profile))
	}
	return err
}

func loggedOut(profile config.Profile) statusDoc {
	return newStatusDoc(&session{baseURL: addressOf(profile), credential: credential{kind: storeOf(profile), profile: profile}}, false, nil)
}

// logoutAll removes the secret of every profile. Those before a failure stay done.
func (p *program) logoutAll(ctx context.Context, f format, all []config.Profile) error {
	if len(all) == 0 {
		p.console.note("not logged in: there is no profile yet")
	}
	docs := []statusDoc{}
	var kept []string
	var failed error
	for _, profile := range all {
		err := context.Cause(ctx)
		if err == nil {
			err = p.forget(ctx, profile)
		}
		if err != nil {
			kept, failed = append(kept, profile.Name+": "+err.Error()), errors.Join(failed, err)
			continue
		}
		docs = append(docs, loggedOut(profile))
	}
	if f != formatTable {
		if err := p.document(f, docs); err != nil {
			return err
		}
	}
	if failed == nil {
		return nil
	}
	err := error(&textError{fmt.Sprintf("%d of %d profiles keep their token", len(kept), len(all)), failed})
	if len(docs) > 0 && ctx.Err() == nil {
		err = &partialError{err}
	}
	return &linesError{err, kept}
}

// revoke deletes the profile's own token at the service.
func (p *program) revoke(ctx context.Context, r logoutRequest) error {
	if !r.yes && !p.console.canAsk() {
		return hintf(usagef("logout --revoke deletes the token and asks first, and %s", p.console.cannotAsk()), "add --yes to do it without a question")
	}
	p.flags.profile = firstOf(p.flags.profile, p.currentProfile()) // never a credential from the environment
	s, err := p.connect(ctx)
	if err != nil {
		return err
	}
	if s.item.TokenID == "" {
		return hintf(usagef("utho does not know which token profile %s holds, because it was pasted; nothing was removed", s.profile.Name),
			"log out with %s, then delete the token with another one, or at %s", p.route.command("logout"), consoleURL)
	}
	if !r.yes {
		if err := p.console.ask(ctx, "Delete token "+s.item.TokenID+" "+quoteText(s.item.TokenName)+" of "+p.whose(ctx, s)+" and log out?"); err != nil {
			return err
		}
	}
	end, err := p.signals.protect()
	if err != nil {
		return err
	}
	defer end()
	if err := s.Revoke(ctx, p.signals.grace, s.item.TokenID); err != nil {
		return fmt.Errorf("token %s was not deleted, and profile %s keeps it: %w", s.item.TokenID, s.profile.Name, err)
	}
	p.revoked = true
	p.console.note("deleted token %s", s.item.TokenID)
	return nil
}

func (p *program) currentProfile() string {
	_, variable := p.named()
	file, err := p.config()
	if err != nil {
		return variable
	}
	return firstOf(variable, file.Current(), config.DefaultProfile)
}

// forget removes the secret of one profile. The profile itself stays.
func (p *program) forget(ctx context.Context, profile config.Profile) error {
	if storeOf(profile) == kindCommand {
		p.console.note("profile %s keeps no token: its credential_command supplies it", profile.Name)
		return nil
	}
	book, err := p.book()
	if err != nil {
		return err
	}
	id := p.peekID(ctx, profile)
	end, err := p.signals.protect()
	if err != nil {
		return fmt.Errorf("%w; profile %s keeps its token", err, profile.Name)
	}
	defer end()
	had, err := book.Forget(ctx, profile.Name, false)
	switch {
	case err != nil:
		return fmt.Errorf("log out of profile %s: %w", profile.Name, err)
	case !had:
		p.console.note("profile %s held no token", profile.Name)
		return nil
	}
	p.console.note("logged out: the token of profile %s was removed from this machine", profile.Name)
	p.saidStillWorks(id)
	if variable, _ := environmentCredential(); variable != "" {
		p.console.note("%s is still set in the environment and supplies a credential", variable)
	}
	return nil
}

// saidStillWorks says how to delete a token that is no longer stored; after --revoke it
// is gone, and nothing is said.
func (p *program) saidStillWorks(id string) {
	switch {
	case p.revoked:
	case id != "":
		p.console.note("token %s itself still works until it is deleted: at %s, or with another token by utho token delete %s", id, consoleURL, quote(id))
	default:
		p.console.note("the token itself still works until it is deleted: at %s, or with another token by utho token delete ID", consoleURL)
	}
}

// peekID is the id of the token that a profile holds, if it can be known without asking
// anybody.
func (p *program) peekID(ctx context.Context, profile config.Profile) string {
	item, err := p.peek(ctx, profile)
	if err != nil {
		return ""
	}
	return item.TokenID
}
