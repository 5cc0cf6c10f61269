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

// A request that the context ends before it has a connection was not sent.
func TestContextEndsFirst(t *testing.T) {
	t.Parallel()
	c, s := against(t, ok(created))
	why := errors.New("the user pressed Ctrl-C")
	cancelled, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	late, cancelLate := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancelLate()
	_, err := c.CreateToken(cancelled, ci)
	if e := mustError(t, err, nil); e.Sent || !errors.Is(err, why) || !errors.Is(err, context.Canceled) {
		t.Errorf("sent %v: %v", e.Sent, err)
	}
	_, err = c.CreateToken(late, ci)
	e := mustError(t, err, ErrUnavailable)
	if e.Sent || !errors.Is(err, context.DeadlineExceeded) || e.Error() != "create token: there was no time left for it" {
		t.Errorf("sent %v: %v", e.Sent, err)
	}
	if len(s.requests()) != 0 {
		t.Errorf("requests %+v", s.requests())
	}
	synctest.Test(t, func(t *testing.T) { // and so it is while it connects
		done := make(chan struct{}) // net/http goes on connecting when the request has ended
		defer close(done)
		c := through(t, &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			<-done
			return nil, syscall.ETIMEDOUT
		}})
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		_, err = c.CreateToken(ctx, ci)
		if e := mustError(t, err, ErrUnavailable); e.Sent || e.Error() != "create token: no answer within 30s" {
			t.Errorf("sent %v: %v", e.Sent, err)
		}
	})
}

// A create that got as far as a connection is sent once, whatever happens then, and its outcome is unknown; the words
// name no socket.
func TestCreateLost(t *testing.T) {
	t.Parallel()
	part := func(raw string) func(net.Conn) bool {
		return func(c net.Conn) bool { _, _ = io.WriteString(c, raw); return false }
	}
	reset := func(c net.Conn) bool { return c.(*net.TCPConn).SetLinger(0) != nil }
	for name, lose := range map[string]func(c net.Conn) bool{
		"closed": part(""), "closed in the status": part("HTTP/1.1 20"), "closed in the body": part(ok(created)[:60]),
		"reset": reset, "reset in the body": func(c net.Conn) bool { part(ok(created)[:60])(c); return reset(c) },
	} {
		for _, used := range []bool{false, true} {
			s, base := listen(t, func(_ int, r seen, conn net.Conn) bool {
				if r.method != "GET" {
					return lose(conn)
				}
				_, err := io.WriteString(conn, ok(someTokens))
				return err == nil
			})
			client := newClient(t, base)
			if used {
				if _, err := client.ListTokens(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			_, err := client.CreateToken(t.Context(), ci)
			e, text := mustError(t, err, ErrOutcomeUnknown), "the connection broke"
			if name == "closed in the status" {
				text = "cannot be read as HTTP"
			}
			if !e.Sent || s.count("POST") != 1 || !strings.Contains(e.Error(), text) || strings.Contains(e.Error(), "->") {
				t.Errorf("%s, used %v: %d creates, %v", name, used, s.count("POST"), e)
			}
		}
	}
}

// A service that reads a request and says nothing, or not all, is left when the time runs out or the caller gives up.
func TestSilentService(t *testing.T) {
	t.Parallel()
	why := errors.New("the user pressed Ctrl-C")
	for name, begin := range map[string]string{
		"no answer": "", "half a header": "HTTP/1.1 200 OK\r\n",
		"half a body":      "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + someTokens[:60],
		"half a long body": "HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n" + string(manyTokens(5000)[:300_000]),
	} {
		for op, call := range map[string]func(*Client, context.Context) error{
			"list tokens":  func(c *Client, ctx context.Context) error { _, err := c.ListTokens(ctx); return err },
			"create token": func(c *Client, ctx context.Context) error { _, err := c.CreateToken(ctx, ci); return err },
		} {
			for _, deadline := range []bool{true, false} {
				synctest.Test(t, func(t *testing.T) {
					client, s := pipedClient(t, silent(begin))
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					defer cancel()
					kind, want := ErrUnavailable, context.DeadlineExceeded
					if !deadline {
						kind, want = nil, why
						var giveUp func(error)
						ctx, giveUp = context.WithCancelCause(t.Context())
						time.AfterFunc(time.Minute, func() { giveUp(why) })
					}
					if op == "create token" {
						kind = ErrOutcomeUnknown
					}
					start := time.Now()
					e := mustError(t, call(client, ctx), kind)
					if !errors.Is(e, want) || !e.Sent || time.Since(start) != time.Minute || len(s.requests()) != 1 {
						t.Errorf("%s: %v after %s and %d requests", name, e, time.Since(start), len(s.requests()))
					}
					if deadline && !strings.HasSuffix(e.Error(), ": no answer within 1m0s") {
						t.Error(e)
					}
				})
			}
		}
	}
	synctest.Test(t, func(t *testing.T) { // the given client's own timeout is a lost answer like any other
		s, transport := piped(silent(""))
		c, err := New(testSecret, WithBaseURL("http://localhost"), WithHTTPClient(&http.Client{Transport: transport, Timeout: time.Second}))
		if err != nil {
			t.Fatal(err)
		}
		e := mustError(t, calls(t)["create"](c), ErrOutcomeUnknown)
		mustError(t, calls(t)["list"](c), ErrUnavailable)
		if s.count("POST") != 1 || s.count("GET") != 4 || !strings.HasSuffix(e.Error(), "timed out") {
			t.Errorf("%d creates, %d lists: %v", s.count("POST"), s.count("GET"), e)
		}
		transport.CloseIdleConnections()
	})
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
	s, base := listen(t, answering(ok(someTokens)))
	var writes atomic.Int32
	client := through(t, &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		return deadConn{conn, &writes}, err
	}}, WithBaseURL(base))
	if err := calls(t)["list"](client); err != nil {
		t.Fatal(err)
	}
	mustError(t, calls(t)["create"](client), ErrOutcomeUnknown)
	if s.count("POST") != 0 || s.connections() != 1 {
		t.Errorf("%d creates on %d connections", s.count("POST"), s.connections())
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
		_, err := io.Copy(io.Discard, r.Body)
		if r.ProtoMajor != 2 || err != nil {
			t.Errorf("spoken: %s, %v", r.Proto, err)
		}
		if posts.Add(1) > 1 {
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, created)
	}))
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	c := newClient(t, server.URL, WithHTTPClient(server.Client()))
	if got, err := c.CreateToken(t.Context(), ci); err != nil || got.Secret != newSecret {
		t.Fatalf("got %v, %v", got, err)
	}
	if e := mustError(t, calls(t)["create"](c), ErrOutcomeUnknown); !e.Sent || posts.Load() != 2 {
		t.Errorf("%d creates, want 2: %v", posts.Load(), e)
	}
}
