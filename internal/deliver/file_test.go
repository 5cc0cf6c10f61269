//go:build unix

package deliver

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A new file is 0600; a rotation replaces one in one step, and its mode stays. Undo brings back what was.
func TestFile(t *testing.T) {
	t.Parallel()
	sum := sha256.Sum256([]byte(testSecret))
	for _, c := range []struct {
		rotate bool
		mode   fs.FileMode // of the file that is there
	}{{false, 0}, {true, 0}, {true, 0o640}, {true, 0o400}} {
		env, _ := testEnv(t)
		env.Rotate = c.rotate
		dir := t.TempDir()
		path := filepath.Join(dir, "token")
		if c.mode != 0 {
			write(t, path, "live_old", c.mode)
		}
		before := tree(t, dir)
		d := prepared(t, env, "file:"+path)
		unchanged(t, dir, before)
		held, heldErr := d.Holds(t.Context(), sum)
		deliver(t, d)
		if info, err := os.Lstat(path); read(t, path) != testSecret+"\n" || err != nil || info.Mode() != cmp.Or(c.mode, 0o600) {
			t.Errorf("%+v: the file holds %q, mode %v, %v", c, read(t, path), info.Mode(), err)
		}
		if got, err := d.Holds(t.Context(), sum); held != "" || heldErr != nil || got != testSecret || err != nil {
			t.Errorf("%+v: holds %q, %v; before: %q, %v", c, got, err, held, heldErr)
		}
		if err := errors.Join(d.Undo(t.Context()), d.Undo(t.Context())); err != nil { // the second has nothing to do
			t.Fatal(err)
		}
		unchanged(t, dir, before)
		deliver(t, d)
		write(t, path, "of somebody else", 0o600)
		if err := d.Undo(t.Context()); !errors.Is(err, ErrChanged) || read(t, path) != "of somebody else" {
			t.Errorf("undo of what others wrote: %v", err)
		}
	}
}

// An undo removes what it wrote, and nothing else.
func TestFileUndoLooks(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]func(path string) error{
		"removed":  os.Remove,
		"appended": func(p string) error { return os.WriteFile(p, []byte(testSecret+"\nmore\n"), 0o600) },
	} {
		env, _ := testEnv(t)
		dir := t.TempDir()
		d := prepared(t, env, "file:"+dir+"/token")
		deliver(t, d)
		if err := meanwhile(dir + "/token"); err != nil {
			t.Fatal(err)
		}
		before := tree(t, dir)
		if err := d.Undo(t.Context()); (name != "removed") != errors.Is(err, ErrChanged) {
			t.Errorf("%s: undo: %v", name, err)
		}
		unchanged(t, dir, before)
	}
}

// One look at git says whether the secret could be committed.
func TestGitWarning(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("git"); err != nil {
		missing(t, "git")
	}
	dir := t.TempDir()
	_ = os.Mkdir(dir+"/sub", 0o700)
	write(t, dir+"/.gitignore", "*.secret\n", 0o600)
	write(t, dir+"/tracked.secret", "", 0o600)
	if out, err := exec.Command("sh", "-c", `cd "$1" && git init -q && git add -f tracked.secret`, "sh", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	for text, line := range map[string]string{
		"file:" + dir + "/sub/a.secret":           "",
		"file:" + t.TempDir() + "/a":              "", // no work tree
		"file:" + dir + "/sub/to*ken":             `add the line /to\*ken to ` + dir + "/sub/.gitignore",
		"env:" + dir + "/tracked.secret#UTHO_KEY": "git rm --cached",
	} {
		env, warned := testEnv(t)
		if prepared(t, env, text); (line == "") != (*warned == "") || !strings.Contains(*warned, line) {
			t.Errorf("%s: warned %q; want %q", text, *warned, line)
		}
	}
	write(t, dir+"/sub/.gitignore", `/to\*ken`+"\n", 0o600) // the line that it names is enough
	env, warned := testEnv(t)
	if prepared(t, env, "file:"+dir+"/sub/to*ken"); *warned != "" {
		t.Errorf("still warned %q", *warned)
	}
}
