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

// If a connection was never made, nothing was sent and nothing created, and it is tried again unless that is of no
// use. The words are for people: they name no socket.
func TestNeverLeft(t *testing.T) {
	t.Parallel()
	here := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 58852}
	op := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Source: here, Addr: here, Err: err} }
	for text, c := range map[string]struct {
		err   error
		dials int
	}{
		"connection refused":              {op(os.NewSyscallError("connect", syscall.ECONNREFUSED)), 4},
		"connection reset by peer":        {op(syscall.ECONNRESET), 4},
		"network is unreachable":          {op(syscall.ENETUNREACH), 4},
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
			if e.Sent || !errors.Is(e, c.err) || dials != c.dials || e.Attempts != dials {
				t.Errorf("%s: sent %v, %d dials, %d attempts, want %d: %#v", text, e.Sent, dials, e.Attempts, c.dials, e.Err)
			}
			if !strings.Contains(e.Error(), ": no connection to [redacted].example: "+text) || strings.Contains(e.Error(), "58852") {
				t.Error(e)
			}
		}
	}
	c := through(t, &http.Transport{Proxy: func(*http.Request) (*url.URL, error) { return nil, errors.New("no such proxy") }})
	_, err := c.CreateToken(t.Context(), ci)
	if e := mustError(t, err, ErrUnavailable); e.Sent || !strings.Contains(e.Error(), "no connection to api.utho.com: no such proxy") {
		t.Error(e)
	}
}

// A context that has ended sends nothing.
func TestContextEndsFirst(t *testing.T) {
	t.Parallel()
	c, s := against(t, ok(created))
	why := errors.New("the user pressed Ctrl-C")
	cancelled, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	_, err := c.CreateToken(cancelled, ci)
	if e := mustError(t, err, nil); e.Sent || !errors.Is(err, why) || !errors.Is(err, context.Canceled) {
		t.Errorf("sent %v: %v", e.Sent, err)
	}
	late, cancelLate := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancelLate()
	_, err = c.CreateToken(late, ci)
	e := mustError(t, err, ErrUnavailable)
	if e.Sent || !errors.Is(err, context.DeadlineExceeded) || e.Error() != "create token: there was no time left for it" || s.conns.Load() != 0 {
		t.Errorf("sent %v: %v", e.Sent, err)
	}
}

// A create that got as far as a connection is sent once, whatever happens then, even if net/http has used the
// connection before, and its outcome is unknown; the words name no socket.
func TestCreateLost(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		part  string // comes before the connection ends
		reset bool
		text  string
	}{
		"closed": {"", false, "the connection broke"}, "closed in the status": {"HTTP/1.1 20", false, "cannot be read as HTTP"},
		"closed in the body": {ok(created)[:60], false, "the connection broke"},
		"reset":              {"", true, "the connection broke"}, "reset in the body": {ok(created)[:60], true, "the connection broke"},
	} {
		s, base := listen(t, func(_ int, r seen, conn net.Conn) bool {
			if r.method == "GET" {
				return answering(ok(someTokens))(0, r, conn)
			}
			_, _ = io.WriteString(conn, c.part)
			return c.reset && conn.(*net.TCPConn).SetLinger(0) != nil
		})
		client := newClient(t, base)
		if err := calls(t)["list"](client); err != nil {
			t.Fatal(err)
		}
		e := mustError(t, calls(t)["create"](client), ErrOutcomeUnknown)
		if !e.Sent || s.count("POST") != 1 || !strings.Contains(e.Error(), c.text) || strings.Contains(e.Error(), "->") {
			t.Errorf("%s: %d creates, %v", name, s.count("POST"), e)
		}
	}
}

