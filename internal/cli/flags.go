package cli

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/utho/utho-cli/internal/expiry"
)

// The values of flags are checked as they are read: nothing has begun then. What
// Set returns follows the flag's name in the error.

// wordFlag takes one of a few words.
type wordFlag struct {
	to    *string
	what  string // for the help
	words []string
}

func (f wordFlag) String() string {
	if f.to == nil { // pflag asks an empty one
		return ""
	}
	return *f.to
}

func (f wordFlag) Set(text string) error {
	if !slices.Contains(f.words, text) {
		return fmt.Errorf("%s must be one of %s", quoteText(text), strings.Join(f.words, ", "))
	}
	*f.to = text
	return nil
}

func (f wordFlag) Type() string { return f.what }

// filledFlag takes any text but none: an empty one comes from a variable that is not
// set, and to go on without it is not what was meant.
type filledFlag struct {
	to    *string
	what  string // for the help
	empty string // what is said then
}

func (f filledFlag) String() string {
	if f.to == nil {
		return ""
	}
	return *f.to
}

func (f filledFlag) Set(text string) error {
	if strings.TrimSpace(text) == "" {
		return errors.New(f.empty)
	}
	*f.to = text
	return nil
}

func (f filledFlag) Type() string { return f.what }

// timeoutFlag takes a duration above 0, as Go writes it.
type timeoutFlag time.Duration

func (f *timeoutFlag) String() string { return time.Duration(*f).String() }

func (f *timeoutFlag) Set(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return fmt.Errorf("%s must be a duration above 0 with its unit, such as 30s or 2m", quoteText(text))
	}
	*f = timeoutFlag(d)
	return nil
}

func (f *timeoutFlag) Type() string { return "DUR" }

// lifetimeFlag takes a duration in m, h, d or w. Empty, as from a variable that
// is not set, is no duration: it would be for ever.
type lifetimeFlag time.Duration

func (f *lifetimeFlag) String() string { return "" }

func (f *lifetimeFlag) Set(text string) error {
	d, err := expiry.ParseDuration(text)
	*f = lifetimeFlag(d)
	return err
}

func (f *lifetimeFlag) Type() string { return "DUR" }

// globFlag takes a pattern for names.
type globFlag string

func (f *globFlag) String() string { return string(*f) }

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

func (f *globFlag) Type() string { return "GLOB" }

// onceFlag is a flag of which a second value would replace the first, where
// people may mean both. The same value again is none: cobra reads a line twice to
// complete it.
type onceFlag struct {
	pflag.Value
	given *string
}

func (f *onceFlag) Set(text string) error {
	if f.given != nil && *f.given != text {
		return errors.New("it is there twice, and only one can be in force")
	}
	f.given = &text
	return f.Value.Set(text)
}

// flagError is what a flag that cannot be read says. It never repeats a value
// of an unknown flag, or of one that takes none: it may be a secret.
func (a *app) flagError(cmd *cobra.Command, err error) error {
	called, in := cmd.CommandPath(), ""
	if cmd.HasParent() {
		in = called + ": "
	}
	var unknown *pflag.NotExistError
	var bad *pflag.InvalidValueError
	var bare *pflag.ValueRequiredError
	f := usagef("%s%w", in, err)
	switch {
	case errors.As(err, &unknown):
		name := unknown.GetSpecifiedName()
		shown := "--" + name
		if unknown.GetSpecifiedShortnames() != "" {
			shown = "-" + name
		}
		f = usagef("%s has no flag %s", called, shown)
		if h := a.habit(cmd, name); h != "" {
			return f.with("%s", h)
		}
	case errors.As(err, &bad) && bad.GetFlag().Value.Type() == "bool":
		f = usagef("%s--%s takes no value", in, bad.GetFlag().Name)
		if bad.GetFlag().Name == "with-token" {
			return f.with("pipe the token: %s < FILE", a.command("login", "--with-token"))
		}
	case errors.As(err, &bad):
		f = usagef("%s--%s: %w", in, bad.GetFlag().Name, bad.Unwrap())
	case errors.As(err, &bare):
		f = usagef("%s--%s needs a value", in, bare.GetFlag().Name)
	case errors.As(err, new(*pflag.InvalidSyntaxError)):
		f = usagef("%sthere is a flag without a name", in)
	}
	return f.with("%s --help", called)
}

// habit is what to type here in the place of a flag of other tools.
func (a *app) habit(cmd *cobra.Command, flag string) string {
	use := func(names ...string) string {
		for _, name := range names {
			if cmd.Flags().Lookup(name) != nil {
				return "use --" + name
			}
		}
		return ""
	}
	switch flag {
	case "json", "yaml":
		return "use -o " + flag
	case "format":
		return "use -o"
	case "q", "quiet":
		if cmd.HasParent() && cmd.Parent().Name() == "token" && (cmd.Name() == "list" || cmd.Name() == "get") {
			return "use -o id for ids only; notes are on stderr"
		}
		return "notes are on stderr; 2>/dev/null drops them"
	case "force", "f":
		return use("yes")
	case "read-only", "readonly":
		if use("scope") != "" {
			return "use --scope read-only"
		}
	case "write":
		if use("scope") != "" {
			return "use --scope write"
		}
	case "token", "t", "api-key", "apikey":
		return "a secret on the command line can be seen by others; set UTHO_API_KEY, or pipe it: " + a.command("login", "--with-token")
	case "expires", "ttl", "expiry", "expires-in":
		return use("expires-in", "ttl")
	case "n", "name":
		if strings.Contains(cmd.Use, "NAME") {
			return "the name is an argument: " + cmd.CommandPath() + " NAME"
		}
	case "verbose":
		return "use --debug"
	case "v":
		return "use --version or --debug"
	}
	return ""
}
