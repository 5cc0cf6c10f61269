package deliver

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func init() {
	children["umask"] = childUmask
	children["denied"] = childDenied
	children["shared"] = childShared
	children["limit"] = childLimit
	children["disk"] = childDisk
	children["mounts"] = childMounts
	children["plain"] = childPlain
	children["nolinks"] = childNoLinks
}

// run runs a child; what it says on stderr is the test's failure. A child that says
// "skip: …" on stdout skips the test.
func run(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if why, ok := strings.CutPrefix(out.String(), "skip: "); ok {
		t.Skip(strings.TrimSpace(why))
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
}

// openDir makes a folder that other users can reach, which t.TempDir's are not.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "deliver-") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = os.Chmod(filepath.Join(dir, "closed"), 0o700)
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "locks"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "locks"), 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

// becomeNobody gives up the rights of root, whom permissions do not bind.
func becomeNobody() error {
	if os.Geteuid() != 0 {
		return nil
	}
	const nobody = 65534
	return errors.Join(syscall.Setgroups([]int{nobody}), syscall.Setgid(nobody), syscall.Setuid(nobody))
}

// sameAfter runs step and tells whether it left the tree as it was.
func sameAfter(dir string, step func() error) error {
	before, err := tree(dir)
	if err != nil {
		return err
	}
	if err := step(); err != nil {
		return err
	}
	after, err := tree(dir)
	if err == nil && skipDirs(after) != skipDirs(before) {
		err = tell("the tree changed from\n%s\nto\n%s", before, after)
	}
	return err
}

// try makes, prepares and delivers.
func try(env Env, text string) (Destination, error) {
	d, err := openSpec(env, text)
	if err != nil {
		return nil, err
	}
	if err := d.Prepare(isolated()); err != nil {
		return d, err
	}
	return d, d.Deliver(isolated(), testSecret)
}

// 0600 whatever the umask, for new files and lock files; the mode as it was for others.
func TestUmask(t *testing.T) {
	t.Parallel()
	for _, mask := range []string{"0", "777"} {
		run(t, child(t, "umask", mask, openDir(t)))
	}
}

