package privfile

import "golang.org/x/sys/unix"

// mounted reports whether something is mounted on the file itself, which device numbers cannot say: a bind mount may
// have the same.
func mounted(path string) bool {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, 0, &st)
	return err == nil && st.Attributes&st.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT != 0
}
