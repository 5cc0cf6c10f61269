package utho

import (
	"context"
	"maps"
	"math"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// later answers the first n requests with raw, and then well.
func later(n int, raw string) handler {
	return func(i int, r seen, c net.Conn) bool {
		if i > n {
			return answering(fine(r.method))(i, r, c)
		}
		return answering(raw)(i, r, c)
	}
}

func TestRetries(t *testing.T) {
	t.Parallel()
	const keep = "HTTP/1.1 200 OK\r\nConnection: close\r\n"
	for _, raw := range []string{
		"", reply(429, ""), reply(502, "<html>"), reply(503, `{"status":"error","message":"Unauthorized"}`), reply(504, ""),
		reply(429, "", "Retry-After: 0"), reply(503, "", "Retry-After: soon"), reply(503, `{"message":"Not Found GET"}`), keep,
		keep + "Content-Length: 500\r\n\r\n" + someTokens[:60], keep + "Content-Length: 500\r\n\r\n" + notice,
		keep + "Content-Length: 500\r\n\r\n", keep + "Transfer-Encoding: chunked\r\n\r\n20\r\n" + someTokens[:32] + "\r\n",
	} {
		for _, op := range []string{"list", "account", "delete"} {
			for _, failures := range []int{3, 4} {
				s, transport := piped(later(failures, raw))
				transport.DisableKeepAlives = true // else net/http repeats a GET by itself
				err := calls(t)[op](through(t, transport))
				if failures == 3 && err == nil && len(s.requests()) == 4 {
					continue
				}
				e := mustError(t, err, ErrUnavailable)
				if failures == 3 || len(s.requests()) != 4 || e.Attempts != 4 || !strings.Contains(e.Error(), "(attempt 4)") {
					t.Errorf("%q: %s: %v after %d requests", raw, op, e, len(s.requests()))
				}
			}
		}
	}
}

func TestRetryPolicy(t *testing.T) {
	t.Parallel()
	for policy, want := range map[RetryPolicy]int{{}: 4, {MaxAttempts: -1}: 4, {MaxAttempts: 1}: 1, {MaxAttempts: 7}: 7} {
		synctest.Test(t, func(t *testing.T) {
			client, s := newClient(t, answering(reply(503, "")), WithRetry(policy))
			mustError(t, calls(t)["list"](client), ErrUnavailable)
			if n := len(s.requests()); n != want {
				t.Errorf("%+v: %d requests", policy, n)
			}
		})
	}
	p := RetryPolicy{}.withDefaults()
	for attempt, longest := range map[int]time.Duration{1: 200, 2: 400, 5: 3200, 6: 5000, math.MaxInt: 5000} {
		longest *= time.Millisecond
		different := map[time.Duration]bool{}
		for range 100 {
			different[p.delay(attempt)] = true
		}
		all := slices.Sorted(maps.Keys(different))
		if len(all) < 2 || all[0] < longest/2 || all[len(all)-1] > longest {
			t.Errorf("after attempt %d: %s", attempt, all)
		}
	}
}

// The service's wish is waited for if the deadline allows it, and refused at once if not.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	const date = "Date: Mon, 23 Nov 2026 12:00:00 GMT"
	for header, c := range map[string]struct {
		deadline time.Duration // 0: none
		waits    time.Duration // negative: not at all
	}{
		"Retry-After: 12": {time.Minute, 12 * time.Second},
		"Retry-After: Mon, 23 Nov 2026 12:00:20 GMT\r\n" + date: {time.Minute, 20 * time.Second},
		"Retry-After: Mon, 23 Nov 2026 13:00:00 GMT\r\n" + date: {time.Minute, -1},
		"Retry-After: 59":                      {time.Minute, 59 * time.Second},
		"Retry-After: 61":                      {time.Minute, -1},
		"Retry-After: 99999999999999999999999": {time.Minute, -1},
		"Retry-After: 86400":                   {0, 24 * time.Hour},
		"Retry-After: 0":                       {50 * time.Millisecond, -1}, // no reason not to back off
		"X: y":                                 {50 * time.Millisecond, -1},
	} {
		synctest.Test(t, func(t *testing.T) {
			client, s := newClient(t, later(1, reply(503, "", header)), WithRetry(RetryPolicy{}))
			ctx := t.Context()
			if c.deadline > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, c.deadline)
				defer cancel()
			}
			start := time.Now()
			_, err := client.ListTokens(ctx)
			took := time.Since(start)
			if c.waits >= 0 {
				if err != nil || took != c.waits || len(s.requests()) != 2 {
					t.Errorf("%s: %v after %s and %d requests", header, err, took, len(s.requests()))
				}
				return
			}
			e := mustError(t, err, ErrUnavailable)
			if took != 0 || len(s.requests()) != 1 ||
				e.RetryAfter > 0 != strings.Contains(e.Error(), "the service asks to wait "+e.RetryAfter.String()) {
				t.Errorf("%s: %v after %s and %d requests", header, e, took, len(s.requests()))
			}
		})
	}
	for after, want := range map[string]time.Duration{
		"": 0, "-5": 0, "-99999999999": 0, "1.5": 0, "soon": 0, "٥": 0, "2147483648": (1<<31 - 1) * time.Second,
		"Monday, 23-Nov-26 12:00:30 GMT": 30 * time.Second, "Mon, 23 Nov 2026 11:59:30 GMT": 0,
	} {
		if got := retryAfter(http.Header{"Retry-After": {after}, "Date": {date[6:]}}); got != want {
			t.Errorf("%q: %s, want %s", after, got, want)
		}
	}
}
