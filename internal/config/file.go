package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/utho/utho-cli/internal/privfile"
)

// maxFile bounds the configuration, in bytes; real ones have some hundred.
const maxFile = 1 << 20

// A SyntaxError says where a configuration file is wrong and what is allowed there. It quotes names, and no
// other values: a secret may have been pasted into one.
type SyntaxError struct {
	Path         string
	Line, Column int // from 1; 0 if the place is not known
	Message      string
}

func (e *SyntaxError) Error() string {
	if e.Line == 0 {
		return e.Path + ": " + e.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.Path, e.Line, e.Column, e.Message)
}

// The places a secret can be kept in by utho itself.
const (
	StoreKeyring = "keyring"
	StoreFile    = "file"
)

// A Profile is one account of one service as utho remembers it, without its secret. Empty fields are not in
// the file.
type Profile struct {
	Name     string // as the file spells it; unique ignoring case
	APIURL   string // the service's base URL
	Store    string // StoreKeyring, StoreFile, or "" for the default
	TimeZone string // of the service's time stamps; see Location
	// CredentialCommand is the program that prints the secret, and its arguments; then Store is empty.
	CredentialCommand []string
	// OtherSecrets are places besides the profile's own that may hold a secret of it, in the words of package
	// profiles: a login writes them down while it changes places, so that what a killed one leaves is found.
	OtherSecrets []string
}

// Location is the zone that TimeZone names, or nil if it is empty.
func (p Profile) Location() (*time.Location, error) {
	if p.TimeZone == "" {
		return nil, nil
	}
	return parseZone(p.TimeZone)
}

// A File is a configuration file as it was read. The zero value is an empty one.
type File struct {
	path     string
	text     []byte
	exists   bool
	current  string
	profiles []Profile
	defaults map[string]any // for viper; every value is a checked string
	warnings []string
	hidden   error // why it could not even be looked for
}

// Load reads and checks the file at path. A missing file is an empty one, and so is one in a folder that
// cannot be entered: see Reachable. A file that others can write is a *privfile.ModeError, one that does not
// say what it should a *SyntaxError. Unknown keys are Warnings.
func Load(path string) (*File, error) {
	text, err := privfile.ReadConfig(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &File{path: path}, nil
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, fs.ErrPermission) && !seen(path):
		return &File{path: path, hidden: fmt.Errorf("read configuration: %w", err)}, nil
	case err != nil:
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return parse(path, text)
}

// parse is Load for a text that was read already.
func parse(path string, text []byte) (*File, error) {
	f := &File{path: path, text: text, exists: true}
	doc, err := parseTree(path, text)
	if err != nil || doc == nil {
		return f, err
	}
	return f, f.check(doc.Content[0])
}

// seen reports whether anything can be seen at path, readable or not.
func seen(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrPermission)
}

// Reachable is nil if the file was read or is missing, and says why if its folder cannot be entered, as with
// HOME=/dev/null or the home of somebody else. What needs no profile works there as without a configuration.
func (f *File) Reachable() error { return f.hidden }

// Warnings are the keys that mean nothing to utho, one a line, with their place.
func (f *File) Warnings() []string { return slices.Clone(f.warnings) }

// Current is the name of the current profile, or "" if the file names none. A profile of that name need not
// exist.
func (f *File) Current() string { return f.current }

// Profiles returns all profiles in the order of the file.
func (f *File) Profiles() []Profile { return slices.Clone(f.profiles) }

// Profile returns the profile of that name, ignoring case.
func (f *File) Profile(name string) (Profile, bool) {
	for _, p := range f.profiles {
		if strings.EqualFold(p.Name, name) {
			return p, true
		}
	}
	return Profile{}, false
}

func errorAt(path string, n *yaml.Node, format string, args ...any) error {
	return &SyntaxError{path, n.Line, n.Column, fmt.Sprintf(format, args...)}
}
