package auth

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"

	"github.com/utho/utho-cli/internal/privfile"
	"github.com/utho/utho-cli/internal/problem"
)

// An Import is a token that another tool keeps.
type Import struct {
	Tool   string // uthoctl, or utho for the community's tool of that name
	Path   string // the file, which still holds it
	Open   bool   // others can read that file
	Secret string
}

var errNoToken = errors.New("holds no token")

// FindImport looks for the token of uthoctl (~/.config/uthoctl.yaml, key token) and of the community's tool
// (~/.utho/config.json, key apikey). It is an error if both have one (problem.Usage) or neither has, and if a file
// that is there cannot be read.
func FindImport() (Import, error) {
	home, err := os.UserHomeDir()
	if err != nil || !filepath.IsAbs(home) {
		return Import{}, errors.New("HOME is not set to a folder, so no other tool's files can be found; " +
			"name the file: utho login --import=PATH")
	}
	official, community := filepath.Join(home, ".config", "uthoctl.yaml"), filepath.Join(home, ".utho", "config.json")
	var found []Import
	for _, path := range []string{official, community} {
		switch in, err := ReadImport(path); {
		case err == nil:
			found = append(found, in)
		case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errNoToken):
			return Import{}, err
		}
	}
	switch len(found) {
	case 0:
		err = fmt.Errorf("import: no token found in %s, nor in %s", official, community)
		return Import{}, problem.Hintf(err, "name another file with --import=PATH, or leave --import out to paste the token")
	case 1:
		return found[0], nil
	}
	return Import{}, problem.Usagef("both %s and %s hold a token", official, community).Hintf("choose one with --import=PATH")
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
