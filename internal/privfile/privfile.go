// Package privfile reads, writes and locks files of one person: settings that nobody else may change, and secrets.
package privfile

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrLink is returned for a secret that is behind a symbolic link.
var ErrLink = errors.New("is a symbolic link, which is not followed for secrets")

// What others must not do with a file or folder, as mode bits.
const (
	noAccess fs.FileMode = 0o077
	noWrite  fs.FileMode = 0o022
)

// MkdirAll creates dir and its missing parents, 0700 whatever the umask. Root creates nothing in a folder of somebody
// else, whom it would lock out.
func MkdirAll(dir string) error {
	dir = filepath.Clean(dir)
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return cmp.Or(err, os.MkdirAll(dir, 0o700)) // which fails for a file
	}
	parent := filepath.Dir(dir)
	err := MkdirAll(parent)
	if err == nil && os.Geteuid() == 0 {
		err = checkDir(parent, 0)
	}
	if err == nil {
		err = os.Mkdir(dir, 0o700)
	}
	switch {
	case errors.Is(err, fs.ErrExist): // another process created it meanwhile
		return nil
	case err != nil:
		return err
	}
	return os.Chmod(dir, 0o700)
}

// ReadSecret returns the content of a file that holds a secret. It refuses a symbolic link (ErrLink), anything but a
// regular file, and what others may read or write or what belongs to somebody else.
func ReadSecret(path string) ([]byte, error) {
	info, err := os.Lstat(path)
	if err = regular("read", path, info, err); err != nil {
		return nil, err
	}
	data, _, err := read(path, noAccess)
	return data, err
}

// ReadConfig returns the content of a file without secrets. A link is followed; a file that others may write, that is
// in a folder that others may write, or that belongs to somebody else is refused. Of the folder behind a link nothing
// is asked (others can write to the store of Nix): whatever they put there belongs to them.
func ReadConfig(path string) ([]byte, error) {
	data, _, err := read(path, noWrite)
	if err == nil {
		err = CheckUnwritableDir(filepath.Dir(path))
	}
	return data, err
}

// ReadForeign returns the content of a file that another program keeps, and what the system says of it. A link is
// followed, no mode is refused; anything but a regular file is: a pipe would hang the command.
func ReadForeign(path string) ([]byte, fs.FileInfo, error) { return read(path, 0) }

// CheckPrivateDir refuses a folder that others may enter, list or write, or that is somebody else's.
func CheckPrivateDir(dir string) error { return checkDir(dir, noAccess) }

// CheckUnwritableDir refuses a folder that others may write, or that is somebody else's.
func CheckUnwritableDir(dir string) error { return checkDir(dir, noWrite) }

func checkDir(dir string, forbidden fs.FileMode) error {
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return &fs.PathError{Op: "open", Path: dir, Err: errors.New("not a folder")}
	}
	return check(dir, info, forbidden)
}

// regular refuses a link and anything else but a regular file.
func regular(op, path string, info fs.FileInfo, err error) error {
	switch {
	case err == nil && info.Mode()&fs.ModeSymlink != 0:
		return &fs.PathError{Op: op, Path: path, Err: ErrLink}
	case err == nil && !info.Mode().IsRegular():
		return &fs.PathError{Op: op, Path: path, Err: errors.New("not a regular file")}
	}
	return err
}

// read opens first and checks what it opened, so that nothing can be swapped in between.
func read(path string, forbidden fs.FileMode) ([]byte, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|openNonblock, 0)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close() //nolint:errcheck // read only
	info, err := f.Stat()
	if err = regular("read", path, info, err); err == nil && forbidden != 0 {
		err = check(path, info, forbidden)
	}
	if err != nil {
		return nil, info, err
	}
	data, err := io.ReadAll(f)
	return data, info, err
}
