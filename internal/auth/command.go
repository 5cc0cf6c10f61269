package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/utho/utho-cli/internal/child"
	"github.com/utho/utho-cli/internal/privfile"
)

// Command runs a credential command and returns the secret it prints, which must be all that it prints. argv is the
// program, by a name on the PATH or an absolute path, and its arguments; no shell is involved. It reads nothing from
// stdin, its stderr goes to stderr, and its environment is env without utho's own credentials. On a terminal it stays
// in the process group of utho, so that it can ask there and Ctrl-C reaches it. Errors repeat neither its output nor
// its arguments.
func Command(ctx context.Context, argv, env []string, stderr io.Writer) (string, error) {
	name := argv[0]
	if filepath.Base(name) != name && !filepath.IsAbs(name) {
		return "", fmt.Errorf("%s: a path must be absolute, since it would depend on the current directory", name)
	}
	var out boundedBuffer
	err := child.Command{
		Argv: argv, Env: child.WithoutCredentials(env), Stdout: &out, Stderr: stderr, Foreground: child.Terminal(),
	}.Run(ctx)
	var start *child.StartError
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return "", fmt.Errorf("%s: did not end in time and was stopped", name)
	case errors.As(err, &start):
		return "", fmt.Errorf("%s: cannot be run: %w", name, start.Err)
	case err != nil:
		return "", fmt.Errorf("%s: failed: %w", name, err)
	}
	secret, err := oneLine(out.taken.Bytes())
	if err != nil {
		return "", fmt.Errorf("%s: what it printed is no token: %w", name, err)
	}
	return secret, nil
}

// ReadKeyFile returns the secret in the file that UTHO_API_KEY_FILE names. Its mode and links are not judged. A
// file that is missing, unreadable, empty or of several lines is an error that names it.
func ReadKeyFile(path string) (string, error) {
	data, _, err := privfile.ReadForeign(path)
	if err != nil {
		return "", err // it names the file
	}
	secret, err := oneLine(data)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return secret, nil
}

// oneLine is the secret in what another program prints or keeps, which nobody sees: nothing may be left out.
func oneLine(data []byte) (string, error) {
	if n := bytes.Count(bytes.TrimSpace(data), []byte("\n")); n > 0 {
		return "", fmt.Errorf("there are %d lines; only the token may stand there", n+1)
	}
	return Clean(data)
}

// boundedBuffer takes 64 KiB; who prints more finds the pipe closed. The buffer is not embedded: its ReadFrom would be
// found and take everything.
type boundedBuffer struct{ taken bytes.Buffer }

func (b *boundedBuffer) Write(p []byte) (int, error) {
	if b.taken.Len()+len(p) > 64<<10 {
		return 0, io.ErrShortWrite
	}
	return b.taken.Write(p)
}
