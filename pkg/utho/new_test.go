package utho

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestNew(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{"", " ", "live_a b", "live_a\n", "\x00", "live_é", "live_a\x7f", "\ufefflive_a"} {
		c, err := New(secret)
		if c != nil || !errors.Is(err, ErrBadSecret) || strings.Contains(err.Error(), "live_") {
			t.Errorf("%q: %v", secret, err)
		}
	}
	for _, secret := range []string{"x", "live_abc", "a/b+c=", "~!@#$%^&*()"} {
		if _, err := New(secret); err != nil {
			t.Errorf("%q: %v", secret, err)
		}
	}
	if _, err := New(testSecret, WithUserAgent("a\r\nX: y")); err == nil {
		t.Error("a user agent with a newline")
	}
	var wrong *URLError
	if _, err := New(testSecret, WithBaseURL("http://api.utho.com/v2")); !errors.As(err, &wrong) {
		t.Error(err)
	}
	if _, err := New(testSecret, WithHTTPClient(nil), WithLocation(nil), WithTrace(nil), WithRetry(RetryPolicy{})); err != nil {
		t.Error(err)
	}
}

// A secret of the sandbox is for this machine only.
func TestSandboxSecret(t *testing.T) {
	t.Parallel()
	const secret = "live_sandbox_0123"
	for base, fine := range map[string]bool{
		DefaultBaseURL: false, "https://utho.example": false, "https://127.0.0.1.example": false, "https://localhost.example": false,
		"https://10.0.0.1": false, "https://[::2]": false,
		"http://127.0.0.1:8080": true, "http://127.8.9.1": true, "http://localhost/v2": true, "http://[::1]:9": true, "https://localhost": true,
	} {
		_, err := New(secret, WithBaseURL(base))
		if fine != (err == nil) || !fine && (!errors.Is(err, ErrSandboxSecret) || strings.Contains(err.Error(), "0123")) {
			t.Errorf("%s: %v", base, err)
		}
	}
}

// The given client is copied: it keeps its own rule for redirects, and its transport is used.
func TestHTTPClientIsCopied(t *testing.T) {
	t.Parallel()
	used := 0
	given := &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
		used++
		return nil, errors.New("no")
	})}
	c, err := New(testSecret, WithHTTPClient(given), WithRetry(RetryPolicy{MaxAttempts: 1}))
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.ListTokens(t.Context())
	mustError(t, err, ErrUnavailable)
	if given.CheckRedirect != nil || used != 1 {
		t.Errorf("used %d times", used)
	}
}

func TestClientHidesItsSecret(t *testing.T) {
	t.Parallel()
	c, err := New(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, c); text != "utho.Client("+DefaultBaseURL+")" {
			t.Errorf("%s: %s", verb, text)
		}
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		"https://api.utho.com/v2":      "https://api.utho.com/v2/api https://api.utho.com/v2/account/info",
		"https://api.utho.com/v2///":   "https://api.utho.com/v2/api https://api.utho.com/v2/account/info",
		"https://console.utho.com/api": "https://console.utho.com/api https://console.utho.com/account/info",
		"https://x.example/v2/api/":    "https://x.example/v2/api https://x.example/v2/account/info",
		"https://x.example/v2/api//":   "https://x.example/v2/api https://x.example/v2/account/info",
		"https://x.example":            "https://x.example/api https://x.example/account/info",
		"https://x.example/":           "https://x.example/api https://x.example/account/info",
		"https://x.example/myapi":      "https://x.example/myapi/api https://x.example/myapi/account/info",
		"https://x.example/api/v2":     "https://x.example/api/v2/api https://x.example/api/v2/account/info",
		"https://x.example/api/api":    "https://x.example/api/api https://x.example/api/account/info",
		"https://x.example/a%2Fb":      "https://x.example/a%2Fb/api https://x.example/a%2Fb/account/info",
		"HTTPS://X.Example:443/V2":     "https://x.example/V2/api https://x.example/V2/account/info",
	} {
		c, err := New(testSecret, WithBaseURL(base))
		if err != nil {
			t.Fatal(err)
		}
		if got := c.at.tokens + " " + c.at.account; got != want {
			t.Errorf("%s: %s, want %s", base, got, want)
		}
		if c.at.create() != c.at.tokens+"/generate" {
			t.Error(c.at.create())
		}
	}
}

