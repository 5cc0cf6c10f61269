//go:build unix

package privfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func put(t *testing.T, path, data string, perm fs.FileMode) string {
	t.Helper()
	must(t, os.WriteFile(path, []byte(data), 0o600), os.Chmod(path, perm))
	return path
}

// private is a temporary folder that only this user can enter.
func private(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o700))
	return dir
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func content(t *testing.T, path, want string, mode fs.FileMode) {
	t.Helper()
	data, err := os.ReadFile(path)
	info, statErr := os.Lstat(path)
	if err != nil || statErr != nil || string(data) != want || info.Mode() != mode {
		t.Errorf("%s holds %q, mode %v, %v; want %q, %v", path, data, info.Mode(), err, want, mode)
	}
}

// fixed runs the command that a refusal names, as typed: it must be enough.
func fixed(t *testing.T, path string, err error, again func() error) {
	t.Helper()
	says, command, _ := strings.Cut(fmt.Sprint(err), "fix it with: ")
	if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil || !strings.HasPrefix(says, path+" ") {
		t.Fatalf("%s, %s: %v: %s", says, command, err, out)
	}
	if err := again(); err != nil {
		t.Errorf("after %s: %v", command, err)
	}
}

func TestRefusedModes(t *testing.T) {
	t.Parallel()
	for perm, ok := range map[fs.FileMode][2]bool{ // for secrets, and for what holds none
		0o600: {true, true}, 0o400: {true, true}, 0o640: {false, true}, 0o604: {false, true}, 0o602: {}, 0o620: {},
		fs.ModeDir | 0o700: {true, true}, fs.ModeDir | 0o755: {false, true}, fs.ModeDir | 0o711: {false, true},
		fs.ModeDir | 0o770: {}, fs.ModeDir | 0o702: {}, fs.ModeDir | fs.ModeSticky | 0o777: {},
	} {
		for i := range ok {
			file := put(t, filepath.Join(private(t), "it's"), "content", 0o600)
			path := file
			if perm.IsDir() {
				path = filepath.Dir(file)
			}
			check := func() error { _, err := ReadConfig(file); return err }
			switch {
			case i == 0 && perm.IsDir():
				check = func() error { return CheckPrivateDir(path) }
			case i == 0:
				check = func() error { _, err := ReadSecret(file); return err }
			}
			_ = os.Chmod(path, perm&^fs.ModeDir)
			if err := check(); ok[i] != (err == nil) {
				t.Errorf("mode %v, %d: %v", perm, i, err)
			} else if !ok[i] {
				fixed(t, path, err, check)
			}
		}
	}
}

func TestLinksAndOtherThings(t *testing.T) {
	t.Parallel()
	dir := private(t)
	target, link, pipe := put(t, dir+"/target", "old", 0o600), dir+"/link", dir+"/pipe"
	must(t, os.Symlink("target", link), os.Symlink("nowhere", dir+"/dangling"), syscall.Mkfifo(pipe, 0o600))
	for name, step := range map[string]func(string) error{
		"ReadSecret":   func(p string) error { _, err := ReadSecret(p); return err },
		"Replace":      func(p string) error { return Replace(p, []byte("new")) },
		"Replace Keep": func(p string) error { return Replace(p, []byte("new"), Keep) },
		"CheckReplace": func(p string) error { return CheckReplace(p) },
		"Create":       func(p string) error { return Create(p, []byte("new")) },
		"Lock":         func(p string) error { _, err := Lock(t.Context(), p); return err },
		"OpenLocked":   func(p string) error { _, err := OpenLocked(t.Context(), p, false); return err },
	} {
		for _, path := range []string{link, dir + "/dangling", pipe, dir} {
			if err := step(path); err == nil {
				t.Errorf("%s took %s", name, path)
			} else if path == link && !strings.Contains(name, "ock") && name != "Create" && !errors.Is(err, ErrLink) {
				t.Errorf("%s of a link: %v", name, err)
			}
		}
	}
	content(t, target, "old", 0o600)
	must(t, CheckReplace(link, FollowLink), Replace(link, []byte("new"), FollowLink))
	content(t, target, "new", 0o600)
	_ = os.Chmod(dir, 0o777) // as the store of Nix is
	other := private(t) + "/link"
	must(t, os.Symlink(target, other))
	data, _, err := ReadForeign(other)
	config, configErr := ReadConfig(other)
	if err != nil || configErr != nil || string(data) != "new" || string(config) != "new" {
		t.Errorf("through a link: %q, %v, %q, %v", data, err, config, configErr)
	}
	for _, path := range []string{pipe, dir, "/dev/null"} { // a pipe that nobody writes to is not waited for
		if _, _, err := ReadForeign(path); err == nil {
			t.Errorf("ReadForeign took %s", path)
		}
	}
	if MkdirAll(target) == nil || CheckPrivateDir(target) == nil {
		t.Error("a file passed for a folder")
	}
	if err := Create(target, nil); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Create over a file: %v", err)
	}
}

// Readers see one whole content or the other, never a part.
func TestReplaceIsWhole(t *testing.T) {
	t.Parallel()
	path := filepath.Join(private(t), "f")
	contents := [][]byte{bytes.Repeat([]byte("a"), 100_000), bytes.Repeat([]byte("b"), 50_000)}
	must(t, Replace(path, contents[0]))
	var writers sync.WaitGroup
	for _, c := range contents {
		writers.Go(func() {
			for range 20 {
				if err := Replace(path, c); err != nil {
					t.Error(err)
				}
				Sweep(filepath.Dir(path)) // leaves the files of live writers alone
			}
		})
	}
	var done atomic.Bool
	go func() { writers.Wait(); done.Store(true) }()
	for !done.Load() {
		data, err := ReadSecret(path)
		if err != nil || !bytes.Equal(data, contents[0]) && !bytes.Equal(data, contents[1]) {
			t.Fatalf("a part of a file was read: %d bytes, %v", len(data), err)
		}
	}
}

// Not in parallel: what other tests start holds a lock from its fork to its exec.
func TestLock(t *testing.T) {
	path := filepath.Join(private(t), "lock")
	unlock, err := Lock(t.Context(), path)
	must(t, err)
	if _, ok, err := TryLock(path); ok || err != nil {
		t.Errorf("a second lock without waiting: %v, %v", ok, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := Lock(ctx, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("second lock: %v, want a deadline", err)
	}
	got := make(chan string, 1)
	go func() { // waits, and gets the file that has the name by then
		f, err := OpenLocked(t.Context(), path, false)
		data, _ := io.ReadAll(f)
		f.Close()
		got <- fmt.Sprintf("%s %v", data, err)
	}()
	must(t, Replace(path, []byte("new")))
	unlock()
	if now := <-got; now != "new <nil>" {
		t.Errorf("the locked file after a replacement is %q", now)
	}
	third, ok, err := TryLock(path)
	if !ok || err != nil {
		t.Fatalf("lock without waiting, after unlock: %v, %v", ok, err)
	}
	third()
	if _, err := OpenLocked(t.Context(), path+".no", false); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
}
