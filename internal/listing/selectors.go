// Package listing chooses tokens, orders them, and lays them out: selectors, sort keys, columns and documents. It
// knows neither flags nor streams.
package listing

import (
	"path"
	"slices"
	"strings"
	"time"

	"github.com/utho/utho-cli/internal/expiry"
	"github.com/utho/utho-cli/internal/lifecycle"
	"github.com/utho/utho-cli/pkg/utho"
)

// Selectors choose tokens by what they are; together they combine with AND. What is zero chooses all.
type Selectors struct {
	Name                   string // a pattern, see CheckPattern
	Scope                  utho.Scope
	Older, Newer, Within   time.Duration
	Expired, WithoutExpiry bool
	Except                 []string // ids or names to leave out
}

// Any reports whether one was given besides Except.
func (s *Selectors) Any() bool {
	return s.Name != "" || s.Scope != 0 || s.WithoutExpiry || s.UsesClock()
}

// UsesClock reports whether the choice depends on what time it is.
func (s *Selectors) UsesClock() bool { return s.Older > 0 || s.Newer > 0 || s.Within > 0 || s.Expired }

// Choose returns the tokens that match, without those of Except, each of which must be there:
// *lifecycle.NotFoundError, *lifecycle.AmbiguousError.
func (s *Selectors) Choose(list *utho.TokenList) ([]utho.Token, error) {
	var except []string
	for _, arg := range s.Except {
		t, err := lifecycle.Find(list.Tokens, arg)
		if err != nil {
			return nil, err
		}
		except = append(except, t.ID)
	}
	now := lifecycle.Now(list)
	return slices.DeleteFunc(slices.Clone(list.Tokens), func(t utho.Token) bool {
		return !s.match(t, now) || slices.Contains(except, t.ID)
	}), nil
}

// match reports whether t is chosen. A token whose creation time does not parse never matches an age.
func (s *Selectors) match(t utho.Token, now time.Time) bool {
	_, ends, limited := expiry.Split(t.Name)
	undated, age := t.CreatedAt.IsZero(), now.Sub(t.CreatedAt)
	switch {
	case s.Name != "" && !glob(s.Name, t.Name),
		s.Scope != 0 && t.Scope != s.Scope,
		s.Older > 0 && (undated || age <= s.Older),
		s.Newer > 0 && (undated || age >= s.Newer),
		s.Expired && !expiry.Expired(t.Name, now),
		s.Within > 0 && (!limited || expiry.Expired(t.Name, now) || ends.Sub(now) > s.Within),
		s.WithoutExpiry && limited:
		return false
	}
	return true
}

// CheckPattern is path.ErrBadPattern if a text is no pattern for names: * ? [a-z].
func CheckPattern(pattern string) error {
	_, err := path.Match(globPattern(pattern), "")
	return err
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
