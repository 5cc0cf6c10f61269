package deliver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"al.essio.dev/pkg/shellescape"

	"github.com/utho/utho-cli/internal/privfile"
)

// envFile is env:PATH#NAME: one variable of a dotenv file. Everything else in the file stays, and so do its owner,
// group and mode; a new one is 0600. Each edit is made under a lock on the file itself, so that it holds between all
// who share it, from what it holds at that moment, and takes effect at once as a whole.
type envFile struct {
	env  Env
	path string // absolute
	name string

	created       bool
	edit          edit
	before, after string // the file as Deliver found and wrote it; after is empty if it did not
}

func (d *envFile) Place() string { return "env:" + d.path + "#" + d.name }

func (d *envFile) Prepare(ctx context.Context) error {
	if err := privfile.CheckReplace(d.path, privfile.Keep); err != nil {
		return err
	}
	f, content, err := d.open(ctx, false)
	if err == nil {
		warnMode(d.env, f)
		_ = f.Close() // read only
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := d.change(content, "x"); err != nil {
		return err
	}
	if found, _, _ := findVariable(content, d.name); found != nil && found.value != "" && !d.env.Rotate { // it was read
		d.env.Warn(fmt.Sprintf("%s in %s has a value already, which the new secret replaces", d.name, d.path))
	}
	warnGit(ctx, d.env, d.path)
	return nil
}

// warnMode says so if others can read a file that gets a secret and keeps its mode.
func warnMode(env Env, f *os.File) {
	if info, err := f.Stat(); err == nil && privfile.OthersCanRead(info) {
		env.Warn(fmt.Sprintf("%s can be read by others (mode %#o); to close it: chmod 600 %s",
			f.Name(), info.Mode().Perm(), shellescape.Quote(f.Name())))
	}
}

func (d *envFile) Deliver(ctx context.Context, t Token) error {
	if _, err := d.change("", t.Secret); err != nil { // before there is a file
		return err
	}
	privfile.Sweep(filepath.Dir(d.path))
	f, content, err := d.open(ctx, false)
	if errors.Is(err, fs.ErrNotExist) {
		f, content, err = d.open(ctx, true)
		d.created = content == "" // otherwise others were faster
	}
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it was only read
	e, err := d.change(content, t.Secret)
	if err != nil {
		return err
	}
	d.edit, d.before, d.after = e, content, e.apply(content)
	return d.write(f, d.after)
}

// Undo brings back every byte, or in a file that others have edited since the old line.
func (d *envFile) Undo(ctx context.Context) error {
	if d.after == "" {
		return nil
	}
	f, now, err := d.open(ctx, false)
	switch {
	case errors.Is(err, fs.ErrNotExist) && d.created:
		return nil // somebody else removed it
	case err != nil:
		return err
	}
	defer f.Close() //nolint:errcheck // it was only read
	back := d.before
	if now != d.after && now != d.before {
		var ok bool
		if back, ok = d.edit.undo(now); !ok {
			return fmt.Errorf("%s in %s %w", d.name, d.path, ErrChanged)
		}
	}
	if now == back && !d.created {
		return nil
	}
	return d.write(f, back)
}

// write replaces the file, whose lock is held, or removes the one that Deliver created if nothing is left in it.
func (d *envFile) write(f *os.File, content string) error {
	if runtime.GOOS == "windows" {
		_ = f.Close() // an open file cannot be replaced there
	}
	if content != "" || !d.created {
		return privfile.Replace(d.path, []byte(content), privfile.Keep)
	}
	return remove(d.path)
}

func (d *envFile) Holds(_ context.Context, sum [32]byte) (string, error) {
	content, _, err := privfile.ReadForeign(d.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	found, _, err := findVariable(string(content), d.name)
	if err != nil || found == nil {
		return "", err
	}
	return ifSum(found.value, sum), nil
}

// open opens, locks and reads the file. fs.ErrNotExist if there is none and create is not set.
func (d *envFile) open(ctx context.Context, create bool) (*os.File, string, error) {
	ctx, cancel := context.WithTimeout(ctx, lockTime)
	defer cancel()
	f, err := privfile.OpenLocked(ctx, d.path, create)
	if err != nil {
		return nil, "", err
	}
	content, err := io.ReadAll(f)
	if err != nil {
		_ = f.Close() // read only
		return nil, "", err
	}
	return f, string(content), nil
}

func (d *envFile) change(content, secret string) (edit, error) {
	e, err := setVariable(content, d.name, secret, filepath.Base(d.path) == ".envrc")
	if err != nil {
		err = fmt.Errorf("edit %s: %w", d.path, err)
	}
	return e, err
}
