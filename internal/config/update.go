package config

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/utho/utho-cli/internal/privfile"
)

// holdWait bounds how long Hold waits for another utho, which may itself be waiting for its keyring.
const holdWait = time.Minute

// Held is the one lock under which the configuration and the secrets that it names change, so that they come
// from the same login. Release ends it.
type Held struct {
	paths   Paths
	release func()
}

// Hold creates the folder if it is missing and takes the lock. It waits for another utho, for a minute at
// most. If the folder cannot be written, nobody can log in there, and nothing is locked: a logout from a
// read-only configuration must work.
func Hold(ctx context.Context, p Paths) (*Held, error) {
	h := &Held{p, func() {}}
	lock := filepath.Join(p.Config, ".lock") // it stays empty
	err := makeFolder(p)
	if err == nil {
		wait, cancel := context.WithTimeout(ctx, holdWait)
		defer cancel()
		var release func()
		if release, err = privfile.Lock(wait, lock); err == nil {
			h.release = release
			return h, nil
		}
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case wait.Err() != nil:
			return nil, fmt.Errorf("another login or logout has not ended within %v: it holds %s", holdWait, lock)
		}
	}
	if unwritable(err) {
		return h, nil
	}
	return nil, err
}

// unwritable reports whether there is no room or right for a lock file, which a logout does not need.
func unwritable(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) ||
		errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

func makeFolder(p Paths) error {
	if err := privfile.MkdirAll(p.Config); err != nil {
		return fmt.Errorf("create the configuration's folder: %w", err)
	}
	if err := privfile.CheckUnwritableDir(p.Config); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return nil
}

// Release gives the lock back.
func (h *Held) Release() { h.release() }

// Load is the configuration as it is now.
func (h *Held) Load() (*File, error) {
	f, err := Load(h.paths.File())
	if err == nil {
		err = f.Reachable()
	}
	return f, err
}

// Update lets edit change the file, which it reads again, and replaces it in one step. What edit does not
// touch stays: comments, order, blank lines, unknown keys; other spacing may be normalised. Nothing is
// written if edit fails or changes nothing. undo restores what was there, if the file is still what this
// Update wrote; it belongs to the same hold.
func (h *Held) Update(edit func(*Edit) error) (undo func() error, err error) {
	before, after, err := h.edit(edit)
	if err != nil || after == nil {
		return func() error { return nil }, err
	}
	if err := makeFolder(h.paths); err != nil {
		return nil, err
	}
	if err := privfile.Replace(h.paths.File(), after, privfile.FollowLink); err != nil {
		_ = h.restore(before, after) // if only the sync of the folder failed
		return nil, fmt.Errorf("write configuration: %w", err)
	}
	return func() error { return h.restore(before, after) }, nil
}

// Check reports whether Update would do the same, without changing the file.
func (h *Held) Check(edit func(*Edit) error) error {
	_, after, err := h.edit(edit)
	if err != nil || after == nil {
		return err
	}
	if err := makeFolder(h.paths); err != nil {
		return err
	}
	if err := privfile.CheckReplace(h.paths.File(), privfile.FollowLink); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return nil
}

// edit is the file before an edit and its text after it, which is nil if nothing changes.
func (h *Held) edit(edit func(*Edit) error) (before *File, after []byte, err error) {
	if before, err = h.Load(); err != nil {
		return nil, nil, err
	}
	e := &Edit{before}
	if err := edit(e); err != nil || e.f == before || bytes.Equal(e.f.text, before.text) {
		return before, nil, err
	}
	return before, e.f.text, nil
}

func (h *Held) restore(before *File, wrote []byte) error {
	path := h.paths.File()
	now, err := privfile.ReadConfig(path)
	switch {
	case err != nil:
	case !bytes.Equal(now, wrote):
		err = errors.New("it was changed meanwhile")
	case before.exists:
		err = privfile.Replace(path, before.text, privfile.FollowLink)
	default:
		err = os.Remove(path)
	}
	if err != nil {
		return fmt.Errorf("restore configuration: %w", err)
	}
	return nil
}

// Update is Held.Update alone.
func Update(ctx context.Context, p Paths, edit func(*Edit) error) error {
	h, err := Hold(ctx, p)
	if err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	defer h.Release()
	_, err = h.Update(edit)
	return err
}
