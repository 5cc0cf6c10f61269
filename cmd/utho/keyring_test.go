//go:build linux

package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

const keyringSecret = "live_test_good_of_the_keyring"

// keyringTool gives the path of a program the keyring tests need.
func keyringTool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
		return path
	case os.Getenv("UTHO_TEST_KEYRING") != "":
		t.Fatalf("%s is not installed", name)
	}
	t.Skipf("%s is not installed", name)
	return ""
}

// session is a D-Bus session of its own, perhaps with a keyring.
type session struct {
	m    *machine // with the session's variables
	dir  string
	conn *dbus.Conn
}

// socketFolder is a new folder with a name short enough for a socket in it.
func socketFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "bus") //nolint:usetesting // that can be too long
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// newSession starts a bus that can start no service by itself.
func newSession(t *testing.T) *session {
	t.Helper()
	daemon := keyringTool(t, "dbus-daemon")
	dir := socketFolder(t)
	config := filepath.Join(dir, "bus.conf")
	text := `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path=` + dir + `/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	m := newMachine(t)
	m.env["XDG_RUNTIME_DIR"], m.env["XDG_DATA_HOME"] = filepath.Join(dir, "run"), m.path("data")
	for _, d := range []string{m.env["XDG_RUNTIME_DIR"], m.env["XDG_DATA_HOME"]} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s := &session{m: m, dir: dir}
	out := s.start(t, "", daemon, "--nofork", "--nopidfile", "--config-file="+config, "--print-address=1")
	line := make([]byte, 512)
	n, err := out.Read(line)
	if err != nil {
		t.Fatalf("dbus-daemon: %v", err)
	}
	address := strings.TrimSpace(string(line[:n]))
	m.env["DBUS_SESSION_BUS_ADDRESS"] = address
	if s.conn, err = dbus.Connect(address); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.conn.Close() })
	return s
}

// start runs a program until the test ends and returns its stdout.
func (s *session) start(t *testing.T, stdin string, args ...string) io.Reader {
	t.Helper()
	cmd := s.m.command(args...)
	cmd.Stdin = strings.NewReader(stdin)
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s: %s", args[0], errOut.String())
		}
	})
	return out
}

// keyring starts gnome-keyring. With a password it makes or unlocks the
// keyring `login`, which needs one that is not empty.
func (s *session) keyring(t *testing.T, password string) {
	t.Helper()
	daemon := keyringTool(t, "gnome-keyring-daemon")
	args := []string{daemon, "--foreground", "--components=secrets"}
	if password != "" {
		args = append(args, "--unlock")
	}
	s.start(t, password, args...)
	s.until(t, "the service has its name", func() bool {
		var there bool
		err := s.conn.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, "org.freedesktop.secrets").Store(&there)
		return err == nil && there
	})
	if password != "" {
		s.until(t, "the keyring is unlocked", func() bool { return !s.locked() })
	}
}

func (s *session) locked() bool {
	v, err := s.conn.Object("org.freedesktop.secrets", "/org/freedesktop/secrets/collection/login").
		GetProperty("org.freedesktop.Secret.Collection.Locked")
	is, ok := v.Value().(bool)
	return err != nil || !ok || is
}

// until waits for what another program does.
func (s *session) until(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	for !done() {
		select {
		case <-deadline:
			t.Fatalf("it did not come about that %s", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// looks asks the keyring with another program.
func (s *session) looks(t *testing.T, service, profile string) string {
	t.Helper()
	r := s.m.run("", keyringTool(t, "secret-tool"), "lookup", "service", service, "username", profile)
	return r.stdout
}

// mute takes the name of the Secret Service and answers nothing.
type mute struct{ done chan struct{} }

func (h mute) LookupObject(dbus.ObjectPath) (dbus.ServerObject, bool) {
	<-h.done
	return nil, false
}

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
			done := make(chan struct{})
			conn, err := dbus.Connect(s.m.env["DBUS_SESSION_BUS_ADDRESS"], dbus.WithHandler(mute{done}))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { close(done); _ = conn.Close() })
			if _, err := conn.RequestName("org.freedesktop.secrets", dbus.NameFlagDoNotQueue); err != nil {
				t.Fatal(err)
			}
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
			m.login(filedSecret, "login", "--store", "file").want(t, 0)
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

// silentBus is the address of a socket that takes connections and says nothing.
func silentBus(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("unix", filepath.Join(socketFolder(t), "bus"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = c.Close() })
		}
	}()
	return "unix:path=" + ln.Addr().String()
}

// processes are those with mark in their environment: what utho started. One
// that has ended and was not waited for counts as gone.
func processes(t *testing.T, mark string) (found []string) {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		env, err := os.ReadFile(filepath.Join(dir, "environ"))
		if err == nil && bytes.Contains(env, []byte(mark)) {
			name, _ := os.ReadFile(filepath.Join(dir, "cmdline")) // gone meanwhile is as good
			found = append(found, string(name))
		}
	}
	return found
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

	// A closed keyring is an error, and raises no dialog in a completion.
	m.login(keyringSecret+"_6", "-p", "second", "--api-url", other.url, "login").want(t, 0)
	var unlocked []dbus.ObjectPath
	var prompt dbus.ObjectPath
	err = s.conn.Object("org.freedesktop.secrets", "/org/freedesktop/secrets").
		Call("org.freedesktop.Secret.Service.Lock", 0, []dbus.ObjectPath{"/org/freedesktop/secrets/collection/login"}).
		Store(&unlocked, &prompt)
	if err != nil {
		t.Fatal(err)
	}
	s.until(t, "the keyring is locked", s.locked)
	other.take()
	m.utho("token", "list").want(t, 1).says(t, "it is locked", "--store file", "UTHO_API_KEY")
	m.utho("__complete", "token", "get", "").want(t, 0).offersNothing(t)
	if came := other.take(); len(came) > 0 {
		t.Errorf("sent with a locked keyring: %q", came)
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

// countingBus is a socket that hangs up, and tells of each connection.
func countingBus(t *testing.T, asked chan<- struct{}) string {
	t.Helper()
	ln, err := net.Listen("unix", filepath.Join(socketFolder(t), "bus"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			asked <- struct{}{}
			_ = c.Close()
		}
	}()
	return "unix:path=" + ln.Addr().String()
}
