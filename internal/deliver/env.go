package deliver

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"al.essio.dev/pkg/shellescape"

	"github.com/utho/utho-cli/internal/privfile"
)

// envFile is env:PATH#NAME: one variable of a dotenv file. Every other byte of the file
// stays, and so do its mode, and its owner and group where this process may keep them
// (access lists and extended attributes do not). A new file is 0600.
//
// Every edit is made under a lock that all utho processes of one state folder share,
// from what the file holds at that moment, and takes effect at once as a whole. A link
// is refused, since replacing it would cut it off from its target, and so is a file with
// other hard links, which would be left with the old content.
type envFile struct {
	spec Spec
	path string // absolute
	name string
	env  Env

	done *envEdit // what Deliver did, nil before
}

// envEdit is what an undo needs to know.
type envEdit struct {
	before snapshot
	after  []byte // the file as Deliver wrote it
	edit   edit
	value  string // as written, quotes included
}

// A snapshot is a dotenv file at one moment.
type snapshot struct {
	content []byte
	info    fs.FileInfo // nil where there is no file
}

// same tells whether info is of the file of the snapshot, unchanged since.
func (s snapshot) same(info fs.FileInfo) bool {
	return os.SameFile(s.info, info) && s.info.Size() == info.Size() && s.info.ModTime().Equal(info.ModTime())
}

// errRaced says that another program changed the file between reading and replacing it.
var errRaced = errors.New("another program keeps changing it")

// editTries is how often an edit starts again after errRaced.
const editTries = 10

func (d *envFile) String() string { return d.spec.String() }

func (d *envFile) Prepare(ctx context.Context) error {
	if err := checkFolder(d.path); err != nil {
		return err
	}
	unlock, err := d.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	before, err := d.read()
	if err != nil {
		return err
	}
	if _, err := d.change(before.content, "x"); err != nil {
		return err
	}
	if before.info != nil {
		if err := d.replaceable(before.info); err != nil {
			return err
		}
		d.warnLoose(before.info.Mode())
	}
	private, err := probe(filepath.Dir(d.path), len(before.content)+probeSize, before.info == nil)
	if err == nil && !private && before.info == nil {
		d.env.warn(d.path + " will be open to others: its file system cannot keep a file private")
	}
	return err
}

