package utho

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestCreateToken(t *testing.T) {
	t.Parallel()
	for body, r := range map[string]CreateTokenRequest{
		`{"name":"ci","write":"on"}`:                                      {"ci", ScopeWrite},
		`{"name":"ci","write":"off"}`:                                     {"ci", ScopeReadOnly},
		`{"name":"\u003ca\u0026b\u003e \"q\" \\ é\u2028\n","write":"on"}`: {`<a&b> "q" \ é` + "\u2028\n", ScopeWrite},
	} {
		client, s := newClient(t, answering(reply(200, created, "Content-Type: text/html")))
		got, err := client.CreateToken(t.Context(), r)
		if err != nil || got.Secret != newSecret || got.Message != "New API has been created" {
			t.Fatalf("%v, got %q, %q", err, got.Secret, got.Message)
		}
		all := s.requests()
		if len(all) != 1 || all[0].body != body {
			t.Errorf("requests %+v, want the body %s", all, body)
		}
		for name, want := range map[string]string{
			"Authorization": "Bearer " + testSecret, "Content-Type": "application/json", "Accept": "application/json",
			"Idempotency-Key": "", "X-Idempotency-Key": "", // with one net/http would send it again by itself
		} {
			if got := all[0].header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		inJSON, err := json.Marshal(map[string]any{"new": got})
		var log strings.Builder
		slog.New(slog.NewJSONHandler(&log, nil)).Info("created", "new", got, "value", *got)
		slog.New(slog.NewTextHandler(&log, nil)).Info("created", "new", got, "value", *got)
		noSecret(t, fmt.Sprintf("%v %+v %#v %s %v %#v %s %s", got, got, got, got, *got, *got, inJSON, log.String()))
		if err != nil || !strings.Contains(log.String(), "New API has been created") {
			t.Error(err, log.String())
		}
	}
}

// What cannot be right is refused before anything is sent.
func TestCheckedFirst(t *testing.T) {
	t.Parallel()
	c := through(t, roundTripper(func(*http.Request) (*http.Response, error) { t.Error("it was sent"); return nil, io.EOF }))
	for _, r := range []CreateTokenRequest{
		{}, {Name: "ci"}, {Scope: ScopeWrite}, {Name: "a\xff", Scope: ScopeWrite}, {Name: "ci", Scope: 3},
	} {
		_, err := c.CreateToken(t.Context(), r)
		mustError(t, err, nil)
	}
	for _, id := range []string{"", ".", ".."} {
		if e := mustError(t, c.DeleteToken(t.Context(), id), nil); !strings.HasPrefix(e.Error(), "delete token "+id+": ") {
			t.Errorf("%q is not named: %v", id, e)
		}
	}
}

// What each answer to a create means: the secret, or that nothing was created (with a kind, or none), or that nobody
// knows. Whatever it is, the request is not sent twice.
func TestCreateAnswers(t *testing.T) {
	t.Parallel()
	unknown := func(text string) fails { return fails{ErrOutcomeUnknown, text} }
	const keep = "HTTP/1.1 200 OK\r\nConnection: close\r\n"
	noise := `{"debug":true,"apikey":"opaque-1"}` + "\n"
	judge(t, "create", map[any][]string{
		secret(newSecret): {
			created, reply(201, created), "\ufeff" + notice + created + notice, `{"apikey":"` + newSecret + `"}`,
			`{"status":true,"apikey":"` + newSecret + `"}`, `{"status":"success","apikey":" ` + newSecret + `\r\n"}`,
			keep + "Content-Length: 999\r\n\r\n" + created, // whole, then broken off
			"HTTP/1.1 100 Continue\r\n\r\n" + ok(created), "HTTP/1.1 103 Early Hints\r\n\r\n" + ok(created),
			`{"status":"error","message":"noise"}` + created,
			// With a secret it is a create, whatever else it says.
			`{"status":"error","apikey":"` + newSecret + `","apikey":""}`,
			`{"status":"error","apikey":"` + newSecret + `","message":"` + newSecret + `"}`, reply(429, created), reply(400, created),
			reply(500, created), reply(302, created, "Location: /elsewhere"), reply(302, created, "Location: http://[::1/"),
		},
		secret("a/b+c=="):   {`{"status":"success","apikey":"a/b+c=="}`},
		secret("opaque-42"): {`{"status":"success","apikey":"opaque-42","message":"made opaque-42 and ` + newSecret + `"}`},

		"create token: the service says: no": {
			`{"status":"error","message":"no"}`, `{"status":"error","apikey":"","message":"no"}`,
			`{"status":"error","apikey":null,"message":"no"}`, notice + `{"status":"Error","message":"no"}`,
			`{"status":"error","errors":[{"message":"no"}]}`,
		},
		"refuses without saying why": {`{"status":"error"}`},
		"key [redacted] is full (E9)": {
			`{"status":"error","message":"key ` + testSecret + ` is full","errorcode":"E9"}`,
			`{"status":"error","message":"key ` + strings.Repeat("aB", 26) + ` is full","errorcode":"E9"}`},
		"HTTP 400 Bad Request: the service says: no": {reply(400, `{"status":"error","message":"no"}`)},
		"HTTP 422": {reply(422, `{"status":"error","message":"x"}`)},
		ErrForbidden: {
			`{"status":"error","message":"This API key has read-only access"}`, reply(403, `{"status":"error","message":"x"}`)},
		ErrUnauthorized: {
			`{"status":"error","message":"Unauthorized access. Please provide a valid API key."}`, reply(401, `{"status":"error","message":"x"}`)},
		fails{ErrWrongAddress, "Not Found POST: wrong address"}: {reply(401, `{"status":"error","message":"Not Found POST"}`)},

		unknown("several answers"): {
			noise + created, created + noise, created + created, created + `{"status":"success","apikey":"li`, reply(429, noise+created),
			`{"status":"error","message":"x"}{"status":"success"}`,
		},
		unknown("apikey is missing"): {
			`{"status":"failed","message":"x"}`, `{"error":"x"}`, `{"status":"success","message":"created"}`, "{}", "[]"},
		unknown("apikey is empty"): {
			`{"status":"success","apikey":""}`, `{"status":"success","apikey":" \n"}`, `{"status":"success","apikey":null}`},
		unknown("apikey is not text"): {
			`{"status":"success","apikey":12345}`, reply(429, `{"status":"error","apikey":7}`),
			`{"status":"success","apikey":{"key":"` + newSecret + `"},"message":"made ` + newSecret + `"}`},
		unknown("cannot stand in a header"): {
			`{"status":"success","apikey":"opaque\n42","message":"made opaque\n42"}`, `{"status":"error","apikey":"live_é"}`,
			`{"status":"success","apikey":"live_a b"}`,
		},
		unknown("the answer is empty"): {"", "HTTP/1.1 204 No Content\r\n\r\n"},
		unknown("not JSON"):            {"OK", newSecret},
		unknown("/api/generate: a web page came back instead of JSON; the service is at"): {"<html>" + created + "</html>"},
		unknown("ends in the middle"): {
			created[:len(created)-1], created[:40], reply(429, created[:60]), reply(429, `[1] {"x":1,"apik`), reply(429, `{"x":1} `+created[:60])},
		unknown("broken JSON"): {strings.Repeat("{", 1200) + created, reply(429, strings.Repeat("{", 1200)+created)},
		unknown("broke off"): {
			keep, keep + "Content-Length: 999\r\n\r\n" + created[:40],
			keep + "Content-Length: 999\r\n\r\n" + `{"status":"error","message":"x"}`,
			keep + "Transfer-Encoding: chunked\r\n\r\n28\r\n" + created[:40] + "\r\n",
			"HTTP/1.1 429 X\r\nConnection: close\r\nContent-Length: 99\r\n\r\nslow",
		},
		unknown("cannot be read as HTTP"): {
			"HTTP/1.1 20", keep + "Transfer-Encoding: chunked\r\n\r\nzz\r\n" + created[:40], "garbage " + created + "\r\n\r\n",
			"HTTP/1.1 200 OK\r\nX " + newSecret + "\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: " + newSecret + "\r\n\r\n",
		},
		unknown("unknown: HTTP 401 Unauthorized"):        {reply(401, page)},
		unknown("unknown: HTTP 403 Forbidden"):           {reply(403, ""), reply(403, `{"message":"forbidden"}`)},
		unknown("unknown: HTTP 500 Internal"):            {reply(500, `{"status":"error","message":"x"}`), reply(500, "")},
		unknown("unknown: HTTP 502 Bad Gateway"):         {reply(502, page)},
		unknown("unknown: HTTP 503 Service Unavailable"): {reply(503, page, "Retry-After: 1"), reply(503, "")},
		unknown("unknown: HTTP 304"):                     {"HTTP/1.1 304 Not Modified\r\n\r\n"},
	})
}

// A complete 429 without a secret is the one answer after which a create is sent again: the service did not look at
// it. The next one is as dangerous as any.
func TestCreate429(t *testing.T) {
	t.Parallel()
	const wait = "the service says: slow down"
	busy := reply(429, `{"status":"error","message":"slow down"}`)
	for name, c := range map[string]struct {
		answers []string // the last one again and again; empty: closed without one
		posts   int
		kind    error
		text    string
		waits   time.Duration
	}{
		"then created":  {[]string{reply(429, "slow down", "Retry-After: 7"), busy, ok(created)}, 3, nil, "", 7 * time.Second},
		"for ever":      {[]string{busy}, 4, ErrUnavailable, "create token: HTTP 429 Too Many Requests: " + wait + " (attempt 4)", 0},
		"too long":      {[]string{reply(429, page, "Retry-After: 3600")}, 1, ErrUnavailable, "the service asks to wait 1h0m0s", 0},
		"then lost":     {[]string{busy, ""}, 2, ErrOutcomeUnknown, "broke off", 0},
		"with a secret": {[]string{reply(429, created, "Retry-After: 7")}, 1, nil, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, s := newClient(t, func(n int, r seen, conn net.Conn) bool {
					return answering(c.answers[min(n, len(c.answers))-1])(n, r, conn)
				})
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				start := time.Now()
				got, err := client.CreateToken(ctx, ci)
				if c.text == "" && (err != nil || got.Secret != newSecret) {
					t.Errorf("got %v, %v", got, err)
				} else if c.text != "" {
					if e := mustError(t, err, c.kind); !strings.Contains(e.Error(), c.text) {
						t.Error(e)
					}
				}
				if n := s.count("POST"); n != c.posts {
					t.Errorf("%d creates, want %d", n, c.posts)
				}
				if d := time.Since(start); d < c.waits || d > c.waits+2*time.Second {
					t.Errorf("waited %s", d)
				}
			})
		})
	}
}
