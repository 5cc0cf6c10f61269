package deliver

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const testSecret = "live_test_0123456789abcdefABCDEF"

// childVar tells a process of this test binary that it is a child, and which.
const childVar = "DELIVER_TEST_CHILD"

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

// child prepares a process of this test binary that runs one of children.
func child(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), childVar+"="+name)
	return cmd
}

// tell makes a failure of a child.
func tell(format string, args ...any) error { return fmt.Errorf(format, args...) }

// testEnv is an Env with its own lock folder, and the warnings it was told.
func testEnv(t *testing.T) (Env, *warnings) {
	w := new(warnings)
	return Env{Home: t.TempDir(), LockDir: filepath.Join(t.TempDir(), "state", "locks"), Warn: w.add}, w
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

// open makes a destination, which must be well-formed.
func open(t *testing.T, env Env, text string) Destination {
	t.Helper()
	d, err := openSpec(env, text)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func openSpec(env Env, text string) (Destination, error) {
	spec, err := ParseSpec(text)
	if err != nil {
		return nil, err
	}
	return New(spec, env)
}

// prepared makes a destination and prepares it, which must work.
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
	if err := d.Deliver(t.Context(), testSecret); err != nil {
		t.Fatalf("deliver %s: %v", d, err)
	}
}

// fails checks an error: there is one, it says the words, and not the secret.
func fails(t *testing.T, err error, words ...string) {
	t.Helper()
	if e := failsWith(err, words...); e != nil {
		t.Error(e)
	}
}

func failsWith(err error, words ...string) error {
	if err == nil {
		return tell("no error; want one that says %q", words)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			return tell("error %q does not say %q", err, w)
		}
	}
	if strings.Contains(err.Error(), testSecret) {
		return tell("the error carries the secret: %v", err)
	}
	return nil
}

// write makes a file with exactly this mode.
func write(t *testing.T, path, content string, mode fs.FileMode) {
	t.Helper()
	// A child that another test forks meanwhile would hold the file open for writing
	// until it executes: until then the file itself could not be executed.
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

// tree writes down everything below dir: names, kinds, modes, contents, targets of links,
// and when files were last changed.
func tree(dir string) (string, error) {
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		fmt.Fprintf(&b, "%q %s", rel, info.Mode())
		switch {
		case info.Mode().IsRegular():
			content, err := os.ReadFile(path)
			if err != nil && !os.IsPermission(err) {
				return err
			}
			fmt.Fprintf(&b, " %s %q", info.ModTime().Format(time.RFC3339Nano), content)
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, " -> %q", target)
		}
		b.WriteByte('\n')
		return nil
	})
	return b.String(), err
}

func mustTree(t *testing.T, dir string) string {
	t.Helper()
	s, err := tree(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// unchanged checks that everything below dir is as it was.
func unchanged(t *testing.T, dir, before string) {
	t.Helper()
	if after := mustTree(t, dir); after != before {
		t.Errorf("the tree changed from\n%s\nto\n%s", before, after)
	}
}

// isolated is a context of its own for children.
func isolated() context.Context { return context.Background() }
