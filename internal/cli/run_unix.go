//go:build unix

package cli

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// notifyPassed takes the signals that only matter to the command that runs, for
// good: QUIT belongs to them, and must not end utho before the token is deleted,
// however late it comes. TSTP and CONT do not: the terminal stops and wakes the
// whole group by itself.
func notifyPassed(ch chan<- os.Signal) {
	for _, sig := range []os.Signal{syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM, syscall.SIGWINCH} {
		if !signal.Ignored(sig) {
			signal.Notify(ch, sig)
		}
	}
}

// reachedByTerminal tells whether the command got the signal itself, since it
// came from the terminal of which both are the foreground group.
func reachedByTerminal(sig os.Signal) bool {
	switch sig {
	case syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP, syscall.SIGWINCH:
	default:
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
func exitStatus(p *os.ProcessState) int {
	if ws, ok := p.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return p.ExitCode()
}
