package cli

import (
	"bufio"
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

// console is the conversation: stderr, and stdin if both are a terminal. Every line is redacted and made harmless.
type console struct {
	f, in   *os.File
	redact  func(string) string
	noInput bool
	color   string // auto, always or never; empty for auto
	json    bool   // errors are JSON
	silent  bool   // completion: a note in the middle of a command line helps nobody

	mu      sync.Mutex
	stuck   bool // nobody reads stderr
	warned  []string
	waits   int
	waiting *time.Timer
	shown   bool // a line that passes is on the terminal
}

func (c *console) note(format string, args ...any) { c.plain(fmt.Sprintf(format, args...)) }

// warn says something that may be wrong, once.
func (c *console) warn(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	c.mu.Lock()
	known := slices.Contains(c.warned, text)
	c.warned = append(c.warned, text)
	c.mu.Unlock()
	if !known {
		c.line("warning:", yellow, text)
	}
}

// line is a line behind a coloured word.
func (c *console) line(word, color, text string) {
	if c.colored(c.f) {
		word = color + word + plain
	}
	c.write(word + " " + output.Safe(c.redact(text)) + "\n")
}

func (c *console) plain(text string) { c.write(output.Safe(c.redact(text)) + "\n") }

// write writes to stderr, behind what passes. A broken stderr never stops a command.
func (c *console) write(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pass("")
	c.send(text)
}

// pass shows a line in the place of the last one that passes; empty is none. Like send it needs the lock.
func (c *console) pass(line string) {
	if c.shown {
		c.send("\r\x1b[K")
	}
	if c.shown = line != ""; c.shown {
		c.send(line)
	}
}

func (c *console) send(text string) {
	if c.stuck || c.silent {
		return
	}
	limited, cancel := context.WithTimeout(context.Background(), writeWithin)
	defer cancel()
	_, err := await(limited, func() (int, error) { return io.WriteString(c.f, text) })
	c.stuck = errors.Is(err, context.DeadlineExceeded)
}

// wait says on a terminal what is waited for, if that takes longer than a second, until done is called.
func (c *console) wait(what string) (done func()) {
	if c.silent || !isTerminal(c.f) {
		return func() {}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waits++; c.waits == 1 {
		c.waiting = time.AfterFunc(waitingAfter, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.waits > 0 && !c.shown {
				c.pass(what + " …")
			}
		})
	}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.waits--; c.waits == 0 {
			c.waiting.Stop()
			c.pass("")
		}
	}
}

func (c *console) endWaiting() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waits = 0
	c.pass("")
}

// count shows on a terminal how many of total are done, at each step.
func (c *console) count(total int, what string) (step func()) {
	if total < 3 || !isTerminal(c.f) {
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

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// terminal reports whether a person can be talked to: stdin and stderr both.
func (c *console) terminal() bool { return isTerminal(c.in) && isTerminal(c.f) }
func (c *console) canAsk() bool   { return !c.noInput && c.terminal() }

func (c *console) cannotAsk() string {
	if c.terminal() {
		return "--no-input forbids that"
	}
	return "there is no terminal to ask on"
}

// ask asks and returns nil for yes, an error for anything else.
func (c *console) ask(ctx context.Context, question string) error {
	c.write(output.Safe(c.redact(question)) + " [y/N]: ")
	line, err := await(ctx, func() (string, error) { return bufio.NewReader(c.in).ReadString('\n') })
	if err != nil {
		c.write("\n")
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w; nothing was changed", err)
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return nil
	}
	return codef(exitCancelled, "declined; nothing was changed")
}

// await runs a call that takes no context. If ctx ends first, it returns, and the call goes on.
func await[T any](ctx context.Context, call func() (T, error)) (T, error) {
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

func (c *console) colored(f *os.File) bool {
	color := c.color
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
	return os.Getenv("NO_COLOR") == "" && t != "" && t != "dumb" && os.PathSeparator == '/' && isTerminal(f)
}

func quote(s string) string { return output.Quote(s) }

// quoteText is a name in a sentence: in quotes, harmless.
func quoteText(s string) string {
	return `"` + output.Safe(strings.NewReplacer(`"`, `\"`, `\`, `\\`).Replace(s)) + `"`
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// firstOf is the first value that is not blank, without blanks around it.
func firstOf(values ...string) string {
	for _, v := range values {
		if v = strings.TrimSpace(v); v != "" {
			return v
		}
	}
	return ""
}
