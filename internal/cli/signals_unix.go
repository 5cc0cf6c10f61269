//go:build unix

package cli

import (
	"os"
	"os/signal"
	"slices"
	"syscall"
)

// fatalSignals would end the program with a dump of its goroutines, and with a status
// that means something else here.
var fatalSignals = []os.Signal{syscall.SIGQUIT, syscall.SIGABRT}

func isFatal(sig os.Signal) bool { return slices.Contains(fatalSignals, sig) }

// notifyPipe takes SIGPIPE, and SIGXFSZ, which a limit on file sizes sends: both end a
// Go program otherwise. Notify and not Ignore: a child inherits what is ignored.
func notifyPipe(ch chan<- os.Signal) { signal.Notify(ch, syscall.SIGPIPE, syscall.SIGXFSZ) }

// isNull reports whether f is /dev/null, which is also what the Go runtime opens in the
// place of a descriptor that the parent closed.
func isNull(f *os.File) bool {
	var a, b syscall.Stat_t
	if syscall.Fstat(int(f.Fd()), &a) != nil || syscall.Stat(os.DevNull, &b) != nil {
		return false
	}
	return a.Mode&syscall.S_IFMT == syscall.S_IFCHR && a.Rdev == b.Rdev
}