// replaceable says what would keep a file that can be read from being replaced.
func (d *envFile) replaceable(info fs.FileInfo) error {
	dir, err := os.Stat(filepath.Dir(d.path))
	if err != nil {
		return err
	}
	mounted, err := isMountPoint(d.path, dir, info)
	switch {
	case err != nil:
		return fmt.Errorf("look for mounts on %s: %w", d.path, err)
	case mounted:
		return fmt.Errorf("%s is a mount of its own, as containers make for single files, and cannot be replaced; mount its folder instead", d.path)
	case stickyBlocks(dir, info):
		return fmt.Errorf("%s belongs to another user, in a folder where only owners may replace files", d.path)
	}
	// Replacing a file needs no right to write to it; whoever took that right away, by
	// mode or by an attribute like immutable, still meant something by it.
	f, err := os.OpenFile(d.path, os.O_WRONLY|openNoFollow|openNonblock, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

func (d *envFile) warnLoose(mode fs.FileMode) {
	if hasModes && mode.Perm()&0o044 != 0 {
		d.env.warn(fmt.Sprintf("%s can be read by others (mode %#o); close it with: chmod 600 %s",
			d.path, mode.Perm(), shellescape.Quote(d.path)))
	}
}

// change finds the edit and proves it: what comes out has the value once.
func (d *envFile) change(content []byte, value string) (edit, error) {
	e, err := setVariable(content, d.name, value)
	if err != nil {
		return edit{}, fmt.Errorf("edit %s: %w", d.path, err)
	}
	after := e.apply(content)
	found, _, err := findVariable(after, d.name)
	if err != nil {
		return edit{}, fmt.Errorf("edit %s: %w", d.path, err)
	}
	if found == nil || string(after[found.value:found.end]) != value {
		return edit{}, fmt.Errorf("edit %s: the value would not read back as it was written", d.path)
	}
	return e, nil
}

func (d *envFile) Deliver(ctx context.Context, secret string) error {
	value, err := quoteValue(secret)
	if err != nil {
		return err
	}
	unlock, err := d.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return d.retry(func() error {
		before, err := d.read()
		if err != nil {
			return err
		}
		e, err := d.change(before.content, value)
		if err != nil {
			return err
		}
		after := e.apply(before.content)
		done := &envEdit{before: before, after: after, edit: e, value: value}
		return d.replace(before, after, time.Time{}, func() { d.done = done })
	})
}

func (d *envFile) Undo(ctx context.Context) error {
	if d.done == nil {
		return nil
	}
	unlock, err := d.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	err = d.retry(d.undo)
	if err == nil {
		d.done = nil
	}
	return err
}

func (d *envFile) undo() error {
	now, err := d.read()
	if err != nil {
		return err
	}
	if now.info == nil && d.done.before.info == nil {
		return nil // somebody else removed it
	}
	var back []byte
	var modified time.Time
	if bytes.Equal(now.content, d.done.after) {
		back = d.done.before.content
		if d.done.before.info != nil {
			modified = d.done.before.info.ModTime()
		}
	} else {
		e, err := unsetVariable(now.content, d.name, d.done.value, d.done.edit)
		if err != nil {
			return fmt.Errorf("%s in %s: %w", d.name, d.path, err)
		}
		back = e.apply(now.content)
	}
	if d.done.before.info == nil && len(back) == 0 {
		return d.remove(now)
	}
	err = d.replace(now, back, modified, func() {})
	if err == nil || errors.Is(err, errRaced) || d.overwrite(now, back, modified) != nil {
		return err
	}
	return nil
}

func (d *envFile) Close() error { return nil }

func (d *envFile) retry(try func() error) error {
	for n := 1; ; n++ {
		if err := try(); !errors.Is(err, errRaced) || n == editTries {
			return err
		}
	}
}

// lock takes the lock of this file, in the folder for locks: the user's own folders stay
// as they are. Names of the file that differ in case share a lock, which does no harm.
func (d *envFile) lock(ctx context.Context) (unlock func(), err error) {
	if d.env.LockDir == "" {
		return nil, errors.New("there is no folder for lock files")
	}
	if err := privfile.MkdirAll(d.env.LockDir); err != nil {
		return nil, fmt.Errorf("make the folder for lock files: %w", err)
	}
	sum := sha256.Sum256([]byte(strings.ToLower(realPath(d.path))))
	ctx, cancel := context.WithTimeout(ctx, lockTime)
	defer cancel()
	return privfile.Lock(ctx, filepath.Join(d.env.LockDir, "env-"+hex.EncodeToString(sum[:16])+".lock"))
}

// read takes a snapshot of the file. Anything that cannot be replaced by a regular file
// without loss is an error.
func (d *envFile) read() (snapshot, error) {
	info, err := os.Lstat(d.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return snapshot{}, nil
	case err != nil:
		return snapshot{}, err
	case !info.Mode().IsRegular():
		return snapshot{}, fmt.Errorf("%s is %s; only a regular file can be edited", d.path, notRegular(info.Mode()))
	}
	f, err := os.OpenFile(d.path, os.O_RDONLY|openNoFollow|openNonblock, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist) || isLinkError(err):
		return snapshot{}, errRaced
	case err != nil:
		return snapshot{}, err
	}
	defer f.Close() //nolint:errcheck // read only
	info, err = f.Stat()
	switch {
	case err != nil:
		return snapshot{}, err
	case !info.Mode().IsRegular():
		return snapshot{}, errRaced
	case hardLinked(info):
		return snapshot{}, fmt.Errorf("%s has other names (hard links), which an edit would leave with the old content", d.path)
	}
	content, err := io.ReadAll(io.LimitReader(f, maxDotenv+1))
	return snapshot{content, info}, err
}
