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
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// A connection that was never made is made again; then nothing was sent and nothing created.
func TestCreateNeverLeft(t *testing.T) {
	t.Parallel()
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	unresolved := &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "nowhere.invalid", IsNotFound: true}}
	for name, c := range map[string]struct {
		err   error
		dials int
	}{
		"refused":      {refused, 4},
		"unresolvable": {unresolved, 1},
		"dns down":     {&net.OpError{Op: "dial", Err: &net.DNSError{Err: "server misbehaving", IsTemporary: true}}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var dials atomic.Int32
			transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
				dials.Add(1)
				return nil, c.err
			}}
			client, err := New(testSecret, WithHTTPClient(&http.Client{Transport: transport}), WithRetry(quick))
			if err != nil {
				t.Fatal(err)
			}
			_, err = client.CreateToken(t.Context(), ci)
			e := mustError(t, err, ErrUnavailable)
			if e.Sent || !errors.Is(err, c.err) {
				t.Errorf("sent %v: %v", e.Sent, err)
			}
			if n := int(dials.Load()); n != c.dials || e.Attempts != n {
				t.Errorf("%d dials, %d attempts, want %d", n, e.Attempts, c.dials)
			}
			// A list is no different.
			dials.Store(0)
			_, err = client.ListTokens(t.Context())
			if e := mustError(t, err, ErrUnavailable); e.Sent || int(dials.Load()) != c.dials {
				t.Errorf("list: sent %v, %d dials", e.Sent, dials.Load())
			}
		})
	}
}

// That a name does not resolve is known even where the error may not say it.
func TestUnresolvableSecret(t *testing.T) {
	t.Parallel()
	dials := 0
	transport := &http.Transport{DialContext: func(_ context.Context, _, addr string) (net.Conn, error) {
		dials++
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: addr, IsNotFound: true}}
	}}
	client, err := New(testSecret, WithBaseURL("https://live_hunter2.invalid/"), WithHTTPClient(&http.Client{Transport: transport}), WithRetry(quick))
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.ListTokens(t.Context())
	if e := mustError(t, err, ErrUnavailable); dials != 1 || !strings.HasSuffix(e.Error(), "lookup [redacted].invalid:443: no such host") {
		t.Errorf("%d dials: %v", dials, e)
	}
}

func TestCreateAfterTheServiceCameUp(t *testing.T) {
	t.Parallel()
	s, base := listen(t, answering(ok(created)))
	var dials atomic.Int32
	transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		if dials.Add(1) < 3 {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
		}
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	got, err := newClient(t, base, WithHTTPClient(&http.Client{Transport: transport})).CreateToken(t.Context(), ci)
	if err != nil || got.Secret != newSecret || s.count("POST") != 1 || dials.Load() != 3 {
		t.Errorf("%v, %v; %d creates, %d dials", got, err, s.count("POST"), dials.Load())
	}
}

// A broken proxy setting fails before any connection is looked for.
func TestCreateBadProxy(t *testing.T) {
	t.Parallel()
	transport := &http.Transport{Proxy: func(*http.Request) (*url.URL, error) { return nil, errors.New("no such proxy") }}
	client, err := New(testSecret, WithHTTPClient(&http.Client{Transport: transport}), WithRetry(quick))
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.CreateToken(t.Context(), ci)
	if e := mustError(t, err, ErrUnavailable); e.Sent || !strings.Contains(e.Error(), "create token: no connection: no such proxy") {
		t.Error(e)
	}
}

