package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/config"
	"github.com/utho/utho-cli/internal/output"
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
	only := func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return a.completeProfiles(cmd, args, typed)
	}
	use := &cobra.Command{
		Use:               "use NAME",
		Short:             "Make a profile the current one",
		Args:              a.one("one NAME"),
		ValidArgsFunction: only,
		RunE:              a.plain(func(ctx context.Context, args []string) error { return a.useProfile(ctx, args[0]) }),
	}
	remove := &cobra.Command{
		Use:               "remove NAME",
		Aliases:           []string{"rm"},
		Short:             "Remove a profile and its stored token from this machine",
		Args:              a.one("one NAME"),
		ValidArgsFunction: only,
		RunE:              a.plain(func(ctx context.Context, args []string) error { return a.removeProfile(ctx, args[0]) }),
	}
	return a.group("profile", "List, choose and remove profiles", "", list, use, remove)
}

func (a *app) listProfiles() error {
	format, err := a.format(docFormats)
	if err != nil {
		return err
	}
	file, err := a.profiles()
	if err != nil {
		return err
	}
	docs := []profileDoc{}
	for _, p := range file.Profiles() {
		docs = append(docs, profileDoc{
			Name:    p.Name,
			APIURL:  shownURL(addressOf(p)),
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

// shownURL is an address without the name and password that somebody may have
// written into it. utho does not use such a one, but has to show it, also where
// it cannot be parsed.
func shownURL(s string) string {
	at := strings.LastIndexByte(s, '@')
	if at < 0 {
		return s
	}
	scheme := ""
	for _, known := range []string{"https://", "http://"} {
		if strings.HasPrefix(s[:at], known) {
			scheme = known
		}
	}
	return scheme + "xxxxx" + s[at:]
}

// existing is a profile that must be there.
func (a *app) existing(name string) (config.Profile, error) {
	if strings.EqualFold(name, sandboxName) {
		return config.Profile{}, usagef("the sandbox is built in: it can be neither the current profile nor removed").with("use it with -p sandbox or UTHO_PROFILE=sandbox")
	}
	file, err := a.profiles()
	if err != nil {
		return config.Profile{}, err
	}
	p, ok := file.Profile(name)
	if !ok {
		return p, noProfile(name)
	}
	return p, nil
}

func noProfile(name string) error {
	return failf(exitNotFound, "not_found", "there is no profile %s", quoteText(name)).with("utho profile list")
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
	if errors.Is(err, config.ErrNoProfile) { // removed meanwhile
		return noProfile(name)
	}
	if err != nil {
		return err
	}
	a.note("profile %s is now the current one", p.Name)
	a.warnWinner(p.Name)
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
	file, release, err := a.hold(ctx)
	if err != nil {
		return err
	}
	defer release()
	p, ok := file.Profile(p.Name)
	if !ok {
		return noProfile(name)
	}
	var wasCurrent bool
	remove := func(e *config.Edit) error {
		wasCurrent = strings.EqualFold(e.Current(), p.Name)
		return e.RemoveProfile(p.Name)
	}
	if err := config.Try(ctx, paths, remove); err != nil {
		return fmt.Errorf("remove profile %s: %w; nothing was removed", p.Name, err)
	}
	hadToken, err := a.removeSecret(ctx, p)
	if err != nil {
		return fmt.Errorf("remove profile %s: %w; the profile was kept", p.Name, err)
	}
	// No signal keeps half of it: the secret is gone.
	if err := config.Update(context.WithoutCancel(ctx), paths, remove); err != nil {
		return fmt.Errorf("remove profile %s: its token is no longer stored, but the profile stays: %w", p.Name, err)
	}
	switch {
	case hadToken:
		a.note("removed profile %s and its stored token from this machine; the token itself still works until it is deleted", p.Name)
	case profileStore(p) == config.StoreKeyring: // the address is a part of the key, and may have been edited
		a.note("removed profile %s; the keyring held no token of it for %s", p.Name, shownURL(addressOf(p)))
	default:
		a.note("removed profile %s; it kept no token on this machine", p.Name)
	}
	if wasCurrent {
		a.note("it was the current profile; choose another with: utho profile use NAME")
	}
	return nil
}