// Wherever a request is when the time runs out or the caller gives up, it ends then: while it connects nothing was
// sent, later an answer is lost, or what came of it, and also one whose body does not end with its request.
func TestContextEndsMeanwhile(t *testing.T) {
	t.Parallel()
	why := errors.New("the user pressed Ctrl-C")
	answers := func(begin string) func(*testing.T) *Client {
		return func(t *testing.T) *Client {
			client, _ := pipedClient(t, func(_ int, _ seen, c net.Conn) bool {
				_, _ = io.WriteString(c, begin)
				_, err := c.Read(make([]byte, 1)) // until the client goes away
				return err == nil
			})
			return client
		}
	}
	for name, client := range map[string]func(*testing.T) *Client{
		"connecting": func(t *testing.T) *Client {
			ended := make(chan struct{}) // net/http goes on connecting when the request has ended
			t.Cleanup(func() { close(ended) })
			return through(t, &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
				<-ended
				return nil, syscall.ETIMEDOUT
			}})
		},
		"no answer": answers(""), "a part of the headers": answers("HTTP/1.1 200 OK\r\n"),
		"a part of the body": answers("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + someTokens[:60]),
		"a long part":        answers("HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n" + manyTokens(5000)[:300_000]),
		"endless body": func(t *testing.T) *Client {
			return through(t, roundTripper(func(r *http.Request) (*http.Response, error) {
				body, w := io.Pipe()
				go func() { _, _ = io.WriteString(w, created[:60]) }()
				return &http.Response{StatusCode: 200, ContentLength: -1, Body: body, Request: r}, nil
			}))
		},
	} {
		for _, op := range []string{"list", "create"} {
			for _, deadline := range []bool{true, false} {
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					defer cancel()
					kind, want := ErrUnavailable, context.DeadlineExceeded
					if !deadline {
						kind, want = nil, why
						var giveUp func(error)
						ctx, giveUp = context.WithCancelCause(t.Context())
						time.AfterFunc(time.Minute, func() { giveUp(why) })
					}
					sent := name != "connecting"
					if sent && op == "create" {
						kind = ErrOutcomeUnknown
					}
					start := time.Now()
					_, err := result(ctx, client(t), op)
					e := mustError(t, err, kind)
					if !errors.Is(e, want) || e.Sent != sent || time.Since(start) != time.Minute || e.Attempts != 1 ||
						deadline && !strings.HasSuffix(e.Error(), ": no answer within 1m0s") {
						t.Errorf("%s: %s: %v after %s and %d attempts", name, op, e, time.Since(start), e.Attempts)
					}
				})
			}
		}
	}
}

// deadConn takes the first request and not a byte of the next.
type deadConn struct {
	net.Conn
	writes *atomic.Int32
}

func (c deadConn) Write(p []byte) (int, error) {
	if c.writes.Add(1) > 1 {
		return 0, syscall.EPIPE
	}
	return c.Conn.Write(p)
}

// Not even then is a create sent again on another connection, though net/http could.
func TestCreateOnADeadConnection(t *testing.T) {
	t.Parallel()
	s, transport := piped(answering(ok(someTokens)))
	var writes atomic.Int32
	client := through(t, &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := transport.DialContext(ctx, network, addr)
		return deadConn{conn, &writes}, err
	}}, WithBaseURL("http://localhost"))
	err := calls(t)["list"](client)
	mustError(t, calls(t)["create"](client), ErrOutcomeUnknown)
	if err != nil || s.count("POST") != 0 || s.conns.Load() != 1 {
		t.Errorf("%v, %d creates on %d connections", err, s.count("POST"), s.conns.Load())
	}
}

// A transport that says nothing about its connections is believed the worst of, one that does is believed. Its errors
// are its own, and stay what they are.
func TestForeignTransports(t *testing.T) {
	t.Parallel()
	sent := 0
	mine := &net.AddrError{Err: "the store \"x\" is broken", Addr: "here"}
	c := through(t, roundTripper(func(*http.Request) (*http.Response, error) { sent++; return nil, mine }))
	if e := mustError(t, calls(t)["create"](c), ErrOutcomeUnknown); !e.Sent || sent != 1 {
		t.Errorf("%d calls, %v", sent, e)
	}
	e := mustError(t, calls(t)["list"](c), ErrUnavailable)
	if !errors.Is(e, mine) || e.Error() != "list tokens: "+mine.Error()+" (attempt 4)" {
		t.Error(e)
	}
	dials := 0
	dead := dial(&dials, syscall.ECONNREFUSED)
	c = through(t, roundTripper(dead.RoundTrip))
	if e := mustError(t, calls(t)["create"](c), ErrUnavailable); e.Sent || dials != 4 {
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
	c := newClient(t, server.URL, WithTransport(server.Client().Transport))
	if got, err := c.CreateToken(t.Context(), ci); err != nil || got.Secret != newSecret {
		t.Fatalf("got %v, %v", got, err)
	}
	if e := mustError(t, calls(t)["create"](c), ErrOutcomeUnknown); !e.Sent || posts.Load() != 2 {
		t.Errorf("%d creates, want 2: %v", posts.Load(), e)
	}
}
