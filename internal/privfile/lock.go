package privfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// Lock takes the exclusive lock file at path, created if missing, and waits for it until ctx ends. The file stays:
// removing it would let two processes hold "the" lock at once.
func Lock(ctx context.Context, path string) (unlock func(), err error) {
	f, err := OpenLocked(ctx, path, true)
	return func() { _ = f.Close() }, err
}

// TryLock is Lock without the waiting: ok is false if the lock is held.
func TryLock(path string) (unlock func(), ok bool, err error) {
	f, err := tryOpen(path, true)
	return func() { _ = f.Close() }, f != nil, err
}

// OpenLocked opens a regular file, an empty new one if there is none and create is set, and takes its exclusive lock,
// as Lock does. It is the file of that name then, whatever replaced what meanwhile. Closing it releases the lock.
func OpenLocked(ctx context.Context, path string, create bool) (*os.File, error) {
	for {
		f, err := tryOpen(path, create)
		switch {
		case err != nil:
			return nil, fmt.Errorf("lock %s: %w", path, err)
		case f != nil:
			return f, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("lock %s: held by another process: %w", path, context.Cause(ctx))
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// tryOpen opens and locks a regular file; nil if the lock is held, or if the file lost its name at that moment.
func tryOpen(path string, create bool) (*os.File, error) {
	info, err := os.Lstat(path)
	if err = regular("open", path, info, err); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	flag := openNoFollow | openNonblock
	if create {
		flag |= os.O_CREATE
	}
	f, err := os.OpenFile(path, os.O_RDWR|flag, 0o600)
	if errors.Is(err, fs.ErrPermission) { // only some network file systems lock no other way
		f, err = os.OpenFile(path, os.O_RDONLY|flag, 0o600)
	}
	if err != nil {
		return nil, err
	}
	free, err := lockNow(f)
	if free {
		info, err := f.Stat()
		if now, nowErr := os.Lstat(path); err == nil && nowErr == nil && os.SameFile(info, now) {
			return f, nil
		}
	}
	_ = f.Close()
	return nil, err
}
