//go:build aix || linux || solaris

package cli

import "golang.org/x/sys/unix"

const getTermios, setTermios = unix.TCGETS, unix.TCSETS

// noKey is what a terminal takes for no key at all.
const noKey = 0
