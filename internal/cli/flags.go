package cli

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/expiry"
	"github.com/utho/utho-cli/internal/listing"
	"github.com/utho/utho-cli/internal/output"
	"github.com/utho/utho-cli/internal/problem"
	"github.com/utho/utho-cli/pkg/utho"
)

// flagValue is a flag that is checked as it is read. What set returns follows the flag's name in the error.
type flagValue struct {
	what    string        // for the help
	current func() string // nil if there is no default to show
	set     func(text string) error
}

func (f flagValue) Type() string          { return f.what }
func (f flagValue) Set(text string) error { return f.set(text) }

func (f flagValue) String() string {
	if f.current == nil {
		return ""
	}
	return f.current()
}

func enumFlag(to *string, what string, words []string) flagValue {
	return flagValue{what, func() string { return *to }, func(text string) error {
		for _, word := range words {
			if strings.EqualFold(word, strings.TrimSpace(text)) {
				*to = word
				return nil
			}
		}
		return fmt.Errorf("%s must be one of %s", output.Name(text), strings.Join(words, ", "))
	}}
}

// nonEmptyFlag takes any text but an empty one, as of a variable that is not set. empty is what is said then.
func nonEmptyFlag(to *string, what, empty string) flagValue {
	return flagValue{what, func() string { return *to }, func(text string) error {
		if strings.TrimSpace(text) == "" {
			return errors.New(empty)
		}
		*to = text
		return nil
	}}
}

type listValue struct {
	flagValue
	to *[]string
}

// GetSlice is cobra.SliceValue, by which completion knows that the flag may be repeated.
func (f listValue) GetSlice() []string { return *f.to }

func listFlag(to *[]string, what string) listValue {
	return listValue{flagValue{what, nil, func(text string) error {
		if strings.TrimSpace(text) == "" {
			return errors.New("the value is empty")
		}
		*to = append(*to, text)
		return nil
	}}, to}
}

// timeoutFlag takes a duration above 0, as Go writes it.
func timeoutFlag(to *time.Duration) flagValue {
	return flagValue{"DUR", func() string { return strings.Replace(to.String(), "m0s", "m", 1) }, func(text string) error {
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 {
			return fmt.Errorf("%s must be a duration above 0 with its unit, such as 30s or 2m", output.Name(text))
		}
		*to = d
		return nil
	}}
}

// durationFlag takes a length of time in m, h, d or w. Empty is none: it would be for ever.
func durationFlag(to *time.Duration) flagValue {
	return flagValue{"DUR", nil, func(text string) (err error) {
		*to, err = expiry.ParseDuration(strings.TrimSpace(text))
		return err
	}}
}

func scopeFlag(to *utho.Scope) flagValue {
	current := func() string {
		if *to == 0 {
			return ""
		}
		return to.String()
	}
	return flagValue{"SCOPE", current, func(text string) (err error) {
		if *to, err = utho.ParseScope(strings.TrimSpace(text)); err != nil {
			return fmt.Errorf("%s must be read-only or write", output.Name(text))
		}
		return nil
	}}
}

func globFlag(to *string) flagValue {
	return flagValue{"GLOB", nil, func(text string) error {
		if text == "" || listing.CheckPattern(text) != nil {
			return fmt.Errorf("%s is not a pattern; use * ? and [a-z]", output.Name(text))
		}
		*to = text
		return nil
	}}
}

// once is a flag that takes one value. The same one again is allowed: cobra reads a line twice to complete it.
func once(f flagValue) flagValue {
	set, given := f.set, (*string)(nil)
	f.set = func(text string) error {
		if given != nil && *given != text {
			return errors.New("given twice with different values")
		}
		given = &text
		return set(text)
	}
	return f
}

// exactArg takes one argument. The error does not repeat what was typed if it may be a secret in the wrong place.
func exactArg(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		example, _, _ := strings.Cut(strings.TrimSpace(cmd.Example), "\n")
		hint := "for example: " + example
		switch {
		case len(args) == 1:
			return nil
		case len(args) == 0:
			return helped(cmd, problem.Usagef("%s needs %s", cmd.CommandPath(), what), hint)
		case strings.Contains(cmd.Use, "NAME") && repeatable(args...):
			hint = "if it is one name with spaces, quote it: " + cmd.CommandPath() + " " + output.Quote(strings.Join(args, " "))
		}
		return helped(cmd, problem.Usagef("%s takes %s and no more", cmd.CommandPath(), what), hint)
	}
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return helped(cmd, problem.Usagef("%s takes no arguments", cmd.CommandPath()), argumentHint(cmd, args[0]))
}
