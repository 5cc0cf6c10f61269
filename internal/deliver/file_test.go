package deliver

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestFile(t *testing.T) {
	t.Parallel()
	env, _ := testEnv(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "token")
	d := prepared(t, env, "file:"+path)
	if got := mustTree(t, dir); strings.Contains(got, "token") || strings.Contains(got, "utho") {
		t.Errorf("prepare left something behind:\n%s", got)
	}
	deliver(t, d)
	if got := read(t, path); got != testSecret+"\n" {
		t.Errorf("the file holds %q", got)
	}
	if info, err := os.Lstat(path); err != nil || hasModes && info.Mode() != 0o600 || hardLinked(info) {
		t.Errorf("the file is %v, %v", info, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v, %v", entries, err)
	}
	for range 2 { // a second undo has nothing to do
		if err := d.Undo(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("after undo the folder holds %v, %v", entries, err)
	}
}

func TestFileStaysAfterClose(t *testing.T) {
	t.Parallel()
	env, _ := testEnv(t)
	path := filepath.Join(t.TempDir(), "token")
	d := prepared(t, env, "file:"+path)
	deliver(t, d)
	for range 2 {
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if got := read(t, path); got != testSecret+"\n" {
		t.Errorf("the file holds %q", got)
	}
}

func TestFilePrepareRefuses(t *testing.T) {
	t.Parallel()
	env, _ := testEnv(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "taken"), "x", 0o644)
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	before := mustTree(t, dir)
	for path, says := range map[string]string{
		"taken":                    "exists already and is never replaced",
		"folder":                   "is a folder",
		"no/such/token":            "the folder " + filepath.Join(dir, "no", "such") + " does not exist",
		"taken/token":              "", // the words differ between systems
		strings.Repeat("n", 300):   "",
		"folder/../taken":          "exists already",
		"folder/" + "../folder/..": "",
	} {
		d, err := openSpec(env, "file:"+dir+"/"+path)
		if err == nil {
			err = d.Prepare(t.Context())
		}
		fails(t, err, says)
		if strings.Contains(says, "exists") && !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v is not typed", path, err)
		}
	}
	unchanged(t, dir, before)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, text := range []string{"file:" + dir + "/free", "exec:" + os.Args[0]} {
		if err := open(t, env, text).Prepare(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("prepare %s after the end: %v", text, err)
		}
	}
	d := prepared(t, env, "file:"+dir+"/free")
	if err := d.Deliver(ctx, testSecret); !errors.Is(err, context.Canceled) {
		t.Errorf("deliver after the end: %v", err)
	}
	unchanged(t, dir, before)
}

// What appears between Prepare and Deliver is never replaced.
func TestFileAppears(t *testing.T) {
	t.Parallel()
	for name, appear := range map[string]func(path string) error{
		"file":   func(p string) error { return os.WriteFile(p, []byte("precious"), 0o600) },
		"empty":  func(p string) error { return os.WriteFile(p, nil, 0o600) },
		"folder": func(p string) error { return os.Mkdir(p, 0o700) },
		"link":   func(p string) error { return os.Symlink(filepath.Dir(p), p) },
		"dangling link": func(p string) error {
			return os.Symlink(filepath.Join(filepath.Dir(p), "elsewhere"), p)
		},
	} {
		env, _ := testEnv(t)
		dir := t.TempDir()
		path := filepath.Join(dir, "token")
		d := prepared(t, env, "file:"+path)
		if err := appear(path); err != nil {
			t.Logf("%s: %v", name, err) // links need a right on Windows
			continue
		}
		before := mustTree(t, dir)
		err := d.Deliver(t.Context(), testSecret)
		fails(t, err, path)
		if !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: %v is not fs.ErrExist", name, err)
		}
		if err := d.Undo(t.Context()); err != nil {
			t.Errorf("%s: undo: %v", name, err)
		}
		unchanged(t, dir, before)
	}
}

