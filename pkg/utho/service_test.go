package utho

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

const testSecret = "live_test_0123456789abcdef"

// seen is one request as it reached the service.
type seen struct {
	method string
	uri    string
	header http.Header
	body   string
}

// handler decides what to write to the n-th request, or to close the connection (by returning false).
type handler = func(n int, r seen, c net.Conn) bool

// service is a server of raw bytes. Each request is recorded, with its body, before its handler is asked.
type service struct {
	handle handler

	mu    sync.Mutex
	seen  []seen
	conns int
}

func (s *service) requests() []seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]seen(nil), s.seen...)
}

// count is how many requests with this method arrived.
func (s *service) count(method string) (n int) {
	for _, r := range s.requests() {
		if r.method == method {
			n++
		}
	}
	return n
}

func (s *service) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns
}

// serve answers what comes over one connection.
func (s *service) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	s.mu.Lock()
	s.conns++
	s.mu.Unlock()
	for br := bufio.NewReader(c); ; {
		r, err := http.ReadRequest(br)
		if err != nil {
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		one := seen{method: r.Method, uri: r.RequestURI, header: r.Header, body: string(body)}
		s.mu.Lock()
		s.seen = append(s.seen, one)
		n := len(s.seen)
		s.mu.Unlock()
		if !s.handle(n, one, c) {
			return
		}
	}
}

// listen puts the service on a loopback port until the test ends.
func listen(t testing.TB, handle handler) (*service, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, l, handle), "http://" + l.Addr().String()
}

func serve(t testing.TB, l net.Listener, handle handler) *service {
	t.Cleanup(func() { _ = l.Close() })
	s := &service{handle: handle}
	go func() {
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			context.AfterFunc(t.Context(), func() { _ = c.Close() })
			go s.serve(c)
		}
	}()
	return s
}

// piped is the service without a network, for tests under a clock of their own.
func piped(handle handler) (*service, *http.Transport) {
	s := &service{handle: handle}
	return s, &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go s.serve(server)
		return client, nil
	}}
}

// answering writes the same bytes to every request.
func answering(raw string) handler {
	return func(_ int, _ seen, c net.Conn) bool {
		_, err := io.WriteString(c, raw)
		return err == nil && !strings.Contains(raw, "Connection: close")
	}
}

// ok is an HTTP 200 with a JSON body.
func ok(body string) string { return reply(200, body) }

func reply(status int, body string, headers ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", status, http.StatusText(status))
	for _, h := range headers {
		b.WriteString(h + "\r\n")
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	return b.String()
}

// quick retries without keeping a test waiting.
var quick = RetryPolicy{MaxAttempts: 4, MinDelay: time.Microsecond, MaxDelay: 2 * time.Microsecond}

// through gives a client with that transport and quick retries. Its connections end with the test.
func through(t testing.TB, transport http.RoundTripper, opts ...Option) *Client {
	t.Helper()
	if closer, ok := transport.(*http.Transport); ok {
		t.Cleanup(closer.CloseIdleConnections)
	}
	c, err := New(testSecret, append([]Option{WithHTTPClient(&http.Client{Transport: transport}), WithRetry(quick)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// newClient gives a client of the service at base.
func newClient(t testing.TB, base string, opts ...Option) *Client {
	t.Helper()
	return through(t, newTransport(ProxyError{}), append([]Option{WithBaseURL(base)}, opts...)...)
}

// against starts a service that always answers with raw, and gives a client for it.
func against(t testing.TB, raw string) (*Client, *service) {
	t.Helper()
	s, base := listen(t, answering(raw))
	return newClient(t, base), s
}

// pipedClient is a client for a service without a network, with the retries of any.
func pipedClient(t testing.TB, handle handler, opts ...Option) (*Client, *service) {
	t.Helper()
	s, transport := piped(handle)
	return through(t, transport, append([]Option{WithBaseURL("http://localhost"), WithRetry(RetryPolicy{})}, opts...)...), s
}

// silent reads requests, says begin and then nothing until the client goes away.
func silent(begin string) handler {
	return func(_ int, _ seen, c net.Conn) bool {
		_, _ = io.WriteString(c, begin)
		_, err := c.Read(make([]byte, 1))
		return err == nil
	}
}

// roundTripper is a transport that is not net/http's.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// calls are the four operations.
func calls(t testing.TB) map[string]func(*Client) error {
	return map[string]func(*Client) error{
		"list":    func(c *Client) error { _, err := c.ListTokens(t.Context()); return err },
		"account": func(c *Client) error { _, err := c.Account(t.Context()); return err },
		"delete":  func(c *Client) error { return c.DeleteToken(t.Context(), "1") },
		"create":  func(c *Client) error { _, err := c.CreateToken(t.Context(), ci); return err },
	}
}

var ci = CreateTokenRequest{Name: "ci", Scope: ScopeReadOnly}

// mustError checks what every error of this package promises.
func mustError(t testing.TB, err error, kind error) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v (%T), want *Error", err, err)
	}
	if e.Kind != kind {
		t.Errorf("kind %v, want %v (%v)", e.Kind, kind, err)
	}
	if kind != nil && !errors.Is(err, kind) {
		t.Errorf("errors.Is(%v, %v) is false", err, kind)
	}
	for _, k := range []error{ErrUnauthorized, ErrForbidden, ErrNotFound, ErrUnavailable, ErrOutcomeUnknown, ErrWrongAddress} {
		if k != kind && errors.Is(err, k) {
			t.Errorf("%v is also %v", err, k)
		}
	}
	if noSecret(t, err.Error()); len(e.Message) > maxMessage+len("…") {
		t.Errorf("a message of %d bytes", len(e.Message))
	}
	return e
}

// noSecret fails if a text holds the client's secret or that of a create.
func noSecret(t testing.TB, text string) {
	t.Helper()
	for _, s := range []string{testSecret, newSecret} {
		if strings.Contains(text, s) {
			t.Errorf("%q is in %q", s, text)
		}
	}
}

const newSecret = "live_test_brandnew42_0123456789"

var created = fmt.Sprintf(`{"status":"success","apikey":%q,"message":"New API has been created"}`, newSecret)

const someTokens = `{"status":"success","api":[{"id":"10000","name":"ci","write":"1","created_at":"2024-04-22 01:12:36"},` +
	`{"id":"10001","name":"grafana","write":"0","created_at":"2024-04-22 01:16:51"}]}`

func manyTokens(n int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"status":"success","api":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":"%d","name":"token-%d","write":"%d","created_at":"2024-04-22 01:12:36"}`, 10000+i, i, i%2)
	}
	b.WriteString(`]}`)
	return b.Bytes()
}
