package deliver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/utho/utho-cli/internal/privfile"
)

func TestEnvNew(t *testing.T) {
	t.Parallel()
	env, warned := testEnv(t)
	dir := t.TempDir()
	before := strings.SplitN(mustTree(t, dir), "\n", 2)[1]
	path := filepath.Join(dir, ".env")
	d := prepared(t, env, "env:"+path)
	deliver(t, d)
	if got := read(t, path); got != "UTHO_API_KEY="+testSecret+"\n" {
		t.Errorf("the file holds %q", got)
	}
	if info, err := os.Lstat(path); err != nil || hasModes && info.Mode() != 0o600 {
		t.Errorf("the file is %v, %v", info, err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("the folder holds %v", entries)
	}
	for range 2 {
		if err := d.Undo(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if after := strings.SplitN(mustTree(t, dir), "\n", 2)[1]; after != before {
		t.Errorf("after undo: %s", after)
	}
	if warned.String() != "" {
		t.Errorf("warned: %s", warned)
	}
	// The lock is where it was asked to be, and private.
	locks, err := os.ReadDir(env.LockDir)
	if err != nil || len(locks) != 1 {
		t.Fatalf("locks: %v, %v", locks, err)
	}
	if info, err := locks[0].Info(); err != nil || hasModes && info.Mode().Perm() != 0o600 {
		t.Errorf("the lock is %v, %v", info, err)
	}
}

func TestEnvEdit(t *testing.T) {
	t.Parallel()
	long := time.Date(2020, 2, 29, 12, 0, 0, 123456789, time.UTC)
	for _, mode := range []fs.FileMode{0o600, 0o640, 0o644, 0o660, 0o666, 0o700} {
		env, warned := testEnv(t)
		dir := t.TempDir()
		path := filepath.Join(dir, ".env")
		write(t, path, "A=1\r\nexport TOKEN='old' # mine\r\nB=2", mode)
		if err := os.Chtimes(path, long, long); err != nil {
			t.Fatal(err)
		}
		before := mustTree(t, dir)
		d := prepared(t, env, "env:"+path+"#TOKEN")
		unchanged(t, dir, before)
		if hasModes && (mode&0o044 != 0) != strings.Contains(warned.String(), "can be read by others") {
			t.Errorf("mode %o: warned %q", mode, warned)
		}
		deliver(t, d)
		if got := read(t, path); got != "A=1\r\nexport TOKEN="+testSecret+" # mine\r\nB=2" {
			t.Errorf("the file holds %q", got)
		}
		if info, err := os.Lstat(path); err != nil || hasModes && info.Mode() != mode {
			t.Errorf("the file is %v, %v; want mode %o", info.Mode(), err, mode)
		}
		if err := d.Undo(t.Context()); err != nil {
			t.Fatal(err)
		}
		unchanged(t, dir, before) // the time too
	}
}

func TestEnvPrepareRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		make func(dir, path string) error
		says string
	}{
		"folder": {func(_, p string) error { return os.Mkdir(p, 0o700) }, "is a folder"},
		"link": {func(dir, p string) error {
			return errors.Join(os.WriteFile(filepath.Join(dir, "real"), []byte("A=1\n"), 0o600), os.Symlink("real", p))
		}, "is a symbolic link"},
		"dangling link": {func(_, p string) error { return os.Symlink("nowhere", p) }, "is a symbolic link"},
		"hard link": {func(dir, p string) error {
			return errors.Join(os.WriteFile(p, nil, 0o600), os.Link(p, filepath.Join(dir, "other")))
		}, "has other names"},
		"twice":  {func(_, p string) error { return os.WriteFile(p, []byte("TOKEN=a\nTOKEN=b\n"), 0o600) }, "more than once, on lines 1, 2"},
		"binary": {func(_, p string) error { return os.WriteFile(p, []byte("\x7fELF\x00"), 0o600) }, "NUL"},
		"large": {func(_, p string) error {
			return os.WriteFile(p, []byte(strings.Repeat("#\n", maxDotenv/2+1)), 0o600)
		}, "larger than"},
		"very large": {func(_, p string) error {
			return errors.Join(os.WriteFile(p, nil, 0o600), os.Truncate(p, 1<<40))
		}, "larger than"},
	} {
		env, _ := testEnv(t)
		dir := t.TempDir()
		path := filepath.Join(dir, ".env")
		if err := c.make(dir, path); err != nil {
			t.Logf("%s: %v", name, err)
			continue
		}
		if name == "very large" {
			fails(t, open(t, env, "env:"+path+"#TOKEN").Prepare(t.Context()), c.says)
			continue
		}
		before := mustTree(t, dir)
		d := open(t, env, "env:"+path+"#TOKEN")
		fails(t, d.Prepare(t.Context()), c.says, path)
		// Where it has become so since Prepare, delivery refuses too.
		fails(t, d.Deliver(t.Context(), testSecret), c.says)
		if err := d.Undo(t.Context()); err != nil {
			t.Errorf("%s: undo: %v", name, err)
		}
		unchanged(t, dir, before)
	}
	env, _ := testEnv(t)
	dir := t.TempDir()
	fails(t, open(t, env, "env:"+dir+"/no/.env").Prepare(t.Context()), "the folder "+filepath.Join(dir, "no")+" does not exist")
	env.LockDir = ""
	fails(t, open(t, env, "env:"+dir+"/.env").Prepare(t.Context()), "no folder for lock files")
	write(t, filepath.Join(dir, "file"), "", 0o600)
	env.LockDir = filepath.Join(dir, "file")
	fails(t, open(t, env, "env:"+dir+"/.env").Prepare(t.Context()), "lock files")
}

// What others write between Prepare and Deliver is kept.
func TestEnvRereads(t *testing.T) {
	t.Parallel()
	env, _ := testEnv(t)
	path := filepath.Join(t.TempDir(), ".env")
	d := prepared(t, env, "env:"+path) // no file yet
	write(t, path, "A=1\nUTHO_API_KEY=old\n", 0o600)
	deliver(t, d)
	if got := read(t, path); got != "A=1\nUTHO_API_KEY="+testSecret+"\n" {
		t.Errorf("the file holds %q", got)
	}
	if err := d.Undo(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := read(t, path); got != "A=1\nUTHO_API_KEY=old\n" {
		t.Errorf("after undo the file holds %q", got)
	}

	d = prepared(t, env, "env:"+path)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	deliver(t, d)
	if err := d.Undo(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that was not there is there: %v", err)
	}
}

func TestEnvUndoAfterOthers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ before, now, want string }{
		"appended, others added":   {"A=1", "A=1\nUTHO_API_KEY=%s\nB=2\n", "A=1\nB=2\n"},
		"replaced, others changed": {"UTHO_API_KEY=old\n", "A=1\nUTHO_API_KEY=%s\n", "A=1\nUTHO_API_KEY=old\n"},
		"new, others added":        {"-", "UTHO_API_KEY=%s\nB=2\n", "B=2\n"},
		"new, removed by others":   {"-", "-", "-"},
		"value changed":            {"A=1\n", "A=1\nUTHO_API_KEY=else\n", "!"},
		"emptied":                  {"A=1\n", "", "!"},
		"removed":                  {"A=1\n", "-", "!"},
		"broken":                   {"A=1\n", "A='1\nUTHO_API_KEY=%s\n", "!"},
	} {
		env, _ := testEnv(t)
		path := filepath.Join(t.TempDir(), ".env")
		put := func(content string) {
			if content == "-" {
				if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Fatal(err)
				}
				return
			}
			write(t, path, strings.ReplaceAll(content, "%s", testSecret), 0o600)
		}
		put(c.before)
		d := prepared(t, env, "env:"+path)
		deliver(t, d)
		put(c.now)
		err := d.Undo(t.Context())
		if c.want == "!" {
			fails(t, err, path)
			if name != "broken" && !errors.Is(err, ErrChanged) {
				t.Errorf("%s: %v is not ErrChanged", name, err)
			}
			c.want = strings.ReplaceAll(c.now, "%s", testSecret)
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got := "-"
		if b, err := os.ReadFile(path); err == nil {
			got = string(b)
		}
		if got != c.want {
			t.Errorf("%s: the file holds %q; want %q", name, got, c.want)
		}
	}
}

