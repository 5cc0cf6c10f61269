package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/term"

	"github.com/utho/utho-cli/internal/auth"
	"github.com/utho/utho-cli/pkg/utho"
)

// readToken gets the token from a prompt, the first line of stdin, or another tool's file.
func (p *program) readToken(ctx context.Context, s *session, r loginRequest) (secret string, err error) {
	if r.from != "" {
		secret, err = p.importToken(r.from)
		p.secrets = append(p.secrets, secret)
		return secret, err
	}
	read, prompt := p.readLine, ""
	// Stdin alone decides: what is typed there must not be shown, wherever stderr goes.
	if term.IsTerminal(int(p.in.Fd())) {
		read = func(ctx context.Context) ([]byte, error) { return p.readHidden(ctx, prompt) }
		if !r.withToken {
			if p.console.noInput {
				return "", hintf(usagef("login asks for the token, and --no-input forbids it"),
					"pipe it: %s < FILE", p.route.command("login", "--with-token"))
			}
			prompt = "Paste the token: "
			p.console.note("create a token at %s; creating and deleting tokens needs Write access", consoleURL)
			// A variable that somebody else set must not lead a new token astray unseen.
			if usual, _ := originOf(utho.DefaultBaseURL); s.origin != usual {
				p.console.note("it will be sent to %s", s.origin)
			}
		}
	}
	raw, err := read(ctx)
	if err != nil {
		return "", err
	}
	secret, notes, err := auth.Clean(raw)
	switch {
	case errors.Is(err, auth.ErrEmpty):
		return "", hintf(usagef("no token was given; nothing was saved"), "create one at %s", consoleURL)
	case err != nil:
		return "", usagef("%w; nothing was saved", err)
	}
	for _, n := range notes {
		p.console.note("%s", n)
	}
	p.secrets = append(p.secrets, secret)
	return secret, nil
}

// readLine is the first line of stdin that is not blank, which may stay open behind it.
func (p *program) readLine(ctx context.Context) ([]byte, error) {
	in := bufio.NewReader(io.LimitReader(p.in, maxInput+1))
	return await(ctx, func() (line []byte, err error) {
		for err == nil && len(bytes.TrimSpace(line)) == 0 {
			line, err = in.ReadBytes('\n')
		}
		switch {
		case len(line) > maxInput:
			return nil, usagef("stdin is too long for a token; nothing was saved")
		case err != nil && !errors.Is(err, io.EOF):
			return nil, fmt.Errorf("read the token: %w", err)
		}
		return line, nil
	})
}

// readHidden reads a line that is not shown. Whatever ends it, the terminal is as it was, and what was pasted
// behind the line is dropped: it may be the rest of a secret, which a shell would run, show and remember. The echo
// goes before the prompt comes: a script that answers the prompt is faster than a person.
func (p *program) readHidden(ctx context.Context, prompt string) ([]byte, error) {
	restore, err := hide(int(p.in.Fd()))
	if err != nil {
		return nil, fmt.Errorf("read the token: %w", err)
	}
	p.console.write(prompt)
	line, err := await(ctx, func() ([]byte, error) {
		return bufio.NewReader(io.LimitReader(p.in, maxInput+1)).ReadBytes('\n')
	})
	restore()
	p.console.write("\n") // the Enter was not shown
	switch eof := errors.Is(err, io.EOF); {
	case eof && len(line) == 0:
		return nil, codef(exitCancelled, "no token was entered; nothing was changed")
	case err != nil && !eof:
		return nil, fmt.Errorf("%w; nothing was changed", err)
	}
	return line, nil
}

// importToken takes the token that another tool keeps.
func (p *program) importToken(from string) (string, error) {
	find := auth.FindImport
	if from != "auto" {
		if rest, ok := strings.CutPrefix(from, "~/"); ok { // no shell expands it behind the equals sign
			if home, err := os.UserHomeDir(); err == nil {
				from = filepath.Join(home, rest)
			}
		}
		find = func() (auth.Import, error) { return auth.ReadImport(from) }
	}
	found, err := find()
	var not *auth.ImportError
	switch {
	case errors.As(err, &not) && not.Both:
		return "", hintf(coded(exitUsage, err), "choose one with --import=PATH")
	case errors.As(err, &not):
		return "", hintf(fmt.Errorf("import: %w", err), "name another file with --import=PATH, or leave --import out to paste the token")
	case err != nil:
		return "", err
	}
	p.console.note("found the token of %s in %s; that file still holds it", found.Tool, found.Path)
	if found.Open {
		p.console.warn("others can read %s; fix it with: chmod 600 %s", found.Path, quote(found.Path))
	}
	return found.Secret, nil
}
