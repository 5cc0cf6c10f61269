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
	if err := errors.Join(os.WriteFile(path, []byte(data), 0o600), os.Chmod(path, perm)); err != nil {
		t.Fatal(err)
	}
	return path
}

// private is a temporary folder that only this user can enter.
func private(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

func content(t *testing.T, path, want string, mode fs.FileMode) {
	t.Helper()
	data, err := os.ReadFile(path)
	info, statErr := os.Lstat(path)
	if err != nil || statErr != nil || string(data) != want || info.Mode() != mode {
		t.Errorf("%s holds %q, mode %v, %v; want %q, %v", path, data, info.Mode(), err, want, mode)
	}
}

func noTemp(t *testing.T, dir string) {
	t.Helper()
	if left, err := filepath.Glob(filepath.Join(dir, ".utho-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
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

// The umask belongs to the process, so this does not run in parallel.
func TestModes(t *testing.T) {
	for _, umask := range []int{0, 0o077} {
		base := private(t)
		dir := base + "/a/b"
		kept := put(t, base+"/kept", "x", 0o640)
		old := syscall.Umask(umask)
		err := errors.Join(MkdirAll(dir), CheckPrivateDir(dir), CheckPrivateDir(base+"/a"), Create(dir+"/new", []byte("x")),
			Replace(dir+"/file", []byte("x")), Replace(dir+"/file", []byte("y")), Replace(kept, []byte("y"), Keep))
		unlock, lockErr := Lock(t.Context(), dir+"/lock")
		unlock()
		syscall.Umask(old)
		if err = errors.Join(err, lockErr); err != nil {
			t.Fatal(err)
		}
		content(t, dir+"/new", "x", 0o600)
		content(t, dir+"/file", "y", 0o600)
		content(t, dir+"/lock", "", 0o600)
		content(t, kept, "y", 0o640)
		noTemp(t, dir)
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
	if err := errors.Join(os.Symlink("target", link), os.Symlink("nowhere", dir+"/dangling"), syscall.Mkfifo(pipe, 0o600)); err != nil {
		t.Fatal(err)
	}
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
	if err := errors.Join(CheckReplace(link, FollowLink), Replace(link, []byte("new"), FollowLink)); err != nil {
		t.Fatal(err)
	}
	content(t, target, "new", 0o600)
	_ = os.Chmod(dir, 0o777) // as the store of Nix is
	other := private(t) + "/link"
	if err := os.Symlink(target, other); err != nil {
		t.Fatal(err)
	}
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
	noTemp(t, dir)
}

// Readers see one whole content or the other, never a part.
func TestReplaceIsWhole(t *testing.T) {
	t.Parallel()
	path := filepath.Join(private(t), "f")
	contents := [][]byte{bytes.Repeat([]byte("a"), 100_000), bytes.Repeat([]byte("b"), 50_000)}
	if err := Replace(path, contents[0]); err != nil {
		t.Fatal(err)
	}
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
	if err != nil {
		t.Fatal(err)
	}
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
	if err := Replace(path, []byte("new")); err != nil {
		t.Fatal(err)
	}
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
