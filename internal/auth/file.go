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
	Origin string `json:"origin"`
	Item
}

// path is the file of a profile. Names are unique ignoring case, and so are they here, whatever the file system does.
func (s *FileStore) path(ref Ref) string {
	return filepath.Join(s.dir, strings.ToLower(ref.Profile)+".json")
}

// Get implements Store. A link, and a file or folder that others can use, are refused.
func (s *FileStore) Get(_ context.Context, ref Ref) (Item, error) {
	data, err := privfile.ReadSecret(s.path(ref))
	if err == nil {
		err = privfile.CheckPrivateDir(s.dir)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Item{}, ErrNotFound
	case err != nil:
		return Item{}, fmt.Errorf("read token: %w", err)
	}
	var stored storedItem
	// What the decoder says may quote the secret.
	if json.Unmarshal(data, &stored) != nil || stored.Origin == "" || stored.check() != nil {
		return Item{}, fmt.Errorf("read token: %s: what is stored is damaged; log in again", s.path(ref))
	}
	if stored.Origin != ref.Origin {
		return Item{}, &OriginError{ref.Profile, stored.Origin, ref.Origin}
	}
	return stored.Item, nil
}

// Peek implements Store: a file never asks.
func (s *FileStore) Peek(ctx context.Context, ref Ref) (Item, error) { return s.Get(ctx, ref) }

// Set implements Store. The file and its folder are private.
func (s *FileStore) Set(ctx context.Context, ref Ref, item Item) error {
	err := item.check()
	if err == nil {
		err = s.CheckSet(ctx, ref)
	}
	if err != nil {
		return fmt.Errorf("save token: %w", err)
	}
	var data bytes.Buffer
	enc := json.NewEncoder(&data)
	enc.SetEscapeHTML(false) // for those who read the file with grep
	_ = enc.Encode(storedItem{ref.Origin, item})
	if err = privfile.Replace(s.path(ref), data.Bytes()); err == nil {
		return nil
	}
	err = fmt.Errorf("save token: %w", err)
	if now, _ := privfile.ReadSecret(s.path(ref)); bytes.Equal(now, data.Bytes()) {
		return &NotKnownError{"saved", err}
	}
	return err
}

// Delete implements Store. A link is refused with privfile.ErrLink: without it the secret would still stand in the file
// that it leads to.
func (s *FileStore) Delete(_ context.Context, ref Ref) error {
	path := s.path(ref)
	info, err := os.Lstat(path)
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		err = fmt.Errorf("%s %w; remove the file that it leads to by hand", path, privfile.ErrLink)
	}
	if err == nil {
		err = os.Remove(path)
	}
	switch {
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

// CheckSet implements Store. It creates the folder.
func (s *FileStore) CheckSet(_ context.Context, ref Ref) error {
	err := privfile.MkdirAll(s.dir)
	if err == nil {
		err = privfile.CheckPrivateDir(s.dir)
	}
	if err == nil {
		err = privfile.CheckReplace(s.path(ref))
	}
	if err != nil {
		return fmt.Errorf("try the folder for tokens: %w", err)
	}
	return nil
}
