package cli

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/auth"
	"github.com/utho/utho-cli/internal/expiry"
	"github.com/utho/utho-cli/internal/lifecycle"
	"github.com/utho/utho-cli/internal/listing"
	"github.com/utho/utho-cli/internal/output"
	"github.com/utho/utho-cli/internal/problem"
	"github.com/utho/utho-cli/internal/session"
	"github.com/utho/utho-cli/pkg/utho"
)

type statusDoc struct {
	Profile       *string     `json:"profile"`
	APIURL        string      `json:"api_url"`
	Source        *string     `json:"credential_source"`
	Store         *string     `json:"store"`
	Authenticated bool        `json:"authenticated"`
	Account       *accountDoc `json:"account"`
	TokenID       *string     `json:"token_id"`
	ExpiresAt     *string     `json:"expires_at"`
}

type accountDoc struct {
	ID    string `json:"id"`
	Email string `json:"email"`
	Name  string `json:"name"`
}

func newStatusDoc(s *session.Session, authenticated bool, a *accountDoc) statusDoc {
	return statusDoc{
		Profile: orNull(s.Profile.Name), APIURL: shownURL(s.BaseURL), Source: orNull(s.Source), Store: orNull(s.Kind),
		Authenticated: authenticated, Account: a, TokenID: orNull(s.Item.TokenID), ExpiresAt: orNull(expiryOf(s.Item, nil)),
	}
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// expiryOf is the moment in the name of a stored token, "" if there is none: in a zone, or as RFC 3339.
func expiryOf(item auth.Item, zone *time.Location) string {
	_, at, ok := expiry.Split(item.TokenName)
	switch {
	case !ok:
		return ""
	case zone == nil:
		return at.Format(time.RFC3339)
	}
	return at.In(zone).Format(time.DateTime)
}

// zoneOr is the zone of the service's time stamps: a profile's, or the service's own.
func zoneOr(zone *time.Location) *time.Location {
	if zone == nil {
		zone = time.FixedZone("IST", 5*60*60+30*60)
	}
	return zone
}

// documentE is runE for a command whose answer, if it has one, is a document.
func (p *program) documentE(f func(ctx context.Context, f format, args []string) error) func(*cobra.Command, []string) error {
	return p.runE(func(ctx context.Context, args []string) error {
		format, err := p.format(documentFormats)
		if err != nil {
			return err
		}
		return f(ctx, format, args)
	})
}

func newStatus(p *program) *cobra.Command {
	var withToken bool
	cmd := &cobra.Command{
		Use: "status", Aliases: []string{"whoami"}, Short: "Show who is logged in and whether the token still works",
		Long: `Show which credential is used, where it comes from, and whether the service
accepts it. The exit status is 0 if it does, 4 if not, and 9 if the service
cannot be reached. --with-token answers for a token from stdin instead, and
stores nothing.`,
		Example: `  utho status
  utho status -o json
  utho status --with-token < token.txt`,
		Args: noArgs,
	}
	cmd.Flags().BoolVar(&withToken, "with-token", false, "read the token from stdin and answer for that one")
	cmd.RunE = p.documentE(func(ctx context.Context, f format, _ []string) error { return p.status(ctx, f, withToken) })
	return cmd
}

func (p *program) status(ctx context.Context, f format, withToken bool) error {
	find := p.env.Locate
	if withToken {
		find = func() (*session.Session, error) { return p.piped(ctx) }
	}
	s, err := find()
	if err != nil {
		return err
	}
	if !withToken {
		err = p.env.ReadSecret(ctx, s)
	}
	if errors.Is(err, auth.ErrNotFound) {
		s.Source = ""
	}
	if err == nil {
		err = p.env.Use(s)
	}
	var list *utho.TokenList
	if err == nil {
		list, err = s.List(ctx)
	}
	var account *accountDoc
	if err == nil {
		account = p.account(ctx, s)
	} else if ctx.Err() != nil {
		return err
	}
	if writeErr := p.writeStatus(f, s, list, account); writeErr != nil {
		return writeErr
	}
	if err != nil && exitOf(err).status == exitError && !errors.Is(err, utho.ErrWrongAddress) {
		return problem.Of(problem.Auth, err)
	}
	return err
}

// piped is a session for the secret on stdin, at the address of the environment or of --profile.
func (p *program) piped(ctx context.Context) (*session.Session, error) {
	var c session.Credential
	var err error
	if flag, variable := p.env.Named(); flag != "" || strings.EqualFold(variable, session.SandboxName) {
		if c, err = p.env.ChooseCredential(); err != nil {
			return nil, err
		}
	}
	s, err := p.env.New(c)
	if err == nil {
		s.Credential = session.Credential{Source: "stdin"}
		s.Item.Secret, err = p.readToken(ctx, s, loginRequest{withToken: true})
	}
	return s, err
}

func (p *program) writeStatus(f format, s *session.Session, list *utho.TokenList, a *accountDoc) error {
	if list != nil {
		p.warnEnd(s, list)
	}
	if f != formatTable {
		if len(s.Shadows) > 0 {
			p.console.Note("not used: %s", strings.Join(s.Shadows, ", "))
		}
		return p.document(f, newStatusDoc(s, list != nil, a))
	}
	var account, health, look string
	if a != nil {
		account = strings.Join(slices.DeleteFunc([]string{a.Name, a.Email, a.ID}, func(w string) bool { return w == "" }), ", ")
	}
	if list != nil {
		if health, look = listing.Health(list.Tokens, lifecycle.Now(list)); look != "" {
			look = p.env.Route.Command("token", "list") + " " + look
		}
	}
	pairs := []output.Pair{
		{Name: "PROFILE", Value: s.Profile.Name},
		{Name: "API URL", Value: shownURL(s.BaseURL)},
		{Name: "CREDENTIAL", Value: s.Source},
		{Name: "STORE", Value: s.Kind},
		{Name: "NOT USED", Value: strings.Join(s.Shadows, ", ")},
		{Name: "AUTHENTICATED", Value: map[bool]string{true: "yes", false: "no"}[list != nil]},
		{Name: "ACCOUNT", Value: account},
		{Name: "TOKEN ID", Value: s.Item.TokenID},
		{Name: "EXPIRES", Value: expiryOf(s.Item, zoneOr(s.Zone))},
		{Name: "TOKENS", Value: health},
		{Name: "SEE", Value: look},
	}
	return output.Pairs(p.out, slices.DeleteFunc(pairs, func(pair output.Pair) bool { return pair.Value == "" }))
}

func (p *program) warnEnd(s *session.Session, list *utho.TokenList) {
	_, at, ok := expiry.Split(s.Item.TokenName)
	rest := at.Sub(lifecycle.Now(list))
	if !ok || rest > 7*24*time.Hour {
		return
	}
	when := "ends in " + expiry.Human(rest)
	if rest <= 0 {
		when = "expired " + expiry.Human(-rest) + " ago"
	}
	p.console.Warn("the token in use %s; rotate it: %s", when, p.env.Route.Command("token", "rotate", "--self"))
}

// shownURL is an address, even one that cannot be parsed, without the name and password that it may hold.
func shownURL(s string) string {
	return regexp.MustCompile(`^(?s)(https?://)?.*@`).ReplaceAllString(s, "${1}xxxxx@")
}
