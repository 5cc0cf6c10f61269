//go:build unix

package cli

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

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