func TestFileFolderGoes(t *testing.T) {
	t.Parallel()
	env, _ := testEnv(t)
	dir := filepath.Join(t.TempDir(), "dir")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	d := prepared(t, env, "file:"+dir+"/token")
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if err := d.Deliver(t.Context(), testSecret); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("deliver into nothing: %v", err)
	}
	if err := d.Undo(t.Context()); err != nil {
		t.Error(err)
	}
}

// An undo removes the file it made, and no other.
func TestFileUndoLooks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		meanwhile func(path string) error
		changed   bool
	}{
		"removed": {os.Remove, false},
		"moved":   {func(p string) error { return os.Rename(p, p+".moved") }, false},
		"replaced, same content": {func(p string) error {
			// The inode may be a new use of the same number, were the old file not open.
			if err := os.Remove(p); err != nil {
				return err
			}
			return os.WriteFile(p, []byte(testSecret+"\n"), 0o600)
		}, true},
		"appended": {func(p string) error {
			f, err := os.OpenFile(p, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteString("more\n")
			return errors.Join(err, f.Close())
		}, true},
		"emptied": {func(p string) error { return os.Truncate(p, 0) }, true},
		"a folder now": {func(p string) error {
			return errors.Join(os.Remove(p), os.Mkdir(p, 0o700))
		}, true},
		"a link to it now": {func(p string) error {
			return errors.Join(os.Rename(p, p+".moved"), os.Symlink(p+".moved", p))
		}, true},
	} {
		env, _ := testEnv(t)
		dir := t.TempDir()
		path := filepath.Join(dir, "token")
		d := prepared(t, env, "file:"+path)
		deliver(t, d)
		if err := c.meanwhile(path); err != nil {
			t.Fatal(err)
		}
		before := mustTree(t, dir)
		err := d.Undo(t.Context())
		if c.changed != errors.Is(err, ErrChanged) || !c.changed && err != nil {
			t.Errorf("%s: undo: %v", name, err)
		}
		unchanged(t, dir, before)
	}
}

// Of many that want the same name at once one gets it, whole.
func TestFileRace(t *testing.T) {
	t.Parallel()
	env, _ := testEnv(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "token")
	var all []Destination
	for range 16 {
		all = append(all, prepared(t, env, "file:"+path))
	}
	won := make(chan string, len(all))
	var wg sync.WaitGroup
	for i, d := range all {
		wg.Go(func() {
			secret := testSecret + string(rune('a'+i))
			if err := d.Deliver(t.Context(), secret); err == nil {
				won <- secret
			} else if !errors.Is(err, fs.ErrExist) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	close(won)
	if len(won) != 1 {
		t.Fatalf("%d of them got the file", len(won))
	}
	if got, want := read(t, path), <-won+"\n"; got != want {
		t.Errorf("the file holds %q; want %q", got, want)
	}
	for _, d := range all { // those that lost must not remove it
		if _, ok := d.(*file); ok && d.(*file).made == nil {
			if err := d.Undo(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v, %v", entries, err)
	}
}

// The way for file systems without links replaces nothing either.
func TestRenameNoReplace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	write(t, from, "x", 0o600)
	if err := renameNoReplace(from, to); errors.Is(err, errors.ErrUnsupported) {
		t.Skip("this system has no such rename")
	} else if err != nil {
		t.Fatal(err)
	}
	write(t, from, "y", 0o600)
	if err := os.Symlink("nowhere", filepath.Join(dir, "link")); err != nil {
		t.Log(err)
	}
	before := mustTree(t, dir)
	for _, taken := range []string{to, filepath.Join(dir, "link"), dir} {
		if _, err := os.Lstat(taken); err != nil {
			continue
		}
		if err := renameNoReplace(from, taken); !errors.Is(err, fs.ErrExist) {
			t.Errorf("rename to %s: %v", taken, err)
		}
	}
	unchanged(t, dir, before)
}