func childUmask(args []string) error {
	if err := becomeNobody(); err != nil {
		return err
	}
	mask, err := strconv.ParseInt(args[0], 8, 0)
	if err != nil {
		return err
	}
	syscall.Umask(0o022)
	dir, err := os.MkdirTemp("", "deliver-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a test's folder
	if err := os.WriteFile(dir+"/old", []byte("A=1\n"), 0o644); err != nil {
		return err
	}
	syscall.Umask(int(mask))
	env := Env{LockDir: dir + "/state/locks"}
	want := map[string]fs.FileMode{"token": 0o600, "new": 0o600, "old": 0o644}
	for _, text := range []string{"file:" + dir + "/token", "env:" + dir + "/new", "env:" + dir + "/new#B", "env:" + dir + "/old"} {
		d, err := try(env, text)
		if err != nil {
			return err
		}
		if strings.HasSuffix(text, "#B") {
			if err := d.Undo(isolated()); err != nil {
				return err
			}
		}
	}
	for name, mode := range want {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode() != mode {
			return tell("umask %s: %s is %v, %v; want %v", args[0], name, info.Mode(), err, mode)
		}
	}
	return nil
}

// A folder that cannot be written, and files that cannot be read or written, are found out
// by Prepare, or by Deliver where they became so since.
func TestDenied(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	closed := filepath.Join(dir, "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(closed, ".env"), "A=1\n", 0o644)
	write(t, filepath.Join(closed, "mute"), "A=1\n", 0o200)
	if err := os.Chmod(closed, 0o555); err != nil {
		t.Fatal(err)
	}
	before := mustTree(t, closed)
	run(t, child(t, "denied", dir, closed))
	unchanged(t, closed, before)
}

func childDenied(args []string) error {
	if err := becomeNobody(); err != nil {
		return err
	}
	env := Env{LockDir: args[0] + "/locks"}
	for _, name := range []string{"file:%s/token", "env:%s/new", "env:%s/.env", "env:%s/mute"} {
		d, err := openSpec(env, fmt.Sprintf(name, args[1]))
		if err != nil {
			return err
		}
		if err := failsWith(d.Prepare(isolated()), "permission denied"); err != nil {
			return tell("prepare %s: %w", name, err)
		}
		if err := failsWith(d.Deliver(isolated(), testSecret), "permission denied"); err != nil {
			return tell("deliver %s: %w", name, err)
		}
		if err := d.Undo(isolated()); err != nil {
			return tell("undo %s: %w", name, err)
		}
	}
	// A folder that can be written but not read takes secrets.
	drop, err := os.MkdirTemp("", "deliver-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(drop) //nolint:errcheck // a test's folder
	if err := os.Chmod(drop, 0o300); err != nil {
		return err
	}
	_, err = try(env, "file:"+drop+"/token")
	_ = os.Chmod(drop, 0o700)
	return err
}

// Owner, group and mode of a file stay where root edits it.
func TestOwnerKept(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can give files to others")
	}
	env, warned := testEnv(t)
	dir := t.TempDir()
	path := filepath.Join(dir, ".env")
	write(t, path, "A=1\n", 0o640)
	if err := os.Chown(path, 1234, 2345); err != nil {
		t.Fatal(err)
	}
	before := mustTree(t, dir)
	owned := func() {
		t.Helper()
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if st := info.Sys().(*syscall.Stat_t); st.Uid != 1234 || st.Gid != 2345 || info.Mode() != 0o640 {
			t.Errorf("the file belongs to %d:%d, %v", st.Uid, st.Gid, info.Mode())
		}
	}
	d := prepared(t, env, "env:"+path)
	deliver(t, d)
	owned()
	if err := d.Undo(t.Context()); err != nil {
		t.Fatal(err)
	}
	owned()
	unchanged(t, dir, before)
	if len(warned.said) != 1 || !strings.Contains(warned.said[0], "mode 0640") {
		t.Errorf("warned %q", warned.said)
	}
}

// Where owner and group cannot be kept, that is said, and no other group gets to read.
func TestSharedFolder(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs files of two users")
	}
	dir := openDir(t)
	for name, mode := range map[string]fs.FileMode{"shared": 0o777, "sticky": 0o777 | fs.ModeSticky} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name, ".env"), "A=1\n", 0o666)
	}
	run(t, child(t, "shared", dir))
}

func childShared(args []string) error {
	if err := becomeNobody(); err != nil {
		return err
	}
	var w warnings
	env := Env{LockDir: args[0] + "/locks", Warn: w.add}
	_, err := try(env, "env:"+args[0]+"/sticky/.env")
	if err := failsWith(err, "belongs to another user"); err != nil {
		return err
	}
	path := args[0] + "/shared/.env"
	if _, err := try(env, "env:"+path); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Mode() != 0o606 {
		return tell("the mode is %v", info.Mode())
	}
	if err := failsWith(errors.New(w.String()), "owner could not be kept", "closed to its group"); err != nil {
		return err
	}
	return nil
}

// A file that nobody may change is not replaced either, by root neither.
func TestImmutable(t *testing.T) {
	t.Parallel()
	env, _ := testEnv(t)
	dir := t.TempDir()
	path := filepath.Join(dir, ".env")
	write(t, path, "A=1\n", 0o600)
	if out, err := exec.Command("chattr", "+i", path).CombinedOutput(); err != nil {
		t.Skipf("chattr: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("chattr", "-i", path).CombinedOutput(); err != nil {
			t.Errorf("chattr: %v: %s", err, out)
		}
	})
	before := mustTree(t, dir)
	d := open(t, env, "env:"+path)
	fails(t, d.Prepare(t.Context()), "operation not permitted")
	fails(t, d.Deliver(t.Context(), testSecret), "operation not permitted")
	if err := d.Undo(t.Context()); err != nil {
		t.Error(err)
	}
	unchanged(t, dir, before)
}

