package cli

import (
	"iter"
	"slices"
	"strconv"
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
	if zone == nil {
		zone = time.FixedZone("IST", 5*60*60+30*60)
	}
	return views{now: now, zone: zone, delete: p.route.command("token", "delete") + " ", about: p.route.about}
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

// rfc3339 is empty for a time that is not known.
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

// expires is the moment in the token's name, in the zone of CREATED AT, and whether it has passed. The service does
// not enforce it.
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
