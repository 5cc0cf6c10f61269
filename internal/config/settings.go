package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"github.com/utho/utho-cli/internal/expiry"
)

// Settings are what flags, environment and file agree on.
type Settings struct {
	Output    string        // table, wide, json, yaml, csv, markdown or id; of the environment anything
	Color     string        // auto, always or never
	Timeout   time.Duration // of one exchange with the service; above 0
	Columns   string        // of token list, comma-separated; "" if the file names none
	ExpiresIn time.Duration // of token create; 0 if the file names none
}

// A ValueError is a setting that cannot be used, from a flag or a variable.
type ValueError struct {
	Name    string // --timeout, UTHO_TIMEOUT
	Value   string
	Allowed string // what it must be
}

func (e *ValueError) Error() string {
	return fmt.Sprintf("%s: %q must be %s", e.Name, e.Value, e.Allowed)
}

// definition is what is known of one setting.
type definition struct {
	env     string // "" if only the file has it
	builtin string
	allowed string
	check   func(string) bool
}

// keys of the settings in the file, which are the flags' names too.
func keys() []string { return []string{"output", "color", "timeout", "columns", "expires_in"} }

// define returns what is known of the setting with that key; its check is nil if nothing is.
func define(key string) definition {
	switch key {
	case "output":
		return oneOf("UTHO_OUTPUT", "table", "wide", "json", "yaml", "csv", "markdown", "id")
	case "color":
		return oneOf("UTHO_COLOR", "auto", "always", "never")
	case "timeout":
		return definition{"UTHO_TIMEOUT", "30s", "a duration above 0 with its unit, such as 30s or 2m", func(s string) bool {
			d, err := time.ParseDuration(s)
			return err == nil && d > 0
		}}
	case "columns":
		one := oneOf("", "name", "scope", "created", "action", "id", "age", "expires")
		return definition{"", "", strings.Replace(one.allowed, "one", "some", 1), func(s string) bool {
			for column := range strings.SplitSeq(s, ",") {
				if !one.check(strings.TrimSpace(column)) {
					return false
				}
			}
			return true
		}}
	case "expires_in":
		return definition{"", "", "a duration such as 36h, 30d or 12w", func(s string) bool {
			_, err := expiry.ParseDuration(s)
			return err == nil
		}}
	}
	return definition{}
}

// oneOf is a setting with a few values, the first of which is built in.
func oneOf(env string, values ...string) definition {
	return definition{env, values[0], "one of " + strings.Join(values, ", "), func(s string) bool { return slices.Contains(values, s) }}
}

// Resolve says what holds: the flags output, color and timeout over UTHO_OUTPUT, UTHO_COLOR and UTHO_TIMEOUT
// over the defaults of f (which may be nil) over what is built in. An empty variable counts as unset. Only
// the value that wins is checked: a good flag is the way out of a bad variable. *ValueError names the flag
// or the variable; the file was checked by Load. A format of the environment is not checked, since some
// commands take none from there.
func Resolve(f *File, flags *pflag.FlagSet) (Settings, error) {
	v := viper.New()
	for _, key := range keys() {
		def := define(key)
		v.SetDefault(key, def.builtin)
		if def.env == "" {
			continue
		}
		err := v.BindEnv(key, def.env)
		if flag := flags.Lookup(key); flag != nil {
			err = errors.Join(err, v.BindPFlag(key, flag))
		}
		if err != nil {
			return Settings{}, fmt.Errorf("resolve settings: %w", err)
		}
	}
	if f != nil && f.defaults != nil {
		if err := v.MergeConfigMap(f.defaults); err != nil {
			return Settings{}, fmt.Errorf("resolve settings: %w", err)
		}
	}
	for _, key := range []string{"output", "color", "timeout"} {
		def := define(key)
		name, typed := def.env, flags.Changed(key)
		if typed {
			name = "--" + key
		}
		// viper reads "30" as 30 ns and "soon" as 0, so its text is checked.
		if s := v.GetString(key); !def.check(s) && (typed || key != "output") {
			return Settings{}, &ValueError{name, s, def.allowed}
		}
	}
	expiresIn, _ := expiry.ParseDuration(v.GetString("expires_in")) // checked, or ""
	return Settings{v.GetString("output"), v.GetString("color"), v.GetDuration("timeout"), v.GetString("columns"), expiresIn}, nil
}
