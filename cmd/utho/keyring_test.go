//go:build linux

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/utho/utho-cli/internal/sandbox/sandboxtest"
)

const keyringSecret = "live_test_good_of_the_keyring"

// item is what the keyring calls the place of a service on loopback.
func item(url string) string { return "utho:" + strings.TrimSuffix(url, "/v2") }

// A keyring that cannot be used: each command says what is wrong and the way out, asks for no
// token in vain, sends nothing, and leaves no process behind. Package auth has the other ways.
func TestKeyringUnusable(t *testing.T) {
	t.Parallel()
	for says, setup := range map[string]func(t *testing.T) *machine{
		"there is no D-Bus session here": func(t *testing.T) *machine { return newMachine(t) },
		"it is locked": func(t *testing.T) *machine {
			first, second := newSession(t), newSession(t)
			first.keyring(t, "ci")
			if err := os.CopyFS(second.m.env["XDG_DATA_HOME"], os.DirFS(first.m.env["XDG_DATA_HOME"])); err != nil {
				t.Fatal(err)
			}
			second.keyring(t, "")
			return second.m
		},
	} {
		t.Run(says, func(t *testing.T) {
			t.Parallel()
			m, service := setup(t), record(t)
			mark := "mark:" + m.home + ":" // no other run of the tests has the same
			m = m.with("UTHO_TEST_MARK", mark, "UTHO_API_URL", service.url)
			m.write("current_profile: work\nprofiles:\n  work:\n    api_url: "+service.url+"\n    store: keyring\n", "config", "config.yaml")
			before := m.read("config", "config.yaml")
			// A stdin that never ends: a login that waited for the token first would never come
			// to the keyring.
			stdin, hold, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer hold.Close()
			defer stdin.Close()
			for args, row := range map[string]struct {
				code int
				says []string
			}{
				"login":      {1, []string{says, "--store file", "UTHO_API_KEY"}},
				"token list": {1, []string{says, "UTHO_API_KEY"}}, "status": {4, []string{says, "UTHO_API_KEY"}},
				"logout": {1, []string{says}}, "profile remove work": {1, []string{says}}, "__complete token get X": {0, nil},
			} {
				cmd := m.command(append([]string{"utho"}, strings.Fields(args)...)...)
				var out, errOut bytes.Buffer
				cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out, &errOut
				_ = cmd.Run() // the status is looked at
				r := result{cmd.ProcessState.ExitCode(), out.String(), errOut.String()}.want(t, row.code).says(t, row.says...)
				// A silent completion is cobra's line with the directive, for the script that asked.
				if row.code == 0 && (strings.Count(r.stdout, "\n") != 1 || r.stdout[0] != ':' || strings.Contains(r.stderr, "utho")) {
					t.Errorf("completion is not silent: %q %q", r.stdout, r.stderr)
				}
			}
			if came, left := service.take(), processes(mark); len(came) > 0 || len(left) > 0 {
				t.Errorf("the service got %q; left running: %q", came, left)
			}
			if after := m.read("config", "config.yaml"); after != before {
				t.Errorf("the configuration changed: %s", after)
			}
			// The two ways out, which look at no keyring.
			m.with("UTHO_API_KEY", keySecret).utho("token", "list").want(t, 0)
			m.login(filedSecret, "login", "--store", "file").want(t, 0).says(t, "before could not be removed; logout tries again")
			m.utho("status").want(t, 0)
		})
	}
}