// A proxy that refuses the tunnel has not passed the request on. Its reasons are told, quotes and all.
func TestCreateProxyRefuses(t *testing.T) {
	t.Parallel()
	s, base := listen(t, answering("HTTP/1.1 403 Forbidden by \"policy\" for "+testSecret+"\r\nConnection: close\r\n\r\n"))
	transport := &http.Transport{Proxy: func(*http.Request) (*url.URL, error) { return url.Parse(base) }}
	client, err := New(testSecret, WithHTTPClient(&http.Client{Transport: transport}), WithRetry(quick))
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.CreateToken(t.Context(), ci)
	if e := mustError(t, err, ErrUnavailable); e.Sent || !strings.Contains(e.Error(), `create token: no connection: Forbidden by "policy" for [redacted]`) {
		t.Error(e)
	}
	if s.count("POST") != 0 || s.count("CONNECT") != 4 {
		t.Errorf("requests %+v", s.requests())
	}
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	c := newClient(t, server.URL)
	_, err := c.CreateToken(t.Context(), ci)
	if e := mustError(t, err, ErrUnavailable); e.Sent || e.Attempts != 1 || !strings.Contains(e.Error(), "certificate") {
		t.Errorf("attempts %d, sent %v: %v", e.Attempts, e.Sent, e)
	}
	_, err = c.ListTokens(t.Context())
	if e := mustError(t, err, ErrUnavailable); e.Attempts != 1 {
		t.Errorf("attempts %d: %v", e.Attempts, e)
	}
	if requests.Load() != 0 {
		t.Errorf("%d requests", requests.Load())
	}
}

// TLS spoken to a server without it is not tried again, and nothing was sent.
func TestTLSToPlainHTTP(t *testing.T) {
	t.Parallel()
	_, base := listen(t, answering(ok(created)))
	c := newClient(t, strings.Replace(base, "http:", "https:", 1))
	_, err := c.CreateToken(t.Context(), ci)
	if e := mustError(t, err, ErrUnavailable); e.Sent {
		t.Error(e)
	}
}

// A request that the context ends before it has a connection was not sent.
func TestContextOverBeforeSending(t *testing.T) {
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
	if e := mustError(t, err, ErrUnavailable); e.Sent || !errors.Is(err, context.DeadlineExceeded) || e.Error() != "create token: there was no time left for it" {
		t.Errorf("sent %v: %v", e.Sent, err)
	}
	_, err = c.ListTokens(late)
	mustError(t, err, ErrUnavailable)
	if len(s.requests()) != 0 {
		t.Errorf("requests %+v", s.requests())
	}
}

// Neither was one whose connection is still being made when the time runs out.
func TestContextOverWhileConnecting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		over := make(chan struct{}) // net/http goes on connecting when the request has ended
		defer close(over)
		transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			<-over
			return nil, syscall.ETIMEDOUT
		}}
		c, err := New(testSecret, WithHTTPClient(&http.Client{Transport: transport}))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		start := time.Now()
		_, err = c.CreateToken(ctx, ci)
		if e := mustError(t, err, ErrUnavailable); e.Sent || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("sent %v: %v", e.Sent, err)
		}
		if d := time.Since(start); d != 30*time.Second {
			t.Errorf("after %s", d)
		}
		ctx, cancelNow := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancelNow)
		_, err = c.CreateToken(ctx, ci)
		if e := mustError(t, err, nil); e.Sent || !errors.Is(err, context.Canceled) {
			t.Errorf("sent %v: %v", e.Sent, err)
		}
	})
}

