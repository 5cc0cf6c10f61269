//go:build unix

package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/utho/utho-cli/internal/privfile"
	"github.com/utho/utho-cli/internal/sandbox"
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
			s, m := serve(t, newMachine(t))
			key := m.env["UTHO_API_KEY"]
			m = m.with("UTHO_API_KEY", "", "UTHO_API_URL", "")
			elsewhere := record(t)
			switch tc.before {
			case "the service":
				second := m.with("UTHO_API_KEY", key, "UTHO_API_URL", s.url).utho("token", "create", "second").want(t, 0)
				m.login(strings.TrimSpace(second.stdout), "--api-url", s.url, "login", "--store", "file").want(t, 0)
			case "elsewhere":
				m.login(filedSecret, "--api-url", elsewhere.url, "login", "--store", "file").want(t, 0)
			}
			secret := m.path("config", "credentials", "default.json")
			before, err := os.ReadFile(secret)
			if err != nil && tc.before != "" {
				t.Fatal(err)
			}
			sent := s.faults.Count("GET", "/v2/api")

			// The proof of the token is held until the configuration is locked, so
			// that the login comes no further than the saved token.
			answer := make(chan struct{})
			s.faults.Add(sandbox.Rule{Method: "GET", Path: "/v2/api", Hold: answer, Times: 1})
			cmd := m.command("utho", "--api-url", s.url, "login", "--store", "file")
			var errOut bytes.Buffer
			cmd.Stdin, cmd.Stderr = strings.NewReader(key), &errOut
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			soon, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			if err := s.faults.Await(soon, func([]sandbox.Request) bool { return s.faults.Count("GET", "/v2/api") > sent }); err != nil {
				t.Fatalf("the login sent nothing: %v", err)
			}
			unlock, err := privfile.Lock(context.Background(), m.path("config", ".lock"))
			if err != nil {
				t.Fatal(err)
			}
			defer unlock()
			close(answer)
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
