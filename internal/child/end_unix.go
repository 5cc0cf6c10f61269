//go:build unix

package child

import (
	"os"
	"os/exec"
	"syscall"
	"time"
)

func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// end ends cmd, and its group if it has one, and returns when it is gone.
func end(cmd *exec.Cmd, group bool, done <-chan error) {
	send := func(sig syscall.Signal) bool {
		if group {
			return syscall.Kill(-cmd.Process.Pid, sig) == nil
		}
		return cmd.Process.Signal(sig) == nil // false once it has been waited for
	}
	send(syscall.SIGTERM)
	until := time.Now().Add(grace)
	late := time.AfterFunc(grace, func() { send(syscall.SIGKILL) })
	_ = <-done
	late.Stop()
	for send(0) { // what it started goes on; where nobody reaps, zombies do too
		if time.Now().After(until) {
			send(syscall.SIGKILL)
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Terminal reports whether this session has a terminal, on which a program in the Foreground can ask.
func Terminal() bool {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR|syscall.O_NOCTTY, 0)
	return err == nil && tty.Close() == nil
}
