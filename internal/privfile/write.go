package privfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
)

// An Option changes what Replace and CheckReplace do.
type Option uint8

const (
	// Keep keeps owner, group and mode of the file that is replaced, not access lists; an error if they cannot be kept.
	Keep Option = iota + 1
	// FollowLink replaces the file behind a symbolic link, as dot-file managers keep them. Without it: ErrLink.
	FollowLink
)

// Create puts a file with data, 0600, at path in one step. fs.ErrExist if there is anything. An empty file holds the
// name meanwhile; it goes if that fails, and a crash leaves it.
func Create(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_ = f.Close() // nothing was written
	if err = Replace(path, data); err != nil {
		_ = os.Remove(path)
	}
	return err
}

// Replace puts a file with data at path in one step: a crash leaves the old content or the new one. It is 0600 but for
// Keep. It is in place already if only the sync of the folder fails.
func Replace(path string, data []byte, options ...Option) error {
	path, was, err := target(path, options)
	if err != nil {
		return err
	}
	f, err := temp(path, was, data, options)
	if err != nil {
		return err
	}
	if err = f.Sync(); err == nil {
		if runtime.GOOS == "windows" {
			_ = f.Close() // an open file has no other name there
		}
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, discard(f))
	}
	_ = f.Close() // it was synced
	return SyncDir(filepath.Dir(path))
}

// CheckReplace reports what would keep Replace, or Create, from working, and leaves nothing behind.
func CheckReplace(path string, options ...Option) error {
	path, was, err := target(path, options)
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the folder %s does not exist", dir)
	}
	size := int64(4096) // more than any secret, and a block of most file systems
	if was != nil {
		if why := pinned(path); why != "" {
			return fmt.Errorf("%s %s", path, why)
		}
		size += was.Size()
	}
	f, err := temp(path, was, make([]byte, size), options)
	if err != nil {
		return err
	}
	return errors.Join(discard(f), SyncDir(dir))
}

// Sweep removes the temporary files that killed processes left in dir. Those of live ones are locked.
func Sweep(dir string) {
	names, _ := fs.Glob(os.DirFS(dir), ".utho-*.tmp") // nothing depends on it
	for _, name := range names {
		if f, err := tryOpen(filepath.Join(dir, name), false); err == nil && f != nil {
			_ = discard(f)
		}
	}
}

// target is the file to replace, and what it is now: nil if there is none.
func target(path string, options []Option) (string, fs.FileInfo, error) {
	if slices.Contains(options, FollowLink) {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real
		}
	}
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return path, nil, nil
	}
	return path, info, regular("write", path, info, err)
}

// temp writes data to a new file beside path, locked against Sweep, and private until it gets the owner, group and mode
// of was. Its errors name path.
func temp(path string, was fs.FileInfo, data []byte, options []Option) (*os.File, error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".utho-*.tmp")
	if err != nil {
		return nil, naming(path, err)
	}
	free, lockErr := lockNow(f) // on a file system without locks nothing is swept either
	if _, err := os.Lstat(f.Name()); err != nil || !free && lockErr == nil {
		_ = f.Close() // swept between its creation and its lock
		return temp(path, was, data, options)
	}
	info, err := f.Stat()
	keeps := was != nil && slices.Contains(options, Keep)
	if err == nil && !keeps && OthersCanRead(info) { // some have one mode for all files
		err = fmt.Errorf("the file system of %s cannot keep a file from being read by others", filepath.Dir(path))
	}
	if err == nil {
		_, err = f.Write(data)
	}
	if err == nil && keeps {
		err = keep(f, was, info)
	}
	if err != nil {
		return nil, errors.Join(naming(path, err), discard(f))
	}
	return f, nil
}

// naming names the file that was meant in an error of a temporary one.
func naming(path string, err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		e.Path = path
	}
	return err
}

// discard removes f before its lock goes, so that Sweep and its writer agree whose it is.
func discard(f *os.File) error {
	if err := os.Remove(f.Name()); err == nil {
		return f.Close()
	}
	_ = f.Close() // on Windows no open file can be removed
	return os.Remove(f.Name())
}
