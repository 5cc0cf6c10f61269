package cli

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/auth"
	"github.com/utho/utho-cli/internal/config"
	"github.com/utho/utho-cli/internal/lifecycle"
	"github.com/utho/utho-cli/internal/output"
	"github.com/utho/utho-cli/internal/profiles"
)

type profileDoc struct {
	Name      string  `json:"name"`
	APIURL    string  `json:"api_url"`
	Store     string  `json:"store"`
	Current   bool    `json:"current"`
	Secret    string  `json:"secret"` // yes, no, locked or unknown
	TokenID   *string `json:"token_id"`
	ExpiresAt *string `json:"expires_at"`

	id, expires string // as the table shows them
}

func newProfile(p *program) *cobra.Command {
	// about is a command about one profile, which is there.
	about := func(cmd *cobra.Command, run func(context.Context, config.Profile, []string) error) *cobra.Command {
		cmd.ValidArgsFunction = p.completeProfiles
		if cmd.Args == nil {
			cmd.Args = exactArg("one NAME")
		}
		cmd.RunE = p.documentE(func(ctx context.Context, _ format, args []string) error {
			profile, err := p.existing(args[0])
			if err == nil {
				err = run(ctx, profile, args)
			}
			if errors.Is(err, config.ErrNoProfile) { // removed meanwhile
				err = noProfile(args[0])
			}
			return err
		})
		return cmd
	}
	return newGroup("profile", "List, choose, rename and remove profiles", "",
		&cobra.Command{
			Use: "list", Aliases: []string{"ls"}, Short: "List the profiles",
			Long:    "List the profiles, where each keeps its token, and whether one is there. Nothing is unlocked or asked for that.",
			Example: "  utho profile list\n  utho profile list -o json",
			Args:    noArgs, RunE: p.documentE(p.listProfiles),
		},
		about(&cobra.Command{
			Use: "use NAME", Short: "Make a profile the current one", Example: "  utho profile use work",
		}, p.useProfile),
		about(&cobra.Command{
			Use: "remove NAME", Aliases: []string{"rm"}, Short: "Remove a profile and its stored token from this machine",
			Example: "  utho profile remove work",
		}, p.removeProfile),
		about(&cobra.Command{
			Use: "rename OLD NEW", Short: "Rename a profile; its token moves with it", Example: "  utho profile rename default work",
			Args: func(_ *cobra.Command, args []string) error {
				if len(args) != 2 {
					return hintf(usagef("profile rename needs the old and the new name"), "for example: utho profile rename default work")
				}
				return nil
			},
		}, p.renameProfile))
}

func (p *program) listProfiles(ctx context.Context, f format, _ []string) error {
	file, err := p.profiles()
	if err != nil {
		return err
	}
	if len(file.Profiles()) == 0 {
		p.console.note("there is no profile yet; log in with: %s", p.route.command("login"))
	}
	docs := []profileDoc{}
	for _, profile := range file.Profiles() {
		docs = append(docs, p.profileDoc(ctx, profile, file.Current()))
	}
	if f != formatTable {
		return documents(p, f, slices.Values(docs))
	}
	var columns []output.Column[profileDoc]
	for i, header := range []string{"NAME", "API URL", "STORE", "TOKEN", "ID", "EXPIRES", "CURRENT"} {
		columns = append(columns, output.Column[profileDoc]{Header: header, Text: func(d profileDoc) string {
			return []string{d.Name, d.APIURL, d.Store, d.Secret, d.id, d.expires, map[bool]string{true: "yes"}[d.Current]}[i]
		}})
	}
	return output.Table(p.boldFirstLine(true), columns, docs, output.TableOptions{})
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
		zone, _ := profile.Location() // checked with the configuration
		doc.Secret, doc.TokenID, doc.ExpiresAt = "yes", orNull(item.TokenID), orNull(expiryOf(item, nil))
		doc.id, doc.expires = item.TokenID, expiryOf(item, zoneOr(zone))
	}
	return doc
}

// peek is what a profile's store holds, if it can be known without asking anybody.
func (p *program) peek(ctx context.Context, profile config.Profile) (auth.Item, error) {
	kind := storeOf(profile)
	if kind == kindCommand || profile.Name == "" {
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

// peekID is the id of the token that a profile holds, "" if that is not known.
func (p *program) peekID(ctx context.Context, profile config.Profile) string {
	item, _ := p.peek(ctx, profile) // empty after an error
	return item.TokenID
}

func noProfile(name string) error {
	return hintf(missing(name), "see what there is with: utho profile list")
}

func (p *program) existing(name string) (config.Profile, error) {
	if strings.EqualFold(name, sandboxName) {
		return config.Profile{}, hintf(usagef("the sandbox is built in: it cannot be the current profile, renamed or removed"),
			"use it with -p sandbox or UTHO_PROFILE=sandbox")
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

func (p *program) useProfile(ctx context.Context, profile config.Profile, _ []string) error {
	err := p.withBook(func(b *profiles.Book) error { return b.Use(ctx, profile.Name) })
	if err != nil {
		return err
	}
	p.console.note("profile %s is now the current one", profile.Name)
	p.warnShadowed(profile.Name)
	return nil
}

func (p *program) removeProfile(ctx context.Context, profile config.Profile, _ []string) error {
	id := p.peekID(ctx, profile)
	had := false
	err := p.change(func(b *profiles.Book) (err error) {
		had, err = b.Forget(ctx, profile.Name, true)
		return err
	})
	switch {
	case err != nil:
		return ofRemoval(ctx, err)
	case had:
		p.console.note("removed profile %s and its stored token from this machine", profile.Name)
		p.saidStillWorks(id)
	default:
		p.console.note("removed profile %s; it held no token on this machine", profile.Name)
	}
	if strings.EqualFold(p.env.file.Current(), profile.Name) {
		next := "choose another with: utho profile use NAME"
		if len(p.env.file.Profiles()) == 1 {
			next = "log in again with: utho login"
		}
		p.console.note("it was the current profile; %s", next)
	}
	return nil
}

func (p *program) renameProfile(ctx context.Context, profile config.Profile, args []string) error {
	to := args[1]
	if err := config.ValidName(to); err != nil {
		return coded(exitUsage, err)
	}
	err := p.change(func(b *profiles.Book) error { return b.Rename(ctx, profile.Name, to) })
	if errors.As(err, new(*profiles.TakenError)) {
		return &textError{"the name " + quoteText(to) + " is taken; nothing was changed", &lifecycle.TakenError{Name: to}}
	}
	if err != nil {
		return err
	}
	p.console.note("profile %s is now called %s", profile.Name, to)
	return nil
}
