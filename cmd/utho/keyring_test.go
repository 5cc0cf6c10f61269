//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
)

const keyringSecret = "live_test_good_of_the_keyring"

// Every way in which a keyring can be missing or not answer: each command says
// what is wrong and the ways out, asks for no token in vain, sends nothing, and
// leaves no process behind.
func TestKeyringUnusable(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		setup func(t *testing.T) *machine
		says  string
	}{
		{"no bus", func(t *testing.T) *machine {
			m := newMachine(t)
			m.env["DBUS_SESSION_BUS_ADDRESS"] = "unix:path=" + m.path("nothing")
			return m
		}, "there is no D-Bus session here"},
		{"no bus, dbus-launch there", func(t *testing.T) *machine {
			keyringTool(t, "dbus-launch")
			if _, err := os.Stat(fmt.Sprintf("/run/user/%d/bus", os.Getuid())); err == nil {
				t.Skip("this machine has a bus that would be found")
			}
			m := newMachine(t)
			delete(m.env, "DBUS_SESSION_BUS_ADDRESS")
			m.env["XDG_RUNTIME_DIR"] = t.TempDir()
			return m
		}, "there is no D-Bus session here"},
		{"no service", func(t *testing.T) *machine {
			return newSession(t).m
		}, "nothing in this session keeps secrets"},
		{"never created", func(t *testing.T) *machine {
			s := newSession(t)
			s.keyring(t, "")
			return s.m
		}, "this user has no keyring yet"},
		{"locked", func(t *testing.T) *machine {
			first := newSession(t)
			first.keyring(t, "ci")
			second := newSession(t)
			if err := os.CopyFS(second.m.env["XDG_DATA_HOME"], os.DirFS(first.m.env["XDG_DATA_HOME"])); err != nil {
				t.Fatal(err)
			}
			second.keyring(t, "")
			return second.m
		}, "it is locked"},
		{"never answers", func(t *testing.T) *machine {
			s := newSession(t)
			s.mute(t, "org.freedesktop.secrets")
			return s.m
		}, "no answer within 3s"},
		{"silent socket", func(t *testing.T) *machine {
			m := newMachine(t)
			m.env["DBUS_SESSION_BUS_ADDRESS"] = silentBus(t)
			return m
		}, "no answer within 3s"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			m, service := tc.setup(t), record(t)
			mark := "mark:" + m.home + ":" // no other run of the tests has the same
			m.env["UTHO_TEST_MARK"] = mark
			m.env["UTHO_API_URL"] = service.url
			m.write("current_profile: work\nprofiles:\n  work:\n    api_url: "+service.url+"\n    store: keyring\n", "config", "config.yaml")
			unusable(t, m, tc.says)
			if came := service.take(); len(came) > 0 {
				t.Errorf("the service got %q", came)
			}
			if left := processes(t, mark); len(left) > 0 {
				t.Errorf("left running: %q", left)
			}

			// The two ways out, which look at no keyring.
			m.with("UTHO_API_KEY", keySecret).utho("token", "list").want(t, 0)
			m.login(filedSecret, "login", "--store", "file").want(t, 0).says(t, "before could not be removed from the keyring")
			m.utho("status").want(t, 0)
		})
	}
}

