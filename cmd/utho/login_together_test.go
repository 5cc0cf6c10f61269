//go:build unix

package main

import (
	"strings"
	"sync"
	"testing"

	"github.com/utho/utho-cli/internal/sandbox/sandboxtest"
)

// Many at once: the secret and what the configuration says of it are always of the same login, or both are gone.
func TestLoginTogether(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	var services []*service
	for range 2 {
		services = append(services, serve(sandboxtest.New(t), t.Cleanup))
	}
	for _, removes := range []bool{false, true} {
		var all sync.WaitGroup
		results := make([]result, 12)
		for i := range results {
			all.Go(func() {
				if s := services[i%2]; removes && i%3 == 0 {
					results[i] = m.utho("profile", "remove", "one")
				} else {
					results[i] = m.login(s.key, "-p", "one", "--api-url", s.url, "login", "--store", "file")
				}
			})
		}
		all.Wait()
		for _, r := range results {
			if r.code != 0 && (r.code != 5 || !removes) {
				t.Errorf("exit status %d: %s", r.code, r.stderr)
			}
		}
		// Which was the last cannot be known, but both files are of it.
		secret, config := m.read("config", "credentials", "one.json"), m.read("config", "config.yaml")
		for i, s := range services {
			listed, kept := strings.Contains(config, "api_url: "+s.url), strings.Contains(secret, s.key)
			if listed != kept {
				t.Errorf("service %d: in the configuration %v, with the secret %v:\n%s", i, listed, kept, config)
			}
		}
		if !removes {
			m.utho("-p", "one", "token", "list").want(t, 0)
		}
	}
}
