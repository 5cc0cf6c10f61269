package main

import (
	"regexp"
	"runtime"
	"strings"
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
		{"token list", 1}, {"token get ci-deploy", 1}, {"token create ci", 3}, {"token delete 10000 --yes", 2},
		{"status", 2}, {"login --store file", 2}, {"version", 0}, {"logout", 0},
	} {
		before, conns := m.Count(sandboxtest.Any), m.conns.Load()
		m.login(m.key, strings.Fields(test.args)...).want(t, 0)
		requests, opened := m.Count(sandboxtest.Any)-before, int(m.conns.Load()-conns)
		if requests != test.requests || opened != min(1, test.requests) {
			t.Errorf("utho %s: %d requests on %d connections, want %d on one", test.args, requests, opened, test.requests)
		}
	}
	agent := regexp.MustCompile(`^utho/[^ ]+ \(` + runtime.GOOS + `/` + runtime.GOARCH + `\)$`)
	for _, r := range m.Requests() {
		// With an Idempotency-Key net/http would send a create again.
		if !agent.MatchString(r.Header.Get("User-Agent")) || len(r.Header["Idempotency-Key"]) > 0 {
			t.Errorf("%s %s came with %v", r.Method, r.Path, r.Header)
		}
	}
}
