package deliver

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// replace puts content in the place of the file of the snapshot, or makes it where there
// was none; errRaced where the file is not as in the snapshot any more. A modification
// time that is not zero is set. done is called at the moment the file is in place: errors
// may still follow.
func (d *envFile) replace(was snapshot, content []byte, modified time.Time, done func()) error {
	f, private, err := newTemp(filepath.Dir(d.path))
	if err != nil {
		return err
	}
	tmp := f.Name()
	if _, err := f.Write(content); err != nil {
		discard(f)
		return err
	}
	if was.info != nil {
		if err := d.keep(f, was.info); err != nil {
			discard(f)
			return err
		}
	}
	if err := f.Sync(); err != nil {
		discard(f)
		return err
	}
	if err := f.Close(); err != nil {
		_ = os.Remove(tmp)
		return err
	}
	if !modified.IsZero() {
		// Tools like make look at it; an undo that cannot set it has still undone.
		_ = os.Chtimes(tmp, time.Time{}, modified)
	}
	taken, err := d.swap(tmp, was)
	if taken {
		done()
	}
	if err != nil {
		_ = os.Remove(tmp)
		return err
	}
	if was.info == nil && !private {
		d.env.warn(d.path + " is open to others: its file system cannot keep a file private")
	}
	return syncDir(filepath.Dir(d.path))
}

// swap gives tmp the file's name, if the file is still as in the snapshot.
func (d *envFile) swap(tmp string, was snapshot) (taken bool, err error) {
	if was.info == nil {
		taken, err = publish(tmp, d.path)
		if errors.Is(err, fs.ErrExist) {
			err = errRaced
		}
		return taken, err
	}
	info, err := os.Lstat(d.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !was.same(info) {
		return false, errRaced
	}
	if err != nil {
		return false, err
	}
	err = os.Rename(tmp, d.path)
	return err == nil, err
}

// keep gives f the owner, group and mode of like. Where the group cannot be kept, f is
// closed to any group: another one was never meant to read it.
func (d *envFile) keep(f *os.File, like fs.FileInfo) error {
	user, group, err := keepOwner(f, like)
	if err != nil {
		return err
	}
	mode := like.Mode().Perm()
	if !user {
		d.env.warn(d.path + " belongs to this user now: its owner could not be kept")
	}
	if !group {
		mode &^= 0o070
		d.env.warn(d.path + " is closed to its group now, which could not be kept")
	}
	if !hasModes {
		return nil
	}
	err = f.Chmod(mode)
	info, statErr := f.Stat()
	switch {
	case statErr != nil:
		return statErr
	case info.Mode().Perm()&^mode != 0:
		return fmt.Errorf("keep the mode of %s: %w", d.path, errors.Join(err, errors.New("others could read it")))
	case info.Mode().Perm() != mode && err != nil:
		return fmt.Errorf("keep the mode of %s: %w", d.path, err)
	}
	return nil
}

// overwrite writes over the file of the snapshot in place, which takes no room where the
// content is no longer than what stands there: the last resort of an undo, on a disk that
// has become full. Not for a delivery, which had better do nothing.
func (d *envFile) overwrite(was snapshot, content []byte, modified time.Time) error {
	if was.info == nil || len(content) > len(was.content) {
		return errors.ErrUnsupported
	}
	f, err := os.OpenFile(d.path, os.O_WRONLY|openNoFollow|openNonblock, 0)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // synced below
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !was.same(info) {
		return errRaced
	}
	if _, err := f.WriteAt(content, 0); err != nil {
		return err
	}
	if err := errors.Join(f.Truncate(int64(len(content))), f.Sync()); err != nil {
		return err
	}
	if !modified.IsZero() {
		_ = os.Chtimes(d.path, time.Time{}, modified)
	}
	return nil
}

// remove takes the file of the snapshot away, which Deliver had made.
func (d *envFile) remove(was snapshot) error {
	if info, err := os.Lstat(d.path); err != nil || !was.same(info) {
		return errRaced
	}
	if err := os.Remove(d.path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(d.path))
}
