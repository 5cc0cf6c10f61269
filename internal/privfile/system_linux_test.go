package privfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const childVar = "PRIVFILE_TEST_CHILD"

func TestMain(m *testing.M) {
	children := map[string]func(dir string) error{
		"works": childWorks, "fails": childFails, "user": childUser, "mounts": childMounts,
	}
	if child := children[os.Getenv(childVar)]; child != nil {
		if err := child(os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// run runs this test binary as one of the children, behind the words of another program.
func run(t *testing.T, child, dir string, attr *syscall.SysProcAttr, before ...string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	argv := append(before, exe, dir)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), childVar+"="+child)
	cmd.SysProcAttr = attr
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", child, err, out)
	}
}

func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("UTHO_TEST_TOOLS") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// strace plays the file systems that fail: network ones interrupt flock, and dying disks fail
// the sync of a folder; some have no sync of folders and no locks.
func TestInjectedErrors(t *testing.T) {
	t.Parallel()
	strace, err := exec.LookPath("strace")
	if err != nil {
		missing(t, "no strace here")
	}
	for _, c := range [][2]string{
		{"works", "flock:error=EINTR:when=1..2"}, {"works", "fsync:error=EINVAL"}, {"works", "flock:error=EOPNOTSUPP"},
		{"fails", "fsync:error=EIO"},
	} {
		dir := private(t)
		argv := []string{strace, "-f", "-o", os.DevNull, "-e", "inject=" + c[1]}
		if strings.HasPrefix(c[1], "fsync") { // of the folder only
			argv = append(argv, "-P", dir)
		}
		run(t, c[0], dir, nil, argv...)
	}
}

func childWorks(dir string) error {
	if _, ok, err := TryLock(dir + "/lock"); !ok && !errors.Is(err, syscall.EOPNOTSUPP) {
		return fmt.Errorf("not locked: %w", err)
	}
	return Replace(dir+"/file", []byte("x"))
}

func childFails(dir string) error {
	err := Create(dir+"/file", []byte("x"))
	if _, statErr := os.Lstat(dir + "/file"); !errors.Is(err, syscall.EIO) || !errors.Is(statErr, fs.ErrNotExist) {
		return fmt.Errorf("create: want EIO and no file: %w, %w", err, statErr)
	}
	if err := Replace(dir+"/file", []byte("x")); !errors.Is(err, syscall.EIO) {
		return fmt.Errorf("replace: want EIO, not %w", err)
	}
	return nil
}

// What root is told in a user's HOME neither locks the user out nor fails.
func TestRootInAUsersHome(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	home, err := os.MkdirTemp("", "privfile-") //nolint:usetesting // other users cannot reach t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	_ = os.Chmod(home, 0o755)
	file := put(t, home+"/config.yaml", "x", 0o600)
	if err := errors.Join(os.Chown(home, 65534, 65534), os.Chown(file, 65534, 65534)); err != nil {
		t.Fatal(err)
	}
	_, secret := ReadSecret(file)
	_, config := ReadConfig(file)
	folder, created := CheckPrivateDir(home), MkdirAll(home+"/a/b")
	for path, err := range map[string]error{"secret": secret, "config": config, "folder": folder, "new": created} {
		if err == nil || strings.Contains(err.Error(), "chown") || !strings.Contains(err.Error(), "belongs to uid 65534; run utho as that user") {
			t.Errorf("%s: %v", path, err)
		}
	}
	if entries, err := os.ReadDir(home); err != nil || len(entries) != 1 {
		t.Errorf("root left %v in a user's folder, %v", entries, err)
	}
	if data, _, err := ReadForeign(file); err != nil || string(data) != "x" {
		t.Errorf("foreign: %q, %v", data, err)
	}
	// As that user everything works, but for what belongs to root and is closed.
	put(t, home+"/kept", "old", 0o640)
	put(t, home+"/shared", "old", 0o666)
	run(t, "user", home, nil)
	content(t, home+"/kept", "old", 0o640)
	// Root itself keeps owner, group and mode.
	if err := errors.Join(CheckReplace(file, Keep), os.Chmod(file, 0o440), Replace(file, []byte("y"), Keep)); err != nil {
		t.Fatal(err)
	}
	content(t, file, "y", 0o440)
	if info, _ := os.Stat(file); info.Sys().(*syscall.Stat_t).Uid != 65534 || info.Sys().(*syscall.Stat_t).Gid != 65534 {
		t.Errorf("the owner was not kept: %+v", info.Sys())
	}
}

