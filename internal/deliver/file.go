package deliver

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/utho/utho-cli/internal/privfile"
)

// file is file:PATH: the secret and a newline. A new file is 0600 and never takes the place of anything. In a rotation
// one that exists is replaced in one step; its owner, group and mode stay.
type file struct {
	spec Spec
	env  Env
	path string // absolute

	was     []byte // what Deliver replaced
	new     []byte // what Deliver wrote, or began to; nil before
	created bool
}

func (d *file) Place() string { return "file:" + d.path }

func (d *file) Prepare(ctx context.Context) error {
	if _, err := os.Lstat(d.path); err == nil && !d.env.Rotate {
		return fmt.Errorf("%s already exists, and create never replaces it; remove it first, name another, "+
			"or put a new secret in it with: utho token rotate NAME --to %s", d.path, d.spec)
	}
	if err := privfile.CheckReplace(d.path, privfile.Keep); err != nil {
		return err
	}
	if f, err := os.Open(d.path); err == nil {
		warnMode(d.env, f)
		_ = f.Close() // read only
	}
	warnGit(ctx, d.env, d.path)
	return nil
}

func (d *file) Deliver(_ context.Context, t Token) error {
	privfile.Sweep(filepath.Dir(d.path))
	secret := []byte(t.Secret + "\n")
	if d.env.Rotate {
		was, _, err := privfile.ReadForeign(d.path)
		if err == nil {
			d.was, d.new = was, secret
			return privfile.Replace(d.path, secret, privfile.Keep)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	err := privfile.Create(d.path, secret)
	if !errors.Is(err, fs.ErrExist) {
		d.new, d.created = secret, true
	}
	return err
}

func (d *file) Undo(context.Context) error {
	if d.new == nil {
		return nil
	}
	now, _, err := privfile.ReadForeign(d.path)
	switch {
	case d.created && errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case d.created && bytes.HasPrefix(d.new, now): // all of it, or what a full disk took
		return remove(d.path)
	case !d.created && bytes.Equal(now, d.was):
		return nil
	case !d.created && bytes.Equal(now, d.new):
		return privfile.Replace(d.path, d.was, privfile.Keep)
	}
	return fmt.Errorf("%s %w", d.path, ErrChanged)
}

func (d *file) Holds(_ context.Context, sum [32]byte) (string, error) {
	data, _, err := privfile.ReadForeign(d.path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return ifSum(strings.TrimRight(string(data), "\r\n"), sum), err
}

// ifSum is the secret if its SHA-256 is sum.
func ifSum(secret string, sum [32]byte) string {
	if sha256.Sum256([]byte(secret)) == sum {
		return secret
	}
	return ""
}

func remove(path string) error {
	return errors.Join(os.Remove(path), privfile.SyncDir(filepath.Dir(path)))
}
