//go:build unix

package privfile

import (
	"io/fs"
	"os"
	"strconv"
	"syscall"

	"al.essio.dev/pkg/shellescape"
)

const (
	openNoFollow  = syscall.O_NOFOLLOW
	openNonblock  = syscall.O_NONBLOCK // a FIFO in place of a file must not hang the command
	chmodOptional = false
)

// OthersCanRead tells whether others than the owner can read what info is of.
func OthersCanRead(info fs.FileInfo) bool { return info.Mode().Perm()&0o044 != 0 }

// checkPrivate refuses what others may read or write.
func checkPrivate(path string, info fs.FileInfo) error {
	if err := checkOwner(path, info); err != nil {
		return err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return &ModeError{path, "can be read by others (mode " + octal(info) + ")", "chmod 600 " + shellescape.Quote(path)}
	}
	return nil
}

// checkPrivateDir refuses a folder that others may enter, list or write.
func checkPrivateDir(path string, info fs.FileInfo) error {
	if err := checkOwner(path, info); err != nil {
		return err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return &ModeError{path, "is open to others (mode " + octal(info) + ")", "chmod 700 " + shellescape.Quote(path)}
	}
	return nil
}

// checkUnwritable refuses what others may write.
func checkUnwritable(path string, info fs.FileInfo) error {
	if err := checkOwner(path, info); err != nil {
		return err
	}
	if info.Mode().Perm()&0o022 != 0 {
		return &ModeError{path, "can be written by others (mode " + octal(info) + ")", "chmod go-w " + shellescape.Quote(path)}
	}
	return nil
}

// checkOwner refuses what belongs to neither this user nor root.
func checkOwner(path string, info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if uid := os.Geteuid(); ok && int(st.Uid) != uid && st.Uid != 0 {
		mend := "chown " + strconv.Itoa(uid) + " " + shellescape.Quote(path)
		if uid != 0 {
			mend = "sudo " + mend // which containers, where one is root, often lack
		}
		return &ModeError{path, "belongs to another user", mend}
	}
	return nil
}

// SyncDir makes a rename in dir durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close() //nolint:errcheck // read only
	// Some file systems cannot sync a folder; the rename stands all the same.
	_ = d.Sync()
	return nil
}

func octal(info fs.FileInfo) string {
	return "0" + strconv.FormatUint(uint64(info.Mode().Perm()), 8)
}
