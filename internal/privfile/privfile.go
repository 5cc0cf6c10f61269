// Package privfile reads, writes and locks files of one person: settings that nobody else may change, and secrets.
package privfile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// A ModeError says that a file or folder is open to people it should not be open to, or belongs to one of them.
type ModeError struct {
	Path string
	What string // what is wrong, for example "can be read by others (mode 0644)"
	Fix  string // a sentence that names the command, for example "fix it with: chmod 600 x"
}

func (e *ModeError) Error() string { return e.Path + " " + e.What + "; " + e.Fix }

// ErrLink is returned for a secret that is behind a symbolic link.
var ErrLink = errors.New("is a symbolic link, which is not followed for secrets")

// What others must not do with a file or folder, as mode bits.
const (
	noAccess fs.FileMode = 0o077
	noWrite  fs.FileMode = 0o022
)

// MkdirAll creates dir and its missing parents, 0700 whatever the umask. What exists stays. Root creates nothing in a
// folder of somebody else, whom it would lock out (*ModeError).
func MkdirAll(dir string) error {
	dir = filepath.Clean(dir)
	if _, err := folder(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if parent := filepath.Dir(dir); parent != dir {
		err := MkdirAll(parent)
		if err == nil && os.Geteuid() == 0 {
			err = checkDir(parent, 0)
		}
		if err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); errors.Is(err, fs.ErrExist) {
		return nil // another process created it meanwhile
	} else if err != nil {
		return err
	}
	return os.Chmod(dir, 0o700)
}

// ReadSecret returns the content of a file that holds a secret. It refuses a symbolic link (ErrLink), anything but a
// regular file, and what others may read or write or what belongs to somebody else (*ModeError).
func ReadSecret(path string) ([]byte, error) {
	info, err := os.Lstat(path)
	if err = regular("read", path, info, err); err != nil {
		return nil, err
	}
	data, _, err := read(path, openNoFollow, noAccess)
	return data, err
}

// ReadConfig returns the content of a file without secrets. A link is followed; a file that others may write, that is
// itself or through a link in a folder that others may write, or that belongs to somebody else is refused (*ModeError).
func ReadConfig(path string) ([]byte, error) {
	data, _, err := read(path, 0, noWrite)
	if err == nil {
		err = CheckUnwritableDir(filepath.Dir(path))
	}
	if err != nil {
		return nil, err
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil || real == path {
		return data, err
	}
	// Whoever can write the folder behind the link can put another file there, but not if it is sticky, as the store of
	// Nix is: the owner of the file was checked.
	info, err := folder(filepath.Dir(real))
	if err == nil && info.Mode()&fs.ModeSticky == 0 {
		err = CheckUnwritableDir(filepath.Dir(real))
	}
	return data, err
}

// ReadForeign returns the content of a file that another program keeps, and what the system says of it. A link is
// followed, no mode is refused; anything but a regular file is: a pipe would hang the command.
func ReadForeign(path string) ([]byte, fs.FileInfo, error) { return read(path, 0, 0) }

// CheckPrivateDir refuses a folder that others may enter, list or write, or that is somebody else's (*ModeError).
func CheckPrivateDir(dir string) error { return checkDir(dir, noAccess) }

// CheckUnwritableDir refuses a folder that others may write, or that is somebody else's (*ModeError).
func CheckUnwritableDir(dir string) error { return checkDir(dir, noWrite) }

func checkDir(dir string, forbidden fs.FileMode) error {
	info, err := folder(dir)
	if err == nil {
		err = check(dir, info, forbidden)
	}
	return err
}

func folder(dir string) (fs.FileInfo, error) {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = &fs.PathError{Op: "open", Path: dir, Err: errors.New("not a folder")}
	}
	return info, err
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
func read(path string, flag int, forbidden fs.FileMode) ([]byte, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|openNonblock|flag, 0)
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
