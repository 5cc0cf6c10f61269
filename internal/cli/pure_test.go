package cli

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/utho/utho-cli/internal/expiry"
	"github.com/utho/utho-cli/pkg/utho"
)

func TestWantsJSON(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args, env string
		want      bool
	}{
		{"token list", "", false},
		{"token list", "json", true},
		{"token list", " json ", true},
		{"token list", "yaml", false},
		{"token list -o json", "", true},
		{"token list -ojson", "", true},
		{"token list -o=json", "", true},
		{"token list --output json", "", true},
		{"token list --output=json", "", true},
		{"token delete 1 -yo json", "", true},
		{"token delete 1 -yojson", "", true},
		{"token delete 1 -yo=json", "", true},
		{"-o json token list -o table", "", false},
		{"-o table token list -o json", "", true},
		{"token list -o table", "json", false},
		{"token list -o", "", false},
		{"token list --output", "json", false},
		{"token list -p ojson", "", false},
		{"token list -pojson", "", false},
		{"token run -- cmd -o json", "", false},
		{"token list -o json -- x -o table", "", true},
		{"token get json", "", false},
	} {
		if got := wantsJSON(strings.Fields(test.args), test.env); got != test.want {
			t.Errorf("utho %s with UTHO_OUTPUT=%q: %v", test.args, test.env, got)
		}
	}
}

func TestRedact(t *testing.T) {
	t.Parallel()
	const secret = "live_0123456789abcdefABCDEF-_"
	for in, want := range map[string]string{
		"":                              "",
		"nothing":                       "nothing",
		secret:                          "live_[redacted]",
		"a " + secret + ", b":           "a live_[redacted], b",
		secret + " " + secret:           "live_[redacted] live_[redacted]",
		`"` + secret + `"`:              `"live_[redacted]"`,
		"live_stream":                   "live_stream",
		"live_production_database":      "live_production_database",
		"live_streaming-backend_2026":   "live_streaming-backend_2026",
		"live_payments2026-frankfurt01": "live_payments2026-frankfurt01",
		"live_550e8400-e29b-41d4-a716-446655440000": "live_[redacted]",
		"live_sandbox_0123456789abcdef0123":         "live_[redacted]",
		"live_stream and " + secret:                 "live_stream and live_[redacted]",
		"live_live_" + secret + "\nnext":            "live_[redacted]\nnext",
	} {
		if got := redactLive(in); got != want {
			t.Errorf("redact(%q) = %q, want %q", in, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		around := rapid.StringMatching(`[ -~]*[^A-Za-z0-9_-]|`)
		text := around.Draw(t, "before") + secret + around.Draw(t, "after")
		if got := redactLive(text); strings.Contains(got, "0123456789") || redactLive(got) != got {
			t.Fatalf("redact(%q) = %q", text, got)
		}
	})
}

// Ids are ordered as the numbers they are, whatever their length.
func TestOrderIDs(t *testing.T) {
	t.Parallel()
	ids := []string{"b", "10", "9", "a", "100000000000000000000", "1", "99999999999999999999", "010"}
	slices.SortFunc(ids, compareIDs)
	if got := strings.Join(ids, " "); got != "1 9 10 010 99999999999999999999 100000000000000000000 a b" {
		t.Errorf("the order is %s", got)
	}
}

// An order and its reverse hold the same tokens, those without a value last in
// both.
func TestOrder(t *testing.T) {
	t.Parallel()
	token := rapid.Custom(func(t *rapid.T) utho.Token {
		tk := utho.Token{
			ID:    rapid.StringMatching(`[0-9]{1,3}`).Draw(t, "id"),
			Name:  rapid.SampledFrom([]string{"a", "b", "c.expires-20250101T0000Z", "d.expires-20260101T0000Z"}).Draw(t, "name"),
			Scope: rapid.SampledFrom([]utho.Scope{utho.ScopeReadOnly, utho.ScopeWrite}).Draw(t, "scope"),
		}
		if rapid.Bool().Draw(t, "dated") {
			tk.CreatedAt = time.Unix(rapid.Int64Range(1, 5).Draw(t, "created"), 0)
		}
		return tk
	})
	rapid.Check(t, func(t *rapid.T) {
		tokens := rapid.SliceOfN(token, 0, 8).Draw(t, "tokens")
		for _, key := range []string{"name", "scope", "created", "id", "age", "expires"} {
			for _, k := range []string{key, "-" + key} {
				less, err := order(k)
				if err != nil {
					t.Fatal(err)
				}
				sorted := slices.Clone(tokens)
				slices.SortStableFunc(sorted, less)
				if !slices.IsSortedFunc(sorted, less) {
					t.Fatalf("%s is no order: %v", k, sorted)
				}
				none := func(tk utho.Token) bool {
					return (key == "created" || key == "age") && tk.CreatedAt.IsZero() || key == "expires" && baseName(tk.Name) == tk.Name
				}
				if i := slices.IndexFunc(sorted, none); i >= 0 && slices.ContainsFunc(sorted[i:], func(tk utho.Token) bool { return !none(tk) }) {
					t.Fatalf("%s: what has no value is not last: %v", k, sorted)
				}
			}
		}
	})
	for _, key := range []string{"size", "-", "--name", "Name"} {
		if _, err := order(key); err == nil {
			t.Errorf("there is an order by %q", key)
		}
	}
}

func TestLooksLikeCommand(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]bool{
		"lsit": true, "tok-en": true, "": true,
		"LS": false, "a b": false, "x1": false, "hunter2": false, "abcdefghijklmnopq": false, "é": false, "\x1b": false,
	} {
		if got := looksLikeCommand(word); got != want {
			t.Errorf("looksLikeCommand(%q) = %v", word, got)
		}
	}
}

