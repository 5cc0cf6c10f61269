package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/utho/utho-cli/internal/privfile"
)

// maxFile bounds the configuration, in bytes; real ones have some hundred.
const maxFile = 1 << 20

// A SyntaxError says where a configuration file is wrong and what is allowed
// there. It quotes names, and no other values: a secret may have been pasted into one.
type SyntaxError struct {
	Path         string
	Line, Column int // from 1; 0 where the place is not known
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

// A Profile is one account of one service as utho remembers it, without its
// secret. Empty fields are not in the file.
type Profile struct {
	Name     string // as the file spells it; unique ignoring case
	APIURL   string // the service's base URL
	Store    string // StoreKeyring, StoreFile, or "" for the default
	TimeZone string // of the service's time stamps; see Location
	// CredentialCommand is the program that prints the secret, and its
	// arguments; then Store is empty.
	CredentialCommand []string
	// TokenID is the id of the token the profile is known to use, because utho
	// made it. Not a secret.
	TokenID string
}

// Location is the zone that TimeZone names, or nil where it is empty.
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
	root     *yaml.Node // the top mapping; nil for an empty file
	current  string
	profiles []Profile
	defaults map[string]scalar
	hidden   error // why it could not even be looked for
}

// scalar is a value of the file and where it stands.
type scalar struct {
	value        string
	line, column int
}

// Load reads and checks the file at path. A missing file is an empty one, and so
// is one in a folder that cannot be entered: Reachable tells. A file that others
// can write is a *privfile.ModeError, one that does not say what it should a
// *SyntaxError. Unknown keys are ignored.
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

// seen tells whether anything can be seen at path, readable or not.
func seen(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrPermission)
}

// Reachable is nil where the file was read or is missing, and says why where its
// folder cannot be entered, as with HOME=/dev/null or the home of somebody else.
// What needs no profile works there as without a configuration.
func (f *File) Reachable() error { return f.hidden }

// Path is where the file was read from.
func (f *File) Path() string { return f.path }

// Current is the name of the current profile, or "" where the file names none.
// A profile of that name need not exist.
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

// parse makes a File of text.
func parse(path string, text []byte) (*File, error) {
	root, err := parseTree(path, text)
	if err != nil {
		return nil, err
	}
	f := &File{path: path, text: text, root: root}
	return f, f.check()
}

// parseTree returns the top mapping of text, or nil where there is none. What
// keys and values mean is not looked at.
func parseTree(path string, text []byte) (*yaml.Node, error) {
	if err := checkText(path, text); err != nil {
		return nil, err
	}
	loader, err := yaml.NewLoader(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("read configuration %s: %w", path, err)
	}
	var doc, second yaml.Node
	switch err := loader.Load(&doc); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, yamlError(path, err)
	}
	switch err := loader.Load(&second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		return nil, yamlError(path, err)
	default:
		return nil, errorAt(path, &second, "a second document begins; only one is allowed")
	}
	if len(doc.Content) == 0 || isNull(doc.Content[0]) {
		return nil, nil
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, errorAt(path, root, "must be a mapping of keys such as current_profile, defaults and profiles")
	}
	return root, duplicates(path, root)
}

// checkText refuses what is no text, with the place, which the YAML library
// does not tell for these.
func checkText(path string, text []byte) error {
	if len(text) > maxFile {
		return &SyntaxError{Path: path, Message: fmt.Sprintf("is larger than %d bytes", maxFile)}
	}
	line, column := 1, 1
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			return &SyntaxError{path, line, column, "is not UTF-8 text"}
		case r == '\n':
			line, column = line+1, 0
		case r < ' ' && r != '\t' && r != '\r', r == 0x7f:
			return &SyntaxError{path, line, column, "holds a control character"}
		}
		column++
		i += size
	}
	return nil
}

// yamlError is what the YAML library says, with its place.
func yamlError(path string, err error) error {
	e := &SyntaxError{Path: path, Message: "is not valid YAML"}
	var load *yaml.LoadError
	if errors.As(err, &load) {
		e.Line, e.Column = load.Mark.Line, load.Mark.Column
		e.Message += ": " + load.Message
	}
	return e
}

func errorAt(path string, n *yaml.Node, format string, args ...any) error {
	return &SyntaxError{path, n.Line, n.Column, fmt.Sprintf(format, args...)}
}
