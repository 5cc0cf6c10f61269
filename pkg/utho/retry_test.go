package utho

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// later answers the first n requests with raw, or closes if raw is empty, and then well.
func later(n int, raw string) func(int, seen, net.Conn) bool {
	return func(i int, r seen, c net.Conn) bool {
		text := raw
		if i > n {
			text = map[string]string{"GET": ok(`{"status":"success","api":[],"user":{}}`), "DELETE": ok(`{"status":"success"}`)}[r.method]
		}
		_, err := io.WriteString(c, text)
		return err == nil && text != "" && !strings.Contains(text, "Connection: close")
	}
}

func TestRetries(t *testing.T) {
	t.Parallel()
	for name, raw := range map[string]string{
		"closed":              "",
		"429":                 reply(429, ""),
		"502":                 reply(502, "<html>"),
		"503":                 reply(503, `{"status":"error","message":"Unauthorized"}`),
		"504":                 reply(504, ""),
		"429 Retry-After: 0":  reply(429, "", "Retry-After: 0"),
		"503 bad Retry-After": reply(503, "", "Retry-After: soon"),
		"broken header":       "HTTP/1.1 200 OK\r\nConnection: close\r\n",
		"broken body":         "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 500\r\n\r\n" + someTokens[:60],
		"broken chunks":       "HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n" + someTokens[:32] + "\r\n",
		"broken long body":    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 500000\r\n\r\n" + string(manyTokens(5000)[:300_000]),
		"broken before JSON":  "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 500\r\n\r\n",
		"broken in notice":    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 500\r\n\r\n" + notice,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, failures := range []int{1, 3, 4} {
				for op, call := range map[string]func(*Client) error{
					"list":    func(c *Client) error { _, err := c.ListTokens(t.Context()); return err },
					"account": func(c *Client) error { _, err := c.Account(t.Context()); return err },
					"delete":  func(c *Client) error { return c.DeleteToken(t.Context(), "1") },
				} {
					s, base := listen(t, later(failures, raw))
					// Without kept connections net/http does not repeat a GET by itself.
					transport := &http.Transport{DisableKeepAlives: true}
					err := call(newClient(t, base, WithHTTPClient(&http.Client{Transport: transport})))
					if failures < 4 {
						if n := len(s.requests()); err != nil || n != failures+1 {
							t.Errorf("%s: %v after %d requests", op, err, n)
						}
						continue
					}
					e := mustError(t, err, ErrUnavailable)
					if n := len(s.requests()); n != 4 || e.Attempts != 4 || !e.Sent || !strings.Contains(e.Error(), "(attempt 4)") {
						t.Errorf("%s: %v after %d requests", op, e, n)
					}
				}
			}
		})
	}
}

func TestRetryPolicy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		policy RetryPolicy
		want   int
	}{{RetryPolicy{}, 4}, {RetryPolicy{MaxAttempts: -1}, 4}, {RetryPolicy{MaxAttempts: 1}, 1}, {RetryPolicy{MaxAttempts: 7}, 7}} {
		synctest.Test(t, func(t *testing.T) {
			s, transport := piped(answering(reply(503, "")))
			client, err := New(testSecret, WithBaseURL("http://localhost"), WithHTTPClient(&http.Client{Transport: transport}), WithRetry(c.policy))
			if err != nil {
				t.Fatal(err)
			}
			_, err = client.ListTokens(t.Context())
			mustError(t, err, ErrUnavailable)
			if n := len(s.requests()); n != c.want {
				t.Errorf("%+v: %d requests", c.policy, n)
			}
			transport.CloseIdleConnections()
		})
	}
	p := RetryPolicy{}.withDefaults()
	for attempt, bounds := range map[int][2]time.Duration{
		1:           {100 * time.Millisecond, 200 * time.Millisecond},
		2:           {200 * time.Millisecond, 400 * time.Millisecond},
		5:           {1600 * time.Millisecond, 3200 * time.Millisecond},
		6:           {2500 * time.Millisecond, 5 * time.Second},
		math.MaxInt: {2500 * time.Millisecond, 5 * time.Second},
	} {
		different := map[time.Duration]bool{}
		for range 100 {
			d := p.delay(attempt)
			different[d] = true
			if d < bounds[0] || d > bounds[1] {
				t.Errorf("after attempt %d: %s", attempt, d)
			}
		}
		if len(different) < 2 {
			t.Error("no jitter")
		}
	}
	if d := (RetryPolicy{MinDelay: math.MaxInt64, MaxDelay: math.MaxInt64 - 1}).delay(3); d <= 0 {
		t.Errorf("overflow: %s", d)
	}
}

