package utho

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
)

// All requests go over one connection, after errors and long answers, and with another secret too.
func TestOneConnection(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		ok(manyTokens(5000) + notice), reply(500, strings.Repeat("x", 100_000)), reply(403, "x"), reply(307, "x", "Location: /x"),
	} {
		client, s := newClient(t, answering(raw))
		other, err := client.WithSecret("second")
		if err != nil {
			t.Fatal(err)
		}
		for i, op := range []string{"list", "create", "list", "delete"} {
			_ = calls(t)[op]([]*Client{client, other}[i%2])
		}
		if n, r := s.conns.Load(), len(s.requests()); n != 1 || r != 4 {
			t.Errorf("%.60s: %d connections for %d requests", raw, n, r)
		}
	}
}

// A client is for many goroutines, and leaves none behind: the bubble would not end.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, s := newClient(t, func(n int, r seen, c net.Conn) bool {
			if n%7 == 0 && r.method != "POST" {
				return answering(reply(503, "", "Connection: close"))(n, r, c)
			}
			return answering(fine(r.method))(n, r, c)
		}, WithRetry(RetryPolicy{MaxAttempts: 20}))
		var wg sync.WaitGroup
		for i := range 8 {
			client, err := client.WithSecret(fmt.Sprint("secret-", i))
			if err != nil {
				t.Fatal(err)
			}
			for op, call := range calls(t) {
				for range 5 {
					wg.Go(func() {
						if err := call(client); err != nil {
							t.Errorf("%s: %v", op, err)
						}
					})
				}
			}
		}
		wg.Wait()
		secrets := map[string]bool{}
		for _, r := range s.requests() {
			secrets[r.header.Get("Authorization")] = true
		}
		if n := s.count("POST"); n != 40 || len(secrets) != 8 || !secrets["Bearer secret-7"] {
			t.Errorf("%d creates, want 40; %v", n, secrets)
		}
	})
}

// No redirect is followed: not with the secret to another place, and not on the same one.
func TestRedirects(t *testing.T) {
	t.Parallel()
	for location, text := range map[string]string{
		"http://X.example/api?a": "redirected to http://x.example, and", "//x.example:1/api": "redirected to http://x.example:1, and",
		"http://u:p@x.example": "redirected to http://x.example, and", "/v3/api": "redirected to http://localhost, and",
		"": "redirected to nowhere", "http://[::1/": "redirected to nowhere",
		"mailto:" + testSecret: "redirected to mailto:", "https://" + testSecret + ".x": "redirected to https://[redacted].x, and",
	} {
		var answers []string
		for _, status := range []int{301, 302, 303, 307, 308} {
			answers = append(answers, reply(status, someTokens, "Location: "+location))
		}
		for op := range calls(t) {
			judge(t, op, map[any][]string{fails{map[string]error{"create": ErrOutcomeUnknown}[op], text}: answers})
		}
	}
}

// An answer may be compressed; the bound is on what it becomes.
func TestGzip(t *testing.T) {
	t.Parallel()
	for want, body := range map[any]string{
		2: someTokens, "larger than 64 MiB": `{"status":"success","api":[` + strings.Repeat(" ", maxBody) + `]}`,
	} {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := io.WriteString(z, body); err != nil || z.Close() != nil {
			t.Fatal(err)
		}
		answers := []string{reply(200, b.String(), "Content-Encoding: gzip")}
		judge(t, "list", map[any][]string{want: answers})
		judge(t, "create", map[any][]string{ErrOutcomeUnknown: answers})
	}
}

// localhost is this machine whatever a resolver says of it: none is asked.
func TestLocalhost(t *testing.T) {
	t.Parallel()
	four, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(four.Addr().String())
	six, err := net.Listen("tcp", "[::1]:"+port)
	if err != nil {
		t.Logf("no ::1 here: %v", err)
	}
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		DNSStart: func(info httptrace.DNSStartInfo) { t.Errorf("a resolver was asked for %s", info.Host) },
	})
	for _, l := range []net.Listener{four, six} {
		if l == nil {
			continue
		}
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, someTokens)
		}))
		_ = server.Listener.Close()
		server.Listener = l
		server.Start()
		c, err := New(testSecret, WithBaseURL("http://LocalHost:"+port))
		if err != nil {
			t.Fatal(err)
		}
		if list, err := c.ListTokens(ctx); err != nil || len(list.Tokens) != 2 {
			t.Errorf("%s: %v", l.Addr(), err)
		}
		server.Close()
	}
}

