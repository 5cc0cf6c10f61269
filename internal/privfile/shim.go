package privfile

import (
	"errors"
	"os"
	"path/filepath"
)

// Option is temporary, until the writer of branch deliver is here.
type Option int

// FollowLink is temporary.
const FollowLink Option = 1

// Create is temporary.
func Create(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// Replace is temporary.
func Replace(path string, data []byte, opts ...Option) error {
	if len(opts) > 0 {
		return Write(path, data)
	}
	return WriteSecret(path, data)
}

// CheckReplace is temporary.
func CheckReplace(path string, opts ...Option) error {
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSymlink != 0 && len(opts) == 0 {
		return &os.PathError{Op: "write", Path: path, Err: ErrLink}
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return &os.PathError{Op: "write", Path: path, Err: errors.New("not a regular file")}
	}
	tmp, err := WriteTemp(filepath.Dir(path), []byte("x"), 0o600)
	if err != nil {
		return err
	}
	return os.Remove(tmp)
}

// Sweep is temporary.
func Sweep(dir string) {
	found, _ := filepath.Glob(filepath.Join(dir, ".utho-*.tmp"))
	for _, path := range found {
		_ = os.Remove(path)
	}
}
