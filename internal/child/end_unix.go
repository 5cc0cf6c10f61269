//go:build unix

package child

import (
	"os"
	"os/exec"
	"syscall"
	"time"
)

const grace = 5 * time.Second // from TERM to KILL

// endGently has the end of its context end cmd, and with group a process group of its own, by TERM and then KILL.
func endGently(cmd *exec.Cmd, group bool) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: group}
	send := func(sig syscall.Signal) error {
		if group {
			return syscall.Kill(-cmd.Process.Pid, sig)
		}
		return cmd.Process.Signal(sig) // fails once it has been waited for
	}
	cmd.Cancel = func() error {
		_ = send(syscall.SIGTERM)
		// What it started may go on; where nobody reaps, zombies do too.
		for until := time.Now().Add(grace); send(0) == nil; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(until) {
				return send(syscall.SIGKILL)
			}
		}
		return nil
	}
}

// Terminal reports whether this session has a terminal, on which a program in the Foreground can ask.
func Terminal() bool {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR|syscall.O_NOCTTY, 0)
	return err == nil && tty.Close() == nil
}
