//go:build unix

package main

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// Many at once: the secret and what the configuration says of it are always of the same login, or both are gone.
func TestLoginTogether(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	services := []*recorder{record(t), record(t)}
	for _, removes := range []bool{false, true} {
		var all sync.WaitGroup
		results := make([]result, 12)
		for i := range results {
			all.Go(func() {
				if removes && i%3 == 0 {
					results[i] = m.utho("profile", "remove", "one")
					return
				}
				results[i] = m.login(fmt.Sprint(filedSecret, "_", i), "-p", "one", "--api-url", services[i%2].url, "login", "--store", "file")
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
			origin := strings.TrimSuffix(s.url, "/v2")
			if listed, kept := strings.Contains(config, "api_url: "+s.url), strings.Contains(secret, `"`+origin+`"`); listed != kept {
				t.Errorf("service %d: in the configuration %v, with the secret %v:\n%s", i, listed, kept, config)
			}
		}
		if !removes {
			m.utho("-p", "one", "token", "list").want(t, 0)
		}
	}
}