// unusable runs every command that uses the keyring: one after the other, since
// gnome-keyring lets all others hang where it fails to show one prompt, or all
// at once where each takes as long as it waits for an answer.
func unusable(t *testing.T, m *machine, says string) {
	t.Helper()
	atOnce := strings.HasPrefix(says, "no answer")
	before, err := os.ReadFile(m.path("config", "config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	commands := []struct {
		name string
		code int
		args []string
		cmd  *exec.Cmd
		out  bytes.Buffer
		err  bytes.Buffer
	}{
		{name: "login", code: 1, args: []string{"login"}},
		{name: "list", code: 1, args: []string{"token", "list"}},
		{name: "status", code: 4, args: []string{"status", "-o", "json"}},
		{name: "logout", code: 1, args: []string{"logout"}},
		{name: "remove", code: 1, args: []string{"profile", "remove", "work"}},
		{name: "completion", code: 0, args: []string{"__complete", "token", "get", ""}},
	}
	// A stdin that never ends: a login that waited for the token first would
	// never come to the keyring.
	stdin, hold, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer hold.Close()
	defer stdin.Close()
	for i := range commands {
		c := &commands[i]
		c.cmd = m.command(append([]string{"utho"}, c.args...)...)
		c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = stdin, &c.out, &c.err
		if err := c.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if !atOnce {
			_ = c.cmd.Wait() // the status is looked at below
		}
	}
	for i := range commands {
		_ = commands[i].cmd.Wait() // a second time does nothing
	}
	for i := range commands {
		c := &commands[i]
		t.Run(c.name, func(t *testing.T) {
			r := result{c.cmd.ProcessState.ExitCode(), c.out.String(), c.err.String()}.want(t, c.code)
			switch c.name {
			case "completion":
				r.offersNothing(t)
				return
			case "status":
				if !strings.Contains(r.stdout, `"authenticated": false`) || !strings.Contains(r.stdout, `"store": "keyring"`) {
					t.Errorf("status: %s", r.stdout)
				}
			}
			r.says(t, says, "--store file", "UTHO_API_KEY")
		})
	}
	if after, err := os.ReadFile(m.path("config", "config.yaml")); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the configuration changed: %s, %v", after, err)
	}
}

// offersNothing fails the test unless a completion was silent: cobra's line with
// the directive, for the script that asked, and no word of utho.
func (r result) offersNothing(t testing.TB) {
	t.Helper()
	if strings.Count(r.stdout, "\n") != 1 || r.stdout[0] != ':' || strings.Contains(r.stderr, "utho") {
		t.Errorf("completion is not silent: %q %q", r.stdout, r.stderr)
	}
}

