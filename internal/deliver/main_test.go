package deliver

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const testSecret = "live_test_0123456789abcdefABCDEF"

// missing skips a test that lacks a tool; if all should be there, it fails.
func missing(t *testing.T, tool string) {
	t.Helper()
	if os.Getenv("UTHO_TEST_TOOLS") != "" {
		t.Fatalf("%s is not installed", tool)
	}
	t.Skipf("%s is not installed", tool)
}

// testEnv is an Env, and the warnings it was given, a line each.
func testEnv(t *testing.T) (Env, *string) {
	warned := new(string)
	return Env{Home: t.TempDir(), Environ: os.Environ(), Warn: func(s string) { *warned += s + "\n" }}, warned
}

// open returns a destination, which must be well-formed.
func open(t *testing.T, env Env, text string) Destination {
	t.Helper()
	spec, err := ParseSpec(text)
	if err != nil {
		t.Fatal(err)
	}
	d, err := New(spec, env)
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
	said := fmt.Sprint(err)
	for _, w := range words {
		if !strings.Contains(said, w) {
			t.Errorf("error %q does not say %q", said, w)
		}
	}
	if err == nil || strings.Contains(said, testSecret) {
		t.Errorf("no error, or it carries the secret: %v", err)
	}
}

// write creates a file with exactly this mode.
func write(t *testing.T, path, content string, mode fs.FileMode) {
	t.Helper()
	syscall.ForkLock.RLock() // a fork that holds a script open for writing would keep it from being executed
	defer syscall.ForkLock.RUnlock()
	if err := errors.Join(os.WriteFile(path, []byte(content), 0o600), os.Chmod(path, mode)); err != nil {
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
