//go:build unix

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/utho/utho-cli/internal/privfile"
	"github.com/utho/utho-cli/internal/sandbox/sandboxtest"
)

// A login that is interrupted between saving the token and saving the profile
// puts back what was stored: to the same place, to another place, or nothing.
func TestLoginInterruptedWhileSaving(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, before string }{
		{"first login", ""},
		{"same address", "the service"},
		{"another address", "elsewhere"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			m := newServed(t)
			key := m.key
			m = m.with("UTHO_API_KEY", "", "UTHO_API_URL", "")
			elsewhere := record(t)
			switch tc.before {
			case "the service":
				second := m.with("UTHO_API_KEY", key, "UTHO_API_URL", m.url).utho("token", "create", "second").want(t, 0)
				m.login(strings.TrimSpace(second.stdout), "--api-url", m.url, "login", "--store", "file").want(t, 0)
			case "elsewhere":
				m.login(filedSecret, "--api-url", elsewhere.url, "login", "--store", "file").want(t, 0)
			}
			secret := m.path("config", "credentials", "default.json")
			before, err := os.ReadFile(secret)
			if err != nil && tc.before != "" {
				t.Fatal(err)
			}

			// The proof of the token is held until the configuration is locked, so
			// that the login comes no further than the saved token.
			m.stopAt("proof", sandboxtest.List, beforeEffect, 1)
			cmd := m.command("utho", "--api-url", m.url, "login", "--store", "file")
			var errOut bytes.Buffer
			cmd.Stdin, cmd.Stderr = strings.NewReader(key), &errOut
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			m.awaitHeld("proof")
			unlock, err := privfile.Lock(context.Background(), m.path("config", ".lock"))
			if err != nil {
				t.Fatal(err)
			}
			defer unlock()
			m.release("proof")
			for limit := time.Now().Add(time.Minute); ; {
				if saved, err := os.ReadFile(secret); err == nil && bytes.Contains(saved, []byte(key)) {
					break
				}
				if time.Now().After(limit) {
					t.Fatal("the token was never saved")
				}
				time.Sleep(time.Millisecond)
			}
			if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // the status is looked at
			result{cmd.ProcessState.ExitCode(), "", errOut.String()}.want(t, 130)
			after, err := os.ReadFile(secret)
			if tc.before == "" && !os.IsNotExist(err) || tc.before != "" && !bytes.Equal(before, after) {
				t.Errorf("what was stored changed: %v\n%s", err, errOut.String())
			}
		})
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
		text, err := os.ReadFile(m.path("config", "config.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		stored, err := os.ReadFile(m.path("config", "credentials", "one.json"))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return string(stored), string(text)
	}
	const n = 24
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
