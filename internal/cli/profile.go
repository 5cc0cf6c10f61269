package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/auth"
	"github.com/utho/utho-cli/internal/config"
	"github.com/utho/utho-cli/internal/output"
	"github.com/utho/utho-cli/pkg/utho"
)

// profileDoc is a profile in JSON and YAML.
type profileDoc struct {
	Name    string `json:"name"`
	APIURL  string `json:"api_url"`
	Store   string `json:"store"`
	Current bool   `json:"current"`
}

func (a *app) profileCommand() *cobra.Command {
	list := &cobra.Command{
		Use:               "list",
		Aliases:           []string{"ls"},
		Short:             "List the profiles",
		Args:              a.none,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              a.body(func(context.Context, []string) error { return a.listProfiles() }),
	}
	use := &cobra.Command{
		Use:               "use NAME",
		Short:             "Make a profile the current one",
		Args:              a.one("one NAME"),
		ValidArgsFunction: a.completeProfiles,
		RunE:              a.body(func(ctx context.Context, args []string) error { return a.useProfile(ctx, args[0]) }),
	}
	remove := &cobra.Command{
		Use:               "remove NAME",
		Aliases:           []string{"rm"},
		Short:             "Remove a profile and its stored token from this machine",
		Args:              a.one("one NAME"),
		ValidArgsFunction: a.completeProfiles,
		RunE:              a.body(func(ctx context.Context, args []string) error { return a.removeProfile(ctx, args[0]) }),
	}
	return a.group("profile", "List, choose and remove profiles", "", list, use, remove)
}

func (a *app) listProfiles() error {
	format, err := a.format(docFormats)
	if err != nil {
		return err
	}
	file, err := a.config()
	if err != nil {
		return err
	}
	docs := []profileDoc{}
	for _, p := range file.Profiles() {
		docs = append(docs, profileDoc{
			Name:    p.Name,
			APIURL:  shownURL(firstOf(p.APIURL, utho.DefaultBaseURL)),
			Store:   profileStore(p),
			Current: strings.EqualFold(p.Name, file.Current()),
		})
	}
	switch format {
	case formatJSON:
		return output.JSONList(a.out, slices.Values(docs))
	case formatYAML:
		return output.YAMLList(a.out, slices.Values(docs))
	}
	return output.Table(a.boldFirstLine(true), []output.Column[profileDoc]{
		{Key: "name", Header: "NAME", Text: func(d profileDoc) string { return d.Name }},
		{Key: "api_url", Header: "API URL", Text: func(d profileDoc) string { return d.APIURL }},
		{Key: "store", Header: "STORE", Text: func(d profileDoc) string { return d.Store }},
		{Key: "current", Header: "CURRENT", Text: func(d profileDoc) string {
			if d.Current {
				return "yes"
			}
			return ""
		}},
	}, docs, output.TableOptions{})
}

// shownURL is an address without the password that somebody may have written
// into it. utho does not use such a one, but has to show it.
func shownURL(s string) string {
	if u, err := url.Parse(s); err == nil && u.User != nil {
		return u.Redacted()
	}
	return s
}

// profileStore is where a profile's token comes from.
func profileStore(p config.Profile) string {
	if len(p.CredentialCommand) > 0 {
		return "command"
	}
	return firstOf(p.Store, config.StoreKeyring)
}

// existing is a profile that must be there.
func (a *app) existing(name string) (config.Profile, error) {
	if strings.EqualFold(name, sandboxName) {
		return config.Profile{}, usagef("the sandbox is built in: it can be neither the current profile nor removed").with("use it with -p sandbox or UTHO_PROFILE=sandbox")
	}
	file, err := a.config()
	if err != nil {
		return config.Profile{}, err
	}
	p, ok := file.Profile(name)
	if !ok {
		return p, failf(exitNotFound, "not_found", "there is no profile %s", quoteText(name)).with("utho profile list")
	}
	return p, nil
}

func (a *app) useProfile(ctx context.Context, name string) error {
	p, err := a.existing(name)
	if err != nil {
		return err
	}
	paths, err := a.paths()
	if err != nil {
		return err
	}
	err = config.Update(ctx, paths, func(e *config.Edit) error { return e.SetCurrent(p.Name) })
	if err != nil {
		return err
	}
	a.note("profile %s is now the current one", p.Name)
	if variable, _, _ := a.environmentCredential(); variable != "" {
		a.note("warning: %s is set and still wins over it", variable)
	}
	return nil
}

func (a *app) removeProfile(ctx context.Context, name string) error {
	p, err := a.existing(name)
	if err != nil {
		return err
	}
	paths, err := a.paths()
	if err != nil {
		return err
	}
	hadToken, err := a.removeSecret(ctx, p)
	if err != nil {
		return fmt.Errorf("remove profile %s: %w; the profile was kept", p.Name, err)
	}
	var wasCurrent bool
	err = config.Update(ctx, paths, func(e *config.Edit) error {
		wasCurrent = strings.EqualFold(e.Current(), p.Name)
		return e.RemoveProfile(p.Name)
	})
	if err != nil {
		return err
	}
	switch {
	case hadToken:
		a.note("removed profile %s and its stored token from this machine; the token itself still works until it is deleted", p.Name)
	case profileStore(p) == config.StoreKeyring: // the address is a part of the key, and may have been edited
		a.note("removed profile %s; the keyring held no token of it for %s", p.Name, shownURL(firstOf(p.APIURL, utho.DefaultBaseURL)))
	default:
		a.note("removed profile %s; it kept no token on this machine", p.Name)
	}
	if wasCurrent {
		a.note("it was the current profile; choose another with: utho profile use NAME")
	}
	return nil
}

// removeSecret removes a profile's secret, and tells whether there was one.
func (a *app) removeSecret(ctx context.Context, p config.Profile) (bool, error) {
	if len(p.CredentialCommand) > 0 {
		return false, nil
	}
	origin, err := utho.Origin(firstOf(p.APIURL, utho.DefaultBaseURL))
	if err != nil && profileStore(p) == config.StoreKeyring {
		return false, nil // such an address never had a token: login refuses it
	}
	st, err := a.store(profileStore(p))
	if err != nil {
		return false, err
	}
	err = st.Delete(ctx, auth.Ref{Profile: p.Name, Origin: origin})
	if errors.Is(err, auth.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
