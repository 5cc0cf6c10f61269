package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/auth"
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
	file, err := a.config()
	if err != nil {
		return err
	}
	var profiles []config.Profile
	var name string
	if all {
		if a.flags.profile != "" {
			return usagef("logout takes --all or --profile, not both")
		}
		profiles = file.Profiles()
	} else {
		name = firstOf(a.flags.profile, a.getenv("UTHO_PROFILE"), file.Current(), config.DefaultProfile)
		if strings.EqualFold(name, sandboxName) {
			return usagef("the sandbox has no login, so there is nothing to log out of").with("utho sandbox reset starts it afresh")
		}
		p, ok := file.Profile(name)
		if !ok && (a.flags.profile != "" || a.getenv("UTHO_PROFILE") != "") {
			return failf(exitNotFound, "not_found", "there is no profile %s", quoteText(name)).with("utho profile list")
		}
		if ok {
			profiles = append(profiles, p)
		} else {
			a.note("not logged in: there is no profile yet")
		}
	}
	docs := []statusDoc{}
	var failed error
	for _, p := range profiles {
		s, err := a.forget(ctx, p)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("log out of profile %s: %w", p.Name, err))
			continue
		}
		docs = append(docs, a.statusDoc(s, false, nil))
	}
	if variable, _, _ := a.environmentCredential(); variable != "" {
		a.note("%s is still set in the environment and supplies a credential", variable)
	}
	if failed != nil && len(docs) > 0 {
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
	s := &session{a: a, profile: p.Name, baseURL: firstOf(p.APIURL, utho.DefaultBaseURL)}
	if len(p.CredentialCommand) > 0 {
		s.kind = "command"
		a.note("profile %s keeps no token: its credential_command supplies it", p.Name)
		return s, nil
	}
	s.kind = firstOf(p.Store, config.StoreKeyring)
	if err := s.setOrigin(); err != nil && s.kind == config.StoreKeyring {
		return nil, err
	}
	st, err := a.store(s.kind)
	if err != nil {
		return nil, err
	}
	switch err := st.Delete(ctx, s.ref()); {
	case errors.Is(err, auth.ErrNotFound):
		at := ""
		if s.kind == config.StoreKeyring { // the address is a part of the key, and may have been edited
			at = " at " + s.origin
		}
		a.note("profile %s was not logged in%s", p.Name, at)
		return s, nil
	case err != nil:
		return nil, err
	}
	if p.TokenID != "" {
		if err := a.knownToken(ctx, p.Name, ""); err != nil {
			return nil, err
		}
	}
	a.note("logged out: the token of profile %s was removed from this machine", p.Name)
	del := a.command("token", "delete", "ID") + ", or at " + consoleURL
	if p.TokenID != "" {
		del = a.deleteCommand(p.TokenID) + ", or at " + consoleURL
	}
	a.note("the token itself still works until it is deleted: %s", del)
	return s, nil
}

// knownToken writes down which token a profile is known to use.
func (a *app) knownToken(ctx context.Context, profile, id string) error {
	paths, err := a.paths()
	if err != nil {
		return err
	}
	return config.Update(ctx, paths, func(e *config.Edit) error {
		p, ok := e.Profile(profile)
		if !ok {
			return nil
		}
		p.TokenID = id
		return e.SetProfile(p)
	})
}
