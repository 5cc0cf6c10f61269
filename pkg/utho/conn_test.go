package utho

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Creating is list, create, list: three requests on one connection, and so is every other
// sequence, after errors too. Only where more than drainSize follows what was understood, the
// connection is given up.
func TestOneConnection(t *testing.T) {
	t.Parallel()
	long := string(manyTokens(5000))
	for name, c := range map[string]struct {
		list, create, del string
		fails             bool
		connections       int
	}{
		"all well":        {ok(someTokens), ok(created), ok(`{"status":"success"}`), false, 1},
		"text after":      {ok(someTokens + notice), ok(created + notice), ok(`{"status":"success"}` + notice), false, 1},
		"long list":       {ok(long), ok(created), ok(`{"status":"success"}`), false, 1},
		"much after":      {ok(long + strings.Repeat(" ", drainSize-1)), ok(created), ok(`{"status":"success"}`), false, 1},
		"too much after":  {ok(long + strings.Repeat(" ", 2*drainSize)), ok(created), ok(`{"status":"success"}`), false, 3},
		"errors with 200": {ok(`{"status":"error"}`), ok(`{"status":"error"}`), ok(`{"status":"error"}`), true, 1},
		"errors with 4xx": {reply(401, `{"status":"error"}`), reply(403, "x"), reply(404, ""), true, 1},
		"errors with 5xx": {reply(500, strings.Repeat("x", 100_000)), reply(503, "x"), reply(500, ""), true, 1},
		"pages":           {ok("<html>" + strings.Repeat("x", 100_000)), ok("<html>"), reply(500, "<html>"), true, 1},
		"garbage":         {ok("{" + strings.Repeat("x", 100_000)), ok("x"), ok("["), true, 1},
		"redirects":       {reply(302, "moved", "Location: https://other.example/"), reply(307, "x", "Location: /x"), reply(301, "", "Location: /x"), true, 1},
	} {
		// In a bubble, so that a slow machine does not run into drain's patience.
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, transport := piped(func(_ int, r seen, conn net.Conn) bool {
					_, err := io.WriteString(conn, map[string]string{"GET": c.list, "POST": c.create, "DELETE": c.del}[r.method])
					return err == nil
				})
				client, err := New(testSecret, WithBaseURL("http://localhost"), WithHTTPClient(&http.Client{Transport: transport}), WithRetry(quick))
				if err != nil {
					t.Fatal(err)
				}
				_, err1 := client.ListTokens(t.Context())
				_, err2 := client.CreateToken(t.Context(), ci)
				_, err3 := client.ListTokens(t.Context())
				err4 := client.DeleteToken(t.Context(), "1")
				for i, err := range []error{err1, err2, err3, err4} {
					if (err != nil) != c.fails {
						t.Errorf("request %d: %v", i, err)
					}
				}
				if n, r := s.connections(), len(s.requests()); n != c.connections || r != 4 {
					t.Errorf("%d connections for %d requests, want %d for 4", n, r, c.connections)
				}
				transport.CloseIdleConnections()
			})
		})
	}
}

// An answer that is complete but does not end is not lost when the time runs out.
func TestAnswerWithoutEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, transport := piped(func(_ int, r seen, c net.Conn) bool {
			body := someTokens
			if r.method == "POST" {
				body = created
			}
			_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(body), body)
			_, err := c.Read(make([]byte, 1))
			return err == nil
		})
		client, err := New(testSecret, WithBaseURL("http://localhost"), WithHTTPClient(&http.Client{Transport: transport}))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		got, err := client.CreateToken(ctx, ci)
		if err != nil || got.Secret != newSecret {
			t.Errorf("got %v, %v", got, err)
		}
		transport.CloseIdleConnections()
	})
}

// Of a long list only what follows it is missing; nobody waits for that.
func TestListWithoutEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		body := string(manyTokens(3000))
		_, transport := piped(func(_ int, _ seen, c net.Conn) bool {
			_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(body), body)
			_, err := c.Read(make([]byte, 1))
			return err == nil
		})
		client, err := New(testSecret, WithBaseURL("http://localhost"), WithHTTPClient(&http.Client{Transport: transport}))
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		list, err := client.ListTokens(t.Context())
		if err != nil || len(list.Tokens) != 3000 || time.Since(start) > time.Second {
			t.Errorf("%v after %s", err, time.Since(start))
		}
		transport.CloseIdleConnections()
	})
}

