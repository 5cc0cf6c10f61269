package utho

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
)

func TestTrace(t *testing.T) {
	t.Parallel()
	_, base := listen(t, func(n int, r seen, c net.Conn) bool {
		raw := ok(`{"status":"success","message":"` + testSecret + `"}`)
		switch {
		case n == 1:
			raw = reply(503, "busy")
		case n == 2:
			raw = reply(302, "moved", "Location: /v3/api")
		case r.method == "GET":
			raw = ok(strings.Replace(someTokens, `"ci"`, `"ci","apikey":"opaque-7","x":"live_other"`, 1) + strings.Repeat("x", 10_000))
		case r.method == "POST":
			raw = ok(created)
		}
		_, err := io.WriteString(c, raw)
		return err == nil
	})
	var all []Exchange
	c := newClient(t, base, WithTrace(func(x Exchange) { all = append(all, x) }))
	if _, err := c.ListTokens(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.CreateToken(t.Context(), ci); err != nil {
		t.Fatal(err)
	}
	if err := c.DeleteToken(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	want := []struct {
		method, url string
		status      int
		attempt     int
		body        string // the beginning of it
		err         bool
	}{
		{"GET", "/api", 503, 1, "busy", true},
		{"GET", "/api", 302, 2, "moved", false},
		{"GET", "/v3/api", 200, 2, `{"status":"success","api":[{"id":"10000","name":"ci","apikey":[redacted],"x":"[redacted]"`, false},
		{"POST", "/api/generate", 200, 1, fmt.Sprintf(`%d bytes, message "New API has been created"`, len(created)), false},
		{"DELETE", "/api/1/delete", 200, 1, `{"status":"success","message":"[redacted]"}`, false},
	}
	if len(all) != len(want) {
		t.Fatalf("%d exchanges: %+v", len(all), all)
	}
	for i, w := range want {
		x := all[i]
		if x.Method != w.method || x.URL != base+w.url || x.Status != w.status || x.Attempt != w.attempt || (x.Err != nil) != w.err || !strings.HasPrefix(x.Body, w.body) || x.Duration < 0 {
			t.Errorf("%d: %+v", i, x)
		}
		if len(x.Body) > maxTraceBody+100 {
			t.Errorf("%d: %d bytes", i, len(x.Body))
		}
		noSecret(t, fmt.Sprintf("%+v %v", x, x.Err))
		if strings.Contains(x.Body, "opaque-7") {
			t.Error(x.Body)
		}
	}
}

func TestTraceWithoutAnswer(t *testing.T) {
	t.Parallel()
	_, base := listen(t, func(int, seen, net.Conn) bool { return false })
	var all []Exchange
	c := newClient(t, base, WithTrace(func(x Exchange) { all = append(all, x) }), WithRetry(RetryPolicy{MaxAttempts: 1}))
	_, err := c.CreateToken(t.Context(), ci)
	mustError(t, err, ErrOutcomeUnknown)
	if len(all) != 1 || all[0].Status != 0 || all[0].Body != "" || all[0].Err == nil || !strings.HasPrefix(all[0].Err.Error(), "create token: outcome unknown: ") {
		t.Errorf("%+v", all)
	}
}
