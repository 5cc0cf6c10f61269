package main

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// A machine is what one person has: a home folder, and an environment in which
// utho finds nothing else.
type machine struct {
	t    testing.TB
	home string
	env  map[string]string
}

func newMachine(t testing.TB) *machine {
	t.Helper()
	home := t.TempDir()
	// The folder's own mode is 0755 or the umask's; a person's home is no more.
	m := &machine{t, home, map[string]string{
		"HOME":                     home,
		"PATH":                     os.Getenv("PATH"),
		"GORACE":                   goRace,
		"UTHO_CONFIG_DIR":          filepath.Join(home, "config"),
		"UTHO_STATE_DIR":           filepath.Join(home, "state"),
		"DBUS_SESSION_BUS_ADDRESS": "unix:path=" + filepath.Join(home, "no-bus"),
	}}
	for _, name := range []string{"SystemRoot", "GOCOVERDIR"} {
		if v := os.Getenv(name); v != "" {
			m.env[name] = v
		}
	}
	return m
}

// with is the same machine with other variables; an empty value unsets one.
func (m *machine) with(pairs ...string) *machine {
	c := &machine{m.t, m.home, maps.Clone(m.env)}
	for i := 0; i+1 < len(pairs); i += 2 {
		if c.env[pairs[i]] = pairs[i+1]; pairs[i+1] == "" {
			delete(c.env, pairs[i])
		}
	}
	return c
}

func (m *machine) environ() []string {
	var env []string
	for _, name := range slices.Sorted(maps.Keys(m.env)) {
		env = append(env, name+"="+m.env[name])
	}
	return env
}

// path is a file below the home folder.
func (m *machine) path(names ...string) string {
	return filepath.Join(append([]string{m.home}, names...)...)
}

// write makes a file below the home folder, and its folders.
func (m *machine) write(text string, names ...string) string {
	m.t.Helper()
	path := m.path(names...)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		m.t.Fatal(err)
	}
	// A child that another test forks meanwhile would hold the file open for writing
	// until it executes: until then the file itself could not be executed.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
	return path
}

// A result is how a program ended.
type result struct {
	code           int // -1 for a signal
	stdout, stderr string
}

func (m *machine) command(args ...string) *exec.Cmd {
	m.t.Helper()
	path, err := exec.LookPath(args[0])
	if err != nil {
		m.t.Fatal(err)
	}
	cmd := exec.Command(path, args[1:]...)
	cmd.Env, cmd.Dir = m.environ(), m.home
	return cmd
}

// utho runs the program without a terminal and with nothing on stdin.
func (m *machine) utho(args ...string) result {
	m.t.Helper()
	return m.run("", append([]string{"utho"}, args...)...)
}

// login runs utho with a token on stdin.
func (m *machine) login(token string, args ...string) result {
	m.t.Helper()
	return m.run(token+"\n", append([]string{"utho"}, args...)...)
}

func (m *machine) run(stdin string, args ...string) result {
	m.t.Helper()
	cmd := m.command(args...)
	var out, errOut bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errOut
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		m.t.Fatalf("run %q: %v", args, err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), errOut.String()}
}

// want fails the test unless the program ended so.
func (r result) want(t testing.TB, code int) result {
	t.Helper()
	if r.code != code {
		t.Fatalf("exit status %d, want %d\nstdout: %s\nstderr: %s", r.code, code, r.stdout, r.stderr)
	}
	return r
}

// says fails the test unless stderr holds all of these.
func (r result) says(t testing.TB, texts ...string) result {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(r.stderr, text) {
			t.Errorf("stderr does not say %q:\n%s", text, r.stderr)
		}
	}
	return r
}

// Secrets that a recorder knows, by where they are.
const (
	keySecret     = "live_test_good_of_UTHO_API_KEY"
	tokenSecret   = "live_test_good_of_UTHO_TOKEN"
	filedSecret   = "live_test_good_of_the_file_store"
	commandSecret = "live_test_good_of_the_command"
)

// A recorder is a service that knows some tokens, has none in its list, and
// writes down which credentials came.
type recorder struct {
	url  string
	mu   sync.Mutex
	came []string // the Authorization headers since the last call of take
}

func (s *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.came = append(s.came, r.Header.Get("Authorization"))
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	answer := `{"status":"success","api":[]}`
	switch {
	case !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer live_test_good_"):
		w.WriteHeader(http.StatusUnauthorized)
		answer = `{"status":"error","message":"Unauthorized access. Please provide a valid API key."}`
	case strings.HasSuffix(r.URL.Path, "/account/info"):
		answer = `{"status":"success","user":{"id":"32154","fullname":"Asha Rao","email":"asha.rao@example.com"}}`
	}
	_, _ = io.WriteString(w, answer)
}

// take gives the different credentials that came, each once, and forgets them.
func (s *recorder) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	came := slices.Compact(slices.Sorted(slices.Values(s.came)))
	s.came = nil
	return came
}

// record starts a recorder on loopback.
func record(t testing.TB) *recorder {
	t.Helper()
	s := &recorder{}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL + "/v2"
	return s
}
