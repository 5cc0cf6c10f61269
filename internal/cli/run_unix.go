//go:build unix

package cli

import (
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// notifyPassed takes the signals that only matter to a command that runs.
func notifyPassed(ch chan<- os.Signal) {
	for _, sig := range []os.Signal{syscall.SIGUSR1, syscall.SIGUSR2} {
		if !signal.Ignored(sig) {
			signal.Notify(ch, sig)
		}
	}
}

// fromTerminal reports whether the command got the signal itself: a terminal sends INT
// and QUIT to its whole foreground group, of which both are a part.
func fromTerminal(sig os.Signal) bool {
	if sig != syscall.SIGINT && sig != syscall.SIGQUIT {
		return false
	}
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer tty.Close() //nolint:errcheck // nothing was written
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// exitStatus is the command's status as a shell gives it: 128+n for a signal.
func exitStatus(state *os.ProcessState) int {
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return state.ExitCode()
}

// become replaces utho with the command, whose signals, job control and status are its
// own then. It returns only if that fails.
func become(cmd *exec.Cmd) error { return syscall.Exec(cmd.Path, cmd.Args, cmd.Env) } //nolint:gosec // starting it is the feature