// A keyring that works keeps, finds, replaces and removes the secret, as
// another program sees it, and gives it out for its own address only.
func TestKeyring(t *testing.T) {
	t.Parallel()
	s, service, other := newSession(t), record(t), record(t)
	s.keyring(t, "ci")
	m := s.m
	item := func(r *recorder) string {
		return "utho:" + strings.TrimSuffix(strings.TrimPrefix(r.url, "http://"), "/v2")
	}
	holds := func(r *recorder, profile, want string) {
		t.Helper()
		if got := s.looks(t, item(r), profile); got != want {
			t.Errorf("the keyring holds %q for %s at %s, want %q", got, profile, item(r), want)
		}
	}

	m.login(keyringSecret, "-p", "Work.EU", "--api-url", service.url, "login").want(t, 0).says(t, "kept in the keyring for profile Work.EU")
	holds(service, "Work.EU", keyringSecret)
	if r := m.utho("status", "-o", "json").want(t, 0); !strings.Contains(r.stdout, `"credential_source": "keyring"`) {
		t.Errorf("status: %s", r.stdout)
	}
	for _, file := range []string{"config.yaml"} {
		if text, err := os.ReadFile(m.path("config", file)); err != nil || strings.Contains(string(text), "live_") {
			t.Errorf("%s: %s, %v", file, text, err)
		}
	}
	if _, err := os.Stat(m.path("config", "credentials")); err == nil {
		t.Error("the keyring's login made a folder for secrets")
	}

	// A second login replaces it; a rejected one does not.
	m.login(keyringSecret+"_2", "login").want(t, 0)
	holds(service, "Work.EU", keyringSecret+"_2")
	m.login("live_test_unknown", "login").want(t, 4).says(t, "nothing was saved")
	holds(service, "Work.EU", keyringSecret+"_2")
	// Names are one, whatever their case.
	m.utho("-p", "work.eu", "status").want(t, 0)

	// It goes nowhere else: another address, an edited profile, another scheme.
	service.take()
	m.utho("--api-url", other.url, "token", "list").want(t, 4).says(t, "was stored for http://127.0.0.1", "nothing was sent")
	m.with("UTHO_API_URL", other.url).utho("token", "list").want(t, 4).says(t, "nothing was sent")
	config, err := os.ReadFile(m.path("config", "config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	m.write(strings.ReplaceAll(string(config), service.url, other.url), "config", "config.yaml")
	m.utho("token", "list").want(t, 4).says(t, "stored for another address is not used")
	m.utho("logout").want(t, 0).says(t, "profile Work.EU was not logged in at "+strings.TrimSuffix(other.url, "/v2"))
	m.utho("profile", "remove", "work.eu").want(t, 0).says(t, "the keyring held no token of it for "+other.url)
	holds(service, "Work.EU", keyringSecret+"_2")
	m.write(strings.ReplaceAll(string(config), "http:", "https:"), "config", "config.yaml")
	m.utho("token", "list").want(t, 4).says(t, "is not sent to https://127.0.0.1")
	m.write(string(config), "config", "config.yaml")
	if came := append(service.take(), other.take()...); len(came) > 0 {
		t.Errorf("sent: %q", came)
	}
	// The same place by another path is the same place.
	m.utho("--api-url", service.url+"/api", "token", "list").want(t, 0)

	// Completion asks a keyring that is open, and leaves a closed one alone.
	service.take()
	m.utho("__complete", "token", "get", "").want(t, 0)
	if came := service.take(); len(came) != 1 {
		t.Errorf("completion with an open keyring sent %q", came)
	}

	// Another address, another store: what the profile had before is removed.
	m.login(keyringSecret+"_3", "--api-url", other.url, "login").want(t, 0)
	holds(service, "Work.EU", "")
	holds(other, "Work.EU", keyringSecret+"_3")
	m.login(keyringSecret+"_4", "login", "--store", "file").want(t, 0)
	holds(other, "Work.EU", "")
	m.login(keyringSecret+"_5", "login", "--store", "keyring").want(t, 0)
	holds(other, "Work.EU", keyringSecret+"_5")
	if files, err := filepath.Glob(m.path("config", "credentials", "*")); err != nil || len(files) > 0 {
		t.Errorf("left in the file store: %q, %v", files, err)
	}

	// Both schemes of a port share an item: what replaced the old secret stays.
	edited := strings.ReplaceAll(string(config), "http:", "https:")
	m.write(strings.ReplaceAll(edited, service.url[len("http:"):], other.url[len("http:"):]), "config", "config.yaml")
	m.login(keyringSecret+"_5", "--api-url", other.url, "login").want(t, 0)
	holds(other, "Work.EU", keyringSecret+"_5")

	// A closed keyring is an error, and raises no dialog in a completion.
	m.login(keyringSecret+"_6", "-p", "second", "--api-url", other.url, "login").want(t, 0)
	s.lock(t)
	other.take()
	m.utho("token", "list").want(t, 1).says(t, "it is locked", "--store file", "UTHO_API_KEY")
	m.utho("__complete", "token", "get", "").want(t, 0).offersNothing(t)
	if came := other.take(); len(came) > 0 {
		t.Errorf("sent with a locked keyring: %q", came)
	}
}

// A locked keyring asks for its password by a dialog. A command waits for that
// so long, and no longer; a completion never raises one.
func TestKeyringDialog(t *testing.T) {
	t.Parallel()
	s, service := newSession(t), record(t)
	s.keyring(t, "ci")
	m := s.m.with("UTHO_API_URL", service.url)
	m.login(keyringSecret, "login").want(t, 0)
	s.lock(t)
	dialogs := s.mute(t, "org.gnome.keyring.SystemPrompter")
	service.take()
	for _, args := range [][]string{{"token", "get", ""}, {"token", "delete", "1"}, {"token", "rotate", ""}, {"-p", ""}} {
		m.utho(append([]string{"__complete"}, args...)...).want(t, 0)
	}
	m.with("UTHO_API_KEY", keySecret).utho("token", "list").want(t, 0)
	if n := dialogs.asked.Load(); n > 0 {
		t.Errorf("%d dialogs were asked for", n)
	}
	if came := service.take(); len(came) != 1 {
		t.Errorf("the service got %q", came)
	}
	m.utho("token", "list").want(t, 1).says(t, "no answer within 3s; it may be waiting for somebody to unlock it", "unlock the keyring, or", "--store file", "UTHO_API_KEY")
	if dialogs.asked.Load() == 0 {
		t.Error("a command asked for no dialog either: this test proves nothing")
	}
}

// Logout removes what login kept, of one profile and of all.
func TestKeyringLogout(t *testing.T) {
	t.Parallel()
	s, service := newSession(t), record(t)
	s.keyring(t, "ci")
	m := s.m.with("UTHO_API_URL", service.url)
	item := "utho:" + strings.TrimSuffix(strings.TrimPrefix(service.url, "http://"), "/v2")
	for _, profile := range []string{"one", "two", "Three"} {
		m.login(keyringSecret, "-p", profile, "login").want(t, 0)
	}
	m.login(filedSecret, "-p", "four", "login", "--store", "file").want(t, 0)

	m.utho("-p", "one", "logout").want(t, 0).says(t, "the token of profile one was removed", "still works until it is deleted")
	if got := s.looks(t, item, "one"); got != "" {
		t.Errorf("still there: %q", got)
	}
	m.utho("-p", "one", "token", "list").want(t, 4).says(t, "not logged in")
	m.utho("profile", "remove", "two").want(t, 0)
	m.utho("-p", "two", "status").want(t, 5)
	m.with("UTHO_API_KEY", keySecret).utho("logout", "--all").want(t, 0).
		says(t, "profile one was not logged in", "the token of profile Three", "the token of profile four", "UTHO_API_KEY is still set")
	// Nothing of utho's is left in the keyring, the probes and origins included.
	r := s.m.run("", keyringTool(t, "secret-tool"), "search", "--all", "username", "Three")
	if strings.Contains(r.stdout+r.stderr, "attribute.service") {
		t.Errorf("left in the keyring: %s%s", r.stdout, r.stderr)
	}
	var items []dbus.ObjectPath
	v, err := s.conn.Object("org.freedesktop.secrets", "/org/freedesktop/secrets/collection/login").GetProperty("org.freedesktop.Secret.Collection.Items")
	if err == nil {
		err = v.Store(&items)
	}
	if err != nil || len(items) > 0 {
		t.Errorf("items in the keyring: %q, %v", items, err)
	}
	if files, err := filepath.Glob(m.path("config", "credentials", "*")); err != nil || len(files) > 0 {
		t.Errorf("left in the file store: %q, %v", files, err)
	}
}

// An environment credential reads neither the file store nor the keyring.
func TestEnvironmentReadsNoStore(t *testing.T) {
	t.Parallel()
	m, service := newMachine(t), record(t)
	m.env["UTHO_API_URL"] = service.url
	m.login(filedSecret, "-p", "filed", "login", "--store", "file").want(t, 0)
	// A file in place of the secrets' folder: whoever looks there fails.
	if err := os.RemoveAll(m.path("config", "credentials")); err != nil {
		t.Fatal(err)
	}
	m.write("", "config", "credentials")
	m.utho("token", "list").want(t, 4)
	m.env["UTHO_API_KEY"] = keySecret
	m.utho("token", "list").want(t, 0)
	m.utho("status").want(t, 0)

	m.write("current_profile: work\nprofiles:\n  work:\n    api_url: "+service.url+"\n", "config", "config.yaml")
	asked := make(chan struct{}, 16)
	m.env["DBUS_SESSION_BUS_ADDRESS"] = countingBus(t, asked)
	m.utho("token", "list").want(t, 0)
	m.utho("status").want(t, 0)
	m.utho("__complete", "token", "get", "").want(t, 0)
	if n := len(asked); n > 0 {
		t.Errorf("the bus was asked %d times", n)
	}
	m.with("UTHO_API_KEY", "").utho("token", "list").want(t, 1)
	if len(asked) == 0 {
		t.Error("the bus is not asked for the keyring either: this test proves nothing")
	}
}