// A rotation renews an expiry for the length that was asked for, whatever
// second the old token was made in and however late its time was stamped.
func TestRotatedNameKeepsLength(t *testing.T) {
	t.Parallel()
	minute := time.Date(2026, 11, 23, 13, 44, 0, 0, time.UTC)
	for _, lifetime := range []time.Duration{5 * time.Minute, 90 * time.Minute, time.Hour, 24 * time.Hour, 30 * 24 * time.Hour} {
		for second := range 60 {
			for late := range 3 {
				made := minute.Add(time.Duration(second) * time.Second)
				name, err := expiry.Append("ci", made.Add(lifetime))
				if err != nil {
					t.Fatal(err)
				}
				old := utho.Token{ID: "1", Name: name, CreatedAt: made.Add(time.Duration(late) * time.Second)}
				at := minute.Add(1000 * time.Hour)
				got, err := rotatedName(old, 0, at)
				if want, _ := expiry.Append("ci", at.Add(lifetime)); got != want || err != nil {
					t.Errorf("%v, made at second %d, stamped %d s later: %s, want %s; %v", lifetime, second, late, got, want, err)
				}
			}
		}
	}
}

// A name in a sentence is in quotes, those in it are told from the end, and
// writing keeps its joiners.
func TestQuoteText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"ci":                           `"ci"`,
		"":                             `""`,
		`a"b\c`:                        `"a\"b\\c"`,
		"\u0915\u094d\u200d\u0937":     "\"\u0915\u094d\u200d\u0937\"",
		"\"\u0915\u094d\u200d\u0937\"": "\"\\\"\u0915\u094d\u200d\u0937\\\"\"",
		"a\u202eb\x1b[31m":             `"a\u202eb\x1b[31m"`,
		"a\xffb":                       `"a\xffb"`,
	} {
		if got := quoteText(in); got != want {
			t.Errorf("quoteText(%q) = %s, want %s", in, got, want)
		}
	}
}

// Shells know [!a], path.Match only [^a]; a slash is a letter like any other.
func TestGlob(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		pattern, name string
		want          bool
	}{
		{"ci-*", "ci-a/b", true},
		{"ci?b", "ci/b", true},
		{"[!a]*", "b", true},
		{"[!a]*", "a", false},
		{"[^a]*", "a", false},
		{`\[!a]`, "[!a]", true},
		{"[a!]", "!", true},
		{"[!/]", "/", false},
		{"x[!", "x", false},
	} {
		if got := glob(test.pattern, test.name); got != test.want {
			t.Errorf("glob(%q, %q) = %v", test.pattern, test.name, got)
		}
	}
}

// Time helps where the service is busy, and nowhere else.
func TestUnavailableHint(t *testing.T) {
	t.Parallel()
	for hint, cause := range map[string]error{
		"certificates": &tls.CertificateVerificationError{Err: errors.New("unknown authority")},
		"address":      &net.DNSError{Err: "no such host", Name: "nosuch.example", IsNotFound: true},
		"--timeout":    &net.DNSError{Err: "i/o timeout", Name: "api.utho.com", IsTimeout: true},
		"later":        errors.New("connection refused"),
	} {
		f := classify(fmt.Errorf("list: %w", &utho.Error{Op: "list tokens", Kind: utho.ErrUnavailable, Err: cause}))
		if f.exit != exitUnavailable || !strings.Contains(f.hint, hint) {
			t.Errorf("%v: exit %d, hint %q", cause, f.exit, f.hint)
		}
	}
}
