package utho

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestNew(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{"", " ", "live_a b", "live_a\n", "\x00", "live_é", "live_a\x7f", "\ufefflive_a"} {
		if c, err := New(secret); c != nil || !errors.Is(err, ErrInvalidSecret) || strings.Contains(err.Error(), "live_") {
			t.Errorf("%q: %v", secret, err)
		}
	}
	for _, secret := range []string{"x", "live_abc", "a/b+c=", "~!@#$%^&*()", "live_sandbox_0123"} {
		if _, err := New(secret); err != nil {
			t.Errorf("%q: %v", secret, err)
		}
	}
	if _, err := New(testSecret, WithUserAgent("a\r\nX: y")); err == nil {
		t.Error("a user agent with a newline")
	}
	if _, err := New(testSecret, WithBaseURL("http://api.utho.com/v2")); !errors.As(err, new(*URLError)) {
		t.Error(err)
	}
	c, err := New(testSecret, WithHTTPClient(nil), WithLocation(nil), WithRequestHook(nil), WithRetry(RetryPolicy{}))
	if err != nil || !strings.HasPrefix(c.agent, "utho-go/") || strings.ContainsAny(c.agent, "\n") {
		t.Fatal(err, c)
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "c", c, "value", *c)
	text := fmt.Sprintf("%v %+v %#v %s %v", c, c, c, *c, struct{ C *Client }{c}) + log.String()
	if noSecret(t, text); strings.Count(text, "utho.Client("+DefaultBaseURL+")") != 7 {
		t.Error(text)
	}
	given := &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) { return nil, errors.New("no") })}
	if c, err = New(testSecret, WithHTTPClient(given)); err != nil || given.CheckRedirect != nil {
		t.Error("the given client was changed")
	}
}

func TestParseBaseURL(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{ // tokens and account
		DefaultBaseURL:                 "https://api.utho.com/v2/api https://api.utho.com/v2/account/info",
		"https://api.utho.com/v2///":   "https://api.utho.com/v2/api https://api.utho.com/v2/account/info",
		"https://console.utho.com/api": "https://console.utho.com/api https://console.utho.com/account/info",
		"https://x.example/v2/api//":   "https://x.example/v2/api https://x.example/v2/account/info",
		"https://x.example":            "https://x.example/api https://x.example/account/info",
		"https://x.example/myapi":      "https://x.example/myapi/api https://x.example/myapi/account/info",
		"https://x.example/api/api":    "https://x.example/api/api https://x.example/api/account/info",
		"https://x.example/a%2Fb/":     "https://x.example/a%2Fb/api https://x.example/a%2Fb/account/info",
		"HTTPS://X.Example:0443/V2":    "https://x.example/V2/api https://x.example/V2/account/info",
		"https://api.utho.com:":        "https://api.utho.com/api https://api.utho.com/account/info",
		"https://api.utho.com:80":      "https://api.utho.com:80/api https://api.utho.com:80/account/info",
		"http://LOCALHOST:80/x":        "http://localhost/x/api http://localhost/x/account/info",
		"http://127.255.0.9:443":       "http://127.255.0.9:443/api http://127.255.0.9:443/account/info",
		"http://[0:0:0:0:0:0:0:1]:8":   "http://[::1]:8/api http://[::1]:8/account/info",
		"https://[2001:DB8::0:1]:443/": "https://[2001:db8::1]/api https://[2001:db8::1]/account/info",
		"https://a_b.example.":         "https://a_b.example./api https://a_b.example./account/info",
	} {
		u, err := ParseBaseURL(base)
		if err != nil {
			t.Errorf("%s: %v", base, err)
			continue
		}
		at := endpointsOf(u)
		if got := at.tokens + " " + at.account; got != want || at.create() != at.tokens+"/generate" {
			t.Errorf("%s: %s, want %s", base, got, want)
		}
		if again, err := ParseBaseURL(u.String()); err != nil || again.String() != u.String() {
			t.Errorf("%s: %s, then %s, %v", base, u, again, err)
		}
	}
	for reason, bases := range map[string][]string{
		"must start with https://": {"", "api.utho.com/v2", "//api.utho.com", "ftp://api.utho.com", "unix:/run/x", "live_test_hunter2", "hunter2"},
		"names no host":            {"https:api.utho.com", "https://", "https:///v2"},
		"no host that could exist": {"https://:443", "https://.", "https://a..b", "https://a,b", "https://[::1%25lo]"},
		"cannot be read":           {"https://[127.0.0.1]", "https://[::1", "https://a:b", "https://u:hunter2%zz@x.example", "https://u:hunter2@x.example:bad"},
		"port":                     {"https://a:0", "https://a:65536"},
		"outside ASCII": {"https://bücher.example", "https://api.utho.com/v 2", "https://api.utho.com\n", "https:\\\\api.utho.com",
			"https://u:hunter 2@x.example"},
		"only for localhost": {"http://api.utho.com/v2", "http://localhost.example", "http://127.0.0.1.example", "http://localhost.",
			"http://a.localhost", "http://127.1", "http://2130706433", "http://0x7f.1", "http://0.0.0.0", "http://128.0.0.1",
			"http://[::]", "http://[::2]", "http://[::ffff:127.0.0.1]"},
		"query":                   {"https://x.example/?a=hunter2", "https://x.example?"},
		"fragment":                {"https://x.example/#hunter2", "https://x.example/#"},
		"user name or a password": {"https://user@x.example", "https://user:hunter2@x.example", "https://:hunter2@x.example", "https://@x.example"},
	} {
		for _, base := range bases {
			u, err := ParseBaseURL(base)
			if u != nil || !errors.As(err, new(*URLError)) || !strings.Contains(err.Error(), reason) ||
				strings.Contains(err.Error(), "hunter") || strings.Contains(err.Error(), "user:") {
				t.Errorf("%s: %v, %v, want %q", base, u, err, reason)
			}
		}
	}
	if _, err := ParseBaseURL("ftp://api.utho.com/?key=x"); !strings.Contains(err.Error(), `"ftp://api.utho.com/"`) {
		t.Error(err)
	}
}