// What a proxy refuses is not tried again, since accounts lock; nothing was sent; the message names the proxy and the
// variable, and no password.
func TestProxyRefuses(t *testing.T) {
	t.Parallel()
	for status, connects := range map[int]int{407: 1, 403: 1, 502: 4} {
		for op, call := range calls(t) {
			s, pipe := piped(answering(fmt.Sprintf("HTTP/1.1 %d no\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status)))
			transport := newTransport(ProxyError{Variable: "HTTPS_PROXY", Proxy: "http://corp:1"})
			transport.DialContext = pipe.DialContext
			transport.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse("http://user:hunter2@corp:1") }
			e := mustError(t, call(through(t, transport, WithBaseURL(DefaultBaseURL))), ErrUnavailable)
			refused, ok := errors.AsType[*ProxyError](e)
			if !ok || refused.StatusCode != status || s.count("CONNECT") != connects || strings.Contains(e.Error(), "hunter2") ||
				!strings.Contains(e.Error(), fmt.Sprintf("the proxy http://corp:1 (HTTPS_PROXY) refuses: HTTP %d", status)) {
				t.Errorf("%s: %d: asked %d times, %v", op, status, s.count("CONNECT"), e)
			}
		}
	}
	dials := 0
	dead := dial(&dials, syscall.ECONNREFUSED)
	dead.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: "corp:1"})
	c := through(t, dead, WithBaseURL(DefaultBaseURL))
	c.proxy = ProxyError{Variable: "https_proxy", Proxy: "http://corp:1"}
	const want = "create token: the proxy http://corp:1 (https_proxy) cannot be reached: connection refused (attempt 4)"
	if e := mustError(t, calls(t)["create"](c), ErrUnavailable); e.Error() != want || !errors.Is(e, syscall.ECONNREFUSED) {
		t.Error(e)
	}
}

// What is set but cannot be used is refused, and never treated as not set. Neither a service on this machine nor a
// transport of the caller's asks for it.
func TestVariables(t *testing.T) {
	for _, c := range []struct{ name, value, reason, shown string }{
		{"HTTPS_PROXY", "http://corp:hunter2%zz@host:1", "write %23 for #", ""},
		{"https_proxy", "http://host:hunter2", "write %23 for #", ""},
		{"HTTPS_PROXY", "host:hunter2", "write %23 for #", ""},
		{"HTTPS_PROXY", "http://host:1?hunter2", "write %23 for #", ""},
		{"HTTPS_PROXY", "ftp://hunter2:1", "a proxy is http://", ""},
		{"HTTPS_PROXY", "http://", "write %23 for #", ""},
		{"HTTPS_PROXY", "", "", ""},
		{"https_proxy", "proxy", "", "http://proxy"},
		{"HTTPS_PROXY", "127.0.0.1:3128", "", "http://127.0.0.1:3128"},
		{"HTTPS_PROXY", "user:p%23@proxy:1", "", "http://proxy:1"},
		{"HTTPS_PROXY", "https://proxy/", "", "https://proxy"},
		{"HTTPS_PROXY", "socks5h://[::1]:9", "", "socks5h://[::1]:9"},
	} {
		t.Setenv("HTTPS_PROXY", "")
		t.Setenv("https_proxy", "")
		t.Setenv(c.name, c.value)
		client, err := New(testSecret)
		if err == nil && (c.reason != "" || client.proxy.Proxy != c.shown) {
			t.Errorf("%s=%s is used: %v", c.name, c.value, client.proxy)
		}
		wrong, refused := errors.AsType[*VariableError](err)
		if err != nil && (!refused || wrong.Variable != c.name || c.reason == "" || !strings.Contains(wrong.Reason, c.reason) ||
			strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%s=%s: %v", c.name, c.value, err)
		}
		_, here := New(testSecret, WithBaseURL("http://localhost"))
		_, given := New(testSecret, WithTransport(&http.Transport{}))
		if here != nil || given != nil {
			t.Error(here, given)
		}
	}
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request") }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	plain := httptest.NewServer(server.Config.Handler)
	t.Cleanup(plain.Close)
	for base, text := range map[string]string{
		server.URL: "certificate", strings.Replace(plain.URL, "http:", "https:", 1): "the server speaks http, not https",
	} {
		for _, call := range calls(t) {
			e := mustError(t, call(through(t, newTransport(ProxyError{}), WithBaseURL(base))), ErrUnavailable)
			if e.Attempts != 1 || !strings.Contains(e.Error(), text) {
				t.Errorf("attempts %d: %v", e.Attempts, e)
			}
		}
	}
}

