package deliver

import (
	"bufio"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// renameNoReplace renames from to to where to is free; fs.ErrExist where it is not.
func renameNoReplace(from, to string) error {
	return unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
}

// isMountPoint tells whether something is mounted on the file at path itself, as
// containers do with single files: it cannot be renamed over. The device numbers of file
// and folder do not tell: a bind mount within one file system has the same, and files of
// an overlay may have others.
func isMountPoint(path string, _, _ fs.FileInfo) (bool, error) {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, 0, &st)
	if err == nil && st.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT != 0 {
		return st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0, nil
	}
	// Before Linux 5.8, and where a sandbox hides statx.
	return inMountInfo("/proc/self/mountinfo", realPath(path))
}

// inMountInfo tells whether path is one of the mount points in a file like
// /proc/self/mountinfo, fifth field. No such file counts as no.
func inMountInfo(list, path string) (bool, error) {
	f, err := os.Open(list)
	if err != nil {
		return false, nil // without /proc the rename itself will tell
	}
	defer f.Close() //nolint:errcheck // read only
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) > 4 && unescape.Replace(fields[4]) == path {
			return true, nil
		}
	}
	return false, lines.Err()
}
