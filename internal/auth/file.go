package auth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/utho/utho-cli/internal/privfile"
)

// FileStore keeps each secret in a file of its own, readable by its owner only.
type FileStore struct{ dir string }

// NewFile returns the store in the folder dir, which is made when it is needed.
func NewFile(dir string) *FileStore { return &FileStore{dir} }

// storedSecret is the content of one file.
type storedSecret struct {
	Origin string `json:"origin"`
	Token  string `json:"token"`
}

// path is the file of a profile. Names are unique ignoring case, and so are
// they here, whatever the file system does.
func (s *FileStore) path(ref Ref) string {
	name := strings.ToLower(ref.Profile)
	if device(name) {
		name = "_" + name // no profile's name begins so
	}
	return filepath.Join(s.dir, name+".json")
}

// device tells whether Windows would open a device by that name, whatever its
// extension. Files are named alike everywhere.
func device(name string) bool {
	name, _, _ = strings.Cut(name, ".")
	switch name {
	case "con", "prn", "aux", "nul":
		return true
	}
	return len(name) == 4 && (strings.HasPrefix(name, "com") || strings.HasPrefix(name, "lpt")) && name[3] >= '0' && name[3] <= '9'
}

// Get implements Store. A link, and a file or folder that others can use, are
// refused with a *privfile.ModeError or privfile.ErrLink.
func (s *FileStore) Get(_ context.Context, ref Ref) (string, error) {
	if err := ref.check(); err != nil {
		return "", fmt.Errorf("read token: %w", err)
	}
	data, err := privfile.ReadSecret(s.path(ref))
	if err == nil {
		err = privfile.CheckPrivateDir(s.dir)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", ErrNotFound
	case err != nil:
		return "", fmt.Errorf("read token: %w", err)
	}
	var stored storedSecret
	// What the decoder says may quote the secret.
	if json.Unmarshal(data, &stored) != nil || stored.Origin == "" || checkSecret(stored.Token) != nil {
		return "", fmt.Errorf("read token: %s is damaged; log in again", s.path(ref))
	}
	if stored.Origin != ref.Origin {
		return "", &OriginError{ref.Profile, stored.Origin, ref.Origin}
	}
	return stored.Token, nil
}

// Set implements Store. The file and its folder are private whatever the umask.
func (s *FileStore) Set(ctx context.Context, ref Ref, secret string) error {
	if err := errors.Join(ref.check(), checkSecret(secret)); err != nil {
		return fmt.Errorf("save token: %w", err)
	}
	var data bytes.Buffer
	enc := json.NewEncoder(&data)
	enc.SetEscapeHTML(false) // for those who read the file with grep
	if err := enc.Encode(storedSecret{ref.Origin, secret}); err != nil {
		return errors.New("save token: it cannot be written as JSON")
	}
	err := s.makeDir()
	if err == nil {
		err = privfile.WriteSecret(s.path(ref), data.Bytes())
	}
	if err != nil {
		return fmt.Errorf("save token: %w", err)
	}
	if back, err := s.Get(ctx, ref); err != nil || back != secret {
		return errors.Join(fmt.Errorf("save token: %s does not read back as it was written", s.path(ref)), err)
	}
	return nil
}

// Delete implements Store. A link is refused with privfile.ErrLink.
func (s *FileStore) Delete(_ context.Context, ref Ref) error {
	ref.Origin = "any"
	if err := ref.check(); err != nil {
		return fmt.Errorf("remove token: %w", err)
	}
	path := s.path(ref)
	// Without the link the secret would still stand in the file it leads to.
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return fmt.Errorf("remove token: %w; remove the file that it leads to by hand", &fs.PathError{Op: "remove", Path: path, Err: privfile.ErrLink})
	}
	switch err := os.Remove(path); {
	case errors.Is(err, fs.ErrNotExist):
		return ErrNotFound
	case err != nil:
		return fmt.Errorf("remove token: %w", err)
	}
	if err := privfile.SyncDir(s.dir); err != nil {
		return fmt.Errorf("remove token: %w", err)
	}
	return nil
}

// Probe implements Store.
func (s *FileStore) Probe(_ context.Context, ref Ref) error {
	if err := s.probe(ref); err != nil {
		return fmt.Errorf("try the folder for tokens: %w", err)
	}
	return nil
}

func (s *FileStore) probe(ref Ref) error {
	if err := ref.check(); err != nil {
		return err
	}
	if err := s.makeDir(); err != nil {
		return err
	}
	path := s.path(ref)
	switch info, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case info.Mode()&fs.ModeSymlink != 0:
		return &fs.PathError{Op: "write", Path: path, Err: privfile.ErrLink}
	case !info.Mode().IsRegular():
		return &fs.PathError{Op: "write", Path: path, Err: errors.New("not a regular file")}
	}
	// As large as the largest, so that a disk that is nearly full shows.
	want := bytes.Repeat([]byte("x"), MaxSecret+256)
	tmp, err := privfile.WriteTemp(s.dir, want, 0o600)
	if err != nil {
		return err
	}
	got, err := privfile.ReadSecret(tmp)
	if err == nil && !bytes.Equal(got, want) {
		err = &fs.PathError{Op: "write", Path: tmp, Err: errors.New("does not read back as it was written")}
	}
	return errors.Join(err, os.Remove(tmp))
}

func (s *FileStore) makeDir() error {
	if err := privfile.MkdirAll(s.dir); err != nil {
		return err
	}
	return privfile.CheckPrivateDir(s.dir)
}