func TestHook(t *testing.T) {
	t.Parallel()
	answers := []string{
		reply(503, "busy"), ok(strings.Replace(someTokens, `"ci"`, `"ci","x":"`+newSecret+`"`, 1) + strings.Repeat("x", 10_000)),
		ok(created), ok(`{"status":"success","message":"` + testSecret + `"}`),
	}
	var all []Exchange
	c, _ := newClient(t, func(n int, r seen, c net.Conn) bool { return answering(answers[n-1])(n, r, c) },
		WithRequestHook(func(x Exchange) { all = append(all, x) }))
	for _, op := range []string{"list", "create", "delete"} {
		if err := calls(t)[op](c); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []Exchange{
		{Method: "GET", URL: "/api", StatusCode: 503, Attempt: 1, Body: "busy", Err: ErrUnavailable},
		{Method: "GET", URL: "/api", StatusCode: 200, Attempt: 2, Body: `{"status":"success","api":[{"id":"10000","name":"ci","x":"[red`},
		{Method: "POST", URL: "/api/generate", StatusCode: 200, Attempt: 1, Body: fmt.Sprintf(`%d bytes, message "New `, len(created))},
		{Method: "DELETE", URL: "/api/1/delete", StatusCode: 200, Attempt: 1, Body: `{"status":"success","message":"[redacted]"}`},
	} {
		x := all[i]
		if x.Method != want.Method || x.URL != "http://localhost"+want.URL || x.StatusCode != want.StatusCode || x.Attempt != want.Attempt ||
			!errors.Is(x.Err, want.Err) || !strings.HasPrefix(x.Body, want.Body) || x.Duration < 0 || len(x.Body) > 4<<10+8 {
			t.Errorf("%d: %+v", i, x)
		}
		noSecret(t, fmt.Sprintf("%+v %v", x, x.Err))
	}
}

// Wherever the service repeats a secret, neither an error nor the hook shows it.
func TestEchoedSecrets(t *testing.T) {
	t.Parallel()
	const own, inPHP, inGo = `Hunter2/"Hunter4&Hunter5`, `Hunter2\/\"Hunter4&Hunter5`, `Hunter2/\"Hunter4\u0026Hunter5`
	for name, raw := range map[string]string{
		"message, PHP":         ok(`{"status":"error","message":"bad key ` + inPHP + `"}`),
		"message is an object": ok(`{"status":"error","message":{"key":"` + inGo + `"}}`),
		"message, cut":         ok(`{"status":"error","message":"` + strings.Repeat("x", maxMessage-20) + inPHP + `"}`),
		"code":                 ok(`{"status":"error","errorcode":"` + inPHP + `"}`),
		"other status":         ok(`{"status":"` + inPHP + `"}`),
		"scope, cut":           ok(`{"api":[{"id":1,"name":"a","write":"from a long text ` + inPHP + `"}]}`),
		"page":                 ok(`<html>` + own),
		"text, 500":            reply(500, own),
		"redirect":             reply(302, "", "Location: /"+url.PathEscape(own)+"?"+url.QueryEscape(own)),
		"redirect to a host":   reply(302, "", "Location: http://"+url.PathEscape(own)+".example"),
		"bad header":           "HTTP/1.1 200 OK\r\nX " + own + "\r\n\r\n",
		"bad status":           "HTTP/1.1 " + own + "\r\n\r\n",
		"reason":               "HTTP/1.1 400 " + own + "\r\nContent-Length: 0\r\n\r\n",
	} {
		for op, call := range calls(t) {
			var said strings.Builder
			client, _ := newClient(t, answering(raw), WithRequestHook(func(x Exchange) { fmt.Fprintf(&said, "%+v %v\n", x, x.Err) }))
			client, err := client.WithSecret(own)
			if err != nil {
				t.Fatal(err)
			}
			if fmt.Fprintf(&said, "%v\n", call(client)); strings.Contains(said.String(), "Hunter") {
				t.Errorf("%s, %s: %s", name, op, said.String())
			}
		}
	}
}
