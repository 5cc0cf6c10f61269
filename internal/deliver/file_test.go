//go:build unix

package deliver

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// What is delivered is there as a whole, 0600 or with the mode that was there. Undo brings back what was.
func TestFileAndEnv(t *testing.T) {
	t.Parallel()
	sum := sha256.Sum256([]byte(testSecret))
	for _, c := range []struct {
		kind           string
		rotate         bool
		mode           fs.FileMode // of the file that is there; 0 for none
		content, after string
	}{
		{"file:", false, 0, "", testSecret + "\n"},
		{"file:", true, 0, "", testSecret + "\n"},
		{"file:", true, 0o640, "live_old", testSecret + "\n"},
		{"file:", true, 0o400, "live_old", testSecret + "\n"},
		{"env:", false, 0, "", "UTHO_API_KEY=" + testSecret + "\n"},
		{"env:", false, 0o600, "A=1\r\nUTHO_API_KEY='old'\r\nB=2", "A=1\r\nUTHO_API_KEY=" + testSecret + "\r\nB=2"},
		{"env:", true, 0o644, "A=1", "A=1\nUTHO_API_KEY=" + testSecret + "\n"},
		{"env:", true, 0o660, "UTHO_API_KEY=", "UTHO_API_KEY=" + testSecret},
	} {
		env, warned := testEnv(t)
		env.Rotate = c.rotate
		dir := t.TempDir()
		path := filepath.Join(dir, ".env")
		if c.mode != 0 {
			write(t, path, c.content, c.mode)
		}
		before := tree(t, dir)
		d := prepared(t, env, c.kind+path)
		if unchanged(t, dir, before); (c.mode&0o044 != 0) != strings.Contains(*warned, "can be read by others") {
			t.Errorf("%+v: warned %q", c, *warned)
		}
		write(t, dir+"/.utho-1.tmp", "live_of_a_killed_run", 0o600) // swept by the next delivery
		held, heldErr := d.Holds(t.Context(), sum)
		deliver(t, d)
		if info, err := os.Lstat(path); read(t, path) != c.after || err != nil || info.Mode() != cmp.Or(c.mode, 0o600) {
			t.Errorf("%+v: the file holds %q, mode %v, %v", c, read(t, path), info.Mode(), err)
		}
		if got, err := d.Holds(t.Context(), sum); held != "" || heldErr != nil || got != testSecret || err != nil {
			t.Errorf("%+v: holds %q, %v; before: %q, %v", c, got, err, held, heldErr)
		}
		if err := errors.Join(d.Undo(t.Context()), d.Undo(t.Context())); err != nil { // the second has nothing to do
			t.Fatal(err)
		}
		unchanged(t, dir, before)
	}
}

func TestFileAndEnvRefuse(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		"env:LINK": "is a symbolic link", "file:LINK": "is a symbolic link", "env:TWICE": "more than once, on lines 1, 2",
	} {
		env, _ := testEnv(t)
		env.Rotate = true
		dir := t.TempDir()
		write(t, dir+"/TWICE", "UTHO_API_KEY=a\nUTHO_API_KEY=b\n", 0o600)
		if err := os.Symlink("nowhere", dir+"/LINK"); err != nil {
			t.Fatal(err)
		}
		before := tree(t, dir)
		d := open(t, env, strings.Replace(text, ":", ":"+dir+"/", 1))
		fails(t, d.Prepare(t.Context()), says)
		fails(t, d.Deliver(t.Context(), Token{Secret: testSecret})) // if it has become so since
		if err := d.Undo(t.Context()); err != nil {
			t.Errorf("%s: undo: %v", text, err)
		}
		unchanged(t, dir, before)
	}
	env, _ := testEnv(t)
	dir := t.TempDir()
	fails(t, prepared(t, env, "env:"+dir+"/.env").Deliver(t.Context(), Token{Secret: testSecret + "\nEVIL=1"}), "do not agree")
	unchanged(t, dir, "")
}

// What others write between Prepare, Deliver and Undo is kept. "-" is no file, %s the new secret, "!" an error.
func TestAmongOthers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ kind, prepared, before, now, want string }{
		"appears":                  {"env:", "-", "A=1\nUTHO_API_KEY=old\n", "", "A=1\nUTHO_API_KEY=old\n"},
		"goes":                     {"env:", "A=1\n", "-", "", "-"},
		"replaced, others changed": {"env:", "", "UTHO_API_KEY=old\n", "A=1\nUTHO_API_KEY=%s\n", "A=1\nUTHO_API_KEY=old\n"},
		"new, removed by others":   {"env:", "-", "-", "-", "-"},
		"value changed":            {"env:", "A=1\n", "A=1\n", "A=1\nUTHO_API_KEY=else\n", "!"},
		"removed":                  {"env:", "A=1\n", "A=1\n", "-", "!"},
		"file, removed by others":  {"file:", "-", "-", "-", "-"},
		"file, appended":           {"file:", "-", "-", "%s\nmore\n", "!"},
		"file, of somebody else":   {"file:", "old", "old", "else", "!"},
	} {
		env, _ := testEnv(t)
		env.Rotate = true
		path := filepath.Join(t.TempDir(), ".env")
		put := func(content string) {
			if content == "-" {
				_ = os.Remove(path)
			} else {
				write(t, path, strings.ReplaceAll(content, "%s", testSecret), 0o600)
			}
		}
		put(c.prepared)
		d := prepared(t, env, c.kind+path)
		put(c.before)
		deliver(t, d)
		if c.now != "" {
			put(c.now)
		}
		err := d.Undo(t.Context())
		if errors.Is(err, ErrChanged) != (c.want == "!" && c.now != "-") || c.want != "!" && err != nil {
			t.Errorf("%s: undo: %v", name, err)
		}
		if c.want == "!" {
			fails(t, err, path)
			c.want = strings.ReplaceAll(c.now, "%s", testSecret)
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

// Several that edit one file at once, and share nothing but that file, which the first of them creates, lose nothing of
// each other's. Locks are of open files, so they hold between goroutines as between processes.
func TestEnvAtOnce(t *testing.T) {
	t.Parallel()
	const editors, edits = 8, 6
	dir := t.TempDir()
	path := filepath.Join(dir, ".env")
	var all sync.WaitGroup
	for i := range editors {
		all.Go(func() {
			for n := range edits {
				d := &envFile{path: path, name: fmt.Sprintf("V%d_%d", i, n)}
				secret := Token{Secret: "of_" + d.name}
				err := errors.Join(d.Prepare(t.Context()), d.Deliver(t.Context(), secret))
				if n == 3 {
					err = errors.Join(err, d.Undo(t.Context()), d.Deliver(t.Context(), secret))
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	got := dockerRead(read(t, path))
	for name, value := range got {
		if value != "of_"+name {
			t.Errorf("%s is %q", name, value)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 || len(got) != editors*edits {
		t.Errorf("the folder holds %v, the file %q", entries, got)
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
