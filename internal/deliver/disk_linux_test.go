package deliver

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A limit on the size of files is a full disk that needs no mount.
func TestSizeLimit(t *testing.T) {
	t.Parallel()
	run(t, child(t, "limit", t.TempDir()))
}

func childLimit(args []string) error {
	signal.Ignore(syscall.SIGXFSZ)
	dir, env := args[0]+"/d", Env{LockDir: args[0] + "/locks"}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(dir+"/.env", []byte("A=1\n"), 0o600); err != nil {
		return err
	}
	limit := func(n uint64) error {
		return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: n, Max: unix.RLIM_INFINITY})
	}
	for _, text := range []string{"file:" + dir + "/token", "env:" + dir + "/.env", "env:" + dir + "/new"} {
		err := sameAfter(dir, func() error {
			d, err := openSpec(env, text)
			if err != nil {
				return err
			}
			if err := limit(1024); err != nil {
				return err
			}
			if err := failsWith(d.Prepare(isolated()), "file too large"); err != nil {
				return tell("prepare %s: %w", text, err)
			}
			if err := limit(unix.RLIM_INFINITY); err != nil {
				return err
			}
			if err := d.Prepare(isolated()); err != nil {
				return err
			}
			if err := limit(20); err != nil { // in the middle of the secret
				return err
			}
			if err := failsWith(d.Deliver(isolated(), testSecret), "file too large"); err != nil {
				return tell("deliver %s: %w", text, err)
			}
			return d.Undo(isolated())
		})
		if err := errors.Join(err, limit(unix.RLIM_INFINITY)); err != nil {
			return err
		}
	}
	return nil
}

// ownMounts lets a child have mounts of its own, as root or in a namespace where it is root.
func ownMounts(cmd *exec.Cmd) *exec.Cmd {
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if uid := os.Geteuid(); uid != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	return cmd
}

// runMounting runs such a child, and skips where the machine does not allow it.
func runMounting(t *testing.T, name string, args ...string) {
	t.Helper()
	probe := ownMounts(exec.Command("/proc/self/exe"))
	probe.Env = []string{childVar + "=plain"}
	if err := probe.Run(); err != nil {
		t.Skipf("no mounts of its own here: %v", err)
	}
	run(t, ownMounts(child(t, name, args...)))
}

func childPlain([]string) error { return nil }

// mountTmpfs mounts a small file system in memory on dir.
func mountTmpfs(dir string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		fmt.Printf("skip: mounts cannot be made private: %v\n", err)
		os.Exit(0)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		fmt.Printf("skip: tmpfs cannot be mounted: %v\n", err)
		os.Exit(0)
	}
	return nil
}

