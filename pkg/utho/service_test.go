package utho

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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
	conns  atomic.Int32

	mu   sync.Mutex
	seen []seen
}

func (s *service) requests() []seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.seen)
}

// count is how many requests with this method arrived.
func (s *service) count(method string) int {
	return len(slices.DeleteFunc(s.requests(), func(r seen) bool { return r.method != method }))
}

// serve answers what comes over one connection.
func (s *service) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	s.conns.Add(1)
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

// piped is the service without a network, behind the package's own transport.
func piped(handle handler) (*service, *http.Transport) {
	s, transport := &service{handle: handle}, newTransport(ProxyError{})
	transport.Proxy = nil
	transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go s.serve(server)
		return client, nil
	}
	return s, transport
}

// answering writes the same bytes to every request. The connection ends with what is no whole answer.
func answering(raw string) handler {
	return func(_ int, _ seen, c net.Conn) bool {
		_, err := io.WriteString(c, raw)
		return err == nil && strings.Contains(raw, "\r\n\r\n") && !strings.Contains(raw, "Connection: close")
	}
}

// ok is an HTTP 200 with a JSON body.
func ok(body string) string { return reply(200, body) }

func reply(status int, body string, headers ...string) string {
	lines := append([]string{fmt.Sprintf("HTTP/1.1 %d %s", status, http.StatusText(status))}, headers...)
	return strings.Join(lines, "\r\n") + fmt.Sprintf("\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// fine is a success of any operation.
func fine(method string) string {
	if method == "POST" {
		return ok(created)
	}
	return ok(`{"status":"success","api":[],"user":{}}`)
}

// quick retries without keeping a test waiting.
var quick = RetryPolicy{MaxAttempts: 4, MinDelay: time.Microsecond, MaxDelay: 2 * time.Microsecond}

// through gives a client of the service at localhost with that transport and quick retries. Its connections end with
// the test.
func through(t testing.TB, transport http.RoundTripper, opts ...Option) *Client {
	t.Helper()
	if closer, ok := transport.(*http.Transport); ok {
		t.Cleanup(closer.CloseIdleConnections)
	}
	c, err := New(testSecret, append([]Option{WithBaseURL("http://localhost"), WithTransport(transport), WithRetry(quick)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// newClient gives a client of a service.
func newClient(t testing.TB, handle handler, opts ...Option) (*Client, *service) {
	t.Helper()
	s, transport := piped(handle)
	return through(t, transport, opts...), s
}

// roundTripper is a transport that is not net/http's.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// result does an operation, and gives what matters of what it got: of a list the only token, or how many there are.
func result(ctx context.Context, c *Client, op string) (any, error) {
	switch op {
	case "list":
		list, err := c.ListTokens(ctx)
		if err != nil || list.Tokens == nil {
			return nil, err
		}
		if len(list.Tokens) == 1 {
			return list.Tokens[0], nil
		}
		return len(list.Tokens), nil
	case "account":
		a, err := c.Account(ctx)
		if err != nil {
			return nil, err
		}
		return *a, nil
	case "delete":
		return true, c.DeleteToken(ctx, "1")
	}
	created, err := c.CreateToken(ctx, ci)
	if err != nil || strings.Contains(created.Message, created.Secret) {
		return nil, err
	}
	return secret(created.Secret), nil
}

type secret string

// calls are the four operations.
func calls(t testing.TB) map[string]func(*Client) error {
	all := map[string]func(*Client) error{}
	for _, op := range []string{"list", "account", "delete", "create"} {
		all[op] = func(c *Client) error { _, err := result(t.Context(), c, op); return err }
	}
	return all
}

// fails is what an error must be: its kind, and a part of its text.
type fails struct {
	kind error
	text string
}

// judge holds what each answer to an operation means: a result, how it fails (a kind, a text of none, or both).
// Whatever it is, the request is sent once, and neither an error nor the hook shows a
// secret.
func judge(t *testing.T, op string, cases map[any][]string) {
	t.Helper()
	asks := map[string]string{
		"list": "GET /v2/api", "account": "GET /v2/account/info", "delete": "DELETE /v2/api/1/delete", "create": "POST /v2/api/generate",
	}[op]
	for want, answers := range cases {
		for _, raw := range answers {
			if !strings.HasPrefix(raw, "HTTP/1.1 ") && !strings.HasPrefix(raw, "garbage") {
				raw = ok(raw)
			}
			var shown []string
			client, s := newClient(t, answering(raw), WithBaseURL("http://localhost/v2"), WithRequestHook(func(x Exchange) {
				shown = append(shown, fmt.Sprintf("%+v %v", x, x.Err))
			}))
			got, err := result(t.Context(), client, op)
			if all := s.requests(); len(all) != 1 || all[0].method+" "+all[0].uri != asks || len(shown) != 1 {
				t.Errorf("%.300s: requests %+v, shown %q", raw, all, shown)
				continue
			}
			if noSecret(t, shown[0]); op == "create" && (strings.Contains(shown[0], "opaque") || strings.Contains(shown[0], `apikey"`)) {
				t.Errorf("%s: shown: %s", raw, shown)
			}
			w, _ := want.(fails)
			switch want := want.(type) {
			case fails:
			case error:
				w.kind = want
			case string:
				w.text = want
			default:
				if err != nil || got != want {
					t.Errorf("%.300s: got %+v, %v, want %+v", raw, got, err, want)
				}
				continue
			}
			e := mustError(t, err, w.kind)
			if !strings.Contains(e.Error(), w.text) || e.Attempts != 1 || e.StatusCode >= 500 && strings.Contains(e.Error(), DefaultBaseURL) {
				t.Errorf("%.300s: error %q, want %q in it; attempts %d", raw, e, w.text, e.Attempts)
			}
		}
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
		t.Errorf("%v: kind %v, want %v", err, e.Kind, kind)
	}
	for _, k := range []error{ErrUnauthorized, ErrForbidden, ErrNotFound, ErrUnavailable, ErrOutcomeUnknown, ErrWrongAddress} {
		if errors.Is(err, k) != (k == kind) {
			t.Errorf("%v is %v, want %v", err, k, kind)
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

func manyTokens(n int) string {
	tokens := make([]string, n)
	for i := range tokens {
		tokens[i] = fmt.Sprintf(`{"id":"%d","name":"token-%d","write":"%d","created_at":"2024-04-22 01:12:36"}`, 10000+i, i, i%2)
	}
	return `{"status":"success","api":[` + strings.Join(tokens, ",") + `]}`
}
