//go:build unix

package auth

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// ownGroup lets the end of the context end all that cmd started, where no
// terminal belongs to the session. With one, a group of its own would be in the
// background there: reading from the terminal would stop it.
func ownGroup(cmd *exec.Cmd) {
	if tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0); err == nil {
		_ = tty.Close()
		return
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error {
		err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		if errors.Is(err, syscall.ESRCH) {
			return os.ErrProcessDone
		}
		return err
	}
}
