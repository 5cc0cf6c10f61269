//go:build unix

package main

import (
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/utho/utho-cli/internal/sandbox/sandboxtest"
)

// A signal before anything is changed: nothing is, its status, and a word. What comes later
// is the tables of package profiles.
func TestAccountsSignalled(t *testing.T) {
	t.Parallel()
	for sig, code := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143, syscall.SIGHUP: 129} {
		m := newServed(t)
		m.login(m.key, "login", "--store", "file").want(t, 0)
		before := m.read("config", "credentials", "default.json")
		m.stopAt("verify", sandboxtest.List, beforeEffect, 1)
		cmd := m.command("utho", "login")
		var errOut strings.Builder
		cmd.Stdin, cmd.Stderr = strings.NewReader(m.key+"\n"), &errOut
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		m.awaitHeld("verify")
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // the status is looked at
		r := result{cmd.ProcessState.ExitCode(), "", errOut.String()}.want(t, code)
		if m.read("config", "credentials", "default.json") != before || r.stderr == "" {
			t.Errorf("%v: what was stored changed, or it says nothing: %s", sig, r.stderr)
		}
	}
}

// Many at once: the secret and what the configuration says of it are always of
// the same login, or both are gone.
func TestLoginTogether(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	services := []*recorder{record(t), record(t)}
	m.login(filedSecret, "-p", "one", "--api-url", services[0].url, "login", "--store", "file").want(t, 0)
	stands := func() (secret, config string) {
		t.Helper()
		return m.read("config", "credentials", "one.json"), m.read("config", "config.yaml")
	}
	const n = 12
	together := func(run func(i int) result) []result {
		results := make([]result, n)
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() { results[i] = run(i) })
		}
		all.Wait()
		return results
	}
	login := func(i int) result {
		return m.login(fmt.Sprintf("%s_%d", filedSecret, i), "-p", "one", "--api-url", services[i%2].url, "login", "--store", "file")
	}
	for _, r := range together(login) {
		r.want(t, 0)
	}
	// Which was the last cannot be told, but both files are of it.
	belong := func() {
		t.Helper()
		secret, config := stands()
		for i, s := range services {
			origin := strings.TrimSuffix(s.url, "/v2")
			if listed, kept := strings.Contains(config, "api_url: "+s.url), strings.Contains(secret, `"`+origin+`"`); listed != kept {
				t.Errorf("service %d: in the configuration %v, with the secret %v:\n%s", i, listed, kept, config)
			}
		}
	}
	belong()
	m.utho("-p", "one", "token", "list").want(t, 0)

	for _, r := range together(func(i int) result {
		if i%3 == 0 {
			return m.utho("profile", "remove", "one")
		}
		return login(i)
	}) {
		if r.code != 0 && r.code != 5 {
			t.Errorf("exit status %d: %s", r.code, r.stderr)
		}
	}
	belong()
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
