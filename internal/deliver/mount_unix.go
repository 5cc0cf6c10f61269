//go:build unix && !linux

package deliver

import (
	"io/fs"
	"syscall"
)

// isMountPoint tells whether something is mounted on the file itself: then it is on
// another device than its folder.
func isMountPoint(_ string, dir, info fs.FileInfo) (bool, error) {
	d, okDir := dir.Sys().(*syscall.Stat_t)
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && okDir && d.Dev != st.Dev, nil
}
