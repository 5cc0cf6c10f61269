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

// NewFile returns the store in the folder dir, which is created when it is needed.
func NewFile(dir string) *FileStore { return &FileStore{dir} }

// storedItem is the content of one file.
type storedItem struct {
	Origin    string `json:"origin"`
	Token     string `json:"token"`
	TokenID   string `json:"token_id,omitempty"`
	TokenName string `json:"token_name,omitempty"`
}

// path is the file of a profile. Names are unique ignoring case, and so are they here, whatever the file
// system does.
func (s *FileStore) path(ref Ref) string {
	name := strings.ToLower(ref.Profile)
	if device(name) {
		name = "_" + name // no profile's name begins so
	}
	return filepath.Join(s.dir, name+".json")
}

// device reports whether Windows would open a device by that name, whatever its extension. Files are named
// alike everywhere.
func device(name string) bool {
	name, _, _ = strings.Cut(name, ".")
	switch name {
	case "con", "prn", "aux", "nul":
		return true
	}
	return len(name) == 4 && (strings.HasPrefix(name, "com") || strings.HasPrefix(name, "lpt")) && name[3] >= '0' && name[3] <= '9'
}

// Get implements Store. A link, and a file or folder that others can use, are refused with a
// *privfile.ModeError or privfile.ErrLink.
func (s *FileStore) Get(_ context.Context, ref Ref) (Item, error) {
	item, err := s.read(ref)
	if err != nil && !errors.Is(err, ErrNotFound) && !errors.As(err, new(*OriginError)) {
		err = fmt.Errorf("read token: %w", err)
	}
	return item, err
}

func (s *FileStore) read(ref Ref) (Item, error) {
	if err := ref.check(); err != nil {
		return Item{}, err
	}
	data, err := privfile.ReadSecret(s.path(ref))
	if err == nil {
		err = privfile.CheckPrivateDir(s.dir)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Item{}, ErrNotFound
	case err != nil:
		return Item{}, err
	}
	var stored storedItem
	// What the decoder says may quote the secret.
	err = json.Unmarshal(data, &stored)
	item := Item{stored.Token, stored.TokenID, stored.TokenName}
	if err != nil || stored.Origin == "" || item.check() != nil {
		return Item{}, fmt.Errorf("%s: %w", s.path(ref), ErrDamaged)
	}
	if stored.Origin != ref.Origin {
		return Item{}, &OriginError{ref.Profile, stored.Origin, ref.Origin}
	}
	return item, nil
}

// Peek implements Store: a file never asks.
func (s *FileStore) Peek(ctx context.Context, ref Ref) (Item, error) { return s.Get(ctx, ref) }

// Set implements Store. The file and its folder are private whatever the umask.
func (s *FileStore) Set(_ context.Context, ref Ref, item Item) error {
	err := errors.Join(ref.check(), item.check())
	if err == nil {
		err = s.makeDir()
	}
	if err != nil {
		return fmt.Errorf("save token: %w", err)
	}
	var data bytes.Buffer
	enc := json.NewEncoder(&data)
	enc.SetEscapeHTML(false) // for those who read the file with grep
	if enc.Encode(storedItem{ref.Origin, item.Secret, item.TokenID, item.TokenName}) != nil {
		return errors.New("save token: it cannot be written as JSON")
	}
	path := s.path(ref)
	before, _ := privfile.ReadSecret(path)
	err = privfile.Replace(path, data.Bytes())
	back, readErr := s.read(ref)
	if err == nil && readErr == nil && back.Secret == item.Secret {
		return nil
	}
	if err == nil {
		err = errors.Join(fmt.Errorf("%s does not read back as it was written", path), readErr)
	} else if now, readErr := privfile.ReadSecret(path); bytes.Equal(now, before) && (readErr == nil || errors.Is(readErr, fs.ErrNotExist)) {
		return fmt.Errorf("save token: %w", err)
	}
	return &NotKnownError{"saved", fmt.Errorf("save token: %w", err)}
}

// Delete implements Store. A link is refused with privfile.ErrLink.
func (s *FileStore) Delete(_ context.Context, ref Ref) error {
	if err := ref.check(); err != nil {
		return fmt.Errorf("remove token: %w", err)
	}
	path := s.path(ref)
	// Without the link the secret would still stand in the file it leads to.
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		err := &fs.PathError{Op: "remove", Path: path, Err: privfile.ErrLink}
		return fmt.Errorf("remove token: %w; remove the file that it leads to by hand", err)
	}
	switch err := os.Remove(path); {
	case errors.Is(err, fs.ErrNotExist):
		return ErrNotFound
	case err != nil:
		return fmt.Errorf("remove token: %w", err)
	}
	if err := privfile.SyncDir(s.dir); err != nil {
		return &NotKnownError{"removed", fmt.Errorf("remove token: %w", err)}
	}
	return nil
}

// CheckSet implements Store.
func (s *FileStore) CheckSet(_ context.Context, ref Ref) error {
	err := ref.check()
	if err == nil {
		err = s.makeDir()
	}
	if err == nil {
		err = privfile.CheckReplace(s.path(ref))
	}
	if err != nil {
		return fmt.Errorf("try the folder for tokens: %w", err)
	}
	return nil
}

func (s *FileStore) makeDir() error {
	if err := privfile.MkdirAll(s.dir); err != nil {
		return err
	}
	return privfile.CheckPrivateDir(s.dir)
}
