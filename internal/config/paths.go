// Package config keeps what utho remembers that is not secret: settings and
// profiles.
//
// Settings are resolved by a viper instance that is only ever fed and read.
// The file itself is read and edited by this package with a YAML library that
// keeps comments, order and unknown keys: viper would lower-case names, split
// Prod.EU at its dot, and save values that came from flags.
package config

import (
	"errors"
	"fmt"
	"path/filepath"
)

// DefaultProfile is the name of the first profile that login makes.
const DefaultProfile = "default"

// Paths are the folders utho keeps its files in. They may not exist yet.
type Paths struct {
	Config string // config.yaml and, for the file store, the secrets
	State  string // what utho can do without: the sandbox, records of rotations
}

// ErrNoHome is returned by Locate where nothing says where files go.
var ErrNoHome = errors.New("no folder for the configuration: HOME is not set; set it, or UTHO_CONFIG_DIR")

// Locate finds the folders from the environment: UTHO_CONFIG_DIR, else
// XDG_CONFIG_HOME/utho, else ~/.config/utho, and UTHO_STATE_DIR, else
// XDG_STATE_HOME/utho, else ~/.local/state/utho. On Windows the last of each is
// %AppData%\utho and %LocalAppData%\utho. Relative XDG paths are ignored, as
// their specification asks; a relative UTHO_… path is taken from the current
// directory. It touches no file.
//
// ErrNoHome where the folder of the configuration cannot be told; State may be
// all the same. Where only the state's cannot, it is the folder state inside the
// other.
func Locate(getenv func(string) string, goos string) (Paths, error) {
	home, fallback := getenv("HOME"), [2]string{".config", ".local/state"}
	bases := [2]string{}
	if goos == "windows" {
		bases = [2]string{getenv("AppData"), getenv("LocalAppData")}
	} else if filepath.IsAbs(home) {
		bases = [2]string{filepath.Join(home, fallback[0]), filepath.Join(home, fallback[1])}
	}
	config, err := folder(getenv, "UTHO_CONFIG_DIR", "XDG_CONFIG_HOME", bases[0])
	if err != nil {
		return Paths{}, err
	}
	state, err := folder(getenv, "UTHO_STATE_DIR", "XDG_STATE_HOME", bases[1])
	if err != nil {
		return Paths{}, err
	}
	if config == "" {
		return Paths{State: state}, ErrNoHome
	}
	if state == "" {
		state = filepath.Join(config, "state")
	}
	return Paths{Config: config, State: state}, nil
}

// folder is the first of the three that says something, or "".
func folder(getenv func(string) string, own, xdg, base string) (string, error) {
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
	if base == "" {
		return "", nil
	}
	return filepath.Join(base, "utho"), nil
}

// File is the path of the configuration file.
func (p Paths) File() string { return filepath.Join(p.Config, "config.yaml") }

// Credentials is the folder of the file store.
func (p Paths) Credentials() string { return filepath.Join(p.Config, "credentials") }

// lock is the file that Update locks. It stays empty.
func (p Paths) lock() string { return filepath.Join(p.Config, ".lock") }

// secretsLock is the file that Hold locks. It stays empty.
func (p Paths) secretsLock() string { return filepath.Join(p.Config, ".secrets.lock") }
