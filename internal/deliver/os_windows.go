package deliver

import (
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

// Windows keeps access lists, not modes: a new file has those of its folder, and a
// replaced one too.
const (
	openNoFollow = 0
	openNonblock = 0
	hasModes     = false
	hasLinks     = false // MoveFileEx does it in one step
	renamesOpen  = false
)

func noLinks(error) bool     { return false }
func isLinkError(error) bool { return false }

func hardLinked(fs.FileInfo) bool { return false }

func stickyBlocks(fs.FileInfo, fs.FileInfo) bool { return false }

func keepOwner(*os.File, fs.FileInfo) (user, group bool, err error) { return true, true, nil }

func isMountPoint(string, fs.FileInfo, fs.FileInfo) (bool, error) { return false, nil }

// renameNoReplace renames from to to where to is free; fs.ErrExist where it is not.
func renameNoReplace(from, to string) error {
	f, err := windows.UTF16PtrFromString(from)
	if err != nil {
		return err
	}
	t, err := windows.UTF16PtrFromString(to)
	if err != nil {
		return err
	}
	return windows.MoveFileEx(f, t, windows.MOVEFILE_WRITE_THROUGH)
}
