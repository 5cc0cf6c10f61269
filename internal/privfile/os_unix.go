//go:build unix

package privfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"al.essio.dev/pkg/shellescape"
)

const (
	openNoFollow = syscall.O_NOFOLLOW
	openNonblock = syscall.O_NONBLOCK // a FIFO in place of a file must not hang the command
	readOnly     = 1                  // ST_RDONLY, MNT_RDONLY
)

// OthersCanRead reports whether others than the owner can read what info is of.
func OthersCanRead(info fs.FileInfo) bool { return info.Mode().Perm()&0o044 != 0 }

// check refuses what belongs to somebody else and what has one of the forbidden mode bits.
func check(path string, info fs.FileInfo, forbidden fs.FileMode) error {
	if err := checkOwner(path, info); err != nil || info.Mode().Perm()&forbidden == 0 {
		return err
	}
	what, fix := "can be written by others", "chmod go-w "
	switch {
	case forbidden == noAccess && info.IsDir():
		what, fix = "is open to others", "chmod 700 "
	case forbidden == noAccess:
		what, fix = "can be read by others", "chmod 600 "
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && os.Geteuid() != 0 && int(st.Uid) != os.Geteuid() {
		fix = "sudo " + fix
	}
	fix = "fix it with: " + fix + shellescape.Quote(path)
	var mount syscall.Statfs_t
	if syscall.Statfs(path, &mount) == nil && mount.Flags&readOnly != 0 {
		if forbidden == noWrite {
			return nil // as ConfigMaps are: whatever the mode, nobody can write there
		}
		fix = "its file system is read-only: mount it with mode 0600 (defaultMode in Kubernetes)"
	}
	return &ModeError{path, fmt.Sprintf("%s (mode %#o)", what, info.Mode().Perm()), fix}
}

// checkOwner refuses what belongs to neither this user nor root.
func checkOwner(path string, info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	uid := os.Geteuid()
	if !ok || int(st.Uid) == uid || st.Uid == 0 {
		return nil
	}
	id := strconv.FormatUint(uint64(st.Uid), 10)
	name, account := "uid "+id, "'#"+id+"'"
	if u, err := user.LookupId(id); err == nil {
		name, account = u.Username, shellescape.Quote(u.Username)
	}
	fix := fmt.Sprintf("fix it with: sudo chown %d %s", uid, shellescape.Quote(path))
	if uid == 0 { // a chown would lock the user out
		fix = "run utho as that user (sudo -u " + account + " utho …), or as root with settings of root's own:" +
			" sudo -H utho …, or set UTHO_CONFIG_DIR and UTHO_STATE_DIR"
	}
	return &ModeError{path, "belongs to " + name, fix}
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

func rename(f *os.File, path string) error { return os.Rename(f.Name(), path) }

// keep gives f the owner, group and mode of the file that it is to replace.
func keep(f *os.File, was fs.FileInfo) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	want, ok := was.Sys().(*syscall.Stat_t)
	have, ok2 := info.Sys().(*syscall.Stat_t)
	switch {
	case ok && want.Nlink > 1:
		return errors.New("the file has other names (hard links), which would keep the old content")
	case ok && ok2 && (want.Uid != have.Uid || want.Gid != have.Gid):
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

// replaceable says what would keep an existing file from being renamed over.
func replaceable(path string, info fs.FileInfo) error {
	dir, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	d, ok2 := dir.Sys().(*syscall.Stat_t)
	uid := os.Geteuid()
	foreign := ok && ok2 && uid != 0 && int(st.Uid) != uid
	switch {
	case mounted(path):
		return fmt.Errorf("%s is mounted alone, as containers do with single files, and cannot be replaced; "+
			"mount its folder instead", path)
	case foreign && dir.Mode()&fs.ModeSticky != 0 && int(d.Uid) != uid:
		return fmt.Errorf("%s belongs to another user, in a folder where only owners replace files", path)
	}
	// A rename needs no right to write to the file, and a mode without it is no obstacle; but an immutable file can be
	// neither replaced nor opened.
	f, err := os.OpenFile(path, os.O_WRONLY|openNoFollow|openNonblock, 0)
	switch {
	case errors.Is(err, syscall.EACCES) && !foreign:
		return nil
	case errors.Is(err, syscall.EPERM):
		return fmt.Errorf("%s is immutable or append-only (lsattr shows it) and cannot be replaced: %w", path, syscall.EPERM)
	case err != nil:
		return err
	}
	return f.Close()
}
