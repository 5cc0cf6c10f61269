package main

import (
	"fmt"
	"net"
	"net/http"
	"regexp"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/utho/utho-cli/internal/sandbox/sandboxtest"
)

// Every round trip and every handshake costs a person far away from the service
// its time: a command takes as few as it can, on one connection.
func TestRequestsOnOneConnection(t *testing.T) {
	t.Parallel()
	m := newServed(t)
	for _, test := range []struct {
		args     string
		requests int
	}{
		{"token list", 1},
		{"token get ci-deploy", 1},
		{"token create ci", 3},
		{"token delete 10000 --yes", 2},
		{"status", 2},
		{"login --store file", 2},
		{"version", 0},
		{"logout", 0},
	} {
		before, conns := m.Count(sandboxtest.Any), m.conns.Load()
		m.login(m.key, strings.Fields(test.args)...).want(t, 0)
		if got := m.Count(sandboxtest.Any) - before; got != test.requests {
			t.Errorf("utho %s: %d requests, want %d", test.args, got, test.requests)
		}
		if got := m.conns.Load() - conns; int(got) != min(1, test.requests) {
			t.Errorf("utho %s: %d connections", test.args, got)
		}
	}
	agent := regexp.MustCompile(`^utho/[^ ]+ \(` + runtime.GOOS + `/` + runtime.GOARCH + `\)$`)
	for _, r := range m.Requests() {
		if got := r.Header.Get("User-Agent"); !agent.MatchString(got) {
			t.Errorf("%s %s came from %q", r.Method, r.Path, got)
		}
		if len(r.Header["Idempotency-Key"]) > 0 {
			t.Errorf("%s %s: with that header net/http would send a create again", r.Method, r.Path)
		}
	}
}

// A create that never left, since nobody takes the connection any more, created nothing:
// 9, and the old token of a rotation is untouched.
func TestCreateNeverLeft(t *testing.T) {
	for args, code := range map[string]int{"create new": 9, "rotate old --yes": 9, "run -- true": 125} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			var posts, lists atomic.Int32
			last := int32(1 + strings.Count(args, "rotate")) // which lists once more before its create
			server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost {
					posts.Add(1)
				}
				if lists.Add(1) == last {
					_ = ln.Close()
				}
				w.Header().Set("Connection", "close")
				_, _ = fmt.Fprint(w, `{"status":"success","api":[{"id":"1","name":"old","write":"0","created_at":"2024-01-01 00:00:00"}]}`)
			})}
			go func() { _ = server.Serve(ln) }()
			defer server.Close() //nolint:errcheck // nothing is left to lose
			m := newMachine(t).with("UTHO_API_URL", "http://"+ln.Addr().String()+"/v2", "UTHO_API_KEY", "live_test_0123456789abcdef")
			r := m.utho(append([]string{"--timeout", "300ms", "token"}, strings.Fields(args)...)...).want(t, code)
			if r.says(t, "created"); r.stdout != "" || posts.Load() != 0 {
				t.Errorf("stdout %q; %d creates came; %s", r.stdout, posts.Load(), r.stderr)
			}
		})
	}
}
