package deliver

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/utho/utho-cli/internal/child"
)

// command is exec:COMMAND: a program that gets the secret, without a newline, on its stdin. Its stdout is discarded,
// its stderr passes, and it has to end with status 0 in time; whether it reads its stdin is its own affair.
type command struct {
	env   Env
	argv  []string
	limit time.Duration
	undo  error // what Undo has to say
}

func (d *command) Place() string { return "exec:" + d.argv[0] }

func (d *command) Prepare(context.Context) error {
	_, err := child.LookPath(d.argv[0])
	if err != nil && strings.HasPrefix(d.argv[0], "~") {
		return fmt.Errorf("%w; nothing is expanded in a command: write the whole path", err)
	}
	return err
}

func (d *command) Deliver(ctx context.Context, t Token) error {
	ctx, cancel := context.WithTimeoutCause(ctx, d.limit, fmt.Errorf("it did not end within %s", d.limit))
	defer cancel()
	c := child.Command{
		Argv: d.argv, Env: child.WithoutCredentials(d.env.Environ), Stdin: strings.NewReader(t.Secret), Stderr: d.env.Stderr,
		Foreground: child.Terminal(), // it may ask for a passphrase
	}
	err := c.Run(ctx)
	var exit *exec.ExitError
	switch {
	case err == nil:
		d.undo = ErrKept
		return nil
	case errors.As(err, new(*child.StartError)):
		return err
	case errors.As(err, &exit) && exit.Exited():
		d.undo = ErrDoubtful
	default:
		d.undo = ErrKept
	}
	if exit == nil {
		return fmt.Errorf("the command was ended: %w", err)
	}
	return fmt.Errorf("the command failed: %w", err)
}

// Undo cannot undo what a command did with the secret.
func (d *command) Undo(context.Context) error { return d.undo }

func (d *command) Holds(context.Context, [32]byte) (string, error) { return "", ErrUnreadable }
