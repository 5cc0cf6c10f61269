package deliver

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/utho/utho-cli/internal/privfile"
)

// probeSize is how many bytes a probe writes beyond what is there already: more than
// any secret, and a block of most file systems.
const probeSize = 4096

// newTemp makes an empty file in dir that only its owner can read, as far as the file
// system can tell; private says whether it can. The caller closes and removes it.
func newTemp(dir string) (f *os.File, private bool, err error) {
	f, err = os.CreateTemp(dir, ".utho-*.tmp") // 0600 less the umask
	if err != nil {
		return nil, false, err
	}
	// The umask may have taken the owner's own access. Some file systems refuse any
	// change of modes and show one mode for all files: what it came to is what counts.
	_ = f.Chmod(0o600)
	info, err := f.Stat()
	if err != nil {
		discard(f)
		return nil, false, err
	}
	return f, !hasModes || info.Mode().Perm()&0o077 == 0, nil
}

// fill writes data to f and makes it durable.
func fill(f *os.File, data []byte) error {
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Sync()
}

// discard closes and removes a temporary file, on ways that fail anyhow.
func discard(f *os.File) {
	_ = f.Close()
	_ = os.Remove(f.Name())
}

// publish gives the file tmp the name path, which must be free, also where another
// process takes it at this moment: then the error is fs.ErrExist and tmp stays. taken
// says whether path is tmp's now, which it may be in spite of an error.
func publish(tmp, path string) (taken bool, err error) {
	if hasLinks {
		switch err = os.Link(tmp, path); {
		case err == nil:
			return true, os.Remove(tmp)
		case errors.Is(err, fs.ErrExist):
			return false, &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist}
		case !noLinks(err):
			return false, err
		}
	}
	switch err := renameNoReplace(tmp, path); {
	case err == nil:
		return true, nil
	case errors.Is(err, fs.ErrExist):
		return false, &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist}
	default:
		return false, &fs.PathError{Op: "create", Path: path, Err: fmt.Errorf("the file system cannot give a file a name without replacing another: %w", err)}
	}
}

// probe tries out what a delivery does in dir: it writes size bytes to a private file,
// durably, gives it another name where named is set, and removes it. What fails here
// would have failed with the secret in hand.
func probe(dir string, size int, named bool) (private bool, err error) {
	f, private, err := newTemp(dir)
	if err != nil {
		return false, err
	}
	name := f.Name()
	if err := fill(f, make([]byte, size)); err != nil {
		discard(f)
		return false, err
	}
	if err := f.Close(); err != nil {
		_ = os.Remove(name)
		return false, err
	}
	if named {
		other := strings.TrimSuffix(name, ".tmp") + "-probe.tmp"
		taken, err := publish(name, other)
		if err != nil {
			_ = os.Remove(name)
			if taken {
				_ = os.Remove(other)
			}
			return false, err
		}
		name = other
	}
	if err := os.Remove(name); err != nil {
		return false, err
	}
	return private, syncDir(dir)
}

// syncDir makes the names in dir durable where the folder can be opened: one that can
// be written but not read cannot, and takes secrets all the same.
func syncDir(dir string) error {
	if err := privfile.SyncDir(dir); err != nil && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil
}

// checkFolder says what keeps the folder of path from being one.
func checkFolder(path string) error {
	dir := filepath.Dir(path)
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the folder %s does not exist: %w", dir, fs.ErrNotExist)
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is not a folder", dir)
	}
	return nil
}

// notRegular says what a file is that is not a regular one, for messages.
func notRegular(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeSymlink != 0:
		return "a symbolic link"
	case mode.IsDir():
		return "a folder"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	}
	return "not a regular file"
}
