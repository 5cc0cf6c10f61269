//go:build unix

package deliver

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

const (
	openNoFollow = syscall.O_NOFOLLOW
	openNonblock = syscall.O_NONBLOCK // a FIFO in place of a file must not hang the command
	hasModes     = true
	hasLinks     = true
	renamesOpen  = true // an open file can be renamed and removed
)

// noLinks tells whether err, of link(2), means that this place knows no links at all:
// FAT says EPERM, others ENOTSUP or ENOSYS, Android EACCES.
func noLinks(err error) bool {
	for _, no := range []syscall.Errno{syscall.EPERM, syscall.EACCES, syscall.ENOTSUP, syscall.EOPNOTSUPP, syscall.ENOSYS, syscall.EMLINK} {
		if errors.Is(err, no) {
			return true
		}
	}
	return false
}

// isLinkError tells whether an open with openNoFollow failed because of a link.
func isLinkError(err error) bool {
	return errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.EMLINK) // EMLINK is FreeBSD's
}

// hardLinked tells whether the file has other names.
func hardLinked(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Nlink > 1
}

// stickyBlocks tells whether the folder is one like /tmp, where only the owner of a file
// or of the folder may replace the file, and this process is neither.
func stickyBlocks(dir, info fs.FileInfo) bool {
	d, okDir := dir.Sys().(*syscall.Stat_t)
	st, ok := info.Sys().(*syscall.Stat_t)
	uid := os.Geteuid()
	return ok && okDir && dir.Mode()&fs.ModeSticky != 0 && uid != 0 && int(st.Uid) != uid && int(d.Uid) != uid
}

// keepOwner gives f the owner and group of like, as far as this process may. It says
// whether each of them is the same now.
func keepOwner(f *os.File, like fs.FileInfo) (user, group bool, err error) {
	want, ok := like.Sys().(*syscall.Stat_t)
	if !ok {
		return true, true, nil
	}
	// Only root may give a file away; anybody may give it to a group of his own. What
	// was refused shows below.
	_ = f.Chown(int(want.Uid), int(want.Gid))
	info, err := f.Stat()
	if err != nil {
		return false, false, err
	}
	have, ok := info.Sys().(*syscall.Stat_t)
	if ok && have.Gid != want.Gid {
		_ = f.Chown(-1, int(want.Gid))
		if info, err = f.Stat(); err != nil {
			return false, false, err
		}
		have, ok = info.Sys().(*syscall.Stat_t)
	}
	return !ok || have.Uid == want.Uid, !ok || have.Gid == want.Gid, nil
}
