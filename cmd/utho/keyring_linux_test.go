//go:build linux

package main

import (
	"crypto/rand"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/utho/utho-cli/internal/sandbox/sandboxtest"
)

// A keyring that works keeps, finds, replaces and removes a secret and the id of its token, as another
// program sees it, and gives it out for its own address only. What can go wrong is in packages auth and
// profiles.
func TestKeyring(t *testing.T) {
	t.Parallel()
	s := newSession(t)
	m, key := s.machine, s.key
	m.login(key, "login", "--own-token", "--name", "laptop", "--expires-in", "90d").want(t, 0).says(t, "profile default keeps the token in the keyring")
	first, rest, _ := strings.Cut(s.looks(), "\n")
	if first == key || !strings.HasPrefix(rest, "token_id: 10004\ntoken_name: laptop.expires-") {
		t.Errorf("the keyring holds %q", rest)
	}
	if r := m.utho("status", "-o", "json").want(t, 0); !strings.Contains(r.stdout, `"credential_source": "keyring"`) {
		t.Errorf("status: %s", r.stdout)
	}
	m.noLeaks()
	if _, err := os.Stat(m.path("config", "credentials")); err == nil {
		t.Error("the keyring's login created a folder for secrets")
	}
	m.utho("token", "rotate", "--self", "--yes").want(t, 0)
	second, rest, _ := strings.Cut(s.looks(), "\n")
	if second == first || !m.Works(second) || m.Works(first) || !strings.HasPrefix(rest, "token_id: 10005\n") {
		t.Errorf("after the rotation the keyring holds %q", rest)
	}

	// It goes nowhere else: another address, an edited profile.
	before := m.Count(sandboxtest.Any)
	other := strings.Replace(m.url, "127.0.0.1", "localhost", 1)
	m.with("UTHO_API_URL", other).utho("token", "list").want(t, 4).says(t, "was stored for http://127.0.0.1", "nothing was sent")
	config := m.read("config", "config.yaml")
	m.write(strings.ReplaceAll(config, m.url, other), "config", "config.yaml")
	m.with("UTHO_API_URL", "").utho("token", "list").want(t, 4).says(t, "not logged in: profile default has no token for http")
	m.write(config, "config", "config.yaml")
	if n := m.Count(sandboxtest.Any) - before; n > 0 {
		t.Errorf("%d requests came", n)
	}

	m.utho("logout", "--revoke", "--yes").want(t, 0).says(t, "deleted token 10005", "logged out")
	if left := s.looks(); left != "" || m.Works(second) {
		t.Errorf("left: %q", left)
	}

	// Completion and profile list ask a keyring that is open, and leave a closed one alone: no
	// dialog. A command waits for one so long, and no longer.
	m.login(key, "login").want(t, 0)
	for _, word := range []string{"yes", "locked"} {
		before := m.Count(sandboxtest.Any)
		m.utho("__complete", "token", "get", "").want(t, 0)
		if n := m.Count(sandboxtest.Any) - before; (n == 1) != (word == "yes") {
			t.Errorf("completion with a keyring that is open: %s; %d requests", word, n)
		}
		if r := m.utho("profile", "list", "-o", "json").want(t, 0); !strings.Contains(r.stdout, `"secret":"`+word+`"`) {
			t.Errorf("profile list: %s", r.stdout)
		}
		if word == "yes" {
			s.lock()
		}
	}
	m.with("UTHO_API_KEY", key).utho("token", "list").want(t, 0)
	if n := s.dialogs.Load(); n > 0 {
		t.Errorf("%d dialogs were asked for", n)
	}
	m.utho("token", "list").want(t, 1).says(t, "no answer within 3s; it may be waiting for", "unlock the keyring", "UTHO_API_KEY")
	if s.dialogs.Load() == 0 {
		t.Error("a command asked for no dialog either: this test shows nothing")
	}
}

// A session is a served machine with a D-Bus session of its own, which starts no service by itself, and with
// a keyring that is open. Nobody answers its dialogs.
type session struct {
	*machine
	conn    *dbus.Conn
	dialogs atomic.Int32
	done    chan struct{}
}

const keyringPath dbus.ObjectPath = "/org/freedesktop/secrets/collection/login"

func newSession(t *testing.T) *session {
	t.Helper()
	for _, tool := range []string{"dbus-daemon", "gnome-keyring-daemon", "secret-tool"} {
		requires(t, tool)
	}
	address := newBus()
	m := newServed(t).with("UTHO_API_KEY", "", "XDG_RUNTIME_DIR", t.TempDir(), "DBUS_SESSION_BUS_ADDRESS", address)
	config := m.write(`<busconfig><type>session</type><listen>`+address+`</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`, "bus.conf")
	m.start(nil, "dbus-daemon", "--nofork", "--nopidfile", "--config-file="+config, "--print-address=2").until("unix:abstract=")
	s := &session{machine: m, done: make(chan struct{})}
	var err error
	if s.conn, err = dbus.Connect(address, dbus.WithHandler(s)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		close(s.done)
		_ = s.conn.Close()
	})
	if _, err := s.conn.RequestName("org.gnome.keyring.SystemPrompter", dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	m.write("ci", "password")
	m.start(nil, "sh", "-c", "exec gnome-keyring-daemon --foreground --components=secrets --unlock <password")
	s.awaitLocked(false)
	return s
}

// LookupObject counts what the keyring asks, and answers nothing.
func (s *session) LookupObject(dbus.ObjectPath) (dbus.ServerObject, bool) {
	s.dialogs.Add(1)
	<-s.done
	return nil, false
}

// awaitLocked waits until the keyring is closed, or open.
func (s *session) awaitLocked(want bool) {
	s.t.Helper()
	for limit := time.Now().Add(patience); time.Now().Before(limit); time.Sleep(5 * time.Millisecond) {
		v, err := s.conn.Object("org.freedesktop.secrets", keyringPath).GetProperty("org.freedesktop.Secret.Collection.Locked")
		if err == nil && v.Value() == want {
			return
		}
	}
	s.t.Fatalf("the keyring is not locked: %v", want)
}

// lock closes the keyring again.
func (s *session) lock() {
	s.t.Helper()
	service := s.conn.Object("org.freedesktop.secrets", "/org/freedesktop/secrets")
	if err := service.Call("org.freedesktop.Secret.Service.Lock", 0, []dbus.ObjectPath{keyringPath}).Err; err != nil {
		s.t.Fatal(err)
	}
	s.awaitLocked(true)
}

// looks asks the keyring with another program.
func (s *session) looks() string {
	s.t.Helper()
	return s.run("", "secret-tool", "lookup", "service", "utho:"+strings.TrimSuffix(s.url, "/v2"), "username", "default").stdout
}

// newBus is an address for a bus of its own.
func newBus() string { return "unix:abstract=utho-" + rand.Text() }

// silentBus takes connections and says nothing.
func silentBus(t *testing.T) string {
	t.Helper()
	address := newBus()
	ln, err := net.Listen("unix", "@"+strings.TrimPrefix(address, "unix:abstract="))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return address
}