func TestOrigin(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		DefaultBaseURL:                  "https://api.utho.com",
		"https://API.Utho.COM:443/v2":   "https://api.utho.com",
		"https://api.utho.com:8443/":    "https://api.utho.com:8443",
		"https://api.utho.com:0443":     "https://api.utho.com",
		"https://api.utho.com:":         "https://api.utho.com",
		"https://api.utho.com:80":       "https://api.utho.com:80",
		"http://localhost:80/x":         "http://localhost",
		"http://LOCALHOST:8080":         "http://localhost:8080",
		"http://127.0.0.1:443":          "http://127.0.0.1:443",
		"http://127.255.0.9":            "http://127.255.0.9",
		"http://[::1]:8080/v2":          "http://[::1]:8080",
		"http://[0:0:0:0:0:0:0:1]":      "http://[::1]",
		"https://[2001:DB8::0:1]:443/":  "https://[2001:db8::1]",
		"https://[::ffff:1.2.3.4]":      "https://[::ffff:1.2.3.4]",
		"https://xn--bcher-kva.example": "https://xn--bcher-kva.example",
		"https://a_b.example.":          "https://a_b.example.",
	} {
		if got, err := Origin(base); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %s", base, got, err, want)
		}
	}
	for base, reason := range map[string]string{
		"":                                "must start with https://",
		"api.utho.com/v2":                 "must start with https://",
		"//api.utho.com":                  "must start with https://",
		"ftp://api.utho.com":              "must start with https://",
		"unix:/run/x":                     "must start with https://",
		"https:api.utho.com":              "names no host",
		"https://":                        "names no host",
		"https:///v2":                     "names no host",
		"https://:443":                    "no host that could exist",
		"https://.":                       "no host that could exist",
		"https://a..b":                    "no host that could exist",
		"https://a,b":                     "no host that could exist",
		"https://[::1%25lo]":              "no host that could exist",
		"https://[127.0.0.1]":             "cannot be read",
		"https://[::1":                    "cannot be read",
		"https://a:b":                     "cannot be read",
		"https://a:0":                     "port",
		"https://a:65536":                 "port",
		"https://bücher.example":          "outside ASCII",
		"https://api.utho.com/v 2":        "blanks",
		"https://api.utho.com\n":          "blanks",
		"https:\\\\api.utho.com":          "backslashes",
		"http://api.utho.com/v2":          "only for localhost",
		"http://localhost.example":        "only for localhost",
		"http://127.0.0.1.example":        "only for localhost",
		"http://localhost.":               "only for localhost",
		"http://a.localhost":              "only for localhost",
		"http://127.1":                    "only for localhost",
		"http://2130706433":               "only for localhost",
		"http://0x7f.1":                   "only for localhost",
		"http://0.0.0.0":                  "only for localhost",
		"http://128.0.0.1":                "only for localhost",
		"http://[::]":                     "only for localhost",
		"http://[::2]":                    "only for localhost",
		"http://[::ffff:127.0.0.1]":       "only for localhost",
		"https://x.example/?a=b":          "query",
		"https://x.example?":              "query",
		"https://x.example/#a":            "fragment",
		"https://x.example/#":             "fragment",
		"https://user@x.example":          "user name or a password",
		"https://user:hunter2@x.example":  "user name or a password",
		"https://:hunter2@x.example":      "user name or a password",
		"https://@x.example":              "user name or a password",
		"https://u:hunter2%zz@x.example":  "cannot be read",
		"https://u:hunter2@x.example:bad": "cannot be read",
		"https://u:hunter 2@x.example":    "blanks",
		"live_test_hunter2":               "must start with https://",
		"hunter2":                         "must start with https://",
		"https://live_hunter2":            "",
	} {
		got, err := Origin(base)
		var wrong *URLError
		if got != "" || !errors.As(err, &wrong) {
			if reason != "" {
				t.Errorf("%s: %q, %v", base, got, err)
			}
			continue
		}
		if !strings.Contains(err.Error(), reason) {
			t.Errorf("%s: %v, want %q", base, err, reason)
		}
		if strings.Contains(err.Error(), "hunter") || strings.Contains(err.Error(), "user:") {
			t.Errorf("%s is quoted: %v", base, err)
		}
	}
	_, err := Origin("ftp://api.utho.com/?key=hunter2")
	if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), `"ftp://api.utho.com/"`) {
		t.Error(err)
	}
}

