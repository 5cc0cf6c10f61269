package utho

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
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
	bad, _ := New(testSecret, WithUserAgent("a\r\nX: y"), WithRetry(quick), WithBaseURL("http://127.0.0.1:1"))
	if _, err := bad.ListTokens(t.Context()); !strings.Contains(err.Error(), "invalid header") {
		t.Errorf("a user agent with a newline: %v", err)
	}
	if _, err := New(testSecret, WithBaseURL("http://api.utho.com/v2")); !errors.As(err, new(*URLError)) {
		t.Error(err)
	}
	c, err := New(testSecret, WithTransport(nil), WithLocation(nil), WithRequestHook(nil), WithRetry(RetryPolicy{}))
	if err != nil || c.agent != "utho-go" {
		t.Fatal(err, c)
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "c", c, "value", *c)
	text := fmt.Sprintf("%v %+v %#v %s %v", c, c, c, *c, struct{ C *Client }{c}) + log.String()
	if noSecret(t, text); strings.Count(text, "utho.Client("+DefaultBaseURL+")") != 5 {
		t.Error(text)
	}
}

func TestParseBaseURL(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{ // where /api and /account/info are
		DefaultBaseURL: DefaultBaseURL, DefaultBaseURL + "///": DefaultBaseURL, "https://console.utho.com/api": "https://console.utho.com",
		"https://x.example/v2/api//": "https://x.example/v2", "https://x.example": "https://x.example",
		"https://x.example/myapi": "https://x.example/myapi", "https://x.example/api/api": "https://x.example/api",
		"https://x.example/a%2Fb/": "https://x.example/a%2Fb", "HTTPS://X.Example:0443/V2": "https://x.example/V2",
		"https://api.utho.com:": "https://api.utho.com", "https://api.utho.com:80": "https://api.utho.com:80",
		"http://LOCALHOST:80/x": "http://localhost/x", "http://127.255.0.9:443": "http://127.255.0.9:443",
		"http://[0:0:0:0:0:0:0:1]:8": "http://[::1]:8", "https://[2001:DB8::0:1]:443/": "https://[2001:db8::1]",
		"https://a_b.example.": "https://a_b.example.",
	} {
		u, err := ParseBaseURL(base)
		if err != nil {
			t.Fatalf("%s: %v", base, err)
		}
		if tokens, account := endpoints(u); tokens != want+"/api" || account != want+"/account/info" {
			t.Errorf("%s: %s %s, want %s", base, tokens, account, want)
		}
		if again, err := ParseBaseURL(u.String()); err != nil || again.String() != u.String() {
			t.Errorf("%s: %s, then %s, %v", base, u, again, err)
		}
	}
	for reason, bases := range map[string][]string{
		"must start with https://": {"", "api.utho.com/v2", "//api.utho.com", "ftp://api.utho.com", "live_test_hunter2", "hunter2"},
		"names no host":            {"https:api.utho.com", "https://", "https:///v2"},
		"no host that could exist": {"https://:443", "https://.", "https://a..b", "https://a,b", "https://[::1%25lo]"},
		"cannot be read": {"https://[127.0.0.1]", "https://[::1", "https://a:b", "https://u:hunter2%zz@x.example",
			"https://u:hunter2@x.example:bad"},
		"port": {"https://a:0", "https://a:65536"},
		"outside ASCII": {"https://bücher.example", "https://api.utho.com/v 2", "https://api.utho.com\n", "https:\\\\api.utho.com",
			"https://u:hunter 2@x.example"},
		"only for localhost": {"http://api.utho.com/v2", "http://localhost.example", "http://127.0.0.1.example", "http://localhost.",
			"http://a.localhost", "http://127.1", "http://2130706433", "http://0x7f.1", "http://0.0.0.0", "http://128.0.0.1",
			"http://[::]", "http://[::2]", "http://[::ffff:127.0.0.1]"},
		"query":                   {"https://x.example/?a=hunter2", "https://x.example?"},
		"fragment":                {"https://x.example/#hunter2", "https://x.example/#"},
		"user name or a password": {"https://user@x.example", "https://user:hunter2@x.example", "https://@x.example"},
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
	for text, want := range map[string]Scope{"read-only": ScopeReadOnly, "Read-Only": ScopeReadOnly, "WRITE": ScopeWrite} {
		var s Scope
		err := s.UnmarshalText([]byte(text))
		if b, err2 := s.MarshalText(); err != nil || err2 != nil || s != want || string(b) != strings.ToLower(text) {
			t.Errorf("%s: %v, %v, %v", text, s, err, err2)
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
