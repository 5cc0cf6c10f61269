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

// Held is the one lock under which the configuration and the secrets that it names change.
type Held struct {
	Release func() // gives the lock back
	path    string
	noWrite error // why nothing can be written, and nothing was locked
}

// Hold creates the folder if it is missing and takes the lock. It waits for another utho, which may be waiting
// for its keyring, for a minute at most. If nothing can be written there, nobody can log in, and nothing is
// locked: a logout from a read-only configuration must work.
func Hold(ctx context.Context, p Paths) (*Held, error) {
	h := &Held{path: p.File(), Release: func() {}}
	err := privfile.MkdirAll(p.Config)
	if err == nil {
		err = privfile.CheckUnwritableDir(p.Config)
	}
	if err == nil {
		slow := errors.New("another login or logout has not ended within a minute")
		wait, cancel := context.WithTimeoutCause(ctx, time.Minute, slow)
		defer cancel()
		var release func()
		if release, err = privfile.Lock(wait, filepath.Join(p.Config, ".lock")); err == nil {
			h.Release = release
			return h, nil
		}
	}
	for _, unwritable := range []error{fs.ErrPermission, syscall.EROFS, syscall.ENOSPC, syscall.EDQUOT} {
		if errors.Is(err, unwritable) {
			h.noWrite = err
			return h, nil
		}
	}
	return nil, err
}

// Load is the configuration as it is now.
func (h *Held) Load() (*File, error) {
	f, err := Load(h.path)
	if err == nil {
		err = f.Reachable()
	}
	return f, err
}

// Update lets edit change the file, which it reads again, and replaces it in one step, unless edit fails or
// changes nothing. Comments, order, blank lines and unknown keys stay; other spacing may be normalised. undo
// restores what was there, if the file is still what this Update wrote; it belongs to the same hold.
func (h *Held) Update(edit func(*Edit) error) (undo func() error, err error) {
	undo = func() error { return nil }
	err = h.change(edit, func(before *File, text []byte) error {
		undo = func() error { return before.restore(text) }
		err := privfile.Replace(h.path, text, privfile.FollowLink)
		if err != nil {
			_ = undo() // if only the sync of the folder failed
		}
		return err
	})
	return undo, err
}

// Check reports whether Update would do the same, without changing the file.
func (h *Held) Check(edit func(*Edit) error) error {
	return h.change(edit, func(*File, []byte) error { return privfile.CheckReplace(h.path, privfile.FollowLink) })
}

func (h *Held) change(edit func(*Edit) error, write func(before *File, text []byte) error) error {
	before, err := h.Load()
	if err != nil {
		return err
	}
	e := &Edit{before}
	if err := edit(e); err != nil || bytes.Equal(e.text, before.text) {
		return err
	}
	if err = h.noWrite; err == nil {
		err = write(before, e.text)
	}
	if err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return nil
}

// restore brings back f, if what was written in its place is still there.
func (f *File) restore(wrote []byte) error {
	now, err := privfile.ReadConfig(f.path)
	switch {
	case err != nil:
	case !bytes.Equal(now, wrote):
		err = errors.New("it was changed meanwhile")
	case f.text != nil:
		err = privfile.Replace(f.path, f.text, privfile.FollowLink)
	default:
		err = os.Remove(f.path)
	}
	if err != nil {
		return fmt.Errorf("restore configuration: %w", err)
	}
	return nil
}
