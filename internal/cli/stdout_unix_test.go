//go:build unix

package cli

import (
	"errors"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/utho/utho-cli/internal/deliver"
)

// A pipe that is full and that nobody reads is a failed delivery, of which nothing stays.
func TestStdoutThatNobodyReads(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close() //nolint:errcheck // nothing was read
	defer w.Close() //nolint:errcheck // nobody reads it
	pipe, err := w.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for full := false; !full; { // it does not block, and one byte more does not fit in the end
		if err := pipe.Write(func(fd uintptr) bool {
			_, err := syscall.Write(int(fd), []byte{0})
			full = errors.Is(err, syscall.EAGAIN)
			return true
		}); err != nil {
			t.Fatal(err)
		}
	}
	o := &stdoutDestination{p: &program{out: &answer{f: w, ctx: t.Context()}}, secret: true, limit: time.Millisecond}
	err = o.Deliver(t.Context(), deliver.Token{Secret: "secret"})
	if err == nil || err.Error() != "nobody has read it for 1ms" || exitOf(err).status != exitError {
		t.Errorf("Deliver: %v", err)
	}
	if err := o.Undo(t.Context()); err != nil {
		t.Errorf("Undo: %v", err)
	}
}
