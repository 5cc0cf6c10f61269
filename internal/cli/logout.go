package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/config"
	"github.com/utho/utho-cli/pkg/utho"
)

func (a *app) logoutCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "logout",
		Short: "Remove the stored token from this machine",
		Long: `Remove the stored token of a profile from this machine. The token itself still
works until it is deleted.`,
		Args:              a.none,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.Flags().BoolVar(&all, "all", false, "every profile")
	cmd.RunE = a.body(func(ctx context.Context, _ []string) error { return a.logout(ctx, all) })
	return cmd
}

func (a *app) logout(ctx context.Context, all bool) error {
	format, err := a.format(docFormats)
	if err != nil {
		return err
	}
	flag, variable := a.named()
	file, err := a.profiles()
	if err != nil {
		return err
	}
	var profiles []config.Profile
	var name string
	if all {
		if flag != "" {
			return usagef("logout takes --all or --profile, not both")
		}
		if profiles = file.Profiles(); len(profiles) == 0 {
			a.note("not logged in: there is no profile yet")
		}
	} else {
		name = firstOf(flag, variable, file.Current(), config.DefaultProfile)
		if strings.EqualFold(name, sandboxName) {
			return usagef("the sandbox has no login, so there is nothing to log out of").with("utho sandbox reset starts it afresh")
		}
		p, ok := file.Profile(name)
		switch {
		case ok:
			profiles = append(profiles, p)
		case flag != "" || variable != "":
			return noProfile(name)
		case len(file.Profiles()) > 0:
			a.note("not logged in: there is no profile %s", name)
		default:
			a.note("not logged in: there is no profile yet")
		}
	}
	docs := []statusDoc{}
	var failed error
	var kept []string
	for i, p := range profiles {
		if ctx.Err() != nil { // the names before it were told of as they went
			for _, p := range profiles[i:] {
				kept = append(kept, p.Name)
			}
			break
		}
		s, err := a.forget(ctx, p)
		if err != nil {
			kept = append(kept, p.Name)
			failed = errors.Join(failed, fmt.Errorf("log out of profile %s: %w", p.Name, err))
			continue
		}
		docs = append(docs, a.statusDoc(s, false, nil))
	}
	stopped := ctx.Err() != nil && len(kept) > 0
	if stopped && all {
		failed = fmt.Errorf("%w: %d of %d profiles were done, and not %s", context.Cause(ctx), len(docs), len(profiles), strings.Join(kept, ", "))
	}
	if variable, _, _ := a.environmentCredential(); variable != "" {
		a.note("%s is still set in the environment and supplies a credential", variable)
	}
	if failed != nil && len(docs) > 0 && !stopped {
		failed = failf(exitPartial, "partial", "%w", failed).with("%s", classify(failed).hint)
	}
	switch {
	case format == formatTable, failed != nil && !all:
		return failed
	case all:
		return errors.Join(a.doc(format, docs), failed)
	case len(docs) == 0:
		return a.doc(format, a.statusDoc(&session{a: a, profile: name, baseURL: utho.DefaultBaseURL}, false, nil))
	}
	return a.doc(format, docs[0])
}

// forget removes the secret of one profile. The profile itself stays.
func (a *app) forget(ctx context.Context, p config.Profile) (*session, error) {
	file, release, err := a.hold(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	if now, ok := file.Profile(p.Name); ok { // where it is gone, so is its secret
		p = now
	}
	s := &session{a: a, profile: p.Name, baseURL: addressOf(p), kind: profileStore(p)}
	if s.kind == "command" {
		a.note("profile %s keeps no token: its credential_command supplies it", p.Name)
		return s, nil
	}
	if err := s.setOrigin(); err != nil && s.kind == config.StoreKeyring {
		return nil, err
	}
	paths, err := a.paths()
	if err != nil {
		return nil, err
	}
	if p.TokenID != "" {
		if err := config.Try(ctx, paths, setTokenID(p.Name, "")); err != nil {
			return nil, fmt.Errorf("%w; nothing was removed", err)
		}
	}
	switch had, err := a.removeSecret(ctx, p); {
	case err != nil:
		return nil, err
	case !had:
		at := ""
		if s.kind == config.StoreKeyring { // the address is a part of the key, and may have been edited
			at = " at " + s.origin
		}
		a.note("profile %s was not logged in%s", p.Name, at)
		return s, nil
	}
	a.note("logged out: the token of profile %s was removed from this machine", p.Name)
	which, id := "the token itself", "ID"
	if p.TokenID != "" {
		which, id = "token "+p.TokenID+" itself", p.TokenID
	}
	a.note("%s still works until it is deleted: at %s, or with another token by utho token delete %s", which, consoleURL, quote(id))
	if p.TokenID != "" { // no signal keeps half of it: the secret is gone
		if err := a.knownToken(context.WithoutCancel(ctx), p.Name, ""); err != nil {
			return nil, fmt.Errorf("its token is no longer stored, but the profile still names it: %w", err)
		}
	}
	return s, nil
}

// knownToken writes down which token a profile is known to use.
func (a *app) knownToken(ctx context.Context, profile, id string) error {
	paths, err := a.paths()
	if err != nil {
		return err
	}
	return config.Update(ctx, paths, setTokenID(profile, id))
}

func setTokenID(profile, id string) func(*config.Edit) error {
	return func(e *config.Edit) error {
		p, ok := e.Profile(profile)
		if !ok {
			return nil
		}
		p.TokenID = id
		return e.SetProfile(p)
	}
}
