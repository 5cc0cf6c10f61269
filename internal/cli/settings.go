package cli

import (
	"errors"
	"runtime"
	"strings"

	"github.com/utho/utho-cli/internal/config"
)

// paths are the folders of the configuration and the state.
func (a *app) paths() (config.Paths, error) { return config.Locate(a.getenv, runtime.GOOS) }

// state is the folder of what utho can do without: the sandbox, records of
// rotations, locks.
func (a *app) state() (string, error) {
	paths, err := a.paths()
	switch {
	case paths.State != "":
		return paths.State, nil
	case errors.Is(err, config.ErrNoHome):
		return "", errors.New("there is no folder for utho's own files: HOME is not set; set it, or UTHO_STATE_DIR")
	}
	return "", err
}

// config is the configuration, read once, and only by commands that need it.
func (a *app) config() (*config.File, error) {
	if a.file != nil {
		return a.file, nil
	}
	paths, err := a.paths()
	if err != nil {
		// A container without HOME has no configuration; the environment can
		// still give everything. What needs the folder says so.
		a.file = &config.File{}
		return a.file, nil //nolint:nilerr // see above
	}
	file, err := config.Load(paths.File())
	if err != nil {
		return nil, err
	}
	a.file = file
	return file, nil
}

// loadSettings resolves output, colour and timeout from flags, environment,
// configuration and defaults.
func (a *app) loadSettings() (*config.Settings, error) {
	if a.settings != nil {
		return a.settings, nil
	}
	file, err := a.config()
	if err != nil {
		return nil, err
	}
	st, err := config.Resolve(file, a.flagValue)
	if err != nil {
		if errors.As(err, new(*config.ValueError)) {
			return nil, usagef("%w", err)
		}
		return nil, err
	}
	a.settings = &st
	if st.Output.Source == config.SourceFile && st.Output.Value == string(formatJSON) {
		a.jsonErrors = true
	}
	return a.settings, nil
}

// flagValue gives the settings what was typed.
func (a *app) flagValue(name string) (value string, given bool) {
	switch name {
	case "output":
		value = a.flags.output
	case "color":
		value = a.flags.color
	case "timeout":
		value = a.flags.timeout.String()
	}
	return value, a.flags.changed(name)
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v = strings.TrimSpace(v); v != "" {
			return v
		}
	}
	return ""
}
