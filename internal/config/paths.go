// Package config keeps what utho remembers that is not secret: settings and profiles.
//
// viper decides which setting holds. The file itself is read and edited as a YAML tree, which keeps
// comments, order and unknown keys: viper would lower-case names, split Prod.EU at its dot, and save
// values that came from flags.
package config

import (
	"errors"
	"fmt"
	"path/filepath"
)

// DefaultProfile is the name of the first profile that login creates.
const DefaultProfile = "default"

// Paths are the folders utho keeps its files in. They may not exist yet.
type Paths struct {
	Config string // config.yaml and, for the file store, the secrets
	State  string // what utho can do without: the sandbox, records of rotations
}

// ErrNoHome is returned by Locate if nothing says where files go.
var ErrNoHome = errors.New("no folder for the configuration: HOME is not set; set it, or UTHO_CONFIG_DIR")

// Locate finds the folders from the environment: UTHO_CONFIG_DIR, else XDG_CONFIG_HOME/utho, else
// ~/.config/utho, and UTHO_STATE_DIR, else XDG_STATE_HOME/utho, else ~/.local/state/utho. On Windows the
// last of each is %AppData%\utho and %LocalAppData%\utho. Relative XDG paths are ignored, as their
// specification asks; a relative UTHO_… path is taken from the current directory; a relative HOME that
// would be needed is an error that names it. It touches no file.
//
// ErrNoHome if the folder of the configuration is not known; State may be known all the same. If only the
// state's is not known, it is the folder state inside the other.
func Locate(getenv func(string) string, goos string) (Paths, error) {
	home, roaming, local := "HOME", ".config", ".local/state"
	base := func(variable, under string) (string, error) {
		dir := getenv(variable)
		switch {
		case dir == "":
			return "", nil
		case !filepath.IsAbs(dir):
			return "", fmt.Errorf("no folder for utho's files: %s is %q, which is not an absolute path; "+
				"set it right, or UTHO_CONFIG_DIR and UTHO_STATE_DIR", variable, dir)
		}
		return filepath.Join(dir, under, "utho"), nil
	}
	variables := [2]string{home, home}
	if goos == "windows" {
		variables, roaming, local = [2]string{"AppData", "LocalAppData"}, "", ""
	}
	config, err := folder(getenv, "UTHO_CONFIG_DIR", "XDG_CONFIG_HOME")
	if config == "" && err == nil {
		config, err = base(variables[0], roaming)
	}
	state, stateErr := folder(getenv, "UTHO_STATE_DIR", "XDG_STATE_HOME")
	if state == "" && stateErr == nil {
		state, stateErr = base(variables[1], local)
	}
	switch {
	case err != nil:
		return Paths{State: state}, err
	case stateErr != nil:
		return Paths{}, stateErr
	case config == "":
		return Paths{State: state}, ErrNoHome
	case state == "":
		state = filepath.Join(config, "state")
	}
	return Paths{Config: config, State: state}, nil
}

// folder is the one that the environment names itself, or "".
func folder(getenv func(string) string, own, xdg string) (string, error) {
	if dir := getenv(own); dir != "" {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return "", fmt.Errorf("%s: %w", own, err)
		}
		return abs, nil
	}
	if dir := getenv(xdg); filepath.IsAbs(dir) {
		return filepath.Join(dir, "utho"), nil
	}
	return "", nil
}

// File is the path of the configuration file.
func (p Paths) File() string { return filepath.Join(p.Config, "config.yaml") }

// Credentials is the folder of the file store.
func (p Paths) Credentials() string { return filepath.Join(p.Config, "credentials") }

// lock is the file that Hold locks. It stays empty.
func (p Paths) lock() string { return filepath.Join(p.Config, ".lock") }
