//go:build unix

package terminal

import (
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// fatalSignals would end the program with a dump of its goroutines. passedSignals matter only to a command that runs.
var (
	fatalSignals  = []os.Signal{syscall.SIGQUIT, syscall.SIGABRT, syscall.SIGTRAP, syscall.SIGSYS, syscall.SIGXCPU}
	passedSignals = []os.Signal{syscall.SIGUSR1, syscall.SIGUSR2}
)

func signalName(sig os.Signal) string {
	s, _ := sig.(syscall.Signal)
	return strings.TrimPrefix(unix.SignalName(s), "SIG")
}

// ignorePipe has a write to a broken stdout or stderr, or beyond a limit on file sizes, be an error and not the end
// in the middle of a protocol. Not signal.Ignore: a child inherits what is ignored.
func ignorePipe() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE, syscall.SIGXFSZ) }

// fromTerminal reports whether the command got the signal itself: a terminal sends INT and QUIT to both.
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

// Become replaces utho with the command, and returns only if that fails.
func (*Signals) Become(cmd *exec.Cmd) (int, error) {
	return 0, syscall.Exec(cmd.Path, cmd.Args, cmd.Env)
}

// IsNull reports whether f is /dev/null, which Go also opens in the place of a descriptor that the parent closed.
func IsNull(f *os.File) bool {
	var a, b syscall.Stat_t
	if syscall.Fstat(int(f.Fd()), &a) != nil || syscall.Stat(os.DevNull, &b) != nil {
		return false
	}
	return a.Mode&syscall.S_IFMT == syscall.S_IFCHR && a.Rdev == b.Rdev
}

// hide has a terminal not show what is typed, line by line, until restore is called, which also drops what was
// typed and not read. Ctrl-C is the only key that sends a signal then. A program that was stopped and continues
// finds the modes of its shell: they are set again. x/term cannot do that: its ReadPassword hides once, and drops
// nothing.
func hide(fd int) (restore func(), err error) {
	was, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return nil, err
	}
	hidden := *was
	hidden.Lflag &^= unix.ECHO
	hidden.Lflag |= unix.ICANON | unix.ISIG
	hidden.Iflag |= unix.ICRNL
	hidden.Cc[unix.VQUIT], hidden.Cc[unix.VSUSP] = noKey, noKey
	continued, quit := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(continued, syscall.SIGCONT)
	if err := unix.IoctlSetTermios(fd, setTermios, &hidden); err != nil {
		signal.Stop(continued)
		return nil, err
	}
	go func() {
		for {
			select {
			case <-continued:
				_ = unix.IoctlSetTermios(fd, setTermios, &hidden)
			case <-quit:
				return
			}
		}
	}()
	return func() {
		signal.Stop(continued)
		close(quit)
		_ = unix.IoctlSetTermios(fd, setTermiosDrop, was)
	}, nil
}
