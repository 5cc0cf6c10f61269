package utho

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"math/rand/v2"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestKindOfMessage(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]error{
		"Unauthorized access. Please provide a valid API key.": ErrUnauthorized,
		"UNAUTHORIZED": ErrUnauthorized,
		"Unauthorized access. You have 3 attempts left.": ErrUnauthorized,
		"Invalid API key. 2 attempts left.":              ErrUnauthorized,
		"Too many invalid API key attempts":              ErrUnauthorized,
		"Please provide api key":                         ErrUnauthorized,
		"Please provide token name":                      nil,
		"API key has been disabled":                      ErrUnauthorized,
		"Unable to authenticate":                         ErrUnauthorized,
		"unauthorised access":                            ErrUnauthorized,
		"You are not authorized.":                        ErrUnauthorized,
		"Authorization failed":                           ErrUnauthorized,
		"Missing Authorization header":                   ErrUnauthorized,
		"Unauthenticated.":                               ErrUnauthorized,
		"Authentication failed":                          ErrUnauthorized,
		"Invalid API key":                                ErrUnauthorized,
		"Invalid token.":                                 ErrUnauthorized,
		"invalid api-key provided":                       ErrUnauthorized,
		"Your API key is invalid":                        ErrUnauthorized,
		"The access token has expired":                   ErrUnauthorized,
		"token expired":                                  ErrUnauthorized,
		"Invalid credentials":                            ErrUnauthorized,
		"No API key given":                               ErrUnauthorized,
		"Forbidden: invalid API key":                     ErrUnauthorized,
		"You don't have permission to do it":             ErrForbidden,
		"You don’t have permission":                      ErrForbidden,
		"You do not have the required permissions":       ErrForbidden,
		"Permission denied":                              ErrForbidden,
		"Unauthorized: permission denied":                ErrForbidden,
		"This API key has read-only access":              ErrForbidden,
		"read only token":                                ErrForbidden,
		"This action requires write access":              ErrForbidden,
		"API key lacks write scope":                      ErrForbidden,
		"Write access required; this token is read-only": ErrForbidden,
		"You are not authorized to perform this action":  ErrForbidden,
		"Access denied":                                  ErrForbidden,
		"Forbidden":                                      ErrForbidden,
		"You are not allowed to delete this":             ErrForbidden,
		"API not found":                                  ErrNotFound,
		"API key not found":                              ErrNotFound,
		"Token does not exist":                           ErrNotFound,
		"Token doesn't exist.":                           ErrNotFound,
		"No such token":                                  ErrNotFound,
		"no token found with this id":                    ErrNotFound,
		"Could not find the API":                         ErrNotFound,
		"":                                               nil,
		"Server is busy":                                 nil,
		"Invalid token name":                             nil,
		"Invalid API key name":                           nil,
		"Please give a valid token name":                 nil,
		"write permission must be on or off":             nil,
		"Limit of keys reached":                          nil,
		"The foundation is not foundering":               nil,
		"API has been deleted":                           nil,
		"authorizations: 3":                              nil,

		"API key is required":                                ErrUnauthorized,
		"Api-Key required.":                                  ErrUnauthorized,
		"A valid token is required":                          ErrUnauthorized,
		"API token is missing":                               ErrUnauthorized,
		"API key missing or invalid":                         ErrUnauthorized,
		"Invalid or missing API key":                         ErrUnauthorized,
		"Invalid or expired token":                           ErrUnauthorized,
		"Invalid auth token":                                 ErrUnauthorized,
		"Missing API key":                                    ErrUnauthorized,
		"No API key":                                         ErrUnauthorized,
		"No API key provided.":                               ErrUnauthorized,
		"Token not provided":                                 ErrUnauthorized,
		"API key was not supplied":                           ErrUnauthorized,
		"Token is Invalid":                                   ErrUnauthorized,
		"Token is Expired":                                   ErrUnauthorized,
		"Token has been blacklisted":                         ErrUnauthorized,
		"Authorization Token not found":                      ErrUnauthorized,
		"You are not authorised":                             ErrUnauthorized,
		"You must be logged in":                              ErrUnauthorized,
		"Please login to continue":                           ErrUnauthorized,
		"Please sign in":                                     ErrUnauthorized,
		"Session expired, please log in again":               ErrUnauthorized,
		"Your session has expired.":                          ErrUnauthorized,
		"User is not authenticated":                          ErrUnauthorized,
		"Bad API key":                                        ErrUnauthorized,
		"Invalid API key. Contact support.":                  ErrUnauthorized,
		"Write permission is required":                       ErrForbidden,
		"You do not have access to this resource":            ErrForbidden,
		"You don't have access":                              ErrForbidden,
		"Insufficient rights":                                ErrForbidden,
		"This API is not allowed for your token":             nil,
		"No API token left":                                  nil,
		"No API key slots left":                              nil,
		"No token could be created":                          nil,
		"No more API keys can be created":                    nil,
		"API limit reached":                                  nil,
		"API key limit reached":                              nil,
		"Invalid token limit":                                nil,
		"You can create only 5 API keys":                     nil,
		"You are not allowed to create more than 5":          nil,
		"Maximum number of API keys reached":                 nil,
		"API key quota exceeded, no token created":           nil,
		"Too many API keys":                                  nil,
		"The name field is required.":                        nil,
		"API key name is required":                           nil,
		"Token name required":                                nil,
		"The token name is invalid":                          nil,
		"The name is required":                               nil,
		"API name already exists":                            nil,
		"Payment required":                                   nil,
		"\x00\xff\u202e":                                     nil,
		strings.Repeat("api key ", 1000):                     nil,
		strings.Repeat("invalid api key name ", 1000) + "x.": nil,
	} {
		if got := kindOfMessage(message); got != want {
			t.Errorf("%.60q: %v, want %v", message, got, want)
		}
	}
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	for want, e := range map[string]*Error{
		"list tokens: boom": {Op: "list tokens", Err: errors.New("boom")},
		"list tokens: HTTP 503 Service Unavailable (attempt 4)": {Op: "list tokens", Status: 503, Kind: ErrUnavailable, Attempts: 4},
		"list tokens: HTTP 599":                                 {Op: "list tokens", Status: 599, Attempts: 1},
		"delete token 1: the service says: API not found":       {Op: "delete token 1", Status: 200, Message: "API not found", Kind: ErrNotFound, Attempts: 1},
		"create token: outcome unknown: HTTP 502 Bad Gateway: the connection broke off before the answer was complete": {Op: "create token", Status: 502, Kind: ErrOutcomeUnknown, Err: &brokenOff{io.EOF}},
	} {
		if got := e.Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	e := fmt.Errorf("rotate: %w", &Error{Op: "x", Kind: ErrUnavailable, Err: fmt.Errorf("%w: slow", context.DeadlineExceeded)})
	if !errors.Is(e, ErrUnavailable) || !errors.Is(e, context.DeadlineExceeded) || errors.Is(e, ErrNotFound) {
		t.Error(e)
	}
	if errs := (&Error{}).Unwrap(); len(errs) != 0 {
		t.Error(errs)
	}
	for after, want := range map[time.Duration]string{
		30*time.Second - 40*time.Millisecond:    "30s",
		90*time.Second - time.Nanosecond:        "1m30s",
		1500*time.Millisecond - time.Nanosecond: "1.5s",
		time.Second - time.Microsecond:          "1s",
		300*time.Millisecond - time.Microsecond: "300ms",
	} {
		if got := (&timeOut{after}).Error(); got != "no answer within "+want {
			t.Errorf("%s: %s", after, got)
		}
	}
}

