//go:build unix

package main

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/utho/utho-cli/internal/sandbox/sandboxtest"
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

// Two logins that create tokens of their own for one profile: the last one says which token it replaced.
func TestOwnTokensTogether(t *testing.T) {
	t.Parallel()
	m := newServed(t)
	key := m.key
	m = m.with("UTHO_API_KEY", "")
	m.stopAt("first", sandboxtest.Create, beforeEffect, 1)
	late := make(chan result)
	go func() { late <- m.login(key, "login", "--own-token", "--name", "late", "--store", "file") }()
	m.awaitHeld("first")
	m.login(key, "login", "--own-token", "--name", "early", "--store", "file").want(t, 0)
	m.release("first")
	(<-late).want(t, 0).says(t, "it replaces token 10004", "token delete 10004")
}

// A login that ends while a logout deletes the token before: what it stored stays.
func TestRevokeAndLogin(t *testing.T) {
	t.Parallel()
	m := newServed(t)
	key := m.key
	m = m.with("UTHO_API_KEY", "")
	m.login(key, "login", "--own-token", "--name", "early", "--store", "file").want(t, 0)
	m.stopAt("revoke", sandboxtest.Delete, afterEffect, 1)
	revoked := make(chan result)
	go func() { revoked <- m.utho("logout", "--revoke", "--yes") }()
	m.awaitHeld("revoke")
	m.login(key, "login", "--own-token", "--name", "late", "--store", "file").want(t, 0)
	m.release("revoke")
	(<-revoked).want(t, 0).says(t, "deleted token 10004", "holds another token now, which stays")
	m.utho("status").want(t, 0)
}
