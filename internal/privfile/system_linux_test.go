package privfile

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// again runs a test once more, in a process of its own, behind the words of another program. There childDir is not
// empty.
func again(t *testing.T, dir string, attr *syscall.SysProcAttr, before ...string) {
	t.Helper()
	exe, err := os.Executable()
	must(t, err)
	argv := append(before, exe, "-test.run=^"+t.Name()+"$")
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "PRIVFILE_TEST_DIR="+dir)
	cmd.SysProcAttr = attr
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%q: %v\n%s", before, err, out)
	}
}

func childDir() string { return os.Getenv("PRIVFILE_TEST_DIR") }

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
	if dir := childDir(); dir != "" {
		if _, ok, err := TryLock(dir + "/lock"); !ok && !errors.Is(err, syscall.EOPNOTSUPP) {
			t.Errorf("not locked: %v", err)
		}
		err := Create(dir+"/created", []byte("x"))
		if _, statErr := os.Lstat(dir + "/created"); errors.Is(err, syscall.EIO) != errors.Is(statErr, fs.ErrNotExist) {
			t.Errorf("created, in spite of %v", err)
		}
		if replaced := Replace(dir+"/file", []byte("x")); os.Getenv("FAILS") == "" {
			must(t, err, replaced)
		} else if !errors.Is(err, syscall.EIO) || !errors.Is(replaced, syscall.EIO) {
			t.Errorf("want EIO, not %v and %v", err, replaced)
		}
		return
	}
	strace, err := exec.LookPath("strace")
	if err != nil {
		missing(t, "no strace here")
	}
	for _, inject := range []string{"flock:error=EINTR:when=1..2", "fsync:error=EINVAL", "flock:error=EOPNOTSUPP", "fsync:error=EIO"} {
		dir := private(t)
		argv := []string{strace, "-f", "-o", os.DevNull, "-e", "inject=" + inject}
		if strings.HasPrefix(inject, "fsync") { // of the folder only
			argv = append(argv, "-P", dir)
		}
		if strings.HasSuffix(inject, "EIO") {
			argv = append(argv, "-E", "FAILS=1")
		}
		again(t, dir, nil, argv...)
	}
}

// What root is told in a user's HOME neither locks the user out nor fails.
func TestRootInAUsersHome(t *testing.T) {
	if home := childDir(); home != "" {
		asUser(t, home)
		return
	}
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	home, err := os.MkdirTemp("", "privfile-") //nolint:usetesting // other users cannot reach t.TempDir
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	file := put(t, home+"/config.yaml", "x", 0o600)
	must(t, os.Chmod(home, 0o755), os.Chown(home, 65534, 65534), os.Chown(file, 65534, 65534))
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
	put(t, home+"/kept", "old", 0o640)
	put(t, home+"/shared", "old", 0o666)
	again(t, home, nil)
	content(t, home+"/kept", "old", 0o640)
	// Root itself keeps owner, group and mode.
	must(t, CheckReplace(file, Keep), os.Chmod(file, 0o440), Replace(file, []byte("y"), Keep))
	content(t, file, "y", 0o440)
	if info, _ := os.Stat(file); stat(info).Uid != 65534 || stat(info).Gid != 65534 {
		t.Errorf("the owner was not kept: %+v", info.Sys())
	}
}

// As that user everything works, but for what belongs to root and is closed.
func asUser(t *testing.T, home string) {
	must(t, syscall.Setgroups(nil), syscall.Setgid(65534), syscall.Setuid(65534))
	_, err := ReadSecret(home + "/config.yaml")
	file := home + "/a/b/mute" // its owner may replace it whatever its mode
	must(t, err, MkdirAll(home+"/a/b"), CheckPrivateDir(home+"/a/b"), os.WriteFile(file, nil, 0o400),
		CheckReplace(file, Keep), Replace(file, []byte("x"), Keep))
	f, err := OpenLocked(t.Context(), file, false)
	must(t, err, f.Close())
	for _, path := range []string{home + "/kept", home + "/shared", home + "/no/such", "/proc/x"} {
		if CheckReplace(path, Keep) == nil {
			t.Errorf("%s passed", path)
		}
	}
	if err := Replace(home+"/kept", nil, Keep); err == nil || !strings.Contains(err.Error(), "cannot be kept") {
		t.Errorf("owner not kept: %v", err)
	}
}

func TestImmutable(t *testing.T) {
	t.Parallel()
	path := put(t, private(t)+"/f", "x", 0o600)
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
}

func TestMounts(t *testing.T) {
	if dir := childDir(); dir != "" {
		mounts(t, dir)
		return
	}
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
	again(t, private(t), attr)
}

func mounts(t *testing.T, dir string) {
	plain, single := put(t, dir+"/plain", "old", 0o600), put(t, dir+"/single file", "old", 0o600)
	must(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	must(t, unix.Mount(plain, single, "", unix.MS_BIND, ""), CheckReplace(plain))
	if err := CheckReplace(single); err == nil || !strings.Contains(err.Error(), "mounted alone") {
		t.Errorf("a single file that is mounted: %v", err)
	}
	// A small disk: full, then as Kubernetes mounts ConfigMaps, read-only and open.
	disk := dir + "/disk"
	must(t, os.Mkdir(disk, 0o700), unix.Mount("tmpfs", disk, "tmpfs", 0, "size=64k,mode=0777"))
	config := put(t, disk+"/config", "x", 0o666)
	full := os.WriteFile(disk+"/fill", bytes.Repeat([]byte("x"), 1<<17), 0o600)
	replaced, created := Replace(config, []byte("new")), Create(disk+"/n", []byte("new"))
	for _, err := range []error{full, CheckReplace(config), replaced, created} {
		if !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("on a full disk: %v", err)
		}
	}
	must(t, unix.Mount("", disk, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	if entries, err := os.ReadDir(disk); err != nil || len(entries) != 2 {
		t.Errorf("left on a full disk: %v, %v", entries, err)
	}
	_, err := ReadConfig(config)
	must(t, err) // nobody can change it
	if err := CheckReplace(config); !errors.Is(err, syscall.EROFS) {
		t.Errorf("on a read-only mount: %v", err)
	}
}