// Pipes, sockets and devices are refused, and none of them makes anybody wait.
func TestSpecialFiles(t *testing.T) {
	t.Parallel()
	env, _ := testEnv(t)
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	sock := filepath.Join(dir, "sock")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: sock}); err != nil {
		t.Skip(err) // a path too long for a socket
	}
	// Never the machine's own device where this process could replace it: what is tested
	// here must not do harm on the day it is broken.
	device := "/dev/full"
	if os.Geteuid() == 0 {
		device = filepath.Join(dir, "full")
		if err := unix.Mknod(device, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 7))); err != nil {
			t.Skip(err)
		}
	}
	before := mustTree(t, dir)
	for path, says := range map[string]string{fifo: "is a named pipe", sock: "is a socket", device: "is a device"} {
		for _, kind := range []string{"file:", "env:"} {
			d := open(t, env, kind+path)
			fails(t, d.Prepare(t.Context()), says)
			err := d.Deliver(t.Context(), testSecret)
			fails(t, err)
			if err := d.Undo(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
	unchanged(t, dir, before)
}

func TestInMountInfo(t *testing.T) {
	t.Parallel()
	list := filepath.Join(t.TempDir(), "mountinfo")
	write(t, list, `36 35 98:0 /mnt1 / rw,noatime master:1 - ext3 /dev/root rw
37 36 0:5 /a\040b /app/my\040file\134\011\012 rw - tmpfs tmpfs rw
38 36 0:5
39 36 0:6 /app/.env /srv/.env rw - ext4 /dev/x rw
`, 0o600)
	for path, want := range map[string]bool{"/": true, "/app/my file\\\t\n": true, "/srv/.env": true, "/app/.env": false, "/mnt1": false, "": false} {
		if got, err := inMountInfo(list, path); err != nil || got != want {
			t.Errorf("%q: %t, %v", path, got, err)
		}
	}
	if got, err := inMountInfo(list+".no", "/"); got || err != nil {
		t.Errorf("without a list: %t, %v", got, err)
	}
}

// Where there are no links, a new file still replaces nothing. strace plays that file system.
func TestNoLinks(t *testing.T) {
	t.Parallel()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("no strace here")
	}
	for _, c := range []struct{ inject, says string }{
		{"linkat:error=EPERM", ""},
		{"linkat:error=EOPNOTSUPP", ""},
		{"linkat,renameat2:error=EPERM", "without replacing another"},
	} {
		dir := t.TempDir()
		inner := child(t, "nolinks", dir, c.says)
		cmd := exec.Command(strace, append([]string{"-f", "-o", os.DevNull, "-e", "inject=" + c.inject, inner.Path}, inner.Args[1:]...)...)
		cmd.Env = inner.Env
		run(t, cmd)
	}
}

func childNoLinks(args []string) error {
	dir, says := args[0]+"/d", args[1]
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	env := Env{LockDir: args[0] + "/locks"}
	for _, text := range []string{"file:" + dir + "/token", "env:" + dir + "/.env"} {
		if says != "" {
			err := sameAfter(dir, func() error {
				_, err := try(env, text)
				return failsWith(err, says)
			})
			if err != nil {
				return err
			}
			continue
		}
		err := sameAfter(dir, func() error {
			d, err := try(env, text)
			if err != nil {
				return err
			}
			return d.Undo(isolated())
		})
		if err != nil {
			return err
		}
		d, err := openSpec(env, "file:"+dir+"/late")
		if err != nil {
			return err
		}
		if err := d.Prepare(isolated()); err != nil {
			return err
		}
		if err := os.Symlink("nowhere", dir+"/late"); err != nil {
			return err
		}
		if err := d.Deliver(isolated(), testSecret); !errors.Is(err, fs.ErrExist) {
			return tell("a dangling link was replaced: %w", err)
		}
		if err := os.Remove(dir + "/late"); err != nil {
			return err
		}
	}
	return nil
}
