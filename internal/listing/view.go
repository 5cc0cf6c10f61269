package listing

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/utho/utho-cli/internal/expiry"
	"github.com/utho/utho-cli/internal/output"
	"github.com/utho/utho-cli/pkg/utho"
)

// Doc is a token in JSON and YAML: a contract with scripts, which only grows.
type Doc struct {
	ID         *string `json:"id"`
	Name       string  `json:"name"`
	Scope      string  `json:"access_scope"`
	CreatedAt  *string `json:"created_at"`
	CreatedRaw string  `json:"created_at_raw"`
	ExpiresAt  *string `json:"expires_at"`
	Action     *string `json:"action"`
	Token      string  `json:"token,omitempty"`
	Replaced   *Doc    `json:"replaced,omitempty"`
}

// A View turns tokens into what each format shows, seen at one moment.
type View struct {
	Now    time.Time
	Zone   *time.Location         // of what people read
	Action func(id string) string // the command that deletes a token; "" for none
	CSV    bool                   // for programs: more columns, times in RFC 3339, and no words beside a value
}

// Doc is the document of a token, without a secret.
func (v View) Doc(t utho.Token) Doc {
	return Doc{
		ID: orNull(t.ID), Name: t.Name, Scope: t.Scope.String(), CreatedAt: orNull(rfc3339(t.CreatedAt)), CreatedRaw: t.CreatedRaw,
		ExpiresAt: orNull(rfc3339(ends(t))), Action: orNull(v.Action(t.ID)),
	}
}

func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func rfc3339(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.Format(time.RFC3339)
}

// Column is one column of a list of tokens.
type Column = output.Column[utho.Token]

// columns are all columns, in the order of csv.
func (v View) columns() []Column {
	all := []Column{
		{Key: "name", Header: "API NAME", Text: func(t utho.Token) string { return t.Name }},
		{Key: "scope", Header: "ACCESS SCOPE", Text: func(t utho.Token) string { return t.Scope.Label() }},
		{Key: "created", Header: "CREATED AT", Text: func(t utho.Token) string { return t.CreatedRaw }},
		{
			Key: "action", Header: "ACTION", Text: func(t utho.Token) string { return v.Action(t.ID) },
			Short: func(t utho.Token) string { return "delete " + output.Quote(t.ID) },
		},
		{Key: "id", Header: "ID", Text: func(t utho.Token) string { return t.ID }},
		{Key: "age", Header: "AGE", Text: v.age},
		{Key: "expires", Header: "EXPIRES", Text: v.expires},
	}
	if v.CSV {
		all = append(all,
			Column{Key: "created_at", Text: func(t utho.Token) string { return rfc3339(t.CreatedAt) }},
			Column{Key: "expired", Text: func(t utho.Token) string { return strconv.FormatBool(expiry.Expired(t.Name, v.Now)) }})
	}
	return all
}

// UsesClock reports whether one of the columns depends on what time it is.
func UsesClock(columns []Column) bool {
	return slices.ContainsFunc(columns, func(c Column) bool {
		return c.Key == "age" || c.Key == "expires" || c.Key == "expired"
	})
}

func (v View) age(t utho.Token) string {
	if t.CreatedAt.IsZero() {
		return ""
	}
	return expiry.Age(v.Now.Sub(t.CreatedAt))
}

// expires is the moment in the token's name; for people in the zone of CREATED AT, and whether it has passed.
func (v View) expires(t utho.Token) string {
	at := ends(t)
	switch {
	case at.IsZero() || v.CSV:
		return rfc3339(at)
	case v.Now.Before(at):
		return at.In(v.Zone).Format(time.DateTime)
	}
	return at.In(v.Zone).Format(time.DateTime) + " (expired)"
}

// ColumnKeys returns the words that name columns.
func ColumnKeys() []string {
	return []string{"name", "scope", "created", "action", "id", "age", "expires"}
}

// Columns are those that keys name, separated by commas, or without keys all.
func (v View) Columns(keys string) ([]Column, error) {
	all := v.columns()
	if keys == "" {
		return all, nil
	}
	var names []string
	for word := range strings.SplitSeq(keys, ",") {
		key := normal(word)
		if !slices.ContainsFunc(all, func(c Column) bool { return c.Key == key }) {
			key = plainKey(key)
		}
		names = append(names, key)
	}
	return output.Select(all, names)
}

func normal(word string) string {
	return strings.ToLower(strings.ReplaceAll(strings.TrimSpace(word), " ", "_"))
}

// plainKey is the key that a word means, as people copy it from JSON, csv or the table.
func plainKey(word string) string {
	switch key := normal(word); key {
	case "created_at":
		return "created"
	case "expires_at":
		return "expires"
	case "access_scope":
		return "scope"
	case "api_name":
		return "name"
	default:
		return key
	}
}

// Health is one line on the tokens of an account, and the selectors that list what deserves a look, if anything does.
func Health(tokens []utho.Token, now time.Time) (line, selectors string) {
	var forever, old, expired int
	for _, t := range tokens {
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
	line = fmt.Sprintf("%d in all", len(tokens))
	for _, found := range []struct {
		n               int
		what, selectors string
	}{
		{forever, "without an expiry", "--without-expiry"},
		{expired, "expired", "--expired"},
		{old, "with write access and older than 90 days", "--scope write --older-than 90d"},
	} {
		if found.n > 0 {
			line, selectors = fmt.Sprintf("%s, %d %s", line, found.n, found.what), found.selectors
		}
	}
	return line, selectors
}
