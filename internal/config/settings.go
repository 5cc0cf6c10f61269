package config

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/viper"
)

// A Source says where a setting came from.
type Source uint8

// From the weakest to the strongest.
const (
	SourceDefault     Source = iota // built in
	SourceFile                      // defaults of the configuration file
	SourceEnvironment               // UTHO_OUTPUT, UTHO_COLOR, UTHO_TIMEOUT
	SourceFlag                      // the command line
)

func (s Source) String() string {
	switch s {
	case SourceFile:
		return "file"
	case SourceEnvironment:
		return "environment"
	case SourceFlag:
		return "flag"
	default:
		return "default"
	}
}

// A Setting is a value and where it came from.
type Setting[T any] struct {
	Value  T
	Source Source
}

// Settings are what flags, environment and file agree on.
type Settings struct {
	Output  Setting[string]        // table, wide, json, yaml, csv, markdown or id; of the environment anything
	Color   Setting[string]        // auto, always or never
	Timeout Setting[time.Duration] // of one exchange with the service; above 0
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
	env, builtin, allowed string
	check                 func(string) error
}

// keys of the settings in the file, which are the flags' names too.
func keys() [3]string { return [3]string{"output", "color", "timeout"} }

// define returns what is known of the setting with that key.
func define(key string) (definition, bool) {
	switch key {
	case "output":
		return definition{"UTHO_OUTPUT", "table", "one of table, wide, json, yaml, csv, markdown, id", checkOutput}, true
	case "color":
		return definition{"UTHO_COLOR", "auto", "one of auto, always, never", checkColor}, true
	case "timeout":
		return definition{"UTHO_TIMEOUT", "30s", "a duration above 0 with its unit, such as 30s or 2m", checkTimeout}, true
	}
	return definition{}, false
}

var errNotAllowed = errors.New("not allowed")

func checkOutput(s string) error {
	return oneOf(s, "table", "wide", "json", "yaml", "csv", "markdown", "id")
}

func checkColor(s string) error { return oneOf(s, "auto", "always", "never") }

func checkTimeout(s string) error {
	if d, err := time.ParseDuration(s); err != nil || d <= 0 {
		return errNotAllowed
	}
	return nil
}

func oneOf(s string, allowed ...string) error {
	if !slices.Contains(allowed, s) {
		return errNotAllowed
	}
	return nil
}

// Resolve says what holds: flags over the environment over the defaults of f
// (which may be nil) over what is built in. flag returns a flag's value and
// whether it was given. An empty variable counts as unset. Only the value that
// wins is checked: a good flag is the way out of a bad variable. *ValueError
// names the flag or the variable; the file was checked by Load.
func Resolve(f *File, flag func(name string) (value string, given bool)) (Settings, error) {
	// viper's own readers are not used: its GetDuration takes "30" for 30 ns
	// and "soon" for 0, and its file search is what costs.
	v := viper.New()
	for _, key := range keys() {
		def, _ := define(key)
		v.SetDefault(key, def.builtin)
		if err := errors.Join(v.BindEnv(key, def.env), v.BindFlagValue(key, viperFlag{key, flag})); err != nil {
			return Settings{}, fmt.Errorf("resolve settings: %w", err)
		}
	}
	if f != nil && len(f.defaults) > 0 {
		tree := make(map[string]any, len(f.defaults))
		for key, s := range f.defaults {
			tree[key] = s.value
		}
		if err := v.MergeConfigMap(tree); err != nil {
			return Settings{}, fmt.Errorf("resolve settings: %w", err)
		}
	}
	var out Settings
	var err error
	get := func(key string) Setting[string] {
		s := Setting[string]{Value: v.GetString(key)}
		def, _ := define(key)
		name := ""
		switch _, given := flag(key); {
		case given:
			s.Source, name = SourceFlag, "--"+key
		case os.Getenv(def.env) != "":
			s.Source, name = SourceEnvironment, def.env
		case v.InConfig(key):
			s.Source = SourceFile
		}
		// Some commands take no format from the environment: those that do check it.
		if def.check(s.Value) != nil && err == nil && (key != "output" || s.Source != SourceEnvironment) {
			err = &ValueError{name, s.Value, def.allowed}
		}
		return s
	}
	out.Output = get("output")
	out.Color = get("color")
	timeout := get("timeout")
	if err != nil {
		return Settings{}, err
	}
	out.Timeout.Source = timeout.Source
	out.Timeout.Value, err = time.ParseDuration(timeout.Value)
	return out, err
}

// viperFlag shows a flag to viper.
type viperFlag struct {
	name string
	flag func(string) (string, bool)
}

func (f viperFlag) HasChanged() bool    { _, given := f.flag(f.name); return given }
func (f viperFlag) Name() string        { return f.name }
func (f viperFlag) ValueString() string { v, _ := f.flag(f.name); return v }
func (f viperFlag) ValueType() string   { return "string" }
