package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/utho/utho-cli/internal/privfile"
)

// The places that utho itself keeps a secret in, and the names of profiles with a meaning.
const (
	StoreKeyring   = "keyring"
	StoreFile      = "file"
	Sandbox        = "sandbox" // built in; no file can redefine it
	DefaultProfile = "default" // the first that login creates
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
	// OtherSecrets are places besides the profile's own that may hold a secret of it, as package profiles writes
	// them while it changes places: what is killed meanwhile leaves nothing that cannot be found.
	OtherSecrets []string
}

// Location is the zone that TimeZone names, or nil if it is empty.
func (p Profile) Location() (*time.Location, error) {
	if p.TimeZone == "" {
		return nil, nil
	}
	return parseZone(p.TimeZone)
}

// ValidName refuses what cannot name a profile in the file: anything but 1 to 64 of A-Z, a-z, 0-9, dot,
// underscore and hyphen, the first a letter or a digit, and the name of the built-in profile in any case.
func ValidName(name string) error {
	const first = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	switch {
	case name == "" || len(name) > 64 || !strings.Contains(first, name[:1]) || strings.Trim(name, first+"._-") != "":
		return fmt.Errorf("profile name %q: must be 1 to 64 letters, digits, dots, underscores or hyphens, "+
			"and begin with a letter or a digit", name)
	case strings.EqualFold(name, Sandbox):
		return fmt.Errorf("profile name %q: is reserved for the built-in sandbox", name)
	}
	return nil
}

// A File is a configuration file as it was read. The zero value is an empty one.
type File struct {
	path     string
	text     []byte // nil if there is no such file
	doc      *yaml.Node
	current  string
	profiles []Profile
	defaults map[string]any // for viper; every value is a checked string
	warnings []string
	hidden   error // why it could not even be looked for
}

// Load reads and checks the file at path. A missing file is an empty one, and so is one in a folder that cannot
// be entered: see Reachable. One that others can write is refused. Errors have their line, if the parser gives one, and
// quote no values but names: a secret may have been pasted there. Unknown keys are Warnings.
func Load(path string) (*File, error) {
	text, err := privfile.ReadConfig(path)
	switch {
	case err == nil:
		return parse(path, text)
	case errors.Is(err, fs.ErrNotExist):
		return parse(path, nil)
	}
	err = fmt.Errorf("read configuration: %w", err)
	if _, statErr := os.Lstat(path); errors.Is(statErr, fs.ErrPermission) || errors.Is(statErr, syscall.ENOTDIR) {
		return &File{path: path, hidden: err}, nil
	}
	return nil, err
}

// Reachable is nil if the file was read or is missing, and says why if its folder cannot be entered, as with
// HOME=/dev/null or the home of somebody else. What needs no profile works there as without a configuration.
func (f *File) Reachable() error { return f.hidden }

// Warnings are the keys that mean nothing to utho, one a line, with their place.
func (f *File) Warnings() []string { return slices.Clone(f.warnings) }

// Current is the name of the current profile, or "" if the file names none. It need not exist.
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

// parse is Load for a text that was read already.
func parse(path string, text []byte) (*File, error) {
	f := &File{path: path, text: text}
	var err error
	if f.doc, err = f.tree(); err == nil {
		err = f.check()
	}
	return f, err
}

// tree is the document in the file, whose one child is a mapping.
func (f *File) tree() (*yaml.Node, error) {
	if !utf8.Valid(f.text) { // the library panics when it writes such a comment
		return nil, fmt.Errorf("%s: is not a text in UTF-8", f.path)
	}
	d := yaml.NewDecoder(bytes.NewReader(bytes.ReplaceAll(f.text, []byte("\r\n"), []byte("\n"))))
	var doc, second yaml.Node
	err := d.Decode(&doc)
	if err == nil {
		err = d.Decode(&second)
	}
	switch {
	case err == nil:
		return nil, f.errorAt(&second, "a second document begins; only one is allowed")
	case !errors.Is(err, io.EOF):
		return nil, f.syntaxError(strings.TrimPrefix(err.Error(), "yaml: "))
	case doc.Kind == 0: // comments, or nothing
		doc = yaml.Node{Kind: yaml.DocumentNode, HeadComment: strings.TrimSpace(string(f.text)), Content: []*yaml.Node{nil}}
	case !isNull(doc.Content[0]):
		return &doc, nil
	}
	doc.Content[0] = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	return &doc, nil
}

// syntaxError reads the line out of what the library says, which leaves it out if it is the first.
func (f *File) syntaxError(said string) error {
	at, message, _ := strings.Cut(said, ": ")
	line, err := strconv.Atoi(strings.TrimPrefix(at, "line "))
	if err != nil {
		return fmt.Errorf("%s: is not valid YAML: %s", f.path, said)
	}
	if strings.HasPrefix(message, "did not find expected ") { // its parser counts from 0, its scanner from 1
		line++
	}
	return f.errorAt(&yaml.Node{Line: line}, "is not valid YAML from here on: %s", message)
}

func (f *File) errorAt(n *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", f.path, n.Line, fmt.Sprintf(format, args...))
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }
