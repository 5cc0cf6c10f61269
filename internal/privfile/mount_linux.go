package privfile

import "golang.org/x/sys/unix"

// mounted reports whether something is mounted on the file itself. Device numbers cannot say:
// a bind mount within one file system has the same, and files of an overlay have others.
func mounted(path string) bool {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, 0, &st)
	return err == nil && st.Attributes&st.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT != 0
}
