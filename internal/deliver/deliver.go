// Package deliver takes a new secret to where it was asked to go, and puts back
// what stood there when that fails.
//
// The service shows a secret once. So every destination is prepared before the
// token is made: all that can be checked is checked, by really trying where it can
// be tried. Then the secret is delivered, first to the destinations that can be
// undone (file:, env:, profile:), then to commands (exec:), then to stdout. When one
// fails, the others are put back exactly as they were, in reverse order, and the
// error says what could not be taken back. A Set does all that.
//
// The destinations file:, env: and exec: are built here. stdout and profile: belong
// to the caller, who has the stream and the profiles, and hands them in.
//
// No error, no temporary file's name and no command line ever carries the secret.
// A file that a killed process leaves behind is called .utho-*.tmp, lies beside its
// target, and can be read by its owner only.
package deliver

import (
	"context"
	"errors"
	"io"
	"time"
)

// A Destination is one place that a secret can go to.
type Destination interface {
	// String is the destination as it was typed, for messages.
	String() string
	// Prepare checks all that can be checked before there is a secret, and leaves
	// nothing behind that can be seen. It is called once.
	Prepare(ctx context.Context) error
	// Deliver takes the secret there. Where it fails, Undo is still called.
	Deliver(ctx context.Context, secret string) error
	// Undo puts back exactly what stood there before Deliver; nil where nothing was
	// delivered. ErrCannotUndo where the secret has left for good.
	Undo(ctx context.Context) error
	// Close releases what Prepare and Deliver hold. It is safe without either, and
	// after it there is no Undo.
	Close() error
}

var (
	// ErrCannotUndo is returned by the Undo of a destination that has handed the
	// secret to somebody else: a command that was started, a stream.
	ErrCannotUndo = errors.New("cannot be taken back")

	// ErrChanged is returned by Undo where somebody changed what was delivered
	// meanwhile; it is left as it is.
	ErrChanged = errors.New("was changed meanwhile and is left as it is")
)

// Env is what destinations need of the process they run in.
type Env struct {
	Home    string       // what ~/ stands for; empty where there is no home folder
	LockDir string       // where env: keeps its lock files; made, 0700, where missing
	Environ []string     // environment of exec: commands, NAME=value; UTHO_API_KEY and UTHO_TOKEN are taken out
	Stderr  io.Writer    // where the stderr of exec: commands goes; nil discards it
	Warn    func(string) // told, without a newline, what is doubtful but no error; nil discards it
}

func (e Env) warn(text string) {
	if e.Warn != nil {
		e.Warn(text)
	}
}

const (
	// lockTime bounds the wait for another process that edits the same dotenv file.
	// Such an edit takes milliseconds.
	lockTime = 10 * time.Second
	// undoTime bounds the undoing of one destination.
	undoTime = 10 * time.Second
	// commandTime bounds an exec: command.
	commandTime = 60 * time.Second
)
