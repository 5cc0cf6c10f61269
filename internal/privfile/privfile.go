// Package privfile reads and writes files that belong to one person: settings
// that nobody else may change and secrets that nobody else may read.
//
// Everything is written whole: to a temporary file beside the target, synced,
// then renamed over it, so that a crash leaves the old content or the new one.
package privfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// maxSize bounds what Read takes, in bytes; the files utho keeps are far smaller.
const maxSize = 64 << 20

// A ModeError says that a file or folder is open to people it should not be
// open to. Its text ends with the one command that mends it.
type ModeError struct {
	Path string
	What string // what is wrong, for example "can be read by others"
	Mend string // the command to run
}

func (e *ModeError) Error() string {
	return fmt.Sprintf("%s %s; mend it with: %s", e.Path, e.What, e.Mend)
}

// ErrLink is returned for a secret that stands behind a symbolic link.
var ErrLink = errors.New("is a symbolic link, which is not followed for secrets")

var errNotFolder = errors.New("not a folder")

// MkdirAll makes dir and its missing parents, each 0700 whatever the umask.
// Folders that exist are left as they are.
func MkdirAll(dir string) error {
	dir = filepath.Clean(dir)
	if info, err := os.Stat(dir); err == nil {
		if !info.IsDir() {
			return &fs.PathError{Op: "mkdir", Path: dir, Err: errNotFolder}
		}
		return nil
	}
	if parent := filepath.Dir(dir); parent != dir {
		if err := MkdirAll(parent); err != nil {
			return err
		}
	}
	switch err := os.Mkdir(dir, 0o700); {
	case errors.Is(err, fs.ErrExist):
		return nil // another process made it meanwhile
	case err != nil:
		return err
	}
	return os.Chmod(dir, 0o700)
}

// ReadSecret returns the content of a file that holds a secret. It refuses a
// symbolic link (ErrLink), anything but a regular file, and a file that others
// may read or write or that belongs to somebody else (*ModeError).
// fs.ErrNotExist where there is none.
func ReadSecret(path string) ([]byte, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return nil, &fs.PathError{Op: "read", Path: path, Err: ErrLink}
	}
	return read(path, openNoFollow, checkPrivate)
}

// ReadConfig returns the content of a file without secrets. A link is followed;
// a file that others may write, that stands or is linked to in a folder that
// others may write, or that belongs to somebody else is refused (*ModeError).
// fs.ErrNotExist where there is none.
func ReadConfig(path string) ([]byte, error) {
	data, err := read(path, 0, checkUnwritable)
	if err != nil {
		return nil, err
	}
	if err := CheckUnwritableDir(filepath.Dir(path)); err != nil {
		return nil, err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode()&fs.ModeSymlink == 0 {
		return data, nil
	}
	// Whoever can write the folder behind the link can put another file there,
	// but not where it is sticky, as the store of Nix is: the file's owner was
	// looked at.
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(filepath.Dir(real)); err == nil && info.Mode()&fs.ModeSticky != 0 {
		return data, nil
	}
	return data, CheckUnwritableDir(filepath.Dir(real))
}

// ReadForeign returns the content of a file that another program keeps, and
// what the system says of it. A link is followed and no mode is refused: that
// is for the caller to judge. Anything but a regular file is refused, so that a
// pipe in its place cannot hang the command.
func ReadForeign(path string) ([]byte, fs.FileInfo, error) {
	var found fs.FileInfo
	data, err := read(path, 0, func(_ string, info fs.FileInfo) error {
		found = info
		return nil
	})
	return data, found, err
}

// CheckPrivateDir refuses a folder that others may enter, list or write, or
// that belongs to somebody else (*ModeError).
func CheckPrivateDir(dir string) error { return checkDir(dir, checkPrivateDir) }

// CheckUnwritableDir refuses a folder that others may write, or that belongs to
// somebody else (*ModeError).
func CheckUnwritableDir(dir string) error { return checkDir(dir, checkUnwritable) }

func checkDir(dir string, check func(string, fs.FileInfo) error) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return &fs.PathError{Op: "check", Path: dir, Err: errNotFolder}
	}
	return check(dir, info)
}

// read opens first and checks what it opened, so that nothing can be swapped
// between the check and the reading.
func read(path string, flag int, check func(string, fs.FileInfo) error) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|openNonblock|flag, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // read only
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("not a regular file")}
	}
	if err := check(path, info); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err == nil && len(data) > maxSize {
		err = &fs.PathError{Op: "read", Path: path, Err: errors.New("file too large")}
	}
	return data, err
}

// Write replaces path with data, mode 0600 whatever the umask. The folder must
// exist. Where path is a link to a file, the file behind it is replaced and the
// link stays, so that folders kept by a dot-file manager survive; secrets go
// through WriteSecret.
func Write(path string, data []byte) error {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	return replace(path, data)
}

// WriteSecret replaces path with data, mode 0600 from its first byte. A link at
// path is refused (ErrLink).
func WriteSecret(path string, data []byte) error {
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return &fs.PathError{Op: "write", Path: path, Err: ErrLink}
	}
	return replace(path, data)
}

func replace(path string, data []byte) error {
	tmp, err := WriteTemp(filepath.Dir(path), data, 0o600)
	if err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		_ = os.Remove(tmp)
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// WriteTemp writes data to a new file in dir, synced, with the given mode, and
// returns its path. It never holds data under a wider mode than 0600 before
// that. Nothing is left behind where it fails.
func WriteTemp(dir string, data []byte, mode fs.FileMode) (path string, err error) {
	f, err := os.CreateTemp(dir, ".utho-*.tmp") // 0600 less the umask
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(data); err != nil {
		return "", err
	}
	if err = f.Chmod(mode); err != nil && !chmodOptional {
		return "", err
	}
	if err = f.Sync(); err != nil {
		return "", err
	}
	return f.Name(), f.Close()
}

// Lock takes the exclusive lock file at path, made where missing, and waits for
// it until ctx ends. The file stays: removing it would let two processes hold
// "the" lock at once.
func Lock(ctx context.Context, path string) (unlock func(), err error) {
	if err := makeLockFile(path); err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	l := flock.New(path, flock.SetPermissions(0o600))
	if _, err := l.TryLockContext(ctx, 10*time.Millisecond); err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { _ = l.Unlock() }, nil
}

// TryLock is Lock without the waiting: ok is false where the lock is held.
func TryLock(path string) (unlock func(), ok bool, err error) {
	if err := makeLockFile(path); err != nil {
		return nil, false, fmt.Errorf("lock %s: %w", path, err)
	}
	l := flock.New(path, flock.SetPermissions(0o600))
	ok, err = l.TryLock()
	if err != nil {
		return nil, false, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { _ = l.Unlock() }, ok, nil
}

// makeLockFile makes the lock file where it is missing, 0600 whatever the
// umask: one made under umask 0777 could never be opened again. Anything but a
// regular file in its place is refused: opening a pipe would wait for ever.
func makeLockFile(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrExist) {
		info, err := os.Lstat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist): // it went meanwhile; who locks makes it again
			return nil
		case err == nil && !info.Mode().IsRegular():
			return errors.New("not a regular file")
		}
		return err
	}
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // nothing was written
	if err := f.Chmod(0o600); err != nil && !chmodOptional {
		return err
	}
	return nil
}
