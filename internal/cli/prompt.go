package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/utho/utho-cli/internal/output"
)

// terminal tells whether a person can be talked to: stdin and stderr both.
func (a *app) terminal() bool {
	return term.IsTerminal(int(a.in.Fd())) && term.IsTerminal(int(a.errFile.Fd()))
}

// canAsk tells whether a question may be asked.
func (a *app) canAsk() bool { return !a.flags.noInput && a.terminal() }

// cannotAsk says why canAsk is false.
func (a *app) cannotAsk() string {
	if a.terminal() {
		return "--no-input forbids that"
	}
	return "there is no terminal to ask on"
}

// ask asks and returns nil for yes, an error for anything else.
func (a *app) ask(ctx context.Context, question string) error {
	_, _ = fmt.Fprint(a.errFile, output.Safe(question)+" [y/N]: ")
	line, err := await(ctx, func() (string, error) {
		return bufio.NewReader(a.in).ReadString('\n')
	})
	if err != nil && !errors.Is(err, io.EOF) {
		a.stderr("")
		return err
	}
	if errors.Is(err, io.EOF) {
		a.stderr("")
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return nil
	}
	return failf(exitCancelled, "cancelled", "declined; nothing was changed")
}

// askSecret reads a line without echo. Whatever ends it, the terminal is as it
// was, and what was typed or pasted behind the line is dropped: it may be the rest
// of a secret, which a shell would run, show and remember. The echo goes before the prompt comes: a script that answers the prompt
// is faster than a person.
func (a *app) askSecret(ctx context.Context, prompt string) ([]byte, error) {
	restore, err := hide(int(a.in.Fd()))
	if err != nil {
		return nil, fmt.Errorf("read the token: %w", err)
	}
	_, _ = fmt.Fprint(a.errFile, prompt)
	line, err := await(ctx, func() ([]byte, error) {
		return bufio.NewReader(io.LimitReader(a.in, maxInput+1)).ReadBytes('\n')
	})
	restore()
	a.stderr("") // the Enter was not echoed
	if errors.Is(err, io.EOF) {
		if len(line) == 0 {
			return nil, failf(exitCancelled, "cancelled", "no token was entered; nothing was changed")
		}
		err = nil
	}
	return line, err
}

// await runs a call that takes no context, and returns early where ctx ends.
// The call goes on in its goroutine until it returns or the process ends.
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

// progress is a bar on stderr, on a terminal only; nil shows nothing.
type progress struct{ bar *progressbar.ProgressBar }

func (a *app) progress(total int, what string) *progress {
	if total < 3 || !term.IsTerminal(int(a.errFile.Fd())) {
		return nil
	}
	return &progress{progressbar.NewOptions(total,
		progressbar.OptionSetWriter(a.errFile),
		progressbar.OptionSetDescription(what),
		progressbar.OptionShowCount(),
		progressbar.OptionSetWidth(30),
		progressbar.OptionThrottle(50*time.Millisecond),
		progressbar.OptionClearOnFinish(),
	)}
}

// step counts one more as done. A bar that cannot be drawn is no error.
func (p *progress) step() {
	if p != nil {
		_ = p.bar.Add(1)
	}
}

func (p *progress) done() {
	if p != nil {
		_ = p.bar.Finish()
	}
}