func TestEnvBadSecret(t *testing.T) {
	t.Parallel()
	env, _ := testEnv(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, ".env"), "A=1\n", 0o600)
	before := mustTree(t, dir)
	d := prepared(t, env, "env:"+dir+"/.env")
	fails(t, d.Deliver(t.Context(), testSecret+"\nEVIL=1"), "control character")
	unchanged(t, dir, before)
}

// A delivery waits for the lock as long as its context lasts, and touches nothing without it.
func TestEnvLocked(t *testing.T) {
	t.Parallel()
	env, _ := testEnv(t)
	dir := t.TempDir()
	path := filepath.Join(dir, ".env")
	write(t, path, "A=1\n", 0o600)
	d := prepared(t, env, "env:"+path)
	before := mustTree(t, dir)
	locks, err := os.ReadDir(env.LockDir)
	if err != nil || len(locks) != 1 {
		t.Fatal(locks, err)
	}
	unlock, err := privfile.Lock(t.Context(), filepath.Join(env.LockDir, locks[0].Name()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	err = d.Deliver(ctx, testSecret)
	fails(t, err, "lock")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	unchanged(t, dir, before)
	unlock()
	deliver(t, d)
}

// A link in the folder's path leads to the same lock: it is one file.
func TestEnvLockOfRealPath(t *testing.T) {
	t.Parallel()
	env, _ := testEnv(t)
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "real"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", filepath.Join(dir, "link")); err != nil {
		t.Skip(err)
	}
	prepared(t, env, "env:"+dir+"/real/.env")
	prepared(t, env, "env:"+dir+"/link/.env")
	if locks, err := os.ReadDir(env.LockDir); err != nil || len(locks) != 1 {
		t.Errorf("locks: %v, %v", locks, err)
	}
}

// What changes at the very last moment is noticed: the edit starts again.
func TestEnvSwapNotices(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]func(path string) error{
		"edited in place": func(p string) error { return os.WriteFile(p, []byte("A=1\nB=2\n"), 0o600) },
		"replaced": func(p string) error {
			return errors.Join(os.WriteFile(p+"2", []byte("B=2\n"), 0o600), os.Rename(p+"2", p))
		},
		"removed": os.Remove,
		"made":    func(p string) error { return os.WriteFile(p, []byte("B=2\n"), 0o600) },
		"a link":  func(p string) error { return os.Symlink("nowhere", p) },
	} {
		env, _ := testEnv(t)
		dir := t.TempDir()
		path := filepath.Join(dir, ".env")
		if name != "made" && name != "a link" {
			write(t, path, "A=1\n", 0o600)
		}
		d, ok := open(t, env, "env:"+path).(*envFile)
		if !ok {
			t.Fatal("env: is not an envFile")
		}
		was, err := d.read()
		if err != nil {
			t.Fatal(err)
		}
		if err := meanwhile(path); err != nil {
			t.Logf("%s: %v", name, err)
			continue
		}
		before := mustTree(t, dir)
		for what, step := range map[string]func() error{
			"replace": func() error {
				return d.replace(was, []byte("C=3\n"), time.Time{}, func() { t.Errorf("%s: replaced", name) })
			},
			"overwrite": func() error { return d.overwrite(was, nil, time.Time{}) },
			"remove":    func() error { return d.remove(was) },
		} {
			if was.info == nil && what != "replace" {
				continue
			}
			if err := step(); !errors.Is(err, errRaced) && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s, %s: %v", name, what, err)
			}
		}
		unchanged(t, dir, before)
	}
}