// A keyring that works keeps, finds, replaces and removes the secret, as another program sees
// it, and gives it out for its own address only.
func TestKeyring(t *testing.T) {
	t.Parallel()
	s, service, other := newSession(t), record(t), record(t)
	s.keyring(t, "ci")
	m := s.m
	holds := func(r *recorder, profile, want string) {
		t.Helper()
		if got := s.looks(t, item(r.url), profile); got != want {
			t.Errorf("the keyring holds %q for %s at %s, want %q", got, profile, item(r.url), want)
		}
	}
	m.login(keyringSecret, "-p", "Work.EU", "--api-url", service.url, "login").want(t, 0).says(t, "kept in the keyring for profile Work.EU")
	holds(service, "Work.EU", keyringSecret)
	if r := m.utho("status", "-o", "json").want(t, 0); !strings.Contains(r.stdout, `"credential_source": "keyring"`) {
		t.Errorf("status: %s", r.stdout)
	}
	m.noLeaks()
	if _, err := os.Stat(m.path("config", "credentials")); err == nil {
		t.Error("the keyring's login created a folder for secrets")
	}

	// A second login replaces it, a rejected one does not. Names are one, whatever their case.
	m.login(keyringSecret+"_2", "login").want(t, 0)
	m.login("live_test_unknown", "login").want(t, 4).says(t, "nothing was saved")
	holds(service, "Work.EU", keyringSecret+"_2")
	m.utho("-p", "work.eu", "status").want(t, 0)

	// It goes nowhere else: another address, an edited profile, another scheme.
	service.take()
	m.with("UTHO_API_URL", other.url).utho("token", "list").want(t, 4).says(t, "was stored for http://127.0.0.1", "nothing was sent")
	config := m.read("config", "config.yaml")
	for _, edited := range []string{strings.ReplaceAll(config, service.url, other.url), strings.ReplaceAll(config, "http:", "https:")} {
		m.write(edited, "config", "config.yaml")
		m.utho("token", "list").want(t, 4).says(t, "not logged in: profile Work.EU has no token for http")
		m.utho("logout").want(t, 0).says(t, "profile Work.EU held no token")
		holds(service, "Work.EU", keyringSecret+"_2")
	}
	m.write(config, "config", "config.yaml")
	if came := append(service.take(), other.take()...); len(came) > 0 {
		t.Errorf("sent: %q", came)
	}

	// Another address, another store, another name: what the profile had before is removed.
	m.login(keyringSecret+"_3", "--api-url", other.url, "login").want(t, 0)
	holds(service, "Work.EU", "")
	holds(other, "Work.EU", keyringSecret+"_3")
	m.login(keyringSecret+"_4", "login", "--store", "file").want(t, 0)
	holds(other, "Work.EU", "")
	m.login(keyringSecret+"_5", "login", "--store", "keyring").want(t, 0)
	m.utho("profile", "rename", "Work.EU", "work").want(t, 0)
	holds(other, "Work.EU", "")
	holds(other, "work", keyringSecret+"_5")
	if files, err := filepath.Glob(m.path("config", "credentials", "*")); err != nil || len(files) > 0 {
		t.Errorf("left in the file store: %q, %v", files, err)
	}

	// Completion and profile list ask a keyring that is open, and leave a closed one alone: no
	// dialog. A command waits for one so long, and no longer.
	listed := func(want string) {
		t.Helper()
		if r := m.utho("profile", "list", "-o", "json").want(t, 0); !strings.Contains(r.stdout, `"secret":"`+want+`"`) {
			t.Errorf("profile list: %s", r.stdout)
		}
	}
	other.take()
	m.utho("__complete", "token", "get", "").want(t, 0)
	if came := other.take(); len(came) != 1 {
		t.Errorf("completion with an open keyring sent %q", came)
	}
	listed("yes")
	s.lock(t)
	dialogs := s.mute(t, "org.gnome.keyring.SystemPrompter")
	listed("locked")
	for _, args := range [][]string{{"token", "get", ""}, {"token", "delete", "1"}, {"-p", ""}} {
		m.utho(append([]string{"__complete"}, args...)...).want(t, 0)
	}
	m.with("UTHO_API_KEY", keySecret, "UTHO_API_URL", other.url).utho("token", "list").want(t, 0)
	if n, came := dialogs.asked.Load(), other.take(); n > 0 || len(came) != 1 {
		t.Errorf("%d dialogs were asked for, and the service got %q", n, came)
	}
	m.utho("token", "list").want(t, 1).says(t, "no answer within 3s; it may be waiting for", "unlock the keyring", "UTHO_API_KEY")
	if dialogs.asked.Load() == 0 {
		t.Error("a command asked for no dialog either: this test shows nothing")
	}
}

// A token of one's own in the keyring: created by a login, rotated, revoked at the end; and
// logout --all leaves nothing of utho's there.
func TestKeyringOwnToken(t *testing.T) {
	t.Parallel()
	s, m := newSession(t), newServed(t)
	s.keyring(t, "ci")
	url, key := m.url, m.key
	m = m.with("UTHO_API_KEY", "", "DBUS_SESSION_BUS_ADDRESS", s.m.env["DBUS_SESSION_BUS_ADDRESS"])
	m.login(key, "login", "--own-token", "--name", "laptop", "--expires-in", "90d").want(t, 0)
	first, rest, _ := strings.Cut(s.looks(t, item(url), "default"), "\n")
	if first == key || !strings.HasPrefix(rest, "token_id: 10004\ntoken_name: laptop.expires-") {
		t.Errorf("the keyring holds %q", rest)
	}
	m.noLeaks()
	m.utho("token", "rotate", "--self", "--yes").want(t, 0)
	second, rest, _ := strings.Cut(s.looks(t, item(url), "default"), "\n")
	if second == first || !strings.HasPrefix(rest, "token_id: 10005\n") {
		t.Errorf("after the rotation the keyring holds %q", rest)
	}
	m.with("UTHO_API_KEY", first).utho("token", "list").want(t, 4)
	m.with("UTHO_API_KEY", second).utho("token", "list").want(t, 0)

	// A deletion that the service does not know of removes nothing.
	m.Fault(sandboxtest.Fault{On: sandboxtest.Delete, Status: 503, Times: 1})
	m.utho("logout", "--revoke", "--yes", "--timeout", "100ms").want(t, 9).says(t, "token 10005 was not deleted, and profile default keeps it")
	m.utho("logout", "--revoke", "--yes").want(t, 0).says(t, "deleted token 10005", "logged out")
	m.with("UTHO_API_KEY", second).utho("token", "list").want(t, 4)
	m.remain(4)

	for _, profile := range []string{"one", "Two"} {
		m.login(key, "-p", profile, "login", "--store", "keyring").want(t, 0)
	}
	m.utho("-p", "one", "logout").want(t, 0).says(t, "the token of profile one was removed", "still works until it is deleted")
	m.utho("logout", "--all").want(t, 0).says(t, "profile one held no token", "the token of profile Two")
	var items []dbus.ObjectPath
	v, err := s.collection("Items")
	if err == nil {
		err = v.Store(&items)
	}
	if err != nil || len(items) > 0 {
		t.Errorf("items in the keyring: %q, %v", items, err)
	}
}