// A client is for many goroutines, and leaves none behind: the bubble would not end.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, transport := piped(func(n int, r seen, c net.Conn) bool {
			raw := map[string]string{"GET": ok(someTokens), "POST": ok(created), "DELETE": ok(`{"status":"success"}`)}[r.method]
			if n%7 == 0 && r.method != "POST" {
				raw = reply(503, "")
			}
			if n%11 == 0 && r.method != "POST" {
				return false
			}
			_, err := io.WriteString(c, raw)
			return err == nil
		})
		var traced atomic.Int32
		client, err := New(testSecret, WithBaseURL("http://localhost"), WithHTTPClient(&http.Client{Transport: transport}),
			WithRetry(RetryPolicy{MaxAttempts: 20}), WithTrace(func(Exchange) { traced.Add(1) }))
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for range 5 {
					_, err1 := client.ListTokens(t.Context())
					_, err2 := client.CreateToken(t.Context(), ci)
					err3 := client.DeleteToken(t.Context(), fmt.Sprint(i))
					if err := errors.Join(err1, err2, err3); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if n := s.count("POST"); n != 40 {
			t.Errorf("%d creates, want 40", n)
		}
		// net/http repeats a GET by itself on a connection that turns out to be dead.
		if n := int(traced.Load()); n > len(s.requests()) || n < 120 {
			t.Errorf("%d exchanges for %d requests", n, len(s.requests()))
		}
		transport.CloseIdleConnections()
	})
}