func TestRedactor(t *testing.T) {
	t.Parallel()
	r := redactor{`op/aque"1+2`}
	for in, want := range map[string]string{
		"":                           "",
		"nothing":                    "nothing",
		`a op/aque"1+2 b`:            "a [redacted] b",
		`{"k":"op\/aque\"1+2"}`:      `{"k":"[redacted]"}`,
		`{"k":"op/aque\"1+2"}`:       `{"k":"[redacted]"}`,
		"x=op%2Faque%221+2&y":        "x=[redacted]&y",
		"x=op%2Faque%221%2B2&y":      "x=[redacted]&y",
		"live_abc_09-Z.":             "[redacted].",
		"live_ live":                 "live_ live",
		"x live_a,live_b":            "x [redacted],[redacted]",
		`{"apikey":"opaque","a":1}`:  `{"apikey":[redacted],"a":1}`,
		`{"APIKEY" : "op\"x","a":1}`: `{"APIKEY" : [redacted],"a":1}`,
		`{"apikey":123,"a":1}`:       `{"apikey":[redacted],"a":1}`,
		`{"apikey":"cut of`:          `{"apikey":[redacted]`,
		`{"apikey":"cut\`:            `{"apikey":[redacted]`,
		`{"apikey":`:                 `{"apikey":`,
		`{"apikey"`:                  `{"apikey"`,
		`{"apikey","x"}`:             `{"apikey","x"}`,
	} {
		if got := r.text(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	// A secret that the bound cuts in two leaves no half.
	long := strings.Repeat("x", 90) + "live_0123456789abcdefghij" + strings.Repeat("y", 90)
	for limit := range len(long) + 5 {
		if got := r.upTo(long, limit); strings.Contains(got, "live_") && strings.Contains(got, "012") || len(got) > limit+len(redacted)+len("…") {
			t.Errorf("%d: %s", limit, got)
		}
	}
}

// spellings are ways to write one character: as it is, and as JSON, addresses and HTML escape it.
func spellings(c byte) []string {
	all := []string{
		fmt.Sprintf(`\u%04x`, c), fmt.Sprintf(`\u%04X`, c), fmt.Sprintf("%%%02x", c), fmt.Sprintf("%%%02X", c),
		fmt.Sprintf("&#%d;", c), fmt.Sprintf("&#%03d;", c), fmt.Sprintf("&#x%x;", c), html.EscapeString(string(c)),
		string(c), `\` + string(c), `\\\` + string(c),
	}
	if strings.IndexByte(`\%&`, c) < 0 {
		all = append(all, string(c), string(c), string(c))
	}
	return all
}

// A secret is found in any mix of spellings, wherever it stands.
func TestRedactorSpellings(t *testing.T) {
	t.Parallel()
	const odd = `/"\'&<>%+=;:.#ux0025`
	draw := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			if b[i] = byte('!' + rand.IntN('~'-'!'+1)); rand.IntN(2) == 0 {
				b[i] = odd[rand.IntN(len(odd))]
			}
		}
		return string(b)
	}
	for range 2_000 {
		secret := draw(1 + rand.IntN(40))
		if strings.Contains(strings.ToLower(redacted+" ж…"), strings.ToLower(secret)) {
			continue
		}
		var mixed strings.Builder
		for i := range len(secret) {
			all := spellings(secret[i])
			mixed.WriteString(all[rand.IntN(len(all))])
		}
		inJSON := func(s string) string {
			b, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			return string(b[1 : len(b)-1])
		}
		r := redactor{secret}
		for _, spelling := range []string{
			secret, mixed.String(), inJSON(secret), inJSON(inJSON(secret)), strings.ReplaceAll(inJSON(secret), "/", `\/`),
			inJSON(strings.ReplaceAll(inJSON(secret), "/", `\/`)), strconv.Quote(secret)[1 : len(strconv.Quote(secret))-1],
			url.PathEscape(secret), url.QueryEscape(secret), inJSON(url.QueryEscape(secret)), html.EscapeString(secret), strings.ToUpper(secret),
		} {
			if got := r.text("ж " + spelling + " ж"); got != "ж [redacted] ж" {
				t.Fatalf("%s as %s: %s", secret, spelling, got)
			}
			if got := r.upTo("ж "+spelling+" ж", 3+rand.IntN(len(spelling)+1)); !strings.HasPrefix(got, "ж [redacted]") && got != "ж …" {
				t.Fatalf("%s as %s, cut: %s", secret, spelling, got)
			}
		}
	}
}

// Where a text breaks off in the middle of a secret, so much of it as tells something is taken out.
func TestRedactorAtTheEnd(t *testing.T) {
	t.Parallel()
	const secret = `hunter2/"hunter2&more`
	r := redactor{secret}
	for _, spelling := range []string{secret, `hunter2\/\"hunter2\u0026more`, url.QueryEscape(secret), html.EscapeString(secret)} {
		at := strings.LastIndex(spelling, "hunter2")
		for end := at; end < len(spelling); end++ {
			for _, after := range []string{"", "…", `…", which is no known scope`} {
				if got := r.text("is " + spelling[:end] + after); got != "is [redacted]"+after {
					t.Errorf("%s: %s", spelling[:end]+after, got)
				}
			}
		}
		if got := r.text("is " + spelling[:at] + " other"); got != "is "+spelling[:at]+" other" {
			t.Errorf("%s: %s", spelling[:at], got)
		}
	}
	if got := r.text("a new hunter"); got != "a new hunter" {
		t.Error(got)
	}
}

// No text makes the search slow, even for secrets that can be read in many ways: with a search that
// tries one way after the other this test would not end.
func TestRedactorIsBounded(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{strings.Repeat(`\`, 60) + "x", strings.Repeat("%25", 20) + "x", strings.Repeat("u005c", 12) + "x", strings.Repeat("a", 60) + "x"} {
		for _, unit := range []string{`\`, "%25", `\u005c`, `a\`, "&amp;"} {
			in := strings.Repeat(unit, 500/len(unit)) + " and more words"
			if got := (redactor{secret}).text(in); got != in {
				t.Errorf("%.20s in %.20s: %.60s", secret, unit, got)
			}
		}
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("a", "live_x", "b", 3)
	f.Add(`{"apikey":"`, "secret/1", `"}`, 12)
	f.Add("live_", `secret\u0041/1`, `1`, 12)
	f.Fuzz(func(t *testing.T, before, secret, after string, limit int) {
		if len(secret) < 8 || !headerSafe(secret) || limit < 0 || strings.Contains(redacted+"…", secret) {
			return
		}
		r := redactor{secret}
		for _, got := range []string{r.text(before + secret + after), r.upTo(before+secret+after, limit)} {
			if strings.Contains(got, secret) && !strings.Contains(before+redacted+after, secret) {
				t.Fatalf("%q is in %q", secret, got)
			}
		}
	})
}
