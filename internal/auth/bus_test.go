//go:build linux

package auth

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// need ends a test that lacks a tool: in the gate, where all are installed, as a failure.
func need(t *testing.T, tool string) (path string) {
	t.Helper()
	path, err := exec.LookPath(tool)
	if err != nil && os.Getenv("UTHO_TEST_KEYRING") != "" {
		t.Fatalf("%s is not installed", tool)
	} else if err != nil {
		t.Skipf("%s is not installed", tool)
	}
	return path
}

// A session is a login session with a folder, and maybe a bus, of its own.
type session struct {
	dir     string
	address string // of the bus; "" for none
}

func newSession(t *testing.T) *session {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "utho-bus") //nolint:usetesting // short: sockets stand in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	writeFile(t, dir+"/dbus-launch", "#!/bin/sh\n", 0o700) // gives no bus: who runs it has another error
	return &session{dir: dir}
}

// env is the environment in the session: no display, so that nothing can ask.
func (s *session) env() []string {
	env := []string{"PATH=" + s.dir + ":" + os.Getenv("PATH"), "HOME=" + s.dir, "LANG=C.UTF-8",
		"XDG_RUNTIME_DIR=" + s.dir, "XDG_DATA_HOME=" + s.dir, "TMPDIR=" + s.dir}
	if s.address != "" {
		env = append(env, "DBUS_SESSION_BUS_ADDRESS="+s.address)
	}
	return env
}

// bus starts a message bus that can start services, or one that cannot, until the test ends.
func (s *session) bus(t *testing.T, services bool) {
	t.Helper()
	config := "--session"
	if !services {
		path := filepath.Join(s.dir, "bus.conf")
		writeFile(t, path, `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen>
<policy context="default"><allow send_destination="*"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`, 0o600)
		config = "--config-file=" + path
	}
	cmd := exec.Command(need(t, "dbus-daemon"), config, "--nofork", "--nopidfile", "--address=unix:path="+s.dir+"/bus", "--print-address=1")
	cmd.Env = s.env()
	out, err := cmd.StdoutPipe()
	must(t, err, cmd.Start())
	t.Cleanup(func() { // the services that it started end with it
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("dbus-daemon gave no address: %v", err)
	}
	s.address = strings.TrimSpace(line)
}

// do has the test binary do a job in the session, without a terminal, and gives what it told.
func (s *session) do(t *testing.T, job string, env ...string) (o outcome) {
	t.Helper()
	exe, err := os.Executable()
	must(t, err)
	cmd := exec.CommandContext(t.Context(), exe)
	// A long limit, so that a busy machine does not turn another answer into a timeout; and GORACE, a second each else.
	cmd.Env = append(s.env(), "UTHO_AUTH_HELPER="+job, "UTHO_AUTH_LIMIT=60s", "GORACE=atexit_sleep_ms=0")
	cmd.Env = append(cmd.Env, env...)
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.WaitDelay = 30 * time.Second // should something of the helper's outlive it
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, &o)
	}
	if err != nil {
		t.Fatalf("helper %s: %v: %s\n%s", job, err, out, errOut.String())
	}
	return o
}

// fails has all operations fail for the reason, with the ways out.
func (s *session) fails(t *testing.T, why error, env ...string) {
	t.Helper()
	for _, job := range []string{"get", "set", "delete", "check", "peek"} {
		o := s.do(t, job, env...)
		if job == "peek" && o.Locked { // it does not ask, so it does not learn why
			continue
		}
		other, changes := strings.Contains(o.Hint, "--store file") && strings.Contains(o.Hint, "UTHO_API_KEY"), job == "set" || job == "delete"
		if !o.Keyring || !strings.Contains(o.Err, why.Error()) || o.NotFound || o.Item != (Item{}) || o.Locked != (why == ErrLocked) ||
			other != (job != "delete") || o.NotKnown != (changes && why == errTimeout) {
			t.Errorf("%s: %+v, want %v", job, o, why)
		}
	}
}

const short = "UTHO_AUTH_LIMIT=500ms"

func TestKeyringOutOfReach(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat(fmt.Sprintf("/run/user/%d/bus", os.Getuid())); err != nil { // else this user has one
		s := newSession(t)
		s.fails(t, errNoBus)
		s.fails(t, errNoBus, "DBUS_SESSION_BUS_ADDRESS=autolaunch:")
	}
	s := newSession(t)
	for _, address := range []string{"unix:path=" + s.dir + "/nothing", "disabled:", "nonsense", "unix:path=" + s.dir} {
		s.address = address
		s.fails(t, errNoBus)
	}
	need(t, "gnome-keyring-daemon")
	for services, why := range map[bool]error{false: errNoService, true: errNeverCreated} {
		s := newSession(t)
		s.bus(t, services)
		s.fails(t, why)
	}
	// The next session finds the keyring that one left, and nobody unlocks it.
	t.Run("leave a keyring", func(t *testing.T) {
		s.bus(t, false)
		cmd := exec.Command("gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets")
		cmd.Env, cmd.Stdin = s.env(), strings.NewReader("ci")
		must(t, cmd.Start())
		for end := time.Now().Add(time.Minute); !s.do(t, "peek").NotFound && time.Now().Before(end); { // it is not open yet
		}
		if o := s.do(t, "set"); o.Err != "" {
			t.Error(o.Err)
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	})
	s.bus(t, true)
	s.fails(t, ErrLocked)
}
