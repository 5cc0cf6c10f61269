package cli

import (
	"iter"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/utho/utho-cli/internal/expiry"
	"github.com/utho/utho-cli/internal/lifecycle"
	"github.com/utho/utho-cli/internal/output"
	"github.com/utho/utho-cli/pkg/utho"
)

// tokenDoc is a token in JSON and YAML: a contract with scripts, which only grows.
type tokenDoc struct {
	ID         *string   `json:"id"`
	Name       string    `json:"name"`
	Scope      string    `json:"access_scope"`
	CreatedAt  *string   `json:"created_at"`
	CreatedRaw string    `json:"created_at_raw"`
	ExpiresAt  *string   `json:"expires_at"`
	Action     *string   `json:"action"`
	Token      string    `json:"token,omitempty"`
	Replaced   *tokenDoc `json:"replaced,omitempty"`
}

// views turns tokens into what each format shows, seen at one moment.
type views struct {
	now    time.Time
	zone   *time.Location // of what people read
	delete string         // the command that deletes, without the id
	about  func(ids []string, words ...string) string
}

// views makes the views of this run. now is the service's clock, zone that of its time stamps; nil is the default.
func (p *program) views(now time.Time, zone *time.Location) views {
	return views{now: now, zone: zoneOr(zone), delete: p.route.command("token", "delete") + " ", about: p.route.about}
}

// action is the command that deletes a token. Most ids are digits, which need no quotes.
func (v views) action(id string) string {
	if id == "" || lifecycle.IsID(id) {
		return v.delete + id
	}
	return v.about([]string{id}, "token", "delete")
}

func (v views) doc(t utho.Token) tokenDoc {
	d := tokenDoc{Name: t.Name, Scope: t.Scope.String(), CreatedRaw: t.CreatedRaw}
	if t.ID != "" {
		d.ID, d.Action = &t.ID, orNull(v.action(t.ID))
	}
	_, ends, _ := expiry.Split(t.Name)
	d.CreatedAt, d.ExpiresAt = orNull(rfc3339(t.CreatedAt)), orNull(rfc3339(ends))
	return d
}

func rfc3339(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.Format(time.RFC3339)
}

// docs creates the documents one by one: 100,000 at once would be 12 MB.
func (v views) docs(tokens []utho.Token) iter.Seq[tokenDoc] {
	return func(yield func(tokenDoc) bool) {
		for _, t := range tokens {
			if !yield(v.doc(t)) {
				return
			}
		}
	}
}

type column = output.Column[utho.Token]

// columns are the columns that people read, in the order of csv.
func (v views) columns() []column {
	return []column{
		{Key: "name", Header: "API NAME", Text: func(t utho.Token) string { return t.Name }},
		{Key: "scope", Header: "ACCESS SCOPE", Text: func(t utho.Token) string { return t.Scope.Label() }},
		{Key: "created", Header: "CREATED AT", Text: func(t utho.Token) string { return t.CreatedRaw }},
		{
			Key: "action", Header: "ACTION", Text: func(t utho.Token) string { return v.action(t.ID) },
			Short: func(t utho.Token) string { return "delete " + output.Quote(t.ID) },
		},
		{Key: "id", Header: "ID", Wide: true, Text: func(t utho.Token) string { return t.ID }},
		{Key: "age", Header: "AGE", Wide: true, Text: v.age},
		{Key: "expires", Header: "EXPIRES", Wide: true, Text: v.expires},
	}
}

// csvColumns are columns for programs: times in RFC 3339, and no words beside a value.
func (v views) csvColumns() []column {
	all := v.columns()
	all[len(all)-1].Text = func(t utho.Token) string {
		_, ends, _ := expiry.Split(t.Name)
		return rfc3339(ends)
	}
	return append(all,
		column{Key: "created_at", Text: func(t utho.Token) string { return rfc3339(t.CreatedAt) }},
		column{Key: "expired", Text: func(t utho.Token) string { return strconv.FormatBool(expiry.Expired(t.Name, v.now)) }})
}

