//go:build unix

package deliver

import (
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestFileCreate(t *testing.T) {
	t.Parallel()
	for _, rotate := range []bool{false, true} {
		env, _ := testEnv(t)
		env.Rotate = rotate
		dir := t.TempDir()
		path := filepath.Join(dir, "token")
		before := tree(t, dir)
		d := prepared(t, env, "file:"+path)
		unchanged(t, dir, before)
		sum := sha256.Sum256([]byte(testSecret))
		if got, err := d.Holds(t.Context(), sum); got != "" || err != nil {
			t.Errorf("holds %q, %v before", got, err)
		}
		deliver(t, d)
		info, err := os.Lstat(path)
		if got := read(t, path); got != testSecret+"\n" || err != nil || info.Mode() != 0o600 {
			t.Errorf("the file holds %q, mode %v, %v", got, info.Mode(), err)
		}
		if got, err := d.Holds(t.Context(), sum); got != testSecret || err != nil {
			t.Errorf("holds %q, %v", got, err)
		}
		if err := errors.Join(d.Undo(t.Context()), d.Undo(t.Context())); err != nil { // the second has nothing to do
			t.Fatal(err)
		}
		unchanged(t, dir, before)
	}
}

// A rotation replaces a file in one step; its mode stays, and undo brings it back.
func TestFileRotate(t *testing.T) {
	t.Parallel()
	for _, mode := range []fs.FileMode{0o640, 0o400} {
		env, _ := testEnv(t)
		env.Rotate = true
		dir := t.TempDir()
		path := filepath.Join(dir, "token")
		write(t, path, "live_old", mode)
		before := tree(t, dir)
		d := prepared(t, env, "file:"+path)
		unchanged(t, dir, before)
		deliver(t, d)
		if info, err := os.Stat(path); read(t, path) != testSecret+"\n" || err != nil || info.Mode() != mode {
			t.Errorf("the file holds %q, mode %v, %v", read(t, path), info.Mode(), err)
		}
		if err := d.Undo(t.Context()); err != nil {
			t.Fatal(err)
		}
		unchanged(t, dir, before)
		deliver(t, d)
		write(t, path, "of somebody else", mode)
		if err := d.Undo(t.Context()); !errors.Is(err, ErrChanged) || read(t, path) != "of somebody else" {
			t.Errorf("undo of what others wrote: %v", err)
		}
	}
}

func TestFilePrepareRefuses(t *testing.T) {
	t.Parallel()
	env, _ := testEnv(t)
	dir := t.TempDir()
	write(t, dir+"/taken", "x", 0o644)
	if err := errors.Join(os.Mkdir(dir+"/folder", 0o700), os.Symlink("taken", dir+"/link")); err != nil {
		t.Fatal(err)
	}
	before := tree(t, dir)
	for path, says := range map[string][2]string{ // on create, and on rotate
		"taken":         {"utho token rotate NAME --to file:" + dir + "/taken", ""},
		"folder":        {"already exists", "not a regular file"},
		"link":          {"already exists", "symbolic link"},
		"no/such/token": {"the folder " + filepath.Join(dir, "no", "such") + " does not exist", "does not exist"},
		"taken/token":   {"is not a folder", "is not a folder"},
	} {
		fails(t, open(t, env, "file:"+dir+"/"+path).Prepare(t.Context()), says[0])
		rotate := env
		rotate.Rotate = true
		if err := open(t, rotate, "file:"+dir+"/"+path).Prepare(t.Context()); says[1] != "" {
			fails(t, err, says[1])
		} else if err != nil {
			t.Errorf("rotate %s: %v", path, err)
		}
	}
	unchanged(t, dir, before)
}

// An undo removes what it wrote, and nothing else.
func TestFileUndoLooks(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]func(path string) error{
		"removed":  os.Remove,
		"appended": func(p string) error { return os.WriteFile(p, []byte(testSecret+"\nmore\n"), 0o600) },
		"a link":   func(p string) error { return errors.Join(os.Rename(p, p+".moved"), os.Symlink(p+".moved", p)) },
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
	git := func(args ...string) {
		cmd := exec.Command("git", append([]string{"-C", dir}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v %s", args, err, out)
		}
	}
	git("init", "-q")
	write(t, dir+"/.gitignore", "*.secret\n", 0o600)
	write(t, dir+"/tracked.secret", "old", 0o600)
	git("add", "-f", "tracked.secret")
	_ = os.Mkdir(dir+"/sub", 0o700)
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
