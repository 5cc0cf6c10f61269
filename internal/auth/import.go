package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
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
	Notes  []string // what Clean took off
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

// FindImport looks for the token of uthoctl (~/.config/uthoctl.yaml, key token)
// and of the community's tool (~/.utho/config.json, key apikey). *BothError
// where both have one, *NoImportError where neither has. A file that is there
// and cannot be read is an error.
func FindImport(getenv func(string) string) (Import, error) {
	home := getenv("HOME")
	if home == "" {
		home = getenv("USERPROFILE")
	}
	if !filepath.IsAbs(home) {
		return Import{}, errors.New("HOME is not set, so no other tool's files can be found")
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

// ReadImport reads the token out of the file of either tool, which is told by
// the file's key. fs.ErrNotExist where there is no such file.
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
	in := Import{Path: path, Open: privfile.OthersCanRead(info)}
	raw := ""
	// Where both keys stand in one file, the one that belongs to its kind.
	official := [2]string{toolOfficial, values["token"]}
	community := [2]string{toolCommunity, values["apikey"]}
	order := [2][2]string{official, community}
	if strings.EqualFold(filepath.Ext(path), ".json") {
		order = [2][2]string{community, official}
	}
	for _, tool := range order {
		if tool[1] != "" {
			in.Tool, raw = tool[0], tool[1]
			break
		}
	}
	in.Secret, in.Notes, err = Clean([]byte(raw))
	switch {
	case errors.Is(err, ErrEmpty):
		return Import{}, fmt.Errorf("import %s: %w under `token` or `apikey`", path, errNoToken)
	case err != nil:
		return Import{}, fmt.Errorf("import %s: %w", path, err)
	}
	return in, nil
}

// scalars is the text values of a JSON or YAML mapping, by their keys in lower
// case, as both tools read them. Errors of the parsers are not passed on: they
// can quote what they could not read.
func scalars(data []byte) (map[string]string, error) {
	values := make(map[string]string)
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if len(bytes.TrimSpace(data)) == 0 {
		return values, nil
	}
	var object map[string]any
	if json.Unmarshal(data, &object) == nil {
		for key, value := range object {
			if text, ok := value.(string); ok {
				values[strings.ToLower(key)] = text
			}
		}
		return values, nil
	}
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		return nil, errors.New("is neither YAML nor JSON")
	}
	var doc yaml.Node
	switch err := loader.Load(&doc); {
	case errors.Is(err, io.EOF): // comments only
		return values, nil
	case err != nil:
		var load *yaml.LoadError
		if errors.As(err, &load) && load.Mark.Line > 0 {
			return nil, fmt.Errorf("line %d is neither YAML nor JSON", load.Mark.Line)
		}
		return nil, errors.New("is neither YAML nor JSON")
	}
	if len(doc.Content) == 0 || doc.Content[0].Kind != yaml.MappingNode {
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
