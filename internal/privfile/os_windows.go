package privfile

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

// Windows keeps access lists, not modes: files in a user's profile are private by the list that they inherit.
const (
	openNoFollow = 0
	openNonblock = 0
)

// OthersCanRead is false: modes do not say on Windows.
func OthersCanRead(fs.FileInfo) bool { return false }

func check(string, fs.FileInfo, fs.FileMode) error { return nil }
func keep(_ *os.File, _, _ fs.FileInfo) error      { return nil }

// SyncDir does nothing: Windows has no sync of a folder.
func SyncDir(string) error { return nil }

// lockNow locks a byte far behind the content, which others may go on reading.
func lockNow(f *os.File) (free bool, err error) {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err = windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, &windows.Overlapped{OffsetHigh: 1 << 30})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return false, nil
	}
	return err == nil, err
}
