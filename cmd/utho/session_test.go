//go:build linux

package main

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

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
	requires(t, "dbus-daemon")
	dir := socketFolder(t)
	config := filepath.Join(dir, "bus.conf")
	text := `<busconfig><type>session</type><listen>unix:path=` + dir + `/bus</listen><auth>EXTERNAL</auth>
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
	address := regexp.MustCompile(`(?m)^unix:path=.*$`)
	bus := m.watch("dbus-daemon", "--nofork", "--nopidfile", "--config-file="+config, "--print-address=2")
	bus.until(address.String() + `\n`)
	m.env["DBUS_SESSION_BUS_ADDRESS"] = address.FindString(bus.said())
	var err error
	if s.conn, err = dbus.Connect(m.env["DBUS_SESSION_BUS_ADDRESS"]); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.conn.Close() })
	return s
}

// keyring starts gnome-keyring. With a password it makes or unlocks the
// keyring `login`, which needs one that is not empty.
func (s *session) keyring(t *testing.T, password string) {
	t.Helper()
	requires(t, "gnome-keyring-daemon")
	unlock := ""
	if password != "" {
		s.m.write(password, "password")
		unlock = " --unlock <password"
	}
	s.m.watch("sh", "-c", "exec gnome-keyring-daemon --foreground --components=secrets"+unlock)
	s.until(t, "the service has its name", func() bool {
		var there bool
		err := s.conn.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, "org.freedesktop.secrets").Store(&there)
		return err == nil && there
	})
	if password != "" {
		s.until(t, "the keyring is unlocked", func() bool { return !s.locked() })
	}
}

// collection is a property of the keyring.
func (s *session) collection(property string) (dbus.Variant, error) {
	return s.conn.Object("org.freedesktop.secrets", "/org/freedesktop/secrets/collection/login").
		GetProperty("org.freedesktop.Secret.Collection." + property)
}

func (s *session) locked() bool {
	v, err := s.collection("Locked")
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
	requires(t, "secret-tool")
	return s.m.run("", "secret-tool", "lookup", "service", service, "username", profile).stdout
}

// mute is a program on the bus that counts what it is asked and answers nothing.
type mute struct {
	asked atomic.Int32
	done  chan struct{}
}

func (h *mute) LookupObject(dbus.ObjectPath) (dbus.ServerObject, bool) {
	h.asked.Add(1)
	<-h.done
	return nil, false
}

// mute takes a name on the bus until the test ends.
func (s *session) mute(t *testing.T, name string) *mute {
	t.Helper()
	h := &mute{done: make(chan struct{})}
	conn, err := dbus.Connect(s.m.env["DBUS_SESSION_BUS_ADDRESS"], dbus.WithHandler(h))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { close(h.done); _ = conn.Close() })
	if _, err := conn.RequestName(name, dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	return h
}

// lock closes the keyring again.
func (s *session) lock(t *testing.T) {
	t.Helper()
	var locked []dbus.ObjectPath
	var prompt dbus.ObjectPath
	err := s.conn.Object("org.freedesktop.secrets", "/org/freedesktop/secrets").
		Call("org.freedesktop.Secret.Service.Lock", 0, []dbus.ObjectPath{"/org/freedesktop/secrets/collection/login"}).
		Store(&locked, &prompt)
	if err != nil {
		t.Fatal(err)
	}
	s.until(t, "the keyring is locked", s.locked)
}

// silentBus takes connections and says nothing.
func silentBus(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("unix", filepath.Join(socketFolder(t), "bus"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for c, err := ln.Accept(); err == nil; c, err = ln.Accept() {
			t.Cleanup(func() { _ = c.Close() })
		}
	}()
	return "unix:path=" + ln.Addr().String()
}

// processes are those with mark in their environment: what utho started. One
// that has ended and was not waited for counts as gone.
func processes(mark string) (found []string) {
	eachProcess(func(cmdline, environ string) {
		if strings.Contains(environ, mark) {
			found = append(found, cmdline)
		}
	})
	return found
}

func eachProcess(look func(cmdline, environ string)) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		cmdline, _ := os.ReadFile(filepath.Join(dir, "cmdline")) // it may have ended
		environ, _ := os.ReadFile(filepath.Join(dir, "environ"))
		look(string(bytes.ReplaceAll(cmdline, []byte{0}, []byte{' '})), string(environ))
	}
}
