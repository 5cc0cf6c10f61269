//go:build unix

package deliver

import (
	"os"
	"os/exec"
	"syscall"
)

// group puts cmd into a process group of its own and has its end by context reach all of
// it, unless this process has a terminal.
func group(cmd *exec.Cmd) {
	if tty, err := os.OpenFile("/dev/tty", os.O_RDWR|syscall.O_NOCTTY, 0); err == nil {
		_ = tty.Close() // nothing was written
		return
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error {
		if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil {
			return cmd.Process.Kill() // knows whether it has ended
		}
		return nil
	}
}
