package cli

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/utho/utho-cli/internal/expiry"
	"github.com/utho/utho-cli/pkg/utho"
)

// The values of flags are checked as they are read: nothing has begun then. What Set
// returns follows the flag's name in the error.

// enumFlag takes one of a few words, in any case.
type enumFlag struct {
	to    *string
	what  string // for the help
	words []string
}

func (f enumFlag) String() string { return *f.to }
func (f enumFlag) Type() string   { return f.what }

func (f enumFlag) Set(text string) error {
	for _, word := range f.words {
		if strings.EqualFold(word, strings.TrimSpace(text)) {
			*f.to = word
			return nil
		}
	}
	return fmt.Errorf("%s must be one of %s", quoteText(text), strings.Join(f.words, ", "))
}

// nonEmptyFlag takes any text but an empty one, which comes from a variable that is not
// set: to go on without it is not what was meant.
type nonEmptyFlag struct {
	to    *string
	what  string // for the help
	empty string // what is said then
}

func (f nonEmptyFlag) String() string { return *f.to }
func (f nonEmptyFlag) Type() string   { return f.what }

func (f nonEmptyFlag) Set(text string) error {
	if strings.TrimSpace(text) == "" {
		return errors.New(f.empty)
	}
	*f.to = text
	return nil
}

// listFlag collects the values of a flag that may be repeated.
type listFlag struct {
	to   *[]string
	what string // for the help
}

func (f listFlag) String() string { return "" }
func (f listFlag) Type() string   { return f.what }

func (f listFlag) Set(text string) error {
	if strings.TrimSpace(text) == "" {
		return errors.New("the value is empty")
	}
	*f.to = append(*f.to, text)
	return nil
}

// GetSlice is cobra.SliceValue, by which completion knows that the flag may be repeated.
func (f listFlag) GetSlice() []string { return *f.to }

// timeoutFlag takes a duration above 0, as Go writes it.
type timeoutFlag time.Duration

func (f *timeoutFlag) Type() string { return "DUR" }

func (f *timeoutFlag) String() string {
	text := time.Duration(*f).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	return text
}

func (f *timeoutFlag) Set(text string) error {
	d, err := time.ParseDuration(text)
	switch {
	case text != "" && strings.Trim(text, "0123456789") == "":
		return fmt.Errorf("%s: which unit? Write %ss for seconds", quoteText(text), text)
	case err != nil || d <= 0:
		return fmt.Errorf("%s must be a duration above 0 with its unit, such as 30s or 2m", quoteText(text))
	}
	*f = timeoutFlag(d)
	return nil
}

// durationFlag takes a length of time in m, h, d or w. Empty, as from a variable that is
// not set, is no duration: it would be for ever.
type durationFlag time.Duration

func (f *durationFlag) String() string { return "" }
func (f *durationFlag) Type() string   { return "DUR" }

func (f *durationFlag) Set(text string) error {
	d, err := expiry.ParseDuration(strings.TrimSpace(text))
	*f = durationFlag(d)
	return err
}

// scopeValue takes a scope.
type scopeValue utho.Scope

func scopeFlag(to *utho.Scope) pflag.Value { return (*scopeValue)(to) }

func (f *scopeValue) Type() string { return "SCOPE" }

func (f *scopeValue) String() string {
	if *f == 0 {
		return ""
	}
	return utho.Scope(*f).String()
}

func (f *scopeValue) Set(text string) error {
	s, err := utho.ParseScope(strings.TrimSpace(text))
	if err != nil {
		return fmt.Errorf("%s must be read-only or write", quoteText(text))
	}
	*f = scopeValue(s)
	return nil
}

// globFlag takes a pattern for names.
type globFlag string

func (f *globFlag) String() string { return string(*f) }
func (f *globFlag) Type() string   { return "GLOB" }

func (f *globFlag) Set(text string) error {
	if text == "" {
		return errors.New("the pattern is empty")
	}
	if _, err := path.Match(globPattern(text), ""); err != nil {
		return fmt.Errorf("%s is not a pattern; use * ? and [a-z]", quoteText(text))
	}
	*f = globFlag(text)
	return nil
}

// onceFlag is a flag of which a second value would replace the first, although people
// may mean both. The same value again is none: cobra reads a line twice to complete it.
type onceFlag struct {
	pflag.Value
	given *string
}

func (f *onceFlag) Set(text string) error {
	if f.given != nil && *f.given != text {
		return errors.New("given twice with different values")
	}
	f.given = &text
	return f.Value.Set(text)
}

// exactArg takes one argument. What was typed is not repeated in the error, since it
// may be a secret in the wrong place.
func exactArg(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 {
			return nil
		}
		example, _, _ := strings.Cut(strings.TrimSpace(cmd.Example), "\n")
		hint := "for example: " + example
		if len(args) == 0 {
			return helped(cmd, usagef("%s needs %s", cmd.CommandPath(), what), hint)
		}
		if strings.Contains(cmd.Use, "NAME") && repeatable(args...) {
			hint = "if it is one name with spaces, quote it: " + cmd.CommandPath() + " " + quote(strings.Join(args, " "))
		}
		return helped(cmd, usagef("%s takes %s and no more", cmd.CommandPath(), what), hint)
	}
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return helped(cmd, usagef("%s takes no arguments", cmd.CommandPath()), argumentHint(cmd, args[0]))
}
