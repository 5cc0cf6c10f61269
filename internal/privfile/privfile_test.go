//go:build unix

package privfile

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

func put(t *testing.T, path, data string, perm fs.FileMode) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, perm); err != nil {
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

// The umask belongs to the process, so nothing here runs in parallel.
func TestModesWhateverTheUmask(t *testing.T) {
	for _, umask := range []int{0, 0o022, 0o077, 0o277, 0o777} {
		t.Run("umask "+strconv.FormatInt(int64(umask), 8), func(t *testing.T) {
			base := private(t)
			defer syscall.Umask(syscall.Umask(umask))
			dir := filepath.Join(base, "a", "b")
			if err := MkdirAll(dir); err != nil {
				t.Fatal(err)
			}
			for _, d := range []string{dir, filepath.Dir(dir)} {
				if got := mode(t, d); got != 0o700 {
					t.Errorf("%s has mode %o, want 700", d, got)
				}
			}
			for name, write := range map[string]func(string, []byte) error{"config": Write, "secret": WriteSecret} {
				path := filepath.Join(dir, name)
				for range 2 { // new, then over what stands
					if err := write(path, []byte("x")); err != nil {
						t.Fatal(err)
					}
					if got := mode(t, path); got != 0o600 {
						t.Errorf("%s has mode %o, want 600", name, got)
					}
				}
			}
			lock := filepath.Join(dir, "lock")
			unlock, err := Lock(t.Context(), lock)
			if err != nil {
				t.Fatal(err)
			}
			unlock()
			if got := mode(t, lock); got != 0o600 {
				t.Errorf("lock file has mode %o, want 600", got)
			}
			tmp, err := WriteTemp(dir, []byte("x"), 0o640)
			if err != nil {
				t.Fatal(err)
			}
			if got := mode(t, tmp); got != 0o640 {
				t.Errorf("temporary file has mode %o, want 640", got)
			}
		})
	}
}

func TestRefusedModes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		perm           fs.FileMode
		secret, config bool // accepted
	}{
		{0o600, true, true},
		{0o400, true, true},
		{0o640, false, true},
		{0o604, false, true},
		{0o610, false, true},
		{0o602, false, false},
		{0o620, false, false},
		{0o666, false, false},
	} {
		t.Run(strconv.FormatUint(uint64(tc.perm), 8), func(t *testing.T) {
			t.Parallel()
			path := put(t, filepath.Join(private(t), "it's"), "content", tc.perm)
			for name, c := range map[string]struct {
				read func(string) ([]byte, error)
				ok   bool
			}{"secret": {ReadSecret, tc.secret}, "config": {ReadConfig, tc.config}} {
				data, err := c.read(path)
				if c.ok {
					if err != nil || string(data) != "content" {
						t.Errorf("%s: %q, %v", name, data, err)
					}
					continue
				}
				refused(t, name, path, err)
				if len(data) > 0 {
					t.Errorf("%s: content came with the refusal", name)
				}
				// The one-line mend must mend it, as typed.
				mended(t, err, func() error { _, err := c.read(path); return err })
				if err := os.Chmod(path, tc.perm); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func refused(t *testing.T, what, path string, err error) {
	t.Helper()
	var m *ModeError
	if !errors.As(err, &m) || m.Path != path || !strings.Contains(err.Error(), m.Mend) {
		t.Errorf("%s: %v, want a ModeError with its mend", what, err)
	}
}

func mended(t *testing.T, err error, again func() error) {
	t.Helper()
	var m *ModeError
	if !errors.As(err, &m) {
		return
	}
	if out, err := exec.Command("sh", "-c", m.Mend).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", m.Mend, err, out)
	}
	if err := again(); err != nil {
		t.Errorf("after %s: %v", m.Mend, err)
	}
}

func TestFolders(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		perm                fs.FileMode
		private, unwritable bool // accepted
	}{
		{0o700, true, true}, {0o500, true, true}, {0o755, false, true}, {0o711, false, true},
		{0o770, false, false}, {0o702, false, false}, {0o777, false, false},
	} {
		dir := filepath.Join(private(t), "d")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			check func(string) error
			ok    bool
		}{"private": {CheckPrivateDir, tc.private}, "unwritable": {CheckUnwritableDir, tc.unwritable}} {
			if err := os.Chmod(dir, tc.perm); err != nil {
				t.Fatal(err)
			}
			err := c.check(dir)
			if c.ok != (err == nil) {
				t.Errorf("%s, mode %o: %v", name, tc.perm, err)
			}
			if err != nil {
				refused(t, name, dir, err)
				mended(t, err, func() error { return c.check(dir) })
			}
		}
	}
	file := put(t, filepath.Join(private(t), "f"), "", 0o600)
	if err := CheckPrivateDir(file); err == nil {
		t.Error("a file passed for a folder")
	}
	if err := MkdirAll(file); err == nil {
		t.Error("MkdirAll took a file for a folder")
	}
	if err := CheckPrivateDir(file + ".missing"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing folder: %v", err)
	}
}

func TestConfigInAFolderOthersCanWrite(t *testing.T) {
	t.Parallel()
	open := filepath.Join(private(t), "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	path := put(t, filepath.Join(open, "config.yaml"), "a", 0o600)
	link := filepath.Join(private(t), "config.yaml")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadConfig(link); err != nil {
		t.Fatalf("a link to a config that is fine: %v", err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	_, err := ReadConfig(path)
	refused(t, "direct", open, err)
	_, err = ReadConfig(link)
	refused(t, "through a link", open, err)
	// Where the folder is sticky nobody else can replace the file.
	if err := os.Chmod(open, 0o777|fs.ModeSticky); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadConfig(link); err != nil {
		t.Errorf("through a link to a sticky folder: %v", err)
	}
}

func TestOthersCanRead(t *testing.T) {
	t.Parallel()
	path := put(t, filepath.Join(private(t), "f"), "x", 0o600)
	for perm, want := range map[fs.FileMode]bool{0o600: false, 0o700: false, 0o622: false, 0o640: true, 0o604: true, 0o644: true} {
		if err := os.Chmod(path, perm); err != nil {
			t.Fatal(err)
		}
		_, info, err := ReadForeign(path)
		if err != nil || OthersCanRead(info) != want {
			t.Errorf("mode %o: %v, %v", perm, !want, err)
		}
	}
}

func TestOtherOwner(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("giving a file away needs root")
	}
	path := put(t, filepath.Join(private(t), "f"), "x", 0o600)
	if err := os.Chown(path, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	_, err := ReadSecret(path)
	refused(t, "secret", path, err)
	_, err = ReadConfig(path)
	refused(t, "config", path, err)
	if data, _, err := ReadForeign(path); err != nil || string(data) != "x" {
		t.Errorf("foreign: %q, %v", data, err)
	}
}

func TestLinks(t *testing.T) {
	t.Parallel()
	dir := private(t)
	target := put(t, filepath.Join(dir, "target"), "old", 0o600)
	link := filepath.Join(dir, "link")
	if err := os.Symlink("target", link); err != nil {
		t.Fatal(err)
	}
	if data, err := ReadSecret(link); !errors.Is(err, ErrLink) || len(data) > 0 {
		t.Errorf("ReadSecret: %q, %v", data, err)
	}
	if err := WriteSecret(link, []byte("new")); !errors.Is(err, ErrLink) {
		t.Errorf("WriteSecret: %v", err)
	}
	if data, _ := os.ReadFile(target); string(data) != "old" {
		t.Errorf("the secret went through the link: %q", data)
	}
	if err := Write(link, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(target); string(data) != "new" {
		t.Errorf("Write left %q behind the link", data)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Error("Write replaced the link itself")
	}
	if data, _, err := ReadForeign(link); err != nil || string(data) != "new" {
		t.Errorf("ReadForeign: %q, %v", data, err)
	}
}

// A pipe that nobody writes to must be refused, not waited for.
func TestNotRegular(t *testing.T) {
	t.Parallel()
	dir := private(t)
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pipe, dir, "/dev/null"} {
		if _, err := ReadSecret(path); err == nil {
			t.Errorf("ReadSecret took %s", path)
		}
		if _, err := ReadConfig(path); err == nil {
			t.Errorf("ReadConfig took %s", path)
		}
		if _, _, err := ReadForeign(path); err == nil {
			t.Errorf("ReadForeign took %s", path)
		}
	}
	for _, read := range []func(string) ([]byte, error){ReadSecret, ReadConfig} {
		if _, err := read(filepath.Join(dir, "missing")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("missing: %v", err)
		}
	}
}

// A failed write leaves the old content and no temporary file.
func TestFailedWriteLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := private(t)
	taken := filepath.Join(dir, "taken")
	if err := os.MkdirAll(filepath.Join(taken, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := WriteSecret(taken, []byte("x")); err == nil {
		t.Error("a folder was replaced")
	}
	if err := Write(filepath.Join(dir, "no", "such"), []byte("x")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing folder: %v", err)
	}
	left, err := filepath.Glob(filepath.Join(dir, ".utho-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// Readers see one whole content or the other, never a part.
func TestReplaceIsWhole(t *testing.T) {
	t.Parallel()
	path := filepath.Join(private(t), "f")
	contents := [][]byte{bytes.Repeat([]byte("a"), 100_000), bytes.Repeat([]byte("b"), 50_000)}
	if err := WriteSecret(path, contents[0]); err != nil {
		t.Fatal(err)
	}
	var writers sync.WaitGroup
	for _, c := range contents {
		writers.Go(func() {
			for range 20 {
				if err := WriteSecret(path, c); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { writers.Wait(); close(done) }()
	for reading := true; reading; {
		select {
		case <-done:
			reading = false
		default:
		}
		data, err := ReadSecret(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(data, contents[0]) && !bytes.Equal(data, contents[1]) {
			t.Fatalf("a part of a file was read: %d bytes", len(data))
		}
	}
}

func TestLockExcludesAndGivesUp(t *testing.T) {
	t.Parallel()
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
	got := make(chan error, 1)
	go func() {
		second, err := Lock(t.Context(), path)
		if err == nil {
			second()
		}
		got <- err
	}()
	unlock()
	if err := <-got; err != nil {
		t.Errorf("lock after unlock: %v", err)
	}
	third, ok, err := TryLock(path)
	if !ok || err != nil {
		t.Fatalf("lock without waiting, after unlock: %v, %v", ok, err)
	}
	third()
}

func TestLockRefusesWhatIsNoFile(t *testing.T) {
	t.Parallel()
	dir := private(t)
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("elsewhere", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"folder", "link", "pipe"} {
		path := filepath.Join(dir, name)
		if _, err := Lock(t.Context(), path); err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("lock %s: %v", name, err)
		}
		if _, ok, err := TryLock(path); ok || err == nil {
			t.Errorf("lock %s without waiting: %v, %v", name, ok, err)
		}
	}
	if _, err := os.Lstat(filepath.Join(dir, "elsewhere")); err == nil {
		t.Error("the link was followed")
	}
}
