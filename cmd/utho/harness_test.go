package main

import (
	"bytes"
	"errors"
	"flag"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/utho/utho-cli/internal/sandbox/sandboxtest"
)

var update = flag.Bool("update", false, "rewrite the goldens of scripts")

// patience bounds what a test waits for that must come.
const patience = time.Minute

func TestMain(m *testing.M) {
	// These tests mostly wait for processes, so more of them fit at once than there
	// are processors; -parallel on the command line still counts.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	testscript.Main(plainUmask(m.Run), map[string]func(){"utho": main})
}

// plainUmask runs the tests, and not the programs that testscript starts, with a
// umask of which they know what it leaves: under 002 a configuration that a script
// writes would be one that others can write.
type plainUmask func() int

func (run plainUmask) Run() int {
	umask(0o022)
	return run()
}

// A machine is what one person has: a home folder, an environment in which utho
// finds nothing else, and perhaps a service.
type machine struct {
	t    testing.TB
	home string
	env  map[string]string
	*service
}

// variables have utho find nothing but what is in a folder; a process of a -race
// build does not wait for a second at its end.
func variables(dir, home string) map[string]string {
	return map[string]string{
		"HOME":                     home,
		"UTHO_CONFIG_DIR":          filepath.Join(dir, "config"),
		"UTHO_STATE_DIR":           filepath.Join(dir, "state"),
		"DBUS_SESSION_BUS_ADDRESS": "unix:path=" + filepath.Join(dir, "no-bus"),
		"GORACE":                   "atexit_sleep_ms=0",
	}
}

// newMachine gives a machine without a service.
func newMachine(t testing.TB) *machine {
	t.Helper()
	home := t.TempDir()
	m := &machine{t: t, home: home, env: variables(home, home)}
	for _, name := range []string{"PATH", "SystemRoot", "GOCOVERDIR"} {
		m.env[name] = os.Getenv(name)
	}
	return m
}

// newServed gives a machine with a service of its own and a key for it.
func newServed(t testing.TB) *machine {
	t.Helper()
	m := newMachine(t)
	m.service = serve(sandboxtest.New(t), t.Cleanup)
	m.env["UTHO_API_URL"], m.env["UTHO_API_KEY"] = m.url, m.key
	return m
}

// with is the same machine with other variables, of which an empty one is not set.
func (m *machine) with(pairs ...string) *machine {
	c := *m
	c.env = maps.Clone(m.env)
	for pair := range slices.Chunk(pairs, 2) {
		c.env[pair[0]] = pair[1]
	}
	return &c
}

// path is a file below the home folder.
func (m *machine) path(names ...string) string {
	return filepath.Join(append([]string{m.home}, names...)...)
}

// write creates a file below the home folder, and its folders. What begins with #! can be run.
func (m *machine) write(text string, names ...string) string {
	m.t.Helper()
	path, mode := m.path(names...), os.FileMode(0o600)
	if strings.HasPrefix(text, "#!") {
		mode = 0o700
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		m.t.Fatal(err)
	}
	// A child that another test forks meanwhile would hold the file open for writing
	// until it executes: until then the file itself could not be executed.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		m.t.Fatal(err)
	}
	return path
}

// read is the content of a file, empty if there is none.
func (m *machine) read(names ...string) string {
	m.t.Helper()
	content, err := os.ReadFile(m.path(names...))
	if err != nil && !os.IsNotExist(err) {
		m.t.Fatal(err)
	}
	return string(content)
}

// secret is the value of UTHO_API_KEY in a dotenv file.
func (m *machine) secret(name string) string {
	m.t.Helper()
	_, value, _ := strings.Cut(m.read(name), "UTHO_API_KEY=")
	value, _, _ = strings.Cut(value, "\n")
	return value
}

// command is a program on this machine, not yet started.
func (m *machine) command(args ...string) *exec.Cmd {
	m.t.Helper()
	path, err := exec.LookPath(args[0])
	if err != nil {
		m.t.Fatal(err)
	}
	cmd := exec.Command(path, args[1:]...)
	cmd.Dir = m.home
	for name, value := range m.env {
		if value != "" {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	return cmd
}

// A result is how a program ended.
type result struct {
	code           int // -1 for a signal
	stdout, stderr string
}

// run runs a program to its end.
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

// utho runs utho without a terminal and with nothing on stdin.
func (m *machine) utho(args ...string) result {
	m.t.Helper()
	return m.run("", append([]string{"utho"}, args...)...)
}

// login runs utho with a token on stdin.
func (m *machine) login(token string, args ...string) result {
	m.t.Helper()
	return m.run(token+"\n", append([]string{"utho"}, args...)...)
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

// remain pins how many tokens the service has.
func (m *machine) remain(want int) {
	m.t.Helper()
	if all := m.Tokens(); len(all) != want {
		m.t.Errorf("%d tokens, want %d: %+v", len(all), want, all)
	}
}

// noLeaks fails the test if a secret is where none must be.
func (m *machine) noLeaks() {
	m.t.Helper()
	found, err := leaks(m.path("state"), m.path("config"))
	if err != nil || len(found) > 0 {
		m.t.Errorf("secrets in %q, %v", found, err)
	}
}

// leaks are the files below the folders that hold what looks like a secret, but
// for the file store, which keeps them, and the sandbox's own file.
func leaks(folders ...string) (found []string, err error) {
	for _, dir := range folders {
		err = errors.Join(err, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			switch {
			case os.IsNotExist(err):
				return nil
			case err != nil:
				return err
			case !d.Type().IsRegular(), filepath.Base(filepath.Dir(path)) == "credentials", d.Name() == "sandbox.json":
				return nil
			}
			content, err := os.ReadFile(path)
			if bytes.Contains(content, []byte("live_")) {
				found = append(found, path)
			}
			return err
		}))
	}
	return found, err
}

// installed reports whether a tool is there, which it must be where
// UTHO_TEST_TOOLS is set.
func installed(tool string) (bool, error) {
	_, err := exec.LookPath(tool)
	if os.Getenv("UTHO_TEST_TOOLS") != "" {
		return err == nil, err
	}
	return err == nil, nil
}

// requires skips a test whose tool is missing, or fails it.
func requires(t testing.TB, tool string) {
	t.Helper()
	if there, err := installed(tool); err != nil {
		t.Fatal(err)
	} else if !there {
		t.Skip(tool + " is not installed")
	}
}
