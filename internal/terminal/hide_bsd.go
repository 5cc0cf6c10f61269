//go:build unix && !linux

package terminal

import "golang.org/x/sys/unix"

const getTermios, setTermios, setTermiosDrop = unix.TIOCGETA, unix.TIOCSETA, unix.TIOCSETAF

// noKey is what a terminal takes for no key at all.
const noKey = 0xff
