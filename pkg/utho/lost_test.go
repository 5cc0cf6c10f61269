package utho

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// dial makes every connection fail with err and counts.
func dial(dials *int, err error) *http.Transport {
	return &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { *dials++; return nil, err }}
}

// here names a socket, which words for people must not.
var here = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 58852}

// If a connection was never made, nothing was sent and nothing created, and it is tried again unless that is of no
// use.
func TestNeverLeft(t *testing.T) {
	t.Parallel()
	op := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Source: here, Addr: here, Err: err} }
	for text, c := range map[string]struct {
		err   error
		dials int
	}{
		"connection refused":              {op(os.NewSyscallError("connect", syscall.ECONNREFUSED)), 4},
		"timed out":                       {op(syscall.ETIMEDOUT), 4},
		"no such host":                    {op(&net.DNSError{Err: "no such host", Server: "127.0.0.1:58852", IsNotFound: true}), 1},
		"looking up the name timed out":   {op(&net.DNSError{Err: "i/o timeout", IsTimeout: true}), 4},
		"looking up the name failed: bad": {op(&net.DNSError{Err: "read udp 127.0.0.1:58852->127.0.0.1:53: bad"}), 4},
		"oh no":                           {op(errors.New("oh no")), 4},
		"it was closed":                   {io.EOF, 4},
		"something else":                  {errors.New("something else"), 4},
	} {
		for _, call := range calls(t) {
			dials := 0
			client := through(t, dial(&dials, c.err), WithBaseURL("https://live_test_0123456789abcdef.example"))
			e := mustError(t, call(client), ErrUnavailable)
			if !errors.Is(e, c.err) || dials != c.dials || e.Attempts != dials ||
				!strings.Contains(e.Error(), ": no connection to [redacted].example: "+text) || strings.Contains(e.Error(), "58852") {
				t.Errorf("%d dials, %d attempts, want %d; %v, want %s", dials, e.Attempts, c.dials, e, text)
			}
		}
	}
	c := through(t, &http.Transport{Proxy: func(*http.Request) (*url.URL, error) { return nil, errors.New("no such proxy") }})
	e := mustError(t, calls(t)["create"](c), ErrUnavailable)
	if !strings.Contains(e.Error(), "no connection to localhost: no such proxy") {
		t.Error(e)
	}
}

// brittle is a connection that takes so many requests and not a byte of the next, and whose end is a reset.
type brittle struct {
	net.Conn
	takes atomic.Int32
}

func (c *brittle) Write(p []byte) (int, error) {
	if c.takes.Add(-1) < 0 {
		return 0, syscall.EPIPE
	}
	return c.Conn.Write(p)
}

func (c *brittle) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		err = &net.OpError{Op: "read", Net: "tcp", Source: here, Addr: here, Err: syscall.ECONNRESET}
	}
	return n, err
}

// A create that got as far as a connection is sent once, whatever happens then, even if net/http has used the
// connection before and could send it again on another, and its outcome is unknown.
func TestCreateLost(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		takes int32
		part  string // comes before the connection ends
		posts int
		text  string
	}{
		"dead":              {1, "", 0, "the connection broke: "},
		"reset":             {2, "", 1, "the connection broke: connection reset by peer"},
		"reset in the body": {2, ok(created)[:60], 1, "the connection broke: connection reset by peer"},
	} {
		s, transport := piped(func(n int, r seen, conn net.Conn) bool {
			if r.method == "GET" {
				return answering(ok(someTokens))(n, r, conn)
			}
			_, _ = io.WriteString(conn, c.part)
			return false
		})
		pipe := transport.DialContext
		transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := pipe(ctx, network, addr)
			b := &brittle{Conn: conn}
			b.takes.Store(c.takes)
			return b, err
		}
		client := through(t, transport)
		if err := calls(t)["list"](client); err != nil {
			t.Fatal(err)
		}
		e := mustError(t, calls(t)["create"](client), ErrOutcomeUnknown)
		if s.count("POST") != c.posts || s.conns.Load() != 1 || !strings.Contains(e.Error(), c.text) || strings.Contains(e.Error(), "58852") {
			t.Errorf("%s: %d creates on %d connections, %v", name, s.count("POST"), s.conns.Load(), e)
		}
	}
}

