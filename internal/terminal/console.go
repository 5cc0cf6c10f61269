// Package terminal is the conversation with a person: stderr, questions, input that is not shown, and signals.
package terminal

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/utho/utho-cli/internal/output"
	"github.com/utho/utho-cli/pkg/utho"
)

// maxInput bounds what is read from stdin, in bytes.
const maxInput = 64 << 10

// writeWithin bounds a write to stderr: one that nobody reads gets nothing more, and stops no protocol.
const writeWithin = 2 * time.Second

// waitingAfter is how long the service may be silent before a person is told.
const waitingAfter = time.Second

// The colours of what a line starts with.
const (
	red    = "\x1b[1;31m"
	yellow = "\x1b[1;33m"
	cyan   = "\x1b[1;36m"
	plain  = "\x1b[0m"
)

// Console is the conversation: stderr, and stdin if both are a terminal. Every line is redacted and made harmless.
type Console struct {
	Err, In *os.File
	NoInput bool   // never ask
	Color   string // auto, always or never; empty for auto
	Silent  bool   // completion: a note in the middle of a command line helps nobody

	mu      sync.Mutex
	secrets []string
	stuck   bool // nobody reads stderr
	warned  []string
	shown   bool // a line that passes is on the terminal
}

// Hide has a secret taken out of everything that is said from now on. A short one stays: it would take words out of
// sentences.
func (c *Console) Hide(secret string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(secret) >= 8 {
		c.secrets = append(c.secrets, secret)
	}
}

// Redact takes out of text the secrets of this run, and what looks like one.
func (c *Console) Redact(text string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return utho.Redact(text, c.secrets...)
}

// Note says something on a line of its own.
func (c *Console) Note(format string, args ...any) {
	c.Write(output.Safe(c.Redact(fmt.Sprintf(format, args...))) + "\n")
}

// Warn says something that may be wrong, once.
func (c *Console) Warn(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	c.mu.Lock()
	known := slices.Contains(c.warned, text)
	c.warned = append(c.warned, text)
	c.mu.Unlock()
	if !known {
		c.line("warning:", yellow, text)
	}
}

// Error says what failed.
func (c *Console) Error(text string) { c.line("utho:", red, text) }

// Hint says what the next step is.
func (c *Console) Hint(text string) { c.line("hint:", cyan, text) }

// line is a line behind a coloured word.
func (c *Console) line(word, color, text string) {
	if c.Colored(c.Err) {
		word = color + word + plain
	}
	c.Write(word + " " + output.Safe(c.Redact(text)) + "\n")
}

// Write writes to stderr, as it is, behind what passes. A broken stderr never stops a command.
func (c *Console) Write(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pass("")
	c.send(text)
}

// pass shows a line in the place of the last one that passes; empty is none. Like send it needs the lock.
func (c *Console) pass(line string) {
	if c.shown {
		c.send("\r\x1b[K")
	}
	if c.shown = line != ""; c.shown {
		c.send(line)
	}
}

func (c *Console) send(text string) {
	if c.stuck || c.Silent {
		return
	}
	limited, cancel := context.WithTimeout(context.Background(), writeWithin)
	defer cancel()
	_, err := Await(limited, func() (int, error) { return io.WriteString(c.Err, text) })
	c.stuck = errors.Is(err, context.DeadlineExceeded)
}

// Wait says on a terminal what is waited for, if that takes longer than a second, until done is called.
func (c *Console) Wait(what string) (done func()) {
	if c.Silent || !IsTerminal(c.Err) {
		return func() {}
	}
	ended := false
	timer := time.AfterFunc(waitingAfter, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if !ended && !c.shown {
			c.pass(what + " …")
		}
	})
	return func() {
		timer.Stop()
		c.mu.Lock()
		defer c.mu.Unlock()
		ended = true
		c.pass("")
	}
}

// EndCount takes away what Count shows.
func (c *Console) EndCount() { c.Write("") }

// Count shows on a terminal how many of total are done, at each step.
func (c *Console) Count(total int, what string) (step func()) {
	if total < 3 || !IsTerminal(c.Err) {
		return func() {}
	}
	n := 0
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		n++
		c.pass(fmt.Sprintf("%s %d/%d", what, n, total))
	}
}

// IsTerminal reports whether f is a terminal.
func IsTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// Terminal reports whether a person can be talked to: stdin and stderr both.
func (c *Console) Terminal() bool { return IsTerminal(c.In) && IsTerminal(c.Err) }

// CanAsk reports whether a question can be asked.
func (c *Console) CanAsk() bool { return !c.NoInput && c.Terminal() }

// CannotAsk says why a question cannot be asked.
func (c *Console) CannotAsk() string {
	if c.Terminal() {
		return "--no-input forbids that"
	}
	return "there is no terminal to ask on"
}

// Ask asks, and returns nil for yes: CancelledError, or why no answer came.
func (c *Console) Ask(ctx context.Context, question string) error {
	c.Write(output.Safe(c.Redact(question)) + " [y/N]: ")
	line, err := c.readLine(ctx)
	if len(line) == 0 {
		c.Write("\n")
	}
	if err != nil {
		return fmt.Errorf("%w; nothing was changed", err)
	}
	switch strings.ToLower(string(bytes.TrimSpace(line))) {
	case "y", "yes":
		return nil
	}
	return CancelledError("declined; nothing was changed")
}

// readLine reads a line of stdin, which may stay open behind it; nothing is its end. Blank lines count on a terminal.
func (c *Console) readLine(ctx context.Context) ([]byte, error) {
	in, typed := bufio.NewReader(io.LimitReader(c.In, maxInput)), IsTerminal(c.In)
	line, err := Await(ctx, func() (line []byte, err error) {
		for err == nil && (line == nil || !typed && len(bytes.TrimSpace(line)) == 0) {
			line, err = in.ReadBytes('\n')
		}
		return line, err
	})
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return line, err
}

// A CancelledError is a person who said no, or nothing.
type CancelledError string

func (e CancelledError) Error() string { return string(e) }

// ReadSecret reads a line of stdin. A terminal does not show it. Whatever ends it, the terminal is as it was, and what
// was pasted behind the line is dropped: it may be the rest of a secret, which a shell would run, show and remember.
// The echo goes before the prompt comes: a script that answers the prompt is faster than a person.
func (c *Console) ReadSecret(ctx context.Context, prompt string) ([]byte, error) {
	if !IsTerminal(c.In) {
		return c.readLine(ctx)
	}
	restore, err := hide(int(c.In.Fd()))
	if err != nil {
		return nil, fmt.Errorf("hide what is typed: %w", err)
	}
	c.Write(prompt)
	line, err := c.readLine(ctx)
	restore()
	c.Write("\n") // the Enter was not shown
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w; nothing was changed", err)
	case len(line) == 0:
		return nil, CancelledError("nothing was entered; nothing was changed")
	}
	return line, nil
}

// Await runs a call that takes no context. If ctx ends first, it returns, and the call goes on.
func Await[T any](ctx context.Context, call func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		v, err := call()
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}

// Colored reports whether what is written to f has colours.
func (c *Console) Colored(f *os.File) bool {
	color := c.Color
	if color == "" {
		color = os.Getenv("UTHO_COLOR") // before the settings were read
	}
	switch color {
	case "always":
		return true
	case "never":
		return false
	}
	t := os.Getenv("TERM")
	return os.Getenv("NO_COLOR") == "" && t != "" && t != "dumb" && os.PathSeparator == '/' && IsTerminal(f)
}
