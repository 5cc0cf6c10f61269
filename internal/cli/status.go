package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/auth"
	"github.com/utho/utho-cli/internal/expiry"
	"github.com/utho/utho-cli/internal/lifecycle"
	"github.com/utho/utho-cli/internal/output"
	"github.com/utho/utho-cli/pkg/utho"
)

// statusDoc is who is logged in, in JSON and YAML.
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

func newStatusDoc(s *session, authenticated bool, a *accountDoc) statusDoc {
	doc := statusDoc{
		Profile: orNull(s.profile.Name), APIURL: shownURL(s.baseURL), Source: orNull(s.source), Store: orNull(s.kind),
		Authenticated: authenticated, Account: a, TokenID: orNull(s.item.TokenID),
	}
	if _, at, ok := expiry.Split(s.item.TokenName); ok {
		doc.ExpiresAt = orNull(at.Format(time.RFC3339))
	}
	return doc
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func newStatus(p *program) *cobra.Command {
	var withToken bool
	cmd := &cobra.Command{
		Use:     "status",
		Aliases: []string{"whoami"},
		Short:   "Show who is logged in and whether the token still works",
		Long: `Show which credential is used, where it comes from, and whether the service accepts
it. The exit status is 0 if it does, 4 if not, and 9 if the service cannot be reached.
--with-token answers for a token from stdin instead, and stores nothing.`,
		Example: `  utho status
  utho status -o json
  utho status --with-token < token.txt`,
		Args: noArgs,
	}
	cmd.Flags().BoolVar(&withToken, "with-token", false, "read the token from stdin and answer for that one")
	cmd.RunE = p.runE(func(ctx context.Context, _ []string) error { return p.status(ctx, withToken) })
	return cmd
}

func (p *program) status(ctx context.Context, withToken bool) error {
	format, err := p.format(documentFormats)
	if err != nil {
		return err
	}
	var s *session
	if withToken {
		s, err = p.piped(ctx)
	} else {
		s, err = p.locate()
	}
	if err != nil {
		return err
	}
	if !withToken {
		err = p.readSecret(ctx, s)
	}
	if errors.Is(err, auth.ErrNotFound) {
		s.source = ""
	}
	if err == nil {
		err = p.use(s)
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
	if writeErr := p.writeStatus(format, s, list, account); writeErr != nil {
		return writeErr
	}
	if err != nil && exitOf(err).status == exitError && !errors.Is(err, utho.ErrWrongAddress) {
		return &authError{err}
	}
	return err
}

// piped is a session with a secret from stdin, at the address that one from the
// environment would go to, or a profile's.
func (p *program) piped(ctx context.Context) (*session, error) {
	st, err := p.settings()
	if err != nil {
		return nil, err
	}
	s := &session{credential: credential{kind: kindEnvironment, source: "stdin"}}
	p.session = s
	s.Timeout, s.Warn, s.Waiting = st.Timeout, p.console.warn, p.console.wait
	s.baseURL = firstOf(p.flags.apiURL, os.Getenv("UTHO_API_URL"), utho.DefaultBaseURL)
	if p.flags.profile != "" {
		c, err := p.profileCredential(p.flags.profile, p.flags.profile, nil)
		if err != nil {
			return nil, err
		}
		s.baseURL = firstOf(p.flags.apiURL, addressOf(c.profile))
	}
	if s.origin, err = originOf(s.baseURL); err != nil {
		return nil, hintf(err, "the default is %s", utho.DefaultBaseURL)
	}
	s.item.Secret, err = p.readToken(ctx, s, loginRequest{withToken: true})
	p.secrets = append(p.secrets, s.item.Secret)
	return s, err
}

func (p *program) writeStatus(f format, s *session, list *utho.TokenList, a *accountDoc) error {
	if list != nil {
		p.warnEnd(s, list)
	}
	shadows := s.shadows
	if file, err := p.config(); err == nil && s.kind == kindEnvironment && s.source != "stdin" && file.Current() != "" {
		if current := "profile " + file.Current(); !slices.Contains(shadows, current) {
			shadows = append(shadows, current)
		}
	}
	if f != formatTable {
		if len(shadows) > 0 {
			p.console.note("not used: %s", strings.Join(shadows, ", "))
		}
		return p.document(f, newStatusDoc(s, list != nil, a))
	}
	var pairs []output.Pair
	add := func(name, value string) {
		if value != "" {
			pairs = append(pairs, output.Pair{Name: name, Value: value})
		}
	}
	add("PROFILE", s.profile.Name)
	add("API URL", shownURL(s.baseURL))
	add("CREDENTIAL", s.source)
	add("STORE", s.kind)
	add("NOT USED", strings.Join(shadows, ", "))
	add("AUTHENTICATED", map[bool]string{true: "yes", false: "no"}[list != nil])
	if a != nil {
		add("ACCOUNT", joinNonEmpty(a.Name, a.Email, a.ID))
	}
	add("TOKEN ID", s.item.TokenID)
	if _, at, ok := expiry.Split(s.item.TokenName); ok {
		add("EXPIRES", p.shownTime(s, at))
	}
	if list != nil {
		add("TOKENS", p.health(list))
	}
	return output.Pairs(p.out, pairs)
}

func joinNonEmpty(words ...string) string {
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), ", ")
}

// warnEnd warns if the token in use ends within a week.
func (p *program) warnEnd(s *session, list *utho.TokenList) {
	_, at, ok := expiry.Split(s.item.TokenName)
	if !ok {
		return
	}
	switch left := at.Sub(lifecycle.Now(list)); {
	case left <= 0:
		p.console.warn("the token in use expired %s ago; rotate it: %s", expiry.Human(-left), p.route.command("token", "rotate", "--self"))
	case left <= 7*24*time.Hour:
		p.console.warn("the token in use ends in %s; rotate it: %s", expiry.Human(left), p.route.command("token", "rotate", "--self"))
	}
}

// health is one line on the tokens of the account, with the command that lists what
// deserves a look.
func (p *program) health(list *utho.TokenList) string {
	now := lifecycle.Now(list)
	var forever, old, expired int
	for _, t := range list.Tokens {
		switch {
		case expiry.Expired(t.Name, now):
			expired++
		case !expiry.Has(t.Name):
			forever++
		}
		if t.Scope == utho.ScopeWrite && !t.CreatedAt.IsZero() && now.Sub(t.CreatedAt) > 90*24*time.Hour {
			old++
		}
	}
	var parts []string
	look := ""
	note := func(n int, one, many string, words ...string) {
		if n == 0 {
			return
		}
		text := many
		if n == 1 {
			text = one
		}
		parts = append(parts, fmt.Sprintf("%d %s", n, text))
		look = p.route.command(append([]string{"token", "list"}, words...)...)
	}
	note(forever, "never expires", "never expire", "--without-expiry")
	note(expired, "has expired", "have expired", "--expired")
	note(old, "with write access is older than 90 days", "with write access are older than 90 days", "--scope", "write", "--older-than", "90d")
	text := plural(len(list.Tokens), "token")
	if len(parts) > 0 {
		text += ": " + strings.Join(parts, ", ") + "; see " + look
	}
	return text
}

// shownTime is a moment in the zone of the service's time stamps.
func (p *program) shownTime(s *session, at time.Time) string {
	zone := s.zone
	if zone == nil {
		zone = time.FixedZone("IST", int((5*time.Hour + 30*time.Minute).Seconds()))
	}
	return at.In(zone).Format("2006-01-02 15:04:05")
}