// A create that got as far as a connection is sent once, whatever happens then, and its outcome
// is unknown.
func TestCreateLost(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do    func(c net.Conn) bool
		posts int
	}{
		"closed without an answer":  {func(net.Conn) bool { return false }, 1},
		"reset":                     {func(c net.Conn) bool { return c.(*net.TCPConn).SetLinger(0) != nil }, 1},
		"closed in the status line": {func(c net.Conn) bool { _, _ = io.WriteString(c, "HTTP/1.1 20"); return false }, 1},
		"closed in the body":        {func(c net.Conn) bool { _, _ = io.WriteString(c, ok(created)[:60]); return false }, 1},
		"reset in the body": {func(c net.Conn) bool {
			_, _ = io.WriteString(c, ok(created)[:60])
			return c.(*net.TCPConn).SetLinger(0) != nil
		}, 1},
	} {
		for _, used := range []bool{false, true} {
			t.Run(name+map[bool]string{true: ", used connection"}[used], func(t *testing.T) {
				t.Parallel()
				s, base := listen(t, func(_ int, r seen, conn net.Conn) bool {
					if r.method == "GET" {
						_, err := io.WriteString(conn, ok(someTokens))
						return err == nil
					}
					return c.do(conn)
				})
				client := newClient(t, base)
				if used {
					if _, err := client.ListTokens(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				_, err := client.CreateToken(t.Context(), ci)
				if e := mustError(t, err, ErrOutcomeUnknown); !e.Sent {
					t.Error(e)
				}
				if n := s.count("POST"); n != c.posts {
					t.Errorf("%d creates, want %d", n, c.posts)
				}
			})
		}
	}
}

// The service takes the connection and closes it without having read a byte. For all the client
// can know, the request was read.
func TestCreateDroppedBeforeReading(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns atomic.Int32
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns.Add(1)
			_ = c.Close()
		}
	}()
	c := newClient(t, "http://"+l.Addr().String())
	_, err = c.CreateToken(t.Context(), ci)
	mustError(t, err, ErrOutcomeUnknown)
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections for one create", n)
	}
	conns.Store(0)
	_, err = c.ListTokens(t.Context()) // which may be repeated
	mustError(t, err, ErrUnavailable)
	if n := conns.Load(); n != 4 {
		t.Errorf("%d connections for four attempts", n)
	}
	_ = l.Close()
	<-done
}

// slow is a service that reads a create and then says nothing.
func slow() (*service, *http.Transport) {
	return piped(func(_ int, _ seen, c net.Conn) bool {
		_, err := c.Read(make([]byte, 1)) // until the client goes away
		return err == nil
	})
}

func TestCreateSlow(t *testing.T) {
	t.Parallel()
	why := errors.New("the user pressed Ctrl-C")
	for name, c := range map[string]struct {
		ctx  func(context.Context) (context.Context, context.CancelFunc)
		want error
	}{
		"deadline": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Minute)
		}, context.DeadlineExceeded},
		"cancelled": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancelCause(ctx)
			time.AfterFunc(time.Minute, func() { cancel(why) })
			return ctx, func() { cancel(nil) }
		}, why},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, transport := slow()
				client, err := New(testSecret, WithBaseURL("http://localhost"), WithHTTPClient(&http.Client{Transport: transport}))
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := c.ctx(t.Context())
				defer cancel()
				start := time.Now()
				_, err = client.CreateToken(ctx, ci)
				if e := mustError(t, err, ErrOutcomeUnknown); !e.Sent || !errors.Is(err, c.want) {
					t.Errorf("sent %v: %v", e.Sent, err)
				}
				if d := time.Since(start); d != time.Minute {
					t.Errorf("after %s", d)
				}
				if n := s.count("POST"); n != 1 {
					t.Errorf("%d creates", n)
				}
				transport.CloseIdleConnections()
			})
		})
	}
}

// The given client's own timeout is a lost answer like any other.
func TestCreateClientTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, transport := slow()
		client, err := New(testSecret, WithBaseURL("http://localhost"), WithHTTPClient(&http.Client{Transport: transport, Timeout: time.Second}))
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.CreateToken(t.Context(), ci)
		mustError(t, err, ErrOutcomeUnknown)
		if n := s.count("POST"); n != 1 {
			t.Errorf("%d creates", n)
		}
		_, err = client.ListTokens(t.Context())
		mustError(t, err, ErrUnavailable)
		if n := s.count("GET"); n != 4 {
			t.Errorf("%d lists", n)
		}
		transport.CloseIdleConnections()
	})
}

// failingConn fails the writes after the first request: it lets through the given number of bytes.
type failingConn struct {
	net.Conn
	writes *atomic.Int32
	pass   int
}

func (c failingConn) Write(p []byte) (int, error) {
	if c.writes.Add(1) != 2 {
		return c.Conn.Write(p)
	}
	n, err := c.Conn.Write(p[:min(c.pass, len(p))])
	if err == nil {
		err = syscall.EPIPE
	}
	return n, err
}

