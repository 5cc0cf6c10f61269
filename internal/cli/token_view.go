package cli

import (
	"iter"
	"slices"
	"time"

	"github.com/utho/utho-cli/internal/expiry"
	"github.com/utho/utho-cli/internal/output"
	"github.com/utho/utho-cli/pkg/utho"
)

// tokenDoc is a token in JSON and YAML: a contract with scripts, which only
// grows.
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
	action func(id string) string
	plain  bool // for machines: no words beside a value
}

// views makes the views of this run; now is the service's clock.
func (a *app) views(now time.Time) views {
	prefix := a.command("token", "delete") + " "
	return views{now: now, action: func(id string) string {
		if id != "" && (id[0] == '-' || !plainWord(id)) {
			return a.deleteCommand(id)
		}
		return prefix + id
	}}
}

// plainWord tells whether a shell reads s as it stands; most ids are digits.
func plainWord(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return s != ""
}

func (v views) doc(t utho.Token) tokenDoc {
	d := tokenDoc{Name: t.Name, Scope: t.Scope.String(), CreatedRaw: t.CreatedRaw}
	if t.ID != "" {
		id, action := t.ID, v.action(t.ID)
		d.ID, d.Action = &id, &action
	}
	if !t.CreatedAt.IsZero() {
		at := t.CreatedAt.Format(time.RFC3339)
		d.CreatedAt = &at
	}
	if _, at, ok := expiry.Split(t.Name); ok {
		s := at.Format(time.RFC3339)
		d.ExpiresAt = &s
	}
	return d
}

// docs makes the documents one by one: 100,000 at once would be 12 MB.
func (v views) docs(tokens []utho.Token) iter.Seq[tokenDoc] {
	return func(yield func(tokenDoc) bool) {
		for _, t := range tokens {
			if !yield(v.doc(t)) {
				return
			}
		}
	}
}

// columns are the columns of every format for people, in their order.
func (v views) columns() []output.Column[utho.Token] {
	return []output.Column[utho.Token]{
		{Key: "name", Header: "API NAME", Text: func(t utho.Token) string { return t.Name }},
		{Key: "scope", Header: "ACCESS SCOPE", Text: func(t utho.Token) string { return t.Scope.Label() }},
		{Key: "created", Header: "CREATED AT", Text: func(t utho.Token) string { return t.CreatedRaw }},
		{Key: "action", Header: "ACTION", Text: func(t utho.Token) string {
			if t.ID == "" {
				return ""
			}
			return v.action(t.ID)
		}},
		{Key: "id", Header: "ID", Wide: true, Text: func(t utho.Token) string { return t.ID }},
		{Key: "age", Header: "AGE", Wide: true, Text: v.age},
		{Key: "expires", Header: "EXPIRES", Wide: true, Text: v.expires},
	}
}

// useClock tells whether one of the columns depends on what time it is.
func (v views) useClock(columns []output.Column[utho.Token]) bool {
	return slices.ContainsFunc(columns, func(c output.Column[utho.Token]) bool {
		return c.Key == "age" || c.Key == "expires" && !v.plain
	})
}

func (v views) age(t utho.Token) string {
	if t.CreatedAt.IsZero() {
		return ""
	}
	return expiry.Age(v.now.Sub(t.CreatedAt))
}

// expires is the moment in the token's name, and whether it has passed. The
// service does not enforce it.
func (v views) expires(t utho.Token) string {
	_, at, ok := expiry.Split(t.Name)
	switch {
	case !ok:
		return ""
	case !v.plain && !v.now.Before(at):
		return at.Format(time.RFC3339) + " (expired)"
	}
	return at.Format(time.RFC3339)
}

// describe is one token in a sentence: id, name, scope.
func describe(t utho.Token) string {
	return output.Safe(t.ID) + " " + quoteText(t.Name) + " (" + t.Scope.String() + ", created " + output.Safe(t.CreatedRaw) + ")"
}