// The service's wish is waited for where the deadline allows it, and refused at once where not.
func TestRetryAfterIsHonoured(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		headers  []string
		deadline time.Duration // 0: none
		waits    time.Duration // negative: not at all
	}{
		"seconds":                        {[]string{"Retry-After: 12"}, time.Minute, 12 * time.Second},
		"date":                           {[]string{"Retry-After: Mon, 23 Nov 2026 12:00:20 GMT", "Date: Mon, 23 Nov 2026 12:00:00 GMT"}, time.Minute, 20 * time.Second},
		"just inside":                    {[]string{"Retry-After: 59"}, time.Minute, 59 * time.Second},
		"beyond the deadline":            {[]string{"Retry-After: 61"}, time.Minute, -1},
		"date beyond":                    {[]string{"Retry-After: Mon, 23 Nov 2026 13:00:00 GMT", "Date: Mon, 23 Nov 2026 12:00:00 GMT"}, time.Minute, -1},
		"more digits than fit":           {[]string{"Retry-After: 99999999999999999999999"}, time.Minute, -1},
		"without a deadline":             {[]string{"Retry-After: 299"}, 0, 299 * time.Second},
		"too long without one":           {[]string{"Retry-After: 301"}, 0, -1},
		"backoff beyond the deadline":    {nil, 50 * time.Millisecond, -1},
		"0 is no reason not to back off": {[]string{"Retry-After: 0"}, 50 * time.Millisecond, -1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, transport := piped(later(1, reply(503, "", c.headers...)))
				client, err := New(testSecret, WithBaseURL("http://localhost"), WithHTTPClient(&http.Client{Transport: transport}))
				if err != nil {
					t.Fatal(err)
				}
				ctx := t.Context()
				if c.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.deadline)
					defer cancel()
				}
				start := time.Now()
				_, err = client.ListTokens(ctx)
				took := time.Since(start)
				if c.waits >= 0 {
					if err != nil || took != c.waits || len(s.requests()) != 2 {
						t.Errorf("%v after %s and %d requests", err, took, len(s.requests()))
					}
				} else {
					e := mustError(t, err, ErrUnavailable)
					if took != 0 || len(s.requests()) != 1 {
						t.Errorf("%v after %s and %d requests", e, took, len(s.requests()))
					}
					if e.RetryAfter > 0 != strings.Contains(e.Error(), "the service asks to wait "+e.RetryAfter.String()) {
						t.Error(e)
					}
				}
				transport.CloseIdleConnections()
			})
		})
	}
}

func TestRetryAfterHeader(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		after, date string
		want        time.Duration
	}{
		{"", "", 0}, {"0", "", 0}, {"5", "", 5 * time.Second}, {" 5 ", "", 5 * time.Second},
		{"-5", "", 0}, {"+5", "", 0}, {"1.5", "", 0}, {"1e3", "", 0}, {"5s", "", 0}, {"soon", "", 0}, {"٥", "", 0},
		{"2147483647", "", (1<<31 - 1) * time.Second}, {"2147483648", "", (1<<31 - 1) * time.Second},
		{"Mon, 23 Nov 2026 12:00:30 GMT", "", 30 * time.Second},
		{"Mon, 23 Nov 2026 11:59:30 GMT", "", 0},
		{"Mon, 23 Nov 2026 12:00:30 GMT", "Mon, 23 Nov 2026 12:00:10 GMT", 20 * time.Second},
		{"Mon, 23 Nov 2026 12:00:30 GMT", "nonsense", 30 * time.Second},
		{"Monday, 23-Nov-26 12:00:30 GMT", "", 30 * time.Second},
		{"Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT", math.MaxInt64},
	} {
		h := http.Header{"Retry-After": {c.after}, "Date": {c.date}}
		if got := retryAfter(h, now); got != c.want {
			t.Errorf("%q at %q: %s, want %s", c.after, c.date, got, c.want)
		}
	}
}

// The caller who gives up is obeyed at once, and told why in his own words.
func TestCancelWhileWaiting(t *testing.T) {
	t.Parallel()
	why := errors.New("the user pressed Ctrl-C")
	for op, call := range map[string]func(*Client, context.Context) error{
		"list":   func(c *Client, ctx context.Context) error { _, err := c.ListTokens(ctx); return err },
		"create": func(c *Client, ctx context.Context) error { _, err := c.CreateToken(ctx, ci); return err },
	} {
		t.Run(op, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, transport := piped(answering(reply(429, "", "Retry-After: 60")))
				client, err := New(testSecret, WithBaseURL("http://localhost"), WithHTTPClient(&http.Client{Transport: transport}))
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(5*time.Second, func() { cancel(why) })
				start := time.Now()
				err = call(client, ctx)
				mustError(t, err, nil)
				if !errors.Is(err, why) || !errors.Is(err, context.Canceled) || time.Since(start) != 5*time.Second || len(s.requests()) != 1 {
					t.Errorf("%v after %s and %d requests", err, time.Since(start), len(s.requests()))
				}
				transport.CloseIdleConnections()
			})
		})
	}
}

// A silent service is left when the time runs out, in the middle of an answer too.
func TestListTimesOut(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]string{
		"no answer":        "",
		"half a header":    "HTTP/1.1 200 OK\r\n",
		"half a body":      "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + someTokens[:60],
		"half a long body": "HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n" + string(manyTokens(5000)[:300_000]),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, transport := piped(func(_ int, _ seen, c net.Conn) bool {
					_, _ = io.WriteString(c, begin)
					_, err := c.Read(make([]byte, 1))
					return err == nil
				})
				client, err := New(testSecret, WithBaseURL("http://localhost"), WithHTTPClient(&http.Client{Transport: transport}))
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				start := time.Now()
				_, err = client.ListTokens(ctx)
				mustError(t, err, ErrUnavailable)
				if !errors.Is(err, context.DeadlineExceeded) || err.Error() != "list tokens: no answer within 30s" || time.Since(start) != 30*time.Second || len(s.requests()) != 1 {
					t.Errorf("%v after %s and %d requests", err, time.Since(start), len(s.requests()))
				}
				transport.CloseIdleConnections()
			})
		})
	}
}