// No goroutine outlives a call, however it ends.
func TestNothingLeftBehind(t *testing.T) {
	t.Parallel()
	for name, handle := range map[string]func(int, seen, net.Conn) bool{
		"list":      answering(ok(string(manyTokens(3000)))),
		"garbage":   answering(ok("{\"status\":" + strings.Repeat("x", 1_000_000))),
		"truncated": answering("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 9999999\r\n\r\n" + string(manyTokens(3000)[:200_000])),
		"closed":    func(int, seen, net.Conn) bool { return false },
		"silent": func(_ int, _ seen, c net.Conn) bool {
			_, err := c.Read(make([]byte, 1))
			return err == nil
		},
		"unavailable": answering(reply(503, strings.Repeat("x", 1_000_000), "Retry-After: 3")),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, transport := piped(handle)
				client, err := New(testSecret, WithBaseURL("http://localhost"), WithHTTPClient(&http.Client{Transport: transport}))
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				_, err = client.ListTokens(ctx)
				if (err == nil) != (name == "list") {
					t.Error(err)
				}
				transport.CloseIdleConnections()
			})
		})
	}
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	stranger, elsewhere := listen(t, answering(ok(someTokens)))
	t.Run("to another host", func(t *testing.T) {
		for _, status := range []int{301, 302, 303, 307, 308} {
			for _, location := range []string{elsewhere + "/api", strings.TrimPrefix(elsewhere, "http:") + "/api", "http://u:p@" + strings.TrimPrefix(elsewhere, "http://")} {
				s, base := listen(t, answering(reply(status, someTokens, "Location: "+location)))
				client := newClient(t, base)
				_, err := client.ListTokens(t.Context())
				e := mustError(t, err, nil)
				if !strings.Contains(e.Error(), "redirected to "+elsewhere) || e.Status != status || strings.Contains(e.Error(), "u:p") {
					t.Error(e)
				}
				e = mustError(t, client.DeleteToken(t.Context(), "1"), nil)
				if !strings.Contains(e.Error(), "redirected to "+elsewhere) {
					t.Error(e)
				}
				_, err = client.CreateToken(t.Context(), ci)
				mustError(t, err, ErrOutcomeUnknown)
				if n := len(s.requests()); n != 3 {
					t.Errorf("%d requests, want 3", n)
				}
			}
		}
		if n := stranger.connections(); n != 0 {
			t.Errorf("another host saw %d connections", n)
		}
	})
	t.Run("same origin", func(t *testing.T) {
		for _, status := range []int{301, 302, 303, 307, 308} {
			s, base := listen(t, func(n int, r seen, c net.Conn) bool {
				raw := ok(someTokens)
				switch r.uri {
				case "/v2/api":
					raw = reply(status, "moved", "Location: /v3/api?page=all#top")
				case "/v3/api?page=all":
					raw = reply(status, "", "Location: api/")
				}
				_, err := io.WriteString(c, raw)
				return err == nil
			})
			list, err := newClient(t, base+"/v2").ListTokens(t.Context())
			if err != nil || len(list.Tokens) != 2 {
				t.Fatalf("%v, %v", list, err)
			}
			r := s.requests()
			if len(r) != 3 || r[2].uri != "/v3/api/" || s.connections() != 1 {
				t.Errorf("requests %+v", r)
			}
			for _, one := range r {
				if one.method != "GET" || one.header.Get("Authorization") != "Bearer "+testSecret || one.header.Get("Referer") != "" {
					t.Errorf("request %+v", one)
				}
			}
		}
	})
	t.Run("absolute, same origin", func(t *testing.T) {
		var base string
		s, addr := listen(t, func(n int, _ seen, c net.Conn) bool {
			raw := ok(someTokens)
			if n == 1 {
				raw = reply(302, "", "Location: HTTP"+strings.TrimPrefix(base, "http")+"/else")
			}
			_, err := io.WriteString(c, raw)
			return err == nil
		})
		base = addr
		if _, err := newClient(t, base).ListTokens(t.Context()); err != nil || len(s.requests()) != 2 {
			t.Errorf("%v; %d requests", err, len(s.requests()))
		}
	})
	t.Run("without end", func(t *testing.T) {
		client, s := against(t, reply(302, "", "Location: /api"))
		_, err := client.ListTokens(t.Context())
		if e := mustError(t, err, nil); !strings.Contains(e.Error(), "more than 5 redirects") || len(s.requests()) != 6 {
			t.Errorf("%v after %d requests", e, len(s.requests()))
		}
	})
	t.Run("of a delete", func(t *testing.T) {
		client, s := against(t, reply(307, "", "Location: /api/2/delete"))
		e := mustError(t, client.DeleteToken(t.Context(), "1"), nil)
		if !strings.Contains(e.Error(), "where a DELETE is not sent") || len(s.requests()) != 1 {
			t.Errorf("%v after %d requests", e, len(s.requests()))
		}
	})
	for location, text := range map[string]string{
		"":                      "redirected to nowhere",
		"http://[::1/":          "redirected to an address that cannot be read",
		"https://127.0.0.1/api": "redirected to https://127.0.0.1, where the secret is not sent",
		"http://api.utho.com/":  "redirected to http://api.utho.com, where the secret is not sent",
		"mailto:a@b.example":    "redirected to mailto:, where the secret is not sent",
	} {
		t.Run("bad "+location, func(t *testing.T) {
			client, s := against(t, reply(302, "", "Location: "+location))
			_, err := client.ListTokens(t.Context())
			if e := mustError(t, err, nil); !strings.Contains(e.Error(), text) || len(s.requests()) != 1 {
				t.Errorf("%v after %d requests", e, len(s.requests()))
			}
		})
	}
}

// An answer may be compressed; the bound is on what it becomes.
func TestGzip(t *testing.T) {
	t.Parallel()
	zip := func(s string) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := io.WriteString(z, s); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	client, _ := against(t, reply(200, zip(string(manyTokens(3000))), "Content-Encoding: gzip"))
	list, err := client.ListTokens(t.Context())
	if err != nil || len(list.Tokens) != 3000 {
		t.Fatal(err)
	}
	client, _ = against(t, reply(200, zip(`{"status":"success","api":[`+strings.Repeat(" ", maxBody)+`]}`), "Content-Encoding: gzip"))
	_, err = client.ListTokens(t.Context())
	if mustError(t, err, nil); !errors.Is(err, errTooLarge) {
		t.Error(err)
	}
	client, _ = against(t, reply(200, zip(created)[:40], "Content-Encoding: gzip"))
	_, err = client.CreateToken(t.Context(), ci)
	mustError(t, err, ErrOutcomeUnknown)
}
