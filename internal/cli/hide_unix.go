//go:build unix

package cli

import "golang.org/x/sys/unix"

// hide has a terminal not show what is typed, line by line, until the returned
// function is called, which also drops what was typed and not read. Meanwhile
// Ctrl-C is the only key that sends a signal: one that ends or stops the program
// at once would leave the terminal like that, or have the shell show what is typed
// after it.
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
	if err := unix.IoctlSetTermios(fd, setTermios, &hidden); err != nil {
		return nil, err
	}
	return func() { _ = unix.IoctlSetTermios(fd, setTermiosDrop, was) }, nil
}
