package privfile

import "golang.org/x/sys/unix"

// pinned says what keeps a file from being replaced though its folder can be written; "" if nothing does. Device numbers
// cannot say that something is mounted on the file itself: a bind mount may have the same.
func pinned(path string) string {
	var st unix.Statx_t
	if unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, 0, &st) != nil {
		return ""
	}
	switch attributes := st.Attributes & st.Attributes_mask; {
	case attributes&unix.STATX_ATTR_MOUNT_ROOT != 0:
		return "is mounted alone, as containers do with single files, and cannot be replaced; mount its folder instead"
	case attributes&(unix.STATX_ATTR_IMMUTABLE|unix.STATX_ATTR_APPEND) != 0:
		return "is immutable or append-only (lsattr shows it) and cannot be replaced"
	}
	return ""
}
