package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/auth"
	"github.com/utho/utho-cli/internal/config"
	"github.com/utho/utho-cli/internal/lifecycle"
	"github.com/utho/utho-cli/internal/output"
	"github.com/utho/utho-cli/internal/problem"
	"github.com/utho/utho-cli/internal/profiles"
	"github.com/utho/utho-cli/internal/session"
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
			Long: `List the profiles, where each keeps its token, and whether one is there. Nothing
is unlocked or asked for that.`,
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
					return problem.Usagef("profile rename needs the old and the new name").Hintf("for example: utho profile rename default work")
				}
				return nil
			},
		}, p.renameProfile))
}

func (p *program) listProfiles(ctx context.Context, f format, _ []string) error {
	file, err := p.env.Profiles()
	if err != nil {
		return err
	}
	if len(file.Profiles()) == 0 {
		p.console.Note("there is no profile yet; log in with: %s", p.env.Route.Command("login"))
	}
	docs := []profileDoc{}
	for _, profile := range file.Profiles() {
		docs = append(docs, p.profileDoc(ctx, profile, file.Current()))
	}
	if f != formatTable {
		return documents(p, f, docs)
	}
	var columns []output.Column[profileDoc]
	for i, header := range []string{"NAME", "API URL", "STORE", "TOKEN", "ID", "EXPIRES", "CURRENT"} {
		columns = append(columns, output.Column[profileDoc]{Header: header, Text: func(d profileDoc) string {
			return []string{d.Name, d.APIURL, d.Store, d.Secret, d.id, d.expires, map[bool]string{true: "yes"}[d.Current]}[i]
		}})
	}
	return output.Table(p.out, columns, docs, output.TableOptions{Bold: p.console.Colored(p.out.f)})
}

func (p *program) profileDoc(ctx context.Context, profile config.Profile, current string) profileDoc {
	doc := profileDoc{
		Name: profile.Name, APIURL: shownURL(session.AddressOf(profile)), Store: session.StoreOf(profile),
		Current: strings.EqualFold(profile.Name, current), Secret: "unknown",
	}
	item, err := p.env.Peek(ctx, profile)
	switch {
	case doc.Store == session.KindCommand:
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

func noProfile(name string) error {
	return problem.Hintf(session.Missing(name), "see what there is with: utho profile list")
}

func (p *program) existing(name string) (config.Profile, error) {
	if strings.EqualFold(name, session.SandboxName) {
		return config.Profile{}, problem.Usagef("the sandbox is built in: it cannot be the current profile, renamed or removed").
			Hintf("use it with -p sandbox or UTHO_PROFILE=sandbox")
	}
	file, err := p.env.Profiles()
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
	b, err := p.env.Book()
	if err == nil {
		err = b.Use(ctx, profile.Name)
	}
	if err != nil {
		return err
	}
	p.console.Note("profile %s is now the current one", profile.Name)
	p.env.WarnShadowed(profile.Name)
	return nil
}

func (p *program) removeProfile(ctx context.Context, profile config.Profile, _ []string) error {
	if err := p.forget(ctx, profile, true); err != nil {
		return err
	}
	// As they were before.
	if file, _ := p.env.Profiles(); strings.EqualFold(file.Current(), profile.Name) {
		next := "choose another with: utho profile use NAME"
		if len(file.Profiles()) == 1 {
			next = "log in again with: utho login"
		}
		p.console.Note("it was the current profile; %s", next)
	}
	return nil
}

func (p *program) renameProfile(ctx context.Context, profile config.Profile, args []string) error {
	to := args[1]
	if err := config.ValidName(to); err != nil {
		return problem.Of(problem.Usage, err)
	}
	err := p.change(func(b *profiles.Book) error { return b.Rename(ctx, profile.Name, to) })
	if errors.As(err, new(*profiles.TakenError)) {
		return problem.Reworded(&lifecycle.TakenError{Name: to}, "the name "+output.Name(to)+" is taken; nothing was changed")
	}
	if err != nil {
		return err
	}
	p.console.Note("profile %s is now called %s", profile.Name, to)
	return nil
}
