package cli

import "os"

var fatalSignals []os.Signal

func isFatal(os.Signal) bool { return false }

func notifyPipe(chan<- os.Signal) {}

// isNull reports whether f cannot take anything: Windows hands a program whose stdout
// was closed a handle that does not answer.
func isNull(f *os.File) bool {
	_, err := f.Stat()
	return err != nil
}
