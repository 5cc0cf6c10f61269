// Package deliver takes a new secret to where it was asked to go. The service shows a secret once, so every destination
// is prepared before the token is created: what can be checked is checked, by trying it if it can be tried. The secret
// goes first to what can be undone (file:, env:, profile:, k8s:), then to commands (exec:), then to stdout, and last to
// the profile that the rotated token belongs to. If one fails, the others can be undone.
//
// No error, no temporary file's name and no command line ever carries the secret.
package deliver

import (
	"context"
	"errors"
	"io"
	"time"
)

// A Token is what is delivered.
type Token struct {
	ID         string // empty if it is not known
	PreviousID string // of the token that it replaces; empty if it replaces none
	Name       string
	Secret     string
	Expires    time.Time // zero if it never does
}

// A Destination is one place that a secret can go to.
type Destination interface {
	// Place is the same from every folder: file:/abs, env:/abs#NAME, profile:NAME, k8s:SERVER/NAMESPACE/NAME/UID#KEY,
	// exec:PROGRAM or stdout; "" if it gets no secret. It is valid after Prepare.
	Place() string
	// Prepare checks all that can be checked before there is a secret, and leaves nothing behind. It is called once.
	Prepare(ctx context.Context) error
	// Deliver takes the secret there. If it fails, Undo is still called.
	Deliver(ctx context.Context, t Token) error
	// Undo brings back what was there before Deliver; nil if the place is known to be as it was. ErrKept, ErrDoubtful,
	// ErrChanged, or any other error if what the place holds is not known.
	Undo(ctx context.Context) error
	// Holds returns the secret there if its SHA-256 is sum, and "" if it is another or none. ErrUnreadable.
	Holds(ctx context.Context, sum [32]byte) (secret string, err error)
}

// What Undo and Holds return.
var (
	// ErrKept: a command that ended well, in time or not, or by a signal, or a stream.
	ErrKept = errors.New("has the secret for good")
	// ErrDoubtful: a command that failed by itself.
	ErrDoubtful = errors.New("may have stored the secret before it failed")
	// ErrChanged: somebody else changed the place meanwhile.
	ErrChanged    = errors.New("was changed meanwhile and is left as it is")
	ErrUnreadable = errors.New("cannot be read back")
)

// Env is what destinations need of the process they run in.
type Env struct {
	Home    string       // what ~/ stands for; empty if there is no home folder
	Own     []string     // files and folders of utho itself, which are no destinations
	Environ []string     // of the programs that are started, NAME=value; credentials are taken out
	Stderr  io.Writer    // gets the stderr of exec: commands; nil discards it
	Warn    func(string) // gets, without a newline, what is doubtful but no error
	Rotate  bool         // file: replaces a file that exists, keeping its owner, group and mode
}

const (
	undoTime    = 10 * time.Second // for one destination
	lockTime    = 10 * time.Second // for the edit of another process, which takes milliseconds
	commandTime = 60 * time.Second // for an exec: command
)