func TestScope(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Scope{"read-only": ScopeReadOnly, "Read-Only": ScopeReadOnly, "WRITE": ScopeWrite, "write": ScopeWrite} {
		var s Scope
		set := flag.NewFlagSet("x", flag.ContinueOnError)
		set.TextVar(&s, "scope", ScopeReadOnly, "")
		if err := set.Parse([]string{"--scope", text}); err != nil || s != want {
			t.Errorf("%s: %v, %v", text, s, err)
		}
		if b, err := s.MarshalText(); err != nil || string(b) != strings.ToLower(text) {
			t.Errorf("%s: %s, %v", text, b, err)
		}
	}
	kept := ScopeWrite
	for _, text := range []string{"", "unknown", "readonly", "read-only ", "on", "1"} {
		if err := kept.UnmarshalText([]byte(text)); err == nil || kept != ScopeWrite {
			t.Errorf("%q: %v, %v", text, kept, err)
		}
	}
	if _, err := Scope(0).MarshalText(); err == nil {
		t.Error("no scope has a text")
	}
	got := fmt.Sprint(Scope(0), ScopeReadOnly, ScopeWrite, Scope(0).Label(), ScopeReadOnly.Label(), ScopeWrite.Label())
	if got != "unknown read-only writeUnknownRead-OnlyWrite" {
		t.Error(got)
	}
}

func TestTokenJSON(t *testing.T) {
	t.Parallel()
	for want, token := range map[string]Token{
		`{"id":"1","name":"ci","access_scope":"write","created_at":"2024-04-22T01:12:36+05:30","created_at_raw":"2024-04-22 01:12:36"}`: {
			"1", "ci", ScopeWrite, time.Date(2024, 4, 22, 1, 12, 36, 0, ist), "2024-04-22 01:12:36"},
		`{"id":"1","name":"ci","access_scope":"read-only","created_at_raw":""}`: {ID: "1", Name: "ci", Scope: ScopeReadOnly},
	} {
		got, err := json.Marshal(token)
		var back Token
		if err != nil || string(got) != want || json.Unmarshal(got, &back) != nil || !sameTokens([]Token{back}, []Token{token}) {
			t.Errorf("%s, %v; back: %+v", got, err, back)
		}
	}
}

