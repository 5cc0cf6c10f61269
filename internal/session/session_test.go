package session

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/utho/utho-cli/internal/auth"
	"github.com/utho/utho-cli/internal/problem"
	"github.com/utho/utho-cli/internal/terminal"
	"github.com/utho/utho-cli/pkg/utho"
)

// machine is one that has the profile work, current, with a secret in a file; set are variables, NAME=value.
func machine(t *testing.T, set ...string) *Env {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("UTHO_CONFIG_DIR", dir)
	t.Setenv("UTHO_STATE_DIR", filepath.Join(dir, "state"))
	for _, name := range []string{"UTHO_API_KEY", "UTHO_TOKEN", "UTHO_API_KEY_FILE", "UTHO_PROFILE", "UTHO_API_URL"} {
		t.Setenv(name, "")
	}
	for _, variable := range set {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
	config := "current_profile: work\nprofiles:\n  work: {store: file}\n  old: {store: file, api_url: 'http://127.0.0.1:1/v2'}\n"
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "config.yaml"), []byte(config), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = null.Close() })
	flags := pflag.NewFlagSet("utho", pflag.ContinueOnError)
	flags.Duration("timeout", time.Second, "")
	e := &Env{Console: &terminal.Console{Err: null, In: null}, Flags: Flags{Set: flags}, Version: func() string { return "test" }}
	err = e.Store("file").Set(t.Context(), auth.Ref{Profile: "work", Origin: "https://api.utho.com"}, auth.Item{Secret: "live_of_work"})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// The strongest source wins, what it shadows is known, and a secret goes only where it may.
func TestConnect(t *testing.T) {
	keyFile := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(keyFile, []byte("live_of_file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		set             string // variables
		profile, apiURL string // flags
		source, shadows string
		secret, goes    string // goes: the origin
		kind            problem.Kind
	}{
		{source: "file", secret: "live_of_work", goes: "https://api.utho.com"},
		{set: "UTHO_API_KEY=live_1", source: "UTHO_API_KEY", shadows: "profile work", secret: "live_1", goes: "https://api.utho.com"},
		{set: `UTHO_TOKEN="live_2"`, source: "UTHO_TOKEN", shadows: "profile work", secret: "live_2", goes: "https://api.utho.com"},
		{
			set: "UTHO_API_KEY=live_1 UTHO_TOKEN=live_2 UTHO_API_KEY_FILE=" + keyFile + " UTHO_PROFILE=old", source: "UTHO_API_KEY",
			shadows: "UTHO_TOKEN,UTHO_API_KEY_FILE,profile old,profile work", secret: "live_1", goes: "https://api.utho.com",
		},
		{set: "UTHO_API_KEY_FILE=" + keyFile, source: "UTHO_API_KEY_FILE", shadows: "profile work", secret: "live_of_file", goes: "https://api.utho.com"},
		{set: "UTHO_API_KEY_FILE=" + keyFile + ".none", source: "UTHO_API_KEY_FILE", shadows: "profile work", kind: problem.Auth},
		{set: "UTHO_API_KEY=live_1", profile: "WORK", source: "file", shadows: "UTHO_API_KEY", secret: "live_of_work", goes: "https://api.utho.com"},
		{set: "UTHO_API_KEY=live_1 UTHO_PROFILE=Sandbox", source: "sandbox", shadows: "UTHO_API_KEY,profile work", goes: "http://127.0.0.1"},
		{set: "UTHO_API_KEY=live_1 UTHO_API_URL=http://127.0.0.1:2/v2", source: "UTHO_API_KEY", shadows: "profile work", secret: "live_1", goes: "http://127.0.0.1:2"},
		{set: "UTHO_API_KEY=live_sandbox_1", source: "UTHO_API_KEY", shadows: "profile work", kind: problem.Auth},
		{profile: "old", source: "file", shadows: "profile work", kind: problem.Auth}, // not logged in
		{profile: "nosuch", kind: problem.NotFound},
		{profile: "no such", kind: problem.Usage},
		{profile: "sandbox", apiURL: "http://127.0.0.1:2/v2", source: "sandbox", shadows: "profile work", kind: problem.Usage},
		{apiURL: "https://example.com/v2", source: "file", kind: problem.Auth}, // stored for another place
		{apiURL: "https://API.utho.com:443/v3/", source: "file", secret: "live_of_work", goes: "https://api.utho.com"},
	} {
		e := machine(t, strings.Fields(row.set)...)
		e.Flags.Profile, e.Flags.APIURL = row.profile, row.apiURL
		s, err := e.Connect(t.Context())
		notLoggedIn := row.kind == problem.Auth && errors.Is(err, auth.ErrNotFound)
		if row.kind != 0 && !problem.Is(err, row.kind) && !notLoggedIn || row.kind == 0 && err != nil {
			t.Errorf("%+v: %v", row, err)
		}
		if c := e.Session; c != nil && (c.Source != row.source || strings.Join(c.Shadows, ",") != row.shadows) || c == nil && row.source != "" {
			t.Errorf("%+v: the credential is %+v", row, c)
		}
		if err == nil && (row.secret != "" && s.Item.Secret != row.secret || s.Origin != row.goes) {
			t.Errorf("%+v: %q goes to %s", row, s.Item.Secret, s.Origin)
		}
	}
	if _, err := machine(t, "UTHO_API_URL=ftp://x").Connect(t.Context()); !errors.As(err, new(*utho.URLError)) {
		t.Errorf("an address that is none: %v", err)
	}
}