// Wherever a request is when the time runs out or the caller gives up, it ends then, and says so in the caller's own
// words: before it has a connection nothing was sent, later an answer is lost, or what came of it, and also one whose
// body does not end with its request.
func TestContextEnds(t *testing.T) {
	t.Parallel()
	const noTime, waiting = "ended before", "waiting to try again"
	why := errors.New("the user pressed Ctrl-C")
	service := func(begin string) func(*testing.T) *Client {
		return func(t *testing.T) *Client {
			client, _ := newClient(t, func(_ int, _ seen, c net.Conn) bool {
				_, _ = io.WriteString(c, begin)
				_, err := c.Read(make([]byte, 1)) // until the client goes away
				return err == nil
			})
			return client
		}
	}
	for name, c := range map[string]struct {
		client func(*testing.T) *Client
		lost   bool // nobody knows what came of a create
	}{
		noTime: {client: func(t *testing.T) *Client {
			return through(t, roundTripper(func(*http.Request) (*http.Response, error) { t.Error("it was sent"); return nil, io.EOF }))
		}},
		"connecting": {client: func(t *testing.T) *Client {
			ended := make(chan struct{}) // net/http goes on connecting when the request has ended
			t.Cleanup(func() { close(ended) })
			return through(t, &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
				<-ended
				return nil, syscall.ETIMEDOUT
			}})
		}},
		waiting:                 {client: service(reply(429, "", "Retry-After: 3600"))},
		"no answer":             {service(""), true},
		"a part of the headers": {service("HTTP/1.1 200 OK\r\n"), true},
		"a part of the body":    {service("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + someTokens[:60]), true},
		"a long part":           {service("HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n" + manyTokens(5000)[:300_000]), true},
		"endless body": {func(t *testing.T) *Client {
			return through(t, roundTripper(func(r *http.Request) (*http.Response, error) {
				body, w := io.Pipe()
				go func() { _, _ = io.WriteString(w, created[:60]) }()
				return &http.Response{StatusCode: 200, ContentLength: -1, Body: body, Request: r}, nil
			}))
		}, true},
	} {
		for _, op := range []string{"list", "create"} {
			for _, deadline := range []bool{true, false} {
				if deadline && name == waiting {
					continue // such a pause is not begun; see TestRetryAfter
				}
				synctest.Test(t, func(t *testing.T) {
					after, text := time.Minute, ": no answer within 1m0s"
					if name == noTime {
						after, text = 0, ": there was no time left for it"
					}
					ctx, cancel := context.WithTimeout(t.Context(), after)
					kind, want := ErrUnavailable, context.DeadlineExceeded
					if !deadline {
						var giveUp func(error)
						ctx, giveUp = context.WithCancelCause(t.Context())
						time.AfterFunc(after, func() { giveUp(why) })
						kind, want, text = nil, context.Canceled, ": "+why.Error()
					}
					defer cancel()
					if c.lost && op == "create" {
						kind = ErrOutcomeUnknown
					}
					client, start := c.client(t), time.Now()
					synctest.Wait()
					_, err := result(ctx, client, op)
					e := mustError(t, err, kind)
					if !errors.Is(e, want) || errors.Is(e, why) == deadline || !strings.HasSuffix(e.Error(), text) ||
						time.Since(start) != after || e.Attempts != 1 {
						t.Errorf("%s: %s: %v after %s and %d attempts", name, op, e, time.Since(start), e.Attempts)
					}
				})
			}
		}
	}
}

// A transport that says nothing about its connections is believed the worst of, one that does is believed. Its errors
// are its own, and stay what they are.
func TestForeignTransports(t *testing.T) {
	t.Parallel()
	sent := 0
	mine := &net.AddrError{Err: "the store \"x\" is broken", Addr: "here"}
	c := through(t, roundTripper(func(*http.Request) (*http.Response, error) { sent++; return nil, mine }))
	if e := mustError(t, calls(t)["create"](c), ErrOutcomeUnknown); sent != 1 {
		t.Errorf("%d calls, %v", sent, e)
	}
	e := mustError(t, calls(t)["list"](c), ErrUnavailable)
	if !errors.Is(e, mine) || e.Error() != "list tokens: "+mine.Error()+" (attempt 4)" {
		t.Error(e)
	}
	dials := 0
	dead := dial(&dials, syscall.ECONNREFUSED)
	c = through(t, roundTripper(dead.RoundTrip))
	if e := mustError(t, calls(t)["create"](c), ErrUnavailable); dials != 4 {
		t.Errorf("%d calls, %v", dials, e)
	}
}

// Over HTTP/2 it is the same: one create, and a lost stream is an unknown outcome.
func TestCreateHTTP2(t *testing.T) {
	t.Parallel()
	var posts atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if posts.Add(1) > 1 || r.ProtoMajor != 2 {
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, created)
	}))
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	c := through(t, server.Client().Transport, WithBaseURL(server.URL))
	if got, err := c.CreateToken(t.Context(), ci); err != nil || got.Secret != newSecret {
		t.Fatalf("got %v, %v", got, err)
	}
	if e := mustError(t, calls(t)["create"](c), ErrOutcomeUnknown); posts.Load() != 2 {
		t.Errorf("%d creates, want 2: %v", posts.Load(), e)
	}
}
