// Package config keeps what utho remembers that is not secret: settings and profiles.
//
// viper decides which setting holds. The file is read and edited as a YAML tree, which keeps comments, order and
// unknown keys: viper would lower-case names, split Prod.EU at its dot, and save values that came from flags.
package config

import (
	"errors"
	"fmt"
	"path/filepath"
)

// Paths are the folders utho keeps its files in. They may not exist yet.
type Paths struct {
	Config string // config.yaml and, for the file store, the secrets
	State  string // what utho can do without: the sandbox, records of rotations
}

// File is the path of the configuration file.
func (p Paths) File() string { return filepath.Join(p.Config, "config.yaml") }

// Credentials is the folder of the file store.
func (p Paths) Credentials() string { return filepath.Join(p.Config, "credentials") }

// ErrNoHome is returned by Locate if nothing says where files go.
var ErrNoHome = errors.New("no folder for the configuration: HOME is not set; set it, or UTHO_CONFIG_DIR")

// Locate finds the folders from the environment; it touches no file. Relative XDG paths are ignored, as their
// specification asks; a relative UTHO_… path is taken from the current directory; a relative HOME that would be
// needed is an error that names it. ErrNoHome if the folder of the configuration is not known; State may be
// known all the same. If only that is not known, it is the folder state inside the other.
func Locate(getenv func(string) string, goos string) (p Paths, err error) {
	folder := func(own, xdg, home, inside string) string {
		dir := getenv(own)
		switch base := getenv(xdg); {
		case dir != "":
			abs, absErr := filepath.Abs(dir)
			err = errors.Join(err, absErr)
			return abs
		case filepath.IsAbs(base):
			return filepath.Join(base, "utho")
		}
		if dir = getenv(home); dir == "" || err != nil {
			return ""
		}
		if !filepath.IsAbs(dir) {
			err = fmt.Errorf("no folder for utho's files: %s is %q, which is not an absolute path; set it right, or %s", home, dir, own)
			return ""
		}
		return filepath.Join(dir, inside, "utho")
	}
	if goos == "windows" {
		p.Config = folder("UTHO_CONFIG_DIR", "XDG_CONFIG_HOME", "AppData", "")
		p.State = folder("UTHO_STATE_DIR", "XDG_STATE_HOME", "LocalAppData", "")
	} else {
		p.Config = folder("UTHO_CONFIG_DIR", "XDG_CONFIG_HOME", "HOME", ".config")
		p.State = folder("UTHO_STATE_DIR", "XDG_STATE_HOME", "HOME", ".local/state")
	}
	switch {
	case err == nil && p.Config == "":
		err = ErrNoHome
	case err == nil && p.State == "":
		p.State = filepath.Join(p.Config, "state")
	}
	return p, err
}
