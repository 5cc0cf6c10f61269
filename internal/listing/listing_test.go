package listing

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/utho/utho-cli/internal/lifecycle"
	"github.com/utho/utho-cli/pkg/utho"
)

func sample() *utho.TokenList {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	return &utho.TokenList{ServerTime: now, Tokens: []utho.Token{
		{ID: "1", Name: "ci-a/b", Scope: utho.ScopeWrite, CreatedAt: ago(100 * 24 * time.Hour)},
		{ID: "2", Name: "ci.expires-20261123T1200Z", Scope: utho.ScopeReadOnly, CreatedAt: ago(24 * time.Hour)}, // now
		{ID: "3", Name: "ci.expires-20261130T1200Z", Scope: utho.ScopeReadOnly, CreatedAt: ago(time.Hour)},      // in 7 days
		{ID: "4", Name: "db.expires-20261130T1201Z", Scope: utho.ScopeWrite},                                    // undated
		{ID: "5", Name: "ci", Scope: utho.ScopeWrite, CreatedAt: ago(30 * 24 * time.Hour)},
	}}
}

func TestSelectors(t *testing.T) {
	t.Parallel()
	day := 24 * time.Hour
	for _, row := range []struct {
		s    Selectors
		want string
	}{
		{Selectors{}, "1 2 3 4 5"},
		{Selectors{Name: "ci*"}, "1 2 3 5"},
		{Selectors{Name: "ci"}, "5"},
		{Selectors{Name: "[!c]*"}, "4"},
		{Selectors{Scope: utho.ScopeWrite}, "1 4 5"},
		{Selectors{Older: 30 * day}, "1"}, // exactly 30 days is not older
		{Selectors{Newer: 30 * day}, "2 3"},
		{Selectors{Older: time.Hour, Newer: 31 * day}, "2 5"},
		{Selectors{Expired: true}, "2"},
		{Selectors{Within: 7 * day}, "3"},
		{Selectors{Within: 8 * day}, "3 4"},
		{Selectors{Within: 7 * day, Expired: true}, ""},
		{Selectors{WithoutExpiry: true}, "1 5"},
		{Selectors{WithoutExpiry: true, Except: []string{"1"}}, "5"},
		{Selectors{Except: []string{"ci", "db"}}, "1 2 3"},
	} {
		chosen, err := row.s.Choose(sample())
		var ids []string
		for _, token := range chosen {
			ids = append(ids, token.ID)
		}
		if got := strings.Join(ids, " "); err != nil || got != row.want {
			t.Errorf("%+v chooses %q, want %q; %v", row.s, got, row.want, err)
		}
	}
	missing := Selectors{Except: []string{"nosuch"}}
	if _, err := missing.Choose(sample()); !errors.As(err, new(*lifecycle.NotFoundError)) {
		t.Errorf("--except of a missing token: %v", err)
	}
}

// Shells know [!a], path.Match only [^a]; a slash is a letter like any other.
func TestGlob(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		pattern, name string
		want          bool
	}{
		{"ci-*", "ci-a/b", true}, {"ci?b", "ci/b", true}, {"[!a]*", "b", true}, {"[!a]*", "a", false}, {"[^a]*", "a", false},
		{`\[!a]`, "[!a]", true}, {"[a!]", "!", true}, {"[!/]", "/", false}, {"x[!", "x", false},
	} {
		if got := glob(row.pattern, row.name); got != row.want {
			t.Errorf("glob(%q, %q) = %v", row.pattern, row.name, got)
		}
	}
}

// An order and its reverse hold the same tokens; what has no value is last in both.
func TestOrder(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		"": "1 2 3 4 5", "id": "1 2 3 4 5", "-id": "5 4 3 2 1", "name": "5 1 2 3 4", "scope": "2 3 1 4 5", "Created_At": "1 5 2 3 4",
		"-created": "3 2 5 1 4", "age": "3 2 5 1 4", "-age": "1 5 2 3 4", "expires": "2 3 4 1 5", "-expires_at": "4 3 2 1 5",
	} {
		compare, err := Order(key)
		if err != nil {
			t.Errorf("order %q: %v", key, err)
			continue
		}
		tokens := sample().Tokens
		slices.SortStableFunc(tokens, compare)
		var ids []string
		for _, token := range tokens {
			ids = append(ids, token.ID)
		}
		if got := strings.Join(ids, " "); got != want {
			t.Errorf("order %q: %s, want %s", key, got, want)
		}
	}
	if _, err := Order("size"); err == nil {
		t.Error("there is an order by size")
	}
	ids := []string{"b", "10", "9", "a", "100000000000000000000", "1", "99999999999999999999", "010"}
	slices.SortFunc(ids, compareIDs)
	if got := strings.Join(ids, " "); got != "1 9 10 010 99999999999999999999 100000000000000000000 a b" {
		t.Errorf("the order of ids is %s", got)
	}
}

// A token is offered once: by its name if that means it and every shell takes it, else by its id. Scope and age
// stand beside it, and nothing that a terminal acts on.
func TestOffers(t *testing.T) {
	t.Parallel()
	list := sample()
	for i, name := range []string{"ci", "-rf", "9", "$(id)", "red\x1b[31m\nline\ttab"} {
		list.Tokens = append(list.Tokens, utho.Token{ID: strconv.Itoa(6 + i), Name: name, Scope: utho.ScopeReadOnly})
	}
	list.Tokens = append(list.Tokens, utho.Token{ID: "a b", Name: "spaced.id"})
	const first, behind = "ci.expires-20261123T1200Z", "ci.expires-20261130T1200Z"
	for _, row := range []struct{ args, typed, want string }{
		{"", "", "1 " + first + " " + behind + " db.expires-20261130T1201Z 5 6 7 8 9 10 spaced.id"},
		{"", "db", "db.expires-20261130T1201Z"},
		{"", "4", "4"},
		{"4 6", "", "1 " + first + " " + behind + " 5 7 8 9 10 spaced.id"},
	} {
		var got []string
		for _, offer := range Offers(list, strings.Fields(row.args), row.typed) {
			word, _, _ := strings.Cut(offer, "\t")
			got = append(got, word)
		}
		if strings.Join(got, " ") != row.want {
			t.Errorf("%q behind %q offers %q, want %s", row.typed, row.args, got, row.want)
		}
	}
	all := strings.Join(Offers(list, nil, ""), "\n")
	for _, line := range []string{"1\tci-a/b (Write, 100d)", `10` + "\t" + `red\x1b[31m\nline\ttab (Read-Only)`} {
		if !strings.Contains(all, line) {
			t.Errorf("it offers\n%s\nwithout %q", all, line)
		}
	}
}