func FuzzOrigin(f *testing.F) {
	for _, s := range []string{DefaultBaseURL, "http://127.0.0.1:80/", "https://u:p@x", "https://[::1]:443", "HTTP://LocalHost:1", "https://a:0443//api/", "https://x/?q#f"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		origin, err := Origin(raw)
		if err != nil {
			var wrong *URLError
			if !errors.As(err, &wrong) || origin != "" {
				t.Fatalf("%q: %q, %v", raw, origin, err)
			}
			if i := strings.LastIndexByte(raw, '@'); i > 0 && wrong.URL != "" {
				t.Fatalf("%q is quoted: %v", raw, err)
			}
			return
		}
		if again, err := Origin(origin); again != origin || err != nil {
			t.Fatalf("%q: the origin of %q is %q, %v", raw, origin, again, err)
		}
		u, err := url.Parse(raw)
		if err != nil || u.User != nil || u.RawQuery != "" || u.Fragment != "" || !strings.EqualFold(u.Scheme, origin[:strings.IndexByte(origin, ':')]) {
			t.Fatalf("%q became %q", raw, origin)
		}
		// net/http would connect to the same place.
		o, err := url.Parse(origin)
		if err != nil || !strings.HasPrefix(u.Host, "[") && !strings.EqualFold(o.Hostname(), u.Hostname()) || origin != strings.ToLower(origin) || o.Path != "" {
			t.Fatalf("%q became %q", raw, origin)
		}
		if o.Scheme == "http" {
			if h := o.Hostname(); h != "localhost" && h != "::1" && !strings.HasPrefix(h, "127.") {
				t.Fatalf("%q: http to %q", raw, h)
			}
		}
		c, err := New(testSecret, WithBaseURL(raw))
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []string{c.at.tokens, c.at.account, c.at.create(), c.at.delete("../x")} {
			if !strings.HasPrefix(at, origin+"/") {
				t.Fatalf("%q: %q is outside %q", raw, at, origin)
			}
			if _, err := http.NewRequest("GET", at, nil); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestScope(t *testing.T) {
	t.Parallel()
	for _, s := range []Scope{ScopeReadOnly, ScopeWrite} {
		var flag Scope
		if err := flag.Set(s.String()); err != nil || flag != s {
			t.Errorf("%v: %v, %v", s, flag, err)
		}
	}
	kept := ScopeWrite
	for _, text := range []string{"", "unknown", "Write", "readonly", "read-only ", "on", "1"} {
		if got, err := ParseScope(text); err == nil || got != 0 {
			t.Errorf("%q: %v, %v", text, got, err)
		}
		if err := kept.Set(text); err == nil || kept != ScopeWrite {
			t.Errorf("%q: %v, %v", text, kept, err)
		}
	}
	if got := fmt.Sprint(Scope(0), ScopeReadOnly, ScopeWrite, Scope(0).Label(), ScopeReadOnly.Label(), ScopeWrite.Label(), kept.Type()); got != "unknown read-only writeUnknownRead-OnlyWritescope" {
		t.Error(got)
	}
}
