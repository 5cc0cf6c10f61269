//go:build unix

package privfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"al.essio.dev/pkg/shellescape"
)

const (
	openNoFollow = syscall.O_NOFOLLOW
	openNonblock = syscall.O_NONBLOCK // a FIFO in place of a file must not hang the command
)

// OthersCanRead reports whether others than the owner can read what info is of.
func OthersCanRead(info fs.FileInfo) bool { return info.Mode().Perm()&0o044 != 0 }

// stat is what only Unix says of a file.
func stat(info fs.FileInfo) *syscall.Stat_t {
	st, _ := info.Sys().(*syscall.Stat_t) // always is one
	return st
}

// check refuses what belongs to neither this user nor root, and what has one of the forbidden mode bits.
func check(path string, info fs.FileInfo, forbidden fs.FileMode) error {
	user, owner, perm := os.Geteuid(), int(stat(info).Uid), info.Mode().Perm()
	what, fix := "can be written by others", "chmod go-w"
	switch {
	case owner != user && owner != 0 && user == 0: // a chown would lock the user out
		return fmt.Errorf("%s belongs to uid %d; run utho as that user (sudo -u '#%d' utho …), or as root with settings "+
			"of root's own: sudo -H utho …, or set UTHO_CONFIG_DIR and UTHO_STATE_DIR", path, owner, owner)
	case owner != user && owner != 0:
		return fmt.Errorf("%s belongs to uid %d; fix it with: sudo chown %d %s", path, owner, user, shellescape.Quote(path))
	case perm&forbidden == 0, forbidden == noWrite && onReadOnly(path):
		return nil
	case forbidden == noAccess && info.IsDir():
		what, fix = "is open to others", "chmod 700"
	case forbidden == noAccess:
		what, fix = "can be read by others", "chmod 600"
	}
	return fmt.Errorf("%s %s (mode %#o); fix it with: %s %s", path, what, perm, fix, shellescape.Quote(path))
}

// onReadOnly reports whether nobody can write to path whatever its mode, as in a mounted ConfigMap.
func onReadOnly(path string) bool {
	const readOnly = 1 // ST_RDONLY, MNT_RDONLY
	var mount syscall.Statfs_t
	return syscall.Statfs(path, &mount) == nil && mount.Flags&readOnly != 0
}

// SyncDir makes the names in dir durable, if its file system can do that.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close() //nolint:errcheck // read only
	if err := d.Sync(); !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}

// lockNow takes the lock of an open file if it is free.
func lockNow(f *os.File) (free bool, err error) {
	for err = syscall.EINTR; errors.Is(err, syscall.EINTR); {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

// keep gives f, of which the system says is, the owner, group and mode of the file that it is to replace.
func keep(f *os.File, was, is fs.FileInfo) (err error) {
	want, have := stat(was), stat(is)
	if want.Uid != have.Uid || want.Gid != have.Gid {
		err = f.Chown(int(want.Uid), int(want.Gid))
	}
	if err == nil {
		err = f.Chmod(was.Mode().Perm())
	}
	if err != nil {
		return fmt.Errorf("owner, group and mode of the file cannot be kept: %w", errors.Unwrap(err))
	}
	return nil
}
