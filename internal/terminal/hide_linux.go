package terminal

import "golang.org/x/sys/unix"

const getTermios, setTermios, setTermiosDrop = unix.TCGETS, unix.TCSETS, unix.TCSETSF

// noKey is what a terminal takes for no key at all.
const noKey = 0
