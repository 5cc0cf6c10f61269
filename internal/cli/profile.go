package cli

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/auth"
	"github.com/utho/utho-cli/internal/config"
	"github.com/utho/utho-cli/internal/expiry"
	"github.com/utho/utho-cli/internal/output"
)

// profileDoc is a profile in JSON and YAML.
type profileDoc struct {
	Name      string  `json:"name"`
	APIURL    string  `json:"api_url"`
	Store     string  `json:"store"`
	Current   bool    `json:"current"`
	Secret    string  `json:"secret"` // yes, no, locked or unknown
	TokenID   *string `json:"token_id"`
	ExpiresAt *string `json:"expires_at"`
}

func newProfile(p *program) *cobra.Command {
	one := func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return p.completeProfiles(cmd, args, typed)
	}
	list := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the profiles",
		Long:    "List the profiles, where each keeps its token, and whether one is there. Nothing is unlocked or asked for that.",
		Example: "  utho profile list\n  utho profile list -o json",
		Args:    noArgs,
		RunE:    p.runE(func(ctx context.Context, _ []string) error { return p.listProfiles(ctx) }),
	}
	use := &cobra.Command{
		Use: "use NAME", Short: "Make a profile the current one", Example: "  utho profile use work",
		Args: exactArg("one NAME"), ValidArgsFunction: one,
		RunE: p.runE(func(ctx context.Context, args []string) error { return p.useProfile(ctx, args[0]) }),
	}
	remove := &cobra.Command{
		Use: "remove NAME", Aliases: []string{"rm"}, Short: "Remove a profile and its stored token from this machine",
		Example: "  utho profile remove work",
		Args:    exactArg("one NAME"), ValidArgsFunction: one,
		RunE: p.runE(func(ctx context.Context, args []string) error { return p.removeProfile(ctx, args[0]) }),
	}
	rename := &cobra.Command{
		Use: "rename OLD NEW", Short: "Rename a profile; its token moves with it", Example: "  utho profile rename default work",
		Args: cobra.MatchAll(func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return hintf(usagef("profile rename needs the old and the new name"), "for example: utho profile rename default work")
			}
			return nil
		}), ValidArgsFunction: one,
		RunE: p.runE(func(ctx context.Context, args []string) error { return p.renameProfile(ctx, args[0], args[1]) }),
	}
	return newGroup("profile", "List, choose, rename and remove profiles", "", list, use, rename, remove)
}

func (p *program) listProfiles(ctx context.Context) error {
	format, err := p.format(documentFormats)
	if err != nil {
		return err
	}
	file, err := p.profiles()
	if err != nil {
		return err
	}
	docs := []profileDoc{}
	for _, profile := range file.Profiles() {
		docs = append(docs, p.profileDoc(ctx, profile, file.Current()))
	}
	switch format {
	case formatJSON:
		return output.JSONList(p.out, slices.Values(docs))
	case formatYAML:
		return output.YAMLList(p.out, slices.Values(docs))
	}
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	return output.Table(p.boldFirstLine(true), []output.Column[profileDoc]{
		{Key: "name", Header: "NAME", Text: func(d profileDoc) string { return d.Name }},
		{Key: "api_url", Header: "API URL", Text: func(d profileDoc) string { return d.APIURL }},
		{Key: "store", Header: "STORE", Text: func(d profileDoc) string { return d.Store }},
		{Key: "secret", Header: "TOKEN", Text: func(d profileDoc) string { return d.Secret }},
		{Key: "token_id", Header: "ID", Text: func(d profileDoc) string { return text(d.TokenID) }},
		{Key: "expires_at", Header: "EXPIRES", Text: func(d profileDoc) string { return text(d.ExpiresAt) }},
		{Key: "current", Header: "CURRENT", Text: func(d profileDoc) string { return map[bool]string{true: "yes"}[d.Current] }},
	}, docs, output.TableOptions{})
}