func childUser(home string) error {
	if err := errors.Join(syscall.Setgroups(nil), syscall.Setgid(65534), syscall.Setuid(65534)); err != nil {
		return err
	}
	_, err := ReadSecret(home + "/config.yaml")
	file := home + "/a/b/mute" // its owner may replace it whatever its mode
	err = errors.Join(err, MkdirAll(home+"/a/b"), CheckPrivateDir(home+"/a/b"), os.WriteFile(file, nil, 0o400),
		CheckReplace(file, Keep), Replace(file, []byte("x"), Keep))
	f, lockErr := OpenLocked(context.Background(), file, false)
	if err = errors.Join(err, lockErr, f.Close()); err != nil {
		return err
	}
	for _, path := range []string{home + "/kept", home + "/shared", home + "/no/such", "/proc/x"} {
		if CheckReplace(path, Keep) == nil {
			return fmt.Errorf("%s passed", path)
		}
	}
	if err := Replace(home+"/kept", nil, Keep); err == nil || !strings.Contains(err.Error(), "cannot be kept") {
		return fmt.Errorf("owner not kept: %w", err)
	}
	return nil
}

func TestImmutable(t *testing.T) {
	t.Parallel()
	path := put(t, filepath.Join(private(t), "f"), "x", 0o600)
	for _, flag := range []string{"i", "a"} {
		if out, err := exec.Command("chattr", "+"+flag, path).CombinedOutput(); err != nil {
			missing(t, "chattr: %v: %s", err, out)
		}
		err := CheckReplace(path)
		if out, err := exec.Command("chattr", "-"+flag, path).CombinedOutput(); err != nil {
			t.Errorf("chattr: %v: %s", err, out)
		}
		if err == nil || !strings.Contains(err.Error(), "immutable or append-only") {
			t.Errorf("chattr +%s: %v", flag, err)
		}
	}
	noTemp(t, filepath.Dir(path))
}

func TestMounts(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	probe := exec.Command("true")
	probe.SysProcAttr = attr
	if err := probe.Run(); err != nil {
		missing(t, "no mounts of its own here: %v", err)
	}
	run(t, "mounts", private(t), attr)
}

func childMounts(dir string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	for _, name := range []string{"/single file", "/plain"} {
		if err := os.WriteFile(dir+name, []byte("old"), 0o600); err != nil {
			return err
		}
	}
	if err := unix.Mount(dir+"/plain", dir+"/single file", "", unix.MS_BIND, ""); err != nil {
		return err
	}
	if err := CheckReplace(dir + "/plain"); err != nil {
		return err
	}
	if err := CheckReplace(dir + "/single file"); err == nil || !strings.Contains(err.Error(), "mounted alone") {
		return fmt.Errorf("a single file that is mounted: %w", err)
	}
	// A small disk: full, then as Kubernetes mounts ConfigMaps, read-only and open.
	disk := dir + "/disk"
	if err := errors.Join(os.Mkdir(disk, 0o700), unix.Mount("tmpfs", disk, "tmpfs", 0, "size=64k,mode=0777")); err != nil {
		return err
	}
	if err := errors.Join(os.WriteFile(disk+"/config", []byte("x"), 0o600), os.Chmod(disk+"/config", 0o666)); err != nil {
		return err
	}
	full := os.WriteFile(disk+"/fill", bytes.Repeat([]byte("x"), 1<<17), 0o600)
	replaced, created := Replace(disk+"/config", []byte("new")), Create(disk+"/n", []byte("new"))
	for _, err := range []error{full, CheckReplace(disk + "/config"), replaced, created} {
		if !errors.Is(err, syscall.ENOSPC) {
			return fmt.Errorf("on a full disk: %w", err)
		}
	}
	if err := unix.Mount("", disk, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		return err
	}
	if entries, err := os.ReadDir(disk); err != nil || len(entries) != 2 {
		return fmt.Errorf("left on a full disk: %v, %w", entries, err)
	}
	if _, err := ReadConfig(disk + "/config"); err != nil {
		return fmt.Errorf("a configuration that nobody can change: %w", err)
	}
	if err := CheckReplace(disk + "/config"); !errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("on a read-only mount: %w", err)
	}
	return nil
}
