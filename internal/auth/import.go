package auth

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/utho/utho-cli/internal/privfile"
)

// maxImport bounds the file of another tool, in bytes.
const maxImport = 1 << 20

// An Import is a token that another tool keeps.
type Import struct {
	Tool   string // uthoctl, or utho for the community's tool of that name
	Path   string // the file, which still holds it
	Open   bool   // others can read that file
	Secret string
}

// The other tools.
const (
	toolOfficial  = "uthoctl"
	toolCommunity = "the community's utho"
)

// A BothError says that both tools hold a token and one must be chosen.
type BothError struct{ Paths [2]string }

func (e *BothError) Error() string {
	return fmt.Sprintf("both %s and %s hold a token", e.Paths[0], e.Paths[1])
}

// A NoImportError says that no tool holds a token.
type NoImportError struct{ Paths [2]string }

func (e *NoImportError) Error() string {
	return fmt.Sprintf("no token found in %s, nor in %s", e.Paths[0], e.Paths[1])
}

var errNoToken = errors.New("holds no token")

// FindImport looks for the token of uthoctl (~/.config/uthoctl.yaml, key token) and of the community's tool
// (~/.utho/config.json, key apikey). *BothError if both have one, *NoImportError if neither has. A file that is
// there and cannot be read is an error.
func FindImport() (Import, error) {
	home, err := os.UserHomeDir()
	if err != nil || !filepath.IsAbs(home) {
		return Import{}, errors.New("HOME is not set to a folder, so no other tool's files can be found; name the file: utho login --import=PATH")
	}
	paths := [2]string{filepath.Join(home, ".config", "uthoctl.yaml"), filepath.Join(home, ".utho", "config.json")}
	var found []Import
	for _, path := range paths {
		switch in, err := ReadImport(path); {
		case err == nil:
			found = append(found, in)
		case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errNoToken):
			return Import{}, err
		}
	}
	switch len(found) {
	case 0:
		return Import{}, &NoImportError{paths}
	case 1:
		return found[0], nil
	default:
		return Import{}, &BothError{paths}
	}
}

// ReadImport reads the token out of the file of either tool; the key it stands under says which. fs.ErrNotExist
// if there is no such file. A token of several lines is refused: nobody sees what would be left out.
func ReadImport(path string) (Import, error) {
	data, info, err := privfile.ReadForeign(path)
	if err != nil {
		return Import{}, fmt.Errorf("import: %w", err)
	}
	if len(data) > maxImport {
		return Import{}, fmt.Errorf("import %s: is larger than %d bytes", path, maxImport)
	}
	values, err := scalars(data)
	if err != nil {
		return Import{}, fmt.Errorf("import %s: %w", path, err)
	}
	in := Import{Tool: toolOfficial, Path: path, Open: privfile.OthersCanRead(info)}
	raw := values["token"]
	// If both keys stand in one file, the one that belongs to its kind.
	if other := values["apikey"]; other != "" && (raw == "" || strings.EqualFold(filepath.Ext(path), ".json")) {
		in.Tool, raw = toolCommunity, other
	}
	in.Secret, err = oneLine([]byte(raw))
	switch {
	case errors.Is(err, ErrEmpty):
		return Import{}, fmt.Errorf("import %s: %w under `token` or `apikey`", path, errNoToken)
	case err != nil:
		return Import{}, fmt.Errorf("import %s: %w", path, err)
	}
	return in, nil
}

// scalars is the text values of a YAML mapping, by their keys in lower case, as both tools read them. JSON is
// YAML too. Errors of the parser are not passed on: they can quote what it could not read.
func scalars(data []byte) (map[string]string, error) {
	values := make(map[string]string)
	var doc yaml.Node
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err == nil {
		err = loader.Load(&doc)
	}
	var load *yaml.LoadError
	switch {
	case errors.Is(err, io.EOF): // comments only
		return values, nil
	case errors.As(err, &load) && load.Mark.Line > 0:
		return nil, fmt.Errorf("line %d is neither YAML nor JSON", load.Mark.Line)
	case err != nil:
		return nil, errors.New("is neither YAML nor JSON")
	case len(doc.Content) == 0 || doc.Content[0].Kind != yaml.MappingNode:
		return nil, errors.New("is not a mapping of keys to values")
	}
	content := doc.Content[0].Content
	for i := 0; i+1 < len(content); i += 2 {
		key, value := content[i], content[i+1]
		if key.Kind == yaml.ScalarNode && value.Kind == yaml.ScalarNode && value.ShortTag() == "!!str" {
			values[strings.ToLower(key.Value)] = value.Value
		}
	}
	return values, nil
}