// FuzzList: no input makes the decoder panic; it does not matter how the bytes arrive; and a list
// of valid JSON alone is the one that encoding/json finds in "api".
func FuzzList(f *testing.F) {
	for _, s := range []string{
		someTokens, "\ufeff" + notice + someTokens + notice, `{"status":"success","api":[]}`, `{"api":{}}`, `[]`, `{}`, ` {"status":null}`,
		`{"status":"error","message":"Unauthorized access. Please provide a valid API key."}`, `{"errors":[{"message":"x","code":"E7"}]}`,
		`{"api":[{"id":1,"name":"n","write":true},{"id":"2","name":"\u0031\ud800","write":null,"x":[{"write":1}]}]}`, `<html>`,
		`{"api":[{"id":"1","name":"n","write":"yes"}]}`, `{"api":[{"id":"1"`, `{"a":1}{"status":"success"}`, "{\"\xff\":1,\"api\":\"\"}",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		list := func(status int, body io.Reader) ([]Token, error) {
			list, err := answeredBy(t, status, body).ListTokens(t.Context())
			if err != nil {
				var e *Error
				if !errors.As(err, &e) {
					t.Fatalf("%v", err)
				}
				mustError(t, err, e.Kind)
				return nil, err
			}
			return list.Tokens, nil
		}
		got, err := list(200, strings.NewReader(body))
		slow, errSlow := list(200, io.MultiReader(strings.NewReader(body[:len(body)/2]), strings.NewReader(body[len(body)/2:])))
		if !sameTokens(got, slow) || fmt.Sprint(err) != fmt.Sprint(errSlow) {
			t.Fatalf("at once: %v, %v; in two parts: %v, %v", got, err, slow, errSlow)
		}
		if _, err := list(500, strings.NewReader(body)); err == nil {
			t.Fatal("a list with HTTP 500")
		}
		var whole map[string]json.RawMessage
		if err != nil || json.Unmarshal([]byte(body), &whole) != nil {
			return
		}
		var api []struct{ ID, Write any }
		if json.Unmarshal(whole["api"], &api) == nil && len(api) != len(got) {
			t.Fatalf("%d tokens, %d elements", len(got), len(api))
		}
		for i, tok := range got {
			isWrite := false
			for _, w := range []any{"1", 1.0, true, "on", "true"} {
				isWrite = isWrite || reflect.DeepEqual(api[i].Write, w)
			}
			if isWrite != (tok.Scope == ScopeWrite) {
				t.Fatalf("a guessed scope: %+v", tok)
			}
		}
	})
}

// answeredBy gives a client that is answered with status and body.
func answeredBy(t testing.TB, status int, body io.Reader) *Client {
	return through(t, roundTripper(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, ContentLength: -1, Body: io.NopCloser(body), Request: r, Header: http.Header{}}, nil
	}), WithRetry(RetryPolicy{MaxAttempts: 1}))
}

// FuzzCreate: a secret stands in the answer as an "apikey"; 'nothing was created' is only said if
// the answer says "error" or 429, and never if it shows a usable secret.
func FuzzCreate(f *testing.F) {
	for _, s := range []string{
		created, notice + created, `{"status":"error","message":"no"}`, `{"status":"error","apikey":"` + newSecret + `"}`, `{"apikey":"a","apikey":"b"}`,
		created + created, `<html>` + created, created[:50], `{}`, ``, `{"status":"success","apikey":{"a":"` + newSecret + `"}}`,
	} {
		for _, status := range []int{200, 302, 400, 429, 500} {
			f.Add(status, s)
		}
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			return
		}
		got, err := answeredBy(t, status, strings.NewReader(body)).CreateToken(t.Context(), ci)
		if err == nil {
			inJSON, _ := json.Marshal(got.Secret)
			if !headerSafe(got.Secret) || !strings.Contains(body, "apikey") && !strings.Contains(body, `\u`) ||
				!strings.Contains(body, got.Secret) && !strings.Contains(body, string(inJSON)) && !strings.Contains(body, `\`) {
				t.Fatalf("HTTP %d: a secret from nowhere: %q", status, got.Secret)
			}
			return
		}
		var e *Error
		if !errors.As(err, &e) {
			t.Fatal(err)
		}
		if mustError(t, err, e.Kind); e.Kind == ErrOutcomeUnknown {
			return
		}
		var whole struct{ APIKey string }
		if json.Unmarshal([]byte(body), &whole) == nil && headerSafe(whole.APIKey) && strings.Contains(body, `"apikey"`) {
			t.Fatalf("HTTP %d: nothing was created: %v", status, err)
		}
		if status != 429 && (status >= 500 || !strings.Contains(body, "status") && !strings.Contains(body, `\u`)) {
			t.Fatalf("HTTP %d: it says that nothing was created: %v", status, err)
		}
	})
}

// FuzzRedact: no text is left that holds the secret in one of its spellings.
func FuzzRedact(f *testing.F) {
	f.Add("a", `se/cr"et`, "b")
	f.Add(`{"k":"`, "live_0123456789abcdefghij", `"}`)
	f.Fuzz(func(t *testing.T, before, secret, after string) {
		if len(secret) < 8 || !headerSafe(secret) || strings.Contains(redacted, secret) {
			return
		}
		inJSON, _ := json.Marshal(secret)
		for _, spelling := range []string{secret, strings.ReplaceAll(secret, "/", `\/`), string(inJSON[1 : len(inJSON)-1])} {
			got := Redact(before+spelling+after, secret)
			if strings.Contains(got, spelling) && !strings.Contains(before+redacted+after, spelling) {
				t.Fatalf("%q is in %q", spelling, got)
			}
		}
	})
}
