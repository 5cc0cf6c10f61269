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
func Locate(getenv func(string) string, goos string) (p Paths, err error) {
	home := [2][2]string{{"HOME", ".config"}, {"HOME", ".local/state"}}
	if goos == "windows" {
		home = [2][2]string{{"AppData", ""}, {"LocalAppData", ""}}
	}
	var stateErr error
	p.Config, err = folder(getenv, "UTHO_CONFIG_DIR", "XDG_CONFIG_HOME", home[0])
	p.State, stateErr = folder(getenv, "UTHO_STATE_DIR", "XDG_STATE_HOME", home[1])
	switch {
	case err == nil && stateErr != nil:
		return Paths{}, stateErr
	case err == nil && p.Config == "":
		err = ErrNoHome
	case err == nil && p.State == "":
		p.State = filepath.Join(p.Config, "state")
	}
	return p, err
}

// folder is the first that the environment names: one's own, one by XDG, or one inside a home; or "".
func folder(getenv func(string) string, own, xdg string, home [2]string) (string, error) {
	if dir := getenv(own); dir != "" {
		return filepath.Abs(dir)
	}
	if dir := getenv(xdg); filepath.IsAbs(dir) {
		return filepath.Join(dir, "utho"), nil
	}
	dir := getenv(home[0])
	switch {
	case dir == "":
		return "", nil
	case !filepath.IsAbs(dir):
		return "", fmt.Errorf("no folder for utho's files: %s is %q, which is not an absolute path; set it right, or %s", home[0], dir, own)
	}
	return filepath.Join(dir, home[1], "utho"), nil
}

// File is the path of the configuration file.
func (p Paths) File() string { return filepath.Join(p.Config, "config.yaml") }

// Credentials is the folder of the file store.
func (p Paths) Credentials() string { return filepath.Join(p.Config, "credentials") }
