package auth

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"

	"github.com/utho/utho-cli/internal/privfile"
)

// An Import is a token that another tool keeps.
type Import struct {
	Tool   string // uthoctl, or utho for the community's tool of that name
	Path   string // the file, which still holds it
	Open   bool   // others can read that file
	Secret string
}

// An ImportError says that not exactly one tool holds a token.
type ImportError struct {
	Both  bool // else none of them
	Paths [2]string
}

func (e *ImportError) Error() string {
	if e.Both {
		return fmt.Sprintf("both %s and %s hold a token", e.Paths[0], e.Paths[1])
	}
	return fmt.Sprintf("no token found in %s, nor in %s", e.Paths[0], e.Paths[1])
}

var errNoToken = errors.New("holds no token")

// FindImport looks for the token of uthoctl (~/.config/uthoctl.yaml, key token) and of the community's tool
// (~/.utho/config.json, key apikey). *ImportError if both have one or neither has. A file that is there and cannot
// be read is an error.
func FindImport() (Import, error) {
	home, err := os.UserHomeDir()
	if err != nil || !filepath.IsAbs(home) {
		return Import{}, errors.New("HOME is not set to a folder, so no other tool's files can be found; " +
			"name the file: utho login --import=PATH")
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
	if len(found) != 1 {
		return Import{}, &ImportError{len(found) > 1, paths}
	}
	return found[0], nil
}

// ReadImport reads the token out of the file of either tool; the key it stands under says which.
// fs.ErrNotExist if there is no such file. A token of several lines is refused: nobody sees what would be left
// out. No error repeats what the parser says, which can quote what it could not read.
func ReadImport(path string) (Import, error) {
	data, info, err := privfile.ReadForeign(path)
	if err != nil {
		return Import{}, fmt.Errorf("import: %w", err)
	}
	var values struct{ Token, APIKey string }
	if err := yaml.Unmarshal(data, &values); err != nil { // JSON is YAML too
		return Import{}, fmt.Errorf("import %s: is neither YAML nor JSON", path)
	}
	in, raw := Import{Tool: "uthoctl", Path: path, Open: privfile.OthersCanRead(info)}, values.Token
	if raw == "" {
		in.Tool, raw = "the community's utho", values.APIKey
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
