package utho

import (
	"fmt"
	"html"
	"io"
	"net"
	"net/url"
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

// Wherever the service repeats a secret, in whatever spelling, neither an error nor a trace shows it
// or a part of it that tells something.
func TestEchoedSecrets(t *testing.T) {
	t.Parallel()
	const (
		own   = `Hunter2/Hunter3"Hunter4&Hunter5<Hunter6`
		inPHP = `Hunter2\/Hunter3\"Hunter4&Hunter5<Hunter6`
		inGo  = `Hunter2/Hunter3\"Hunter4\u0026Hunter5\u003cHunter6`
		host  = "hunter2.hunter3"
	)
	long := strings.Repeat("x", maxMessage-20)
	for name, c := range map[string]struct {
		secret string
		raws   []string // the last one again and again
	}{
		"message, PHP":               {own, []string{ok(`{"status":"error","message":"bad key ` + inPHP + `"}`)}},
		"message, Go":                {own, []string{ok(`{"status":"error","message":"bad key ` + inGo + `"}`)}},
		"message, one escape":        {own, []string{ok(`{"status":"error","message":"bad key \u0048` + inGo[1:] + `"}`)}},
		"message is an object":       {own, []string{ok(`{"status":"error","message":{"key":"` + inPHP + `"}}`)}},
		"message, cut":               {own, []string{ok(`{"status":"error","message":"` + long + inPHP + `"}`)}},
		"message is a list, cut":     {own, []string{ok(`{"status":"error","message":["` + long + inPHP + `"]}`)}},
		"other status":               {own, []string{ok(`{"status":"` + inPHP + `"}`)}},
		"scope, cut":                 {own, []string{ok(`{"api":[{"id":1,"name":"a","write":"from ` + inPHP + `"}]}`)}},
		"page":                       {own, []string{ok(`<html>` + html.EscapeString(own))}},
		"page, 401":                  {own, []string{reply(401, `<html>`+html.EscapeString(own))}},
		"cut off":                    {own, []string{"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 500\r\n\r\n{\"x\":\"" + inPHP[:25]}},
		"text, 500":                  {own, []string{reply(500, own)}},
		"address of a page":          {own, []string{reply(302, "", "Location: /"+url.PathEscape(own)), reply(401, "<html>")}},
		"query of a redirect":        {own, []string{reply(302, "", "Location: /x?k="+url.QueryEscape(own)), ok("<html>")}},
		"redirect to a host":         {host, []string{reply(302, "", "Location: http://"+host+".example/")}},
		"redirect to a host, folded": {strings.ToUpper(host), []string{reply(302, "", "Location: http://"+host+".example/")}},
		"redirect to a long host":    {host, []string{reply(302, "", "Location: http://"+strings.Repeat("x", 183)+host+".example/")}},
		"bad header":                 {own, []string{"HTTP/1.1 200 OK\r\nX " + own + "\r\n\r\n"}},
		"bad status":                 {own, []string{"HTTP/1.1 " + own + "\r\n\r\n"}},
		"reason":                     {own, []string{"HTTP/1.1 400 " + own + "\r\nContent-Length: 0\r\n\r\n"}},
		"created":                    {"other-key", []string{ok(`{"status":"success","apikey":"` + inPHP + `","message":{"made":"` + inPHP + `"}}`)}},
		"created, not usable":        {"other-key", []string{ok(`{"status":"success","apikey":"` + inPHP + ` é","message":"made ` + inPHP + ` é"}`)}},
		"created, in a list":         {"other-key", []string{ok(`{"status":"success","apikey":["` + inPHP + `"],"message":"made ` + inPHP + `"}`)}},
		"created, twice":             {"other-key", []string{ok(`{"status":"success","apikey":"` + inPHP + `","message":"made ` + inPHP + `","apikey":"x"}`)}},
		"created, begins with live_": {"other-key", []string{ok(`{"status":"success","apikey":"live_a\/` + inPHP + `","message":"made live_a\/` + inPHP + `"}`)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for op, call := range map[string]func(*Client) (any, error){
				"list":    func(c *Client) (any, error) { return c.ListTokens(t.Context()) },
				"account": func(c *Client) (any, error) { return c.Account(t.Context()) },
				"delete":  func(c *Client) (any, error) { return nil, c.DeleteToken(t.Context(), "1") },
				"create":  func(c *Client) (any, error) { return c.CreateToken(t.Context(), ci) },
			} {
				if strings.HasPrefix(name, "created") != (op == "create") && (op != "create" || c.secret == "other-key") {
					continue // only the answer to a create makes of a stranger's key one to hide
				}
				_, base := listen(t, func(n int, _ seen, conn net.Conn) bool {
					raw := c.raws[min(n, len(c.raws))-1]
					_, err := io.WriteString(conn, raw)
					return err == nil && !strings.Contains(raw, "Connection: close")
				})
				var said strings.Builder
				client, err := New(c.secret, WithBaseURL(base), WithRetry(RetryPolicy{MaxAttempts: 1}), WithTrace(func(x Exchange) {
					fmt.Fprintf(&said, "%+v %v\n", x, x.Err)
				}))
				if err != nil {
					t.Fatal(err)
				}
				got, err := call(client)
				fmt.Fprintf(&said, "%v %+v\n", err, got)
				if text := strings.ToLower(said.String()); strings.Contains(text, "hunter") {
					t.Errorf("%s: %s", op, text)
				}
			}
		})
	}
}