// usesClock reports whether one of the columns depends on what time it is.
func usesClock(columns []column) bool {
	return slices.ContainsFunc(columns, func(c column) bool {
		return c.Key == "age" || c.Key == "expires" || c.Key == "expired"
	})
}

func (v views) age(t utho.Token) string {
	if t.CreatedAt.IsZero() {
		return ""
	}
	return expiry.Age(v.now.Sub(t.CreatedAt))
}

// expires is the moment in the token's name, in the zone of CREATED AT, and whether it has passed.
func (v views) expires(t utho.Token) string {
	_, at, ok := expiry.Split(t.Name)
	if !ok {
		return ""
	}
	text := at.In(v.zone).Format(time.DateTime)
	if !v.now.Before(at) {
		text += " (expired)"
	}
	return text
}

// format is one of the formats of -o.
type format string

const (
	formatTable    format = "table"
	formatWide     format = "wide"
	formatJSON     format = "json"
	formatYAML     format = "yaml"
	formatCSV      format = "csv"
	formatMarkdown format = "markdown"
	formatID       format = "id"
)

// The formats that commands have: those of tokens, those of other documents, and those that can carry a secret.
var (
	allFormats      = []format{formatTable, formatWide, formatJSON, formatYAML, formatCSV, formatMarkdown, formatID}
	documentFormats = []format{formatTable, formatJSON, formatYAML}
	secretFormats   = []format{formatJSON, formatYAML}
)

// formatsOf are the formats of the command with that path; nil if it has no answer, and documentFormats for its errors.
func formatsOf(commandPath string) []format {
	switch strings.TrimPrefix(commandPath, "utho ") {
	case "token list", "token get":
		return allFormats
	case "token create", "token rotate":
		return secretFormats
	case "token delete", "login", "logout", "status", "profile list", "version":
		return documentFormats
	}
	return nil
}

func (f format) hasColumns() bool { return !f.isDocument() && f != formatID }

// isDocument reports whether the format is a document that can carry a secret.
func (f format) isDocument() bool { return slices.Contains(secretFormats, f) }

// format is the one in force. A default that the command does not have counts as table; a typed one is refused.
func (p *program) format(allowed []format) (format, error) {
	if typed := format(p.flags.output); typed != "" {
		if !slices.Contains(allowed, typed) {
			return "", hintf(usagef("-o %s: this command does not have that format", typed), "use one of -o %s", join(allowed))
		}
		return typed, nil
	}
	st, err := p.settings()
	if err != nil {
		return "", err
	}
	f := format(strings.ToLower(st.Output))
	switch {
	case slices.Contains(allowed, f):
		return f, nil
	case slices.Contains(allFormats, f):
		return formatTable, nil
	}
	return "", hintf(usagef("UTHO_OUTPUT=%s: there is no such format", st.Output), "the formats are %s", join(allFormats))
}

func join(formats []format) string { return strings.Join(words(formats), ", ") }

func words(formats []format) (all []string) {
	for _, f := range formats {
		all = append(all, string(f))
	}
	return all
}

func (p *program) document(f format, v any) error {
	if f == formatYAML {
		return output.YAML(p.out, v)
	}
	return output.JSON(p.out, v)
}

func documents[T any](p *program, f format, all iter.Seq[T]) error {
	if f == formatYAML {
		return output.YAMLList(p.out, all)
	}
	return output.JSONList(p.out, all)
}

// glob reports whether a pattern matches a whole name. The slash, at which path.Match stops, means nothing there.
func glob(pattern, name string) bool {
	ok, err := path.Match(globPattern(pattern), strings.ReplaceAll(name, "/", "\x00"))
	return ok && err == nil
}

// globPattern is a pattern as path.Match reads it, which knows [^a] only, while shells know [!a] too.
func globPattern(pattern string) string {
	return strings.NewReplacer("/", "\x00", `\\`, `\\`, `\[`, `\[`, "[!", "[^").Replace(pattern)
}
