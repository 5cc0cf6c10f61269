package cli

import (
	"errors"
	"os"
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
	if err := w.SetWriteDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Skip(err) // a pipe of Windows
	}
	if _, err := w.Write(make([]byte, 1<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("the pipe takes all: ", err)
	}
	if err := w.SetWriteDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	o := &stdoutDestination{p: &program{out: &answer{f: w}}, secret: true, limit: time.Millisecond}
	err = o.Deliver(t.Context(), deliver.Token{Secret: "secret"})
	if err == nil || err.Error() != "nobody has read it for 1ms" || exitOf(err).status != exitError {
		t.Errorf("Deliver: %v", err)
	}
	if err := o.Undo(t.Context()); err != nil {
		t.Errorf("Undo: %v", err)
	}
}