// net/http may send a create again on another connection if the one it had was dead and took no
// byte. If that took any byte, it may not.
func TestCreateOnADeadConnection(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		pass  int
		posts int
		kind  error
	}{
		{"no byte", 0, 1, nil},
		{"one byte", 1, 0, ErrOutcomeUnknown},
		{"all bytes", 1 << 20, 1, ErrOutcomeUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, base := listen(t, func(_ int, r seen, conn net.Conn) bool {
				raw := ok(someTokens)
				if r.method == "POST" {
					raw = ok(created)
					if c.kind != nil {
						return false
					}
				}
				_, err := io.WriteString(conn, raw)
				return err == nil
			})
			var writes atomic.Int32
			transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				conn, err := new(net.Dialer).DialContext(ctx, network, addr)
				return failingConn{conn, &writes, c.pass}, err
			}}
			t.Cleanup(transport.CloseIdleConnections)
			client := newClient(t, base, WithHTTPClient(&http.Client{Transport: transport}))
			if _, err := client.ListTokens(t.Context()); err != nil {
				t.Fatal(err)
			}
			got, err := client.CreateToken(t.Context(), ci)
			if c.kind == nil {
				if err != nil || got.Secret != newSecret {
					t.Errorf("got %v, %v", got, err)
				}
			} else {
				mustError(t, err, c.kind)
			}
			transport.CloseIdleConnections()
			if n := s.count("POST"); n > c.posts {
				t.Errorf("%d creates, want at most %d", n, c.posts)
			}
			if c.kind == nil && s.connections() != 2 || c.kind != nil && s.connections() != 1 {
				t.Errorf("%d connections", s.connections())
			}
		})
	}
}

// A transport that says nothing about its connections is believed the worst of, one that does is
// believed.
func TestForeignTransports(t *testing.T) {
	t.Parallel()
	calls := 0
	silent := roundTripper(func(*http.Request) (*http.Response, error) { calls++; return nil, errors.New("lost") })
	c, err := New(testSecret, WithHTTPClient(&http.Client{Transport: silent}), WithRetry(quick))
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.CreateToken(t.Context(), ci)
	if e := mustError(t, err, ErrOutcomeUnknown); !e.Sent || calls != 1 {
		t.Errorf("%d calls, %v", calls, e)
	}

	// Its errors are its own, and stay what they are.
	_, err = c.ListTokens(t.Context())
	if e := mustError(t, err, ErrUnavailable); e.Error() != "list tokens: lost (attempt 4)" {
		t.Error(e)
	}
	mine := &net.AddrError{Err: "the store \"x\" is broken", Addr: "here"}
	broken := roundTripper(func(*http.Request) (*http.Response, error) { return nil, mine })
	if c, err = New(testSecret, WithHTTPClient(&http.Client{Transport: broken}), WithRetry(quick)); err != nil {
		t.Fatal(err)
	}
	_, err = c.ListTokens(t.Context())
	if mustError(t, err, ErrUnavailable); !errors.Is(err, mine) {
		t.Error(err)
	}

	calls = 0
	dead := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, syscall.ECONNREFUSED }}
	telling := roundTripper(func(r *http.Request) (*http.Response, error) { calls++; return dead.RoundTrip(r) })
	if c, err = New(testSecret, WithHTTPClient(&http.Client{Transport: telling}), WithRetry(quick)); err != nil {
		t.Fatal(err)
	}
	_, err = c.CreateToken(t.Context(), ci)
	if e := mustError(t, err, ErrUnavailable); e.Sent || calls != 4 {
		t.Errorf("%d calls, %v", calls, e)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Over HTTP/2 it is the same: one create, and a lost stream is an unknown outcome.
func TestCreateHTTP2(t *testing.T) {
	t.Parallel()
	var posts atomic.Int32
	var lose atomic.Bool
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			t.Errorf("spoken: %s", r.Proto)
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Error(err)
		}
		if r.Method == "POST" {
			posts.Add(1)
		}
		if lose.Load() {
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
	lose.Store(true)
	_, err := c.CreateToken(t.Context(), ci)
	if e := mustError(t, err, ErrOutcomeUnknown); !e.Sent {
		t.Error(e)
	}
	if n := posts.Load(); n != 2 {
		t.Errorf("%d creates, want 2", n)
	}
}
