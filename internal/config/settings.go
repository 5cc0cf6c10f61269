package config

import (
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"github.com/utho/utho-cli/internal/expiry"
	"github.com/utho/utho-cli/internal/problem"
)

// Settings are what flags, environment and file agree on.
type Settings struct {
	Output    string        // table, wide, json, yaml, csv, markdown or id; of the environment anything
	Color     string        // auto, always or never
	Timeout   time.Duration // of one exchange with the service; above 0
	Columns   string        // of token list, comma-separated; "" if the file names none
	ExpiresIn time.Duration // of token create; 0 if the file names none
}

// A setting has its key in the file for the name of its flag.
type setting struct {
	key, env string // env is "" if only the file has it
	builtin  string
	allowed  string
	check    func(string) bool
}

func settings() []setting {
	oneOf := func(key, env string, values ...string) setting {
		return setting{key, env, values[0], "one of " + strings.Join(values, ", "), func(s string) bool { return slices.Contains(values, s) }}
	}
	columns := oneOf("columns", "", "name", "scope", "created", "action", "id", "age", "expires")
	return []setting{
		oneOf("output", "UTHO_OUTPUT", "table", "wide", "json", "yaml", "csv", "markdown", "id"),
		oneOf("color", "UTHO_COLOR", "auto", "always", "never"),
		{"timeout", "UTHO_TIMEOUT", "30s", "a duration above 0 with its unit, such as 30s or 2m", func(s string) bool {
			d, err := time.ParseDuration(s)
			return err == nil && d > 0
		}},
		{"columns", "", "", strings.Replace(columns.allowed, "one", "some", 1), func(s string) bool {
			return !slices.ContainsFunc(strings.Split(s, ","), func(c string) bool { return !columns.check(strings.TrimSpace(c)) })
		}},
		{"expires_in", "", "", "a duration such as 36h, 30d or 12w", func(s string) bool {
			_, err := expiry.ParseDuration(s)
			return err == nil
		}},
	}
}

// Resolve says what holds: flags over variables over the defaults of f (which may be nil) over what is built in.
// An empty variable counts as unset. Only the value that wins is checked (problem.Usage): a good flag is the way
// out of a bad variable. A format of the environment is not checked, since some commands take none from there.
func Resolve(f *File, flags *pflag.FlagSet) (Settings, error) {
	v := viper.New() // its Merge and Bind… fail without names only
	if f != nil {
		_ = v.MergeConfigMap(f.defaults)
	}
	for _, s := range settings() {
		v.SetDefault(s.key, s.builtin)
		if s.env == "" {
			continue
		}
		_ = v.BindEnv(s.key, s.env)
		if flag := flags.Lookup(s.key); flag != nil {
			_ = v.BindPFlag(s.key, flag)
		}
		name, typed := s.env, flags.Changed(s.key)
		if typed {
			name = "--" + s.key
		}
		// viper reads "30" as 30 ns and "soon" as 0, so its text is checked.
		if value := v.GetString(s.key); !s.check(value) && (typed || s.key != "output") {
			return Settings{}, problem.Usagef("%s: %q must be %s", name, value, s.allowed)
		}
	}
	expiresIn, _ := expiry.ParseDuration(v.GetString("expires_in")) // checked, or ""
	return Settings{v.GetString("output"), v.GetString("color"), v.GetDuration("timeout"), v.GetString("columns"), expiresIn}, nil
}