func (p *program) profileDoc(ctx context.Context, profile config.Profile, current string) profileDoc {
	doc := profileDoc{
		Name: profile.Name, APIURL: shownURL(addressOf(profile)), Store: storeOf(profile),
		Current: strings.EqualFold(profile.Name, current), Secret: "unknown",
	}
	item, err := p.peek(ctx, profile)
	switch {
	case doc.Store == kindCommand:
	case errors.Is(err, auth.ErrLocked):
		doc.Secret = "locked"
	case errors.Is(err, auth.ErrNotFound):
		doc.Secret = "no"
	case err == nil:
		doc.Secret, doc.TokenID = "yes", orNull(item.TokenID)
		if _, at, ok := expiry.Split(item.TokenName); ok {
			doc.ExpiresAt = orNull(at.Format(time.RFC3339))
		}
	}
	return doc
}

// peek is what a profile's store holds, if it can be known without asking anybody.
func (p *program) peek(ctx context.Context, profile config.Profile) (auth.Item, error) {
	kind := storeOf(profile)
	if kind == kindCommand {
		return auth.Item{}, auth.ErrNotFound
	}
	origin, err := originOf(addressOf(profile))
	if err != nil {
		return auth.Item{}, err
	}
	store, err := p.store(kind)
	if err != nil {
		return auth.Item{}, err
	}
	return store.Peek(ctx, auth.Ref{Profile: profile.Name, Origin: origin})
}

// shownURL is an address without the name and password that somebody may have written
// into it. utho does not use such a one, but has to show it, also if it cannot be parsed.
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

func noProfile(name string) error {
	return hintf(&missingError{name}, "see what there is with: utho profile list")
}

// existing is a profile that must be there.
func (p *program) existing(name string) (config.Profile, error) {
	if strings.EqualFold(name, sandboxName) {
		return config.Profile{}, hintf(usagef("the sandbox is built in: it cannot be the current profile, renamed or removed"), "use it with -p sandbox or UTHO_PROFILE=sandbox")
	}
	file, err := p.profiles()
	if err != nil {
		return config.Profile{}, err
	}
	profile, ok := file.Profile(name)
	if !ok {
		return profile, noProfile(name)
	}
	return profile, nil
}

func (p *program) useProfile(ctx context.Context, name string) error {
	if _, err := p.format(documentFormats); err != nil {
		return err
	}
	profile, err := p.existing(name)
	if err != nil {
		return err
	}
	paths, err := p.paths()
	if err != nil {
		return err
	}
	err = config.Update(ctx, paths, func(e *config.Edit) error { return e.SetCurrent(profile.Name) })
	if errors.Is(err, config.ErrNoProfile) { // removed meanwhile
		return noProfile(name)
	}
	if err != nil {
		return err
	}
	p.console.note("profile %s is now the current one", profile.Name)
	p.warnShadowed(profile.Name)
	return nil
}

func (p *program) removeProfile(ctx context.Context, name string) error {
	if _, err := p.format(documentFormats); err != nil {
		return err
	}
	profile, err := p.existing(name)
	if err != nil {
		return err
	}
	book, err := p.book()
	if err != nil {
		return err
	}
	id := p.peekID(ctx, profile)
	current := p.env.file != nil && strings.EqualFold(p.env.file.Current(), profile.Name)
	end, err := p.signals.protect()
	if err != nil {
		return err
	}
	defer end()
	had, err := book.Forget(ctx, profile.Name, true)
	switch {
	case errors.Is(err, config.ErrNoProfile):
		return noProfile(name)
	case err != nil:
		return err
	case had:
		p.console.note("removed profile %s and its stored token from this machine", profile.Name)
		p.saidStillWorks(id)
	default:
		p.console.note("removed profile %s; it held no token on this machine", profile.Name)
	}
	if current {
		p.console.note("it was the current profile; choose another with: utho profile use NAME")
	}
	return nil
}

func (p *program) renameProfile(ctx context.Context, from, to string) error {
	if _, err := p.format(documentFormats); err != nil {
		return err
	}
	profile, err := p.existing(from)
	if err != nil {
		return err
	}
	if err := config.ValidName(to); err != nil {
		return &usageError{err}
	}
	book, err := p.book()
	if err != nil {
		return err
	}
	end, err := p.signals.protect()
	if err != nil {
		return err
	}
	defer end()
	if err := book.Rename(ctx, profile.Name, to); err != nil {
		return err
	}
	p.console.note("profile %s is now called %s", profile.Name, to)
	return nil
}
