package deliver

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestEnv(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		content, after string
		mode           fs.FileMode
	}{
		"new":       {"", "TOKEN=" + testSecret + "\n", 0},
		"closed":    {"A=1\r\nTOKEN='old'\r\nB=2", "A=1\r\nTOKEN=" + testSecret + "\r\nB=2", 0o600},
		"open":      {"A=1", "A=1\nTOKEN=" + testSecret + "\n", 0o644},
		"for group": {"TOKEN=", "TOKEN=" + testSecret, 0o660},
	} {
		env, warned := testEnv(t)
		dir := t.TempDir()
		path := filepath.Join(dir, ".env")
		if c.mode != 0 {
			write(t, path, c.content, c.mode)
		}
		before := tree(t, dir)
		write(t, dir+"/.utho-1.tmp", "live_of_a_killed_run", 0o600) // swept by the next delivery
		d := prepared(t, env, "env:"+path+"#TOKEN")
		if (c.mode&0o044 != 0) != strings.Contains(*warned, "can be read by others") {
			t.Errorf("%s: warned %q", name, *warned)
		}
		sum := sha256.Sum256([]byte(testSecret))
		if got, err := d.Holds(t.Context(), sum); got != "" || err != nil {
			t.Errorf("%s: holds %q, %v before", name, got, err)
		}
		deliver(t, d)
		info, err := os.Lstat(path)
		if got := read(t, path); got != c.after || err != nil || info.Mode() != cmp.Or(c.mode, 0o600) {
			t.Errorf("%s: the file holds %q, mode %v, %v", name, got, info.Mode(), err)
		}
		if got, err := d.Holds(t.Context(), sum); got != testSecret || err != nil {
			t.Errorf("%s: holds %q, %v", name, got, err)
		}
		if err := errors.Join(d.Undo(t.Context()), d.Undo(t.Context())); err != nil {
			t.Fatal(err)
		}
		unchanged(t, dir, before)
	}
}

func TestEnvRefuses(t *testing.T) {
	t.Parallel()
	for says, content := range map[string]string{"is a symbolic link": "", "more than once, on lines 1, 2": "TOKEN=a\nTOKEN=b\n"} {
		env, _ := testEnv(t)
		dir := t.TempDir()
		if content != "" {
			write(t, dir+"/.env", content, 0o600)
		} else if err := os.Symlink("nowhere", dir+"/.env"); err != nil {
			t.Fatal(err)
		}
		before := tree(t, dir)
		d := open(t, env, "env:"+dir+"/.env#TOKEN")
		fails(t, d.Prepare(t.Context()), says)
		fails(t, d.Deliver(t.Context(), Token{Secret: testSecret})) // if it has become so since
		if err := d.Undo(t.Context()); err != nil {
			t.Errorf("%s: undo: %v", says, err)
		}
		unchanged(t, dir, before)
	}
	env, _ := testEnv(t)
	dir := t.TempDir()
	fails(t, prepared(t, env, "env:"+dir+"/.env").Deliver(t.Context(), Token{Secret: testSecret + "\nEVIL=1"}), "do not agree")
	unchanged(t, dir, "")
}

// What others write between Prepare, Deliver and Undo is kept.
func TestEnvAmongOthers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ prepared, before, now, want string }{
		"appears":                  {"-", "A=1\nUTHO_API_KEY=old\n", "", "A=1\nUTHO_API_KEY=old\n"},
		"goes":                     {"A=1\n", "-", "", "-"},
		"replaced, others changed": {"", "UTHO_API_KEY=old\n", "A=1\nUTHO_API_KEY=%s\n", "A=1\nUTHO_API_KEY=old\n"},
		"new, removed by others":   {"-", "-", "-", "-"},
		"value changed":            {"A=1\n", "A=1\n", "A=1\nUTHO_API_KEY=else\n", "!"},
		"removed":                  {"A=1\n", "A=1\n", "-", "!"},
	} {
		env, _ := testEnv(t)
		path := filepath.Join(t.TempDir(), ".env")
		put := func(content string) {
			if content == "-" {
				_ = os.Remove(path)
			} else {
				write(t, path, strings.ReplaceAll(content, "%s", testSecret), 0o600)
			}
		}
		put(c.prepared)
		d := prepared(t, env, "env:"+path)
		put(c.before)
		deliver(t, d)
		if c.now != "" {
			put(c.now)
		}
		err := d.Undo(t.Context())
		if c.want == "!" {
			fails(t, err, path, map[string]string{"value changed": ErrChanged.Error()}[name])
			c.want = c.now
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

// Several that edit one file at once, and share nothing but that file, lose nothing of each other's or of what was
// there. Locks are of open files, so they hold between goroutines as between processes.
func TestEnvAtOnce(t *testing.T) {
	t.Parallel()
	const editors, edits = 8, 6
	// Half of the variables are there, half are appended; in the other round whoever is first creates the file.
	for _, was := range []string{"# mine\nLAST=x\nV0_0=old\nV1_1=old\n", ""} {
		dir := t.TempDir()
		path := filepath.Join(dir, ".env")
		if was != "" {
			write(t, path, was, 0o600)
		}
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
		content := read(t, path)
		got := dockerRead(content)
		for name, value := range got {
			if name != "LAST" && value != "of_"+name {
				t.Errorf("%s is %q", name, value)
			}
		}
		want := strings.ReplaceAll(was, "V0_0=old\nV1_1=old\n", "V0_0=of_V0_0\nV1_1=of_V1_1\n")
		if entries, _ := os.ReadDir(dir); len(entries) != 1 || !strings.HasPrefix(content, want) || len(got) < editors*edits {
			t.Errorf("the folder holds %v, the file %q", entries, content)
		}
	}
}
