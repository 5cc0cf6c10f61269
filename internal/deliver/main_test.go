package deliver

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

const testSecret = "live_test_0123456789abcdefABCDEF"

// childVar says to a process of this test binary that it is a child, and which.
const childVar = "DELIVER_TEST_CHILD"

// children are what a process of this test binary can be instead of the tests.
var children = map[string]func(args []string) error{"edit": childEdit}

func TestMain(m *testing.M) {
	if name := os.Getenv(childVar); name != "" {
		if err := children[name](os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// childCmd prepares a process of this test binary that runs one of children.
func childCmd(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), childVar+"="+name)
	return cmd
}

// missing skips a test that lacks a tool; if all should be there, it fails.
func missing(t *testing.T, tool string) {
	t.Helper()
	if os.Getenv("UTHO_TEST_TOOLS") != "" {
		t.Fatalf("%s is not installed", tool)
	}
	t.Skipf("%s is not installed", tool)
}

// testEnv is an Env, and the warnings it was given.
func testEnv(t *testing.T) (Env, *warnings) {
	w := new(warnings)
	return Env{Home: t.TempDir(), Environ: os.Environ(), Warn: w.add}, w
}

type warnings struct {
	sync.Mutex
	said []string
}

func (w *warnings) add(s string) {
	w.Lock()
	defer w.Unlock()
	w.said = append(w.said, s)
}

func (w *warnings) String() string { return strings.Join(w.said, "\n") }

func openSpec(env Env, text string) (Destination, error) {
	spec, err := ParseSpec(text)
	if err != nil {
		return nil, err
	}
	return New(spec, env)
}

// open returns a destination, which must be well-formed.
func open(t *testing.T, env Env, text string) Destination {
	t.Helper()
	d, err := openSpec(env, text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// prepared returns a destination that must be ready.
func prepared(t *testing.T, env Env, text string) Destination {
	t.Helper()
	d := open(t, env, text)
	if err := d.Prepare(t.Context()); err != nil {
		t.Fatalf("prepare %s: %v", text, err)
	}
	return d
}

// deliver delivers the test's secret, which must work.
func deliver(t *testing.T, d Destination) {
	t.Helper()
	if err := d.Deliver(t.Context(), Token{Secret: testSecret}); err != nil {
		t.Fatalf("deliver %s: %v", d, err)
	}
}

// fails checks an error: there is one, it says the words, and not the secret.
func fails(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error; want one that says %q", words)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
	if strings.Contains(err.Error(), testSecret) {
		t.Errorf("the error carries the secret: %v", err)
	}
}

// write creates a file with exactly this mode.
func write(t *testing.T, path, content string, mode fs.FileMode) {
	t.Helper()
	// A child that another test forks meanwhile would hold the file open for writing until it
	// executes: until then the file itself could not be executed.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// tree writes down everything below dir: names, modes, contents, targets of links.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		var content []byte
		if info.Mode().IsRegular() { // a pipe would not answer
			content, _ = os.ReadFile(path)
		}
		target, _ := os.Readlink(path)
		fmt.Fprintf(&b, "%s %s %q %s\n", path, info.Mode(), content, target)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// unchanged checks that everything below dir is as it was.
func unchanged(t *testing.T, dir, before string) {
	t.Helper()
	if after := tree(t, dir); after != before {
		t.Errorf("the tree changed from\n%s\nto\n%s", before, after)
	}
}
