//go:build linux

package auth

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
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

// A session is a login session with folders, and maybe a bus, of its own. All
// that runs in it carries a mark in its environment, by which it is found again.
type session struct {
	dir, mark string
	address   string // of the bus; "" for none
}

func newSession(t *testing.T) *session {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "utho-bus") //nolint:usetesting // short: sockets stand in it
	if err != nil {
		t.Fatal(err)
	}
	s := &session{dir: dir, mark: rand.Text()}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for _, sub := range []string{"run", "data"} {
		must(t, os.MkdirAll(filepath.Join(dir, sub), 0o700))
	}
	t.Cleanup(func() { // before the folders go, whatever failed
		for _, pid := range s.processes(t) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	return s
}

// env is the environment in the session: no display, so that nothing can ask.
func (s *session) env() []string {
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "LANG=C.UTF-8", "UTHO_TEST_MARK=" + s.mark,
		"XDG_RUNTIME_DIR=" + s.dir + "/run", "XDG_DATA_HOME=" + s.dir + "/data", "TMPDIR=" + s.dir,
	}
	if s.address != "" {
		env = append(env, "DBUS_SESSION_BUS_ADDRESS="+s.address)
	}
	return env
}

// processes are those that carry the session's mark.
func (s *session) processes(t *testing.T) []int {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, path := range all {
		env, err := os.ReadFile(path) // fails for those of others, and for those that ended
		if err != nil || !strings.Contains(string(env), "UTHO_TEST_MARK="+s.mark) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return pids
}

// start runs a part of the session until the test ends.
func (s *session) start(t *testing.T, stdin io.Reader, name string, args ...string) io.Reader {
	t.Helper()
	cmd := exec.Command(need(t, name), args...)
	cmd.Env, cmd.Stdin = s.env(), stdin
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	})
	return out
}

// bus starts a message bus that can start services, or one that cannot.
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
	out := s.start(t, nil, "dbus-daemon", config, "--nofork", "--nopidfile", "--address=unix:path="+s.dir+"/bus", "--print-address=1")
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("dbus-daemon gave no address: %v", err)
	}
	s.address = strings.TrimSpace(line)
}

// do has the test binary do a job in the session, without a terminal, and gives what it told.
func (s *session) do(t *testing.T, job string, ref Ref, env ...string) (o outcome) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	// A long limit, so that a busy machine does not turn another answer into a timeout; and GORACE, a second each else.
	cmd.Env = append(s.env(), "UTHO_AUTH_HELPER="+job, "UTHO_AUTH_PROFILE="+ref.Profile, "UTHO_AUTH_ORIGIN="+ref.Origin,
		"UTHO_AUTH_LIMIT=60s", "GORACE=atexit_sleep_ms=0")
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
	before := len(s.processes(t))
	for _, job := range []string{"get", "set", "delete", "check", "peek"} {
		o := s.do(t, job, api("work"), env...)
		if job == "peek" && o.Locked { // it does not ask, so it does not learn why
			continue
		}
		other, changes := strings.Contains(o.Hint, "--store file") && strings.Contains(o.Hint, "UTHO_API_KEY"), job == "set" || job == "delete"
		if !o.Keyring || !strings.Contains(o.Err, why.Error()) || o.NotFound || o.Item != (Item{}) || o.Locked != (why == ErrLocked) ||
			other != (job != "delete") || o.NotKnown != (changes && why == errTimeout) {
			t.Errorf("%s: %+v, want %v", job, o, why)
		}
	}
	if s.address == "" || before == 0 { // a bus may start a service; utho may not
		if left := s.processes(t); len(left) != before {
			t.Errorf("%d processes before, now %v", before, left)
		}
	}
}

const short = "UTHO_AUTH_LIMIT=500ms"

func TestKeyringOutOfReach(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat(fmt.Sprintf("/run/user/%d/bus", os.Getuid())); err != nil { // else this user has one
		need(t, "dbus-launch") // which is not to be run
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
}

// unlock starts a real keyring, makes it where it is missing, and waits until
// it is open.
func (s *session) unlock(t *testing.T) {
	t.Helper()
	s.start(t, strings.NewReader("ci"), "gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets")
	conn, err := dbus.Connect(s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	login := conn.Object(secretService, secretLogin)
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) { // polling
		var locked dbus.Variant
		err := login.Call(getProperty, dbus.FlagNoAutoStart, collInterface, "Locked").Store(&locked)
		if is, ok := locked.Value().(bool); err == nil && ok && !is {
			return
		}
	}
	t.Fatal("the keyring did not open")
}

func TestKeyringUnlocked(t *testing.T) {
	t.Parallel()
	tool := need(t, "secret-tool")
	s := newSession(t)
	s.bus(t, false)
	s.unlock(t)
	lookup := func(service, account string) string {
		cmd := exec.CommandContext(t.Context(), tool, "lookup", "service", service, "username", account)
		cmd.Env = s.env()
		out, _ := cmd.Output() // exit 1 where there is none
		return string(out)
	}
	for ref, service := range map[Ref]string{
		api("Prod.EU"):                      "utho:api.utho.com",
		{"work", "https://x.example:8443"}:  "utho:x.example:8443",
		{"local", "http://127.0.0.1:18080"}: "utho:http://127.0.0.1:18080",
	} {
		expect := func(want Item, jobs ...string) {
			t.Helper()
			for _, job := range jobs {
				if o := s.do(t, job, ref); o.Err != "" || o.Item != want {
					t.Errorf("%v: %s: %+v, want %v", ref, job, o, want)
				}
			}
		}
		none := func(jobs ...string) {
			t.Helper()
			for _, job := range jobs {
				if o := s.do(t, job, ref); !o.NotFound || o.Keyring || o.Item != (Item{}) {
					t.Errorf("%v: %s: %+v, want none", ref, job, o)
				}
			}
		}
		none("get", "delete", "peek")
		expect(Item{}, "check")
		none("get")
		expect(Item{}, "set", "set") // a second login
		expect(item, "get", "peek")
		if got, _, _ := strings.Cut(lookup(service, ref.Profile), "\n"); got != secret {
			t.Errorf("secret-tool finds %q under %s", got, service)
		}
		expect(Item{}, "delete")
		none("get", "peek")
		if got := lookup(service, ref.Profile) + lookup("utho-probe:"+service[5:], ref.Profile); got != "" { // by the check
			t.Errorf("left in the keyring: %q", got)
		}
	}
	// The same host and port by another scheme is another place.
	if o := s.do(t, "set", Ref{"local", "http://127.0.0.1:18080"}); o.Err != "" {
		t.Fatal(o.Err)
	}
	if o := s.do(t, "get", Ref{"local", "https://127.0.0.1:18080"}); !o.NotFound {
		t.Errorf("%+v", o)
	}
}

func TestKeyringLocked(t *testing.T) {
	t.Parallel()
	need(t, "gnome-keyring-daemon")
	s := newSession(t)
	t.Run("fill", func(t *testing.T) {
		s.bus(t, false)
		s.unlock(t)
		if o := s.do(t, "set", api("work")); o.Err != "" {
			t.Fatal(o.Err)
		}
	})
	// The next session finds the keyring as it was, and nobody unlocks it.
	s.bus(t, true)
	s.fails(t, ErrLocked)
}