// fillDisk takes all room in dir with a file outside of sub.
func fillDisk(dir string) error {
	f, err := os.OpenFile(dir+"/fill", os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it is full
	for {
		if _, err := f.Write(make([]byte, 4096)); errors.Is(err, syscall.ENOSPC) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func TestDisk(t *testing.T) {
	t.Parallel()
	runMounting(t, "disk", t.TempDir(), t.TempDir())
}

func childDisk(args []string) error {
	root, env := args[0], Env{LockDir: args[1]}
	if err := mountTmpfs(root); err != nil {
		return err
	}
	dir := root + "/d"
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(dir+"/.env", []byte("A=1\nKEY="+strings.Repeat("o", 100)+"\n"), 0o600); err != nil {
		return err
	}
	fill := func() error { return fillDisk(root) }
	free := func() error { return os.Remove(root + "/fill") }
	readOnly := func() error { return unix.Mount("", root, "", unix.MS_REMOUNT|unix.MS_RDONLY, "") }
	writable := func() error { return unix.Mount("", root, "", unix.MS_REMOUNT, "") }
	for _, c := range []struct {
		says          string
		begin, finish func() error
	}{{"no space left", fill, free}, {"read-only file system", readOnly, writable}} {
		for _, text := range []string{"file:" + dir + "/token", "env:" + dir + "/.env", "env:" + dir + "/.env#KEY", "env:" + dir + "/new"} {
			err := sameAfter(dir, func() error {
				d, err := openSpec(env, text)
				if err != nil {
					return err
				}
				if err := c.begin(); err != nil {
					return err
				}
				if err := failsWith(d.Prepare(isolated()), c.says); err != nil {
					return tell("prepare %s: %w", text, err)
				}
				if err := c.finish(); err != nil {
					return err
				}
				if err := d.Prepare(isolated()); err != nil {
					return err
				}
				if err := c.begin(); err != nil {
					return err
				}
				if err := failsWith(d.Deliver(isolated(), testSecret), c.says); err != nil {
					return tell("deliver %s: %w", text, err)
				}
				if err := d.Undo(isolated()); err != nil {
					return tell("undo %s: %w", text, err)
				}
				return c.finish()
			})
			if err != nil {
				return err
			}
		}
	}

	// The disk becomes full after the delivery: a short old value still comes back.
	if err := os.WriteFile(dir+"/.env", []byte("A=1\nKEY=short\n"), 0o600); err != nil {
		return err
	}
	old := time.Date(2021, 1, 2, 3, 4, 5, 6, time.UTC)
	if err := os.Chtimes(dir+"/.env", old, old); err != nil {
		return err
	}
	for _, text := range []string{"file:" + dir + "/token", "env:" + dir + "/.env#KEY", "env:" + dir + "/.env", "env:" + dir + "/new"} {
		err := sameAfter(dir, func() error {
			d, err := try(env, text)
			if err != nil {
				return err
			}
			if err := fill(); err != nil {
				return err
			}
			if err := d.Undo(isolated()); err != nil {
				return tell("undo %s on a full disk: %w", text, err)
			}
			return free()
		})
		if err != nil {
			return err
		}
	}

	// One that needs more room than there is does not: that is said, and nothing is half done.
	if err := os.WriteFile(dir+"/.env", []byte("KEY="+strings.Repeat("o", 9000)+"\n"), 0o600); err != nil {
		return err
	}
	d, err := try(env, "env:"+dir+"/.env#KEY")
	if err != nil {
		return err
	}
	if err := fill(); err != nil {
		return err
	}
	err = sameAfter(dir, func() error { return failsWith(d.Undo(isolated()), "no space left") })
	if err := errors.Join(err, free()); err != nil {
		return err
	}
	if err := d.Undo(isolated()); err != nil { // there is room again
		return err
	}
	content, err := os.ReadFile(dir + "/.env")
	if err == nil && string(content) != "KEY="+strings.Repeat("o", 9000)+"\n" {
		err = tell("the old value did not come back: %d bytes", len(content))
	}
	return err
}

// A single file that is mounted, as into a container, cannot be renamed over.
func TestMounts(t *testing.T) {
	t.Parallel()
	runMounting(t, "mounts", t.TempDir(), t.TempDir())
}

func childMounts(args []string) error {
	dir, env := args[0]+"/with space", Env{LockDir: args[1]}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	for _, name := range []string{"same", "other", "plain"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("A=1\n"), 0o600); err != nil {
			return err
		}
	}
	// Of the same file system, where device numbers tell nothing, and of another.
	if err := unix.Mount(dir+"/plain", dir+"/same", "", unix.MS_BIND, ""); err != nil {
		return err
	}
	other := args[0] + "/other"
	if err := os.Mkdir(other, 0o700); err != nil {
		return err
	}
	if err := mountTmpfs(other); err != nil {
		return err
	}
	if err := os.WriteFile(other+"/f", []byte("A=1\n"), 0o600); err != nil {
		return err
	}
	if err := unix.Mount(other+"/f", dir+"/other", "", unix.MS_BIND, ""); err != nil {
		return err
	}
	for name, want := range map[string]bool{"same": true, "other": true, "plain": false} {
		path := filepath.Join(dir, name)
		if got, err := inMountInfo("/proc/self/mountinfo", path); err != nil || got != want {
			return tell("mountinfo says %t, %w for %s", got, err, name)
		}
		_, err := try(env, "env:"+path)
		if want {
			err = failsWith(err, "is a mount of its own")
		}
		if err != nil {
			return tell("%s: %w", name, err)
		}
	}
	// A mounted folder is no obstacle.
	_, err := try(env, "env:"+other+"/f")
	return err
}
