package cli

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/auth"
	"github.com/utho/utho-cli/internal/output"
)

// statusDoc is who is logged in, in JSON and YAML.
type statusDoc struct {
	Profile       *string     `json:"profile"`
	APIURL        string      `json:"api_url"`
	Source        *string     `json:"credential_source"`
	Store         *string     `json:"store"`
	Authenticated bool        `json:"authenticated"`
	Account       *accountDoc `json:"account"`
}

type accountDoc struct {
	ID    string `json:"id"`
	Email string `json:"email"`
	Name  string `json:"name"`
}

func (a *app) statusDoc(s *session, authenticated bool, ac *accountDoc) statusDoc {
	return statusDoc{
		Profile:       orNull(s.profile),
		APIURL:        shownURL(s.baseURL),
		Source:        orNull(s.source),
		Store:         orNull(s.kind),
		Authenticated: authenticated,
		Account:       ac,
	}
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func (a *app) statusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "status",
		Aliases: []string{"whoami"},
		Short:   "Tell who is logged in, and whether the service accepts it",
		Long: `Tell which credential is used, where it comes from, what it shadows, and whether
the service accepts it: exit status 0 where it does, 4 where not, 9 where the
service cannot be reached.`,
		Args:              a.none,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.RunE = a.body(func(ctx context.Context, _ []string) error { return a.status(ctx) })
	return cmd
}

func (a *app) status(ctx context.Context) error {
	format, err := a.format(docFormats)
	if err != nil {
		return err
	}
	s, err := a.prepare()
	if s == nil || s.baseURL == "" || isUsage(err) {
		return err
	}
	shadows, fileErr := a.shadows(s)
	if fileErr != nil {
		return fileErr
	}
	a.current = s
	var ac *accountDoc
	if err == nil {
		err = a.prove(ctx, s)
	}
	if err == nil {
		ac = a.account(ctx, s)
	} else if errors.As(err, new(interrupted)) || ctx.Err() != nil {
		return err
	}
	if writeErr := a.writeStatus(format, s, err == nil, ac, shadows); writeErr != nil {
		return writeErr
	}
	if err == nil {
		return nil
	}
	f := classify(err)
	if f.exit != exitUnavailable && f.exit != exitAuth {
		f.exit, f.code = exitAuth, "auth"
	}
	return f
}

func isUsage(err error) bool {
	return err != nil && classify(err).exit == exitUsage || err != nil && classify(err).exit == exitNotFound
}

// prove reads the secret and has the service accept it.
func (a *app) prove(ctx context.Context, s *session) error {
	if err := a.readSecret(ctx, s); err != nil {
		if errors.Is(err, auth.ErrNotFound) {
			s.source = ""
		}
		return err
	}
	if err := s.connect(); err != nil {
		return err
	}
	_, err := s.list(ctx)
	return err
}

// shadows is what would supply a credential if the winner were not there.
func (a *app) shadows(s *session) ([]string, error) {
	file, err := a.config()
	if err != nil {
		return nil, err
	}
	names := slices.Clone(s.shadows)
	for _, profile := range []string{s.besides, file.Current()} {
		if name := "profile " + profile; profile != "" && !strings.EqualFold(profile, s.profile) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, nil
}

func (a *app) writeStatus(f format, s *session, ok bool, ac *accountDoc, shadows []string) error {
	if f != formatTable {
		if len(shadows) > 0 {
			a.note("shadowed: %s", strings.Join(shadows, ", "))
		}
		return a.doc(f, a.statusDoc(s, ok, ac))
	}
	yes := "no"
	if ok {
		yes = "yes"
	}
	var pairs []output.Pair
	add := func(name, value string) {
		if value != "" {
			pairs = append(pairs, output.Pair{Name: name, Value: value})
		}
	}
	add("PROFILE", s.profile)
	add("API URL", shownURL(s.baseURL))
	add("CREDENTIAL", s.source)
	add("STORE", s.kind)
	add("SHADOWS", strings.Join(shadows, ", "))
	add("AUTHENTICATED", yes)
	if ac != nil {
		var who []string
		for _, w := range []string{ac.Name, ac.Email, ac.ID} {
			if w != "" {
				who = append(who, w)
			}
		}
		add("ACCOUNT", strings.Join(who, ", "))
	}
	return output.Pairs(a.out, pairs)
}