const editors, edits = 8, 6

// Several processes that edit one file at once lose nothing, of each other's or of what
// stood there.
func TestEnvProcesses(t *testing.T) {
	t.Parallel()
	env, _ := testEnv(t)
	dir := t.TempDir()
	path := filepath.Join(dir, ".env")
	// Half of the variables are there, half have to be appended; the file itself exists in
	// one round and has to be made by whoever is first in the other.
	for _, round := range []string{"# mine\nLAST='x\ny'\nV0_0=old\nV1_1=old # c\n", ""} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		if round != "" {
			write(t, path, round, 0o600)
		}
		failed := make(chan error, editors)
		for i := range editors {
			cmd := child(t, "edit", path, env.LockDir, fmt.Sprint(i))
			go func() {
				out, err := cmd.CombinedOutput()
				if err != nil {
					err = tell("%w: %s", err, out)
				}
				failed <- err
			}()
		}
		for range editors {
			if err := <-failed; err != nil {
				t.Error(err)
			}
		}
		content := read(t, path)
		vars := nodeRead(content)
		for i := range editors {
			for n := range edits {
				name := fmt.Sprintf("V%d_%d", i, n)
				if want := fmt.Sprintf("live_test_%d_%d", i, n); vars[name] != want {
					t.Errorf("%s is %q; want %q", name, vars[name], want)
				}
			}
		}
		if round != "" && (!strings.HasPrefix(content, "# mine\nLAST='x\ny'\n") || !strings.Contains(content, "V1_1=live_test_1_1 # c\n")) {
			t.Errorf("what was there is not there: %q", content)
		}
		if entries, _ := os.ReadDir(dir); len(entries) != 1 {
			t.Errorf("the folder holds %v", entries)
		}
	}
}

// childEdit sets variables of its own in a file, one after the other, and takes one back.
func childEdit(args []string) error {
	ctx := isolated()
	env := Env{LockDir: args[1]}
	for n := range edits {
		for _, undo := range []bool{n == 3, false} {
			d, err := openSpec(env, fmt.Sprintf("env:%s#V%s_%d", args[0], args[2], n))
			if err != nil {
				return err
			}
			if err := d.Prepare(ctx); err != nil {
				return err
			}
			if err := d.Deliver(ctx, fmt.Sprintf("live_test_%s_%d", args[2], n)); err != nil {
				return err
			}
			if !undo {
				continue
			}
			if err := d.Undo(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}
