package deliver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// file is file:PATH: a new file with the secret and a newline in it, mode 0600 from its
// first byte. It never replaces anything, also not what appears at the last moment, and
// never writes through a link.
type file struct {
	spec Spec
	path string // absolute

	// What Deliver made, nil before. Where the system allows, f stays open until Close:
	// while it does, no other file can have the same inode.
	made    fs.FileInfo
	f       *os.File
	content []byte
}

func (d *file) String() string { return d.spec.String() }

func (d *file) Prepare(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := checkFolder(d.path); err != nil {
		return err
	}
	switch info, err := os.Lstat(d.path); {
	case err == nil && info.Mode().IsRegular():
		return fmt.Errorf("%s exists already and is never replaced: %w", d.path, fs.ErrExist)
	case err == nil:
		return fmt.Errorf("%s exists already and is %s: %w", d.path, notRegular(info.Mode()), fs.ErrExist)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	private, err := probe(filepath.Dir(d.path), probeSize, true)
	if err != nil {
		return err
	}
	if !private {
		return d.notPrivate()
	}
	return nil
}

func (d *file) notPrivate() error {
	return fmt.Errorf("the file system of %s cannot keep a file from being read by others", filepath.Dir(d.path))
}

func (d *file) Deliver(ctx context.Context, secret string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f, private, err := newTemp(filepath.Dir(d.path))
	if err != nil {
		return err
	}
	tmp := f.Name()
	if !private {
		discard(f)
		return d.notPrivate()
	}
	content := []byte(secret + "\n")
	if err := fill(f, content); err != nil {
		discard(f)
		return err
	}
	made, err := f.Stat()
	if err != nil {
		discard(f)
		return err
	}
	if !renamesOpen {
		if err := f.Close(); err != nil {
			_ = os.Remove(tmp)
			return err
		}
		f = nil
	}
	taken, err := publish(tmp, d.path)
	if taken {
		d.made, d.f, d.content = made, f, content
	} else if f != nil {
		_ = f.Close() // it was synced
	}
	if err != nil {
		_ = os.Remove(tmp)
		return err
	}
	return syncDir(filepath.Dir(d.path))
}

func (d *file) Undo(context.Context) error {
	if d.made == nil {
		return nil
	}
	info, err := os.Lstat(d.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.made = nil // as it was before
		return nil
	case err != nil:
		return err
	case !os.SameFile(info, d.made) || !d.unchanged():
		return fmt.Errorf("%s %w", d.path, ErrChanged)
	}
	if err := d.release(); err != nil {
		return err
	}
	if err := os.Remove(d.path); err != nil {
		return err
	}
	d.made = nil
	return syncDir(filepath.Dir(d.path))
}

// unchanged tells whether the file still holds what was delivered, and nothing else.
func (d *file) unchanged() bool {
	f := d.f
	if f == nil {
		var err error
		if f, err = os.Open(d.path); err != nil {
			return false
		}
		defer f.Close() //nolint:errcheck // read only
	}
	content, err := io.ReadAll(io.NewSectionReader(f, 0, int64(len(d.content))+1))
	return err == nil && bytes.Equal(content, d.content)
}

func (d *file) release() error {
	if d.f == nil {
		return nil
	}
	f := d.f
	d.f = nil
	return f.Close()
}

func (d *file) Close() error { return d.release() }
