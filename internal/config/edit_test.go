package config

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/utho/utho-cli/internal/privfile"
)

func update(t testing.TB, text string, edit func(*Edit) error) (string, error) {
	t.Helper()
	p := Paths{Config: filepath.Dir(write(t, text))}
	if err := Update(context.Background(), p, edit); err != nil {
		return "", err
	}
	data, err := os.ReadFile(p.File())
	if err != nil {
		t.Fatal(err)
	}
	return string(data), nil
}

// What an edit writes: spacing is normalised, all else stays.
func TestUpdate(t *testing.T) {
	t.Parallel()
	set := func(p Profile) func(*Edit) error { return func(e *Edit) error { return e.SetProfile(p) } }
	remove := func(name string) func(*Edit) error { return func(e *Edit) error { return e.RemoveProfile(name) } }
	rename := func(name, to string) func(*Edit) error {
		return func(e *Edit) error { return e.RenameProfile(name, to) }
	}
	use := func(name string) func(*Edit) error { return func(e *Edit) error { return e.SetCurrent(name) } }
	const url = "https://x.example/v2"
	const a, b = "  a:\n    store: file\n", "  b:\n    store: file\n"
	file := func(name string) Profile { return Profile{Name: name, Store: "file"} }
	argv := func(words ...string) Profile { return Profile{Name: "a", APIURL: url, CredentialCommand: words} }
	for name, tc := range map[string]struct {
		before string
		edit   func(*Edit) error
		after  string
	}{
		"first": {"", func(e *Edit) error {
			err := e.SetProfile(Profile{Name: "default", APIURL: url, Store: "file", TimeZone: "+05:30"})
			return errors.Join(err, e.SetCurrent("DEFAULT"))
		}, "profiles:\n  default:\n    api_url: https://x.example/v2\n    store: file\n    time_zone: \"+05:30\"\ncurrent_profile: default\n"},
		"words only":      {"# mine\n", set(file("a")), "# mine\nprofiles:\n" + a},
		"no last newline": {"# mine\nprofiles:\n  a:\n    store: file", set(file("b")), "# mine\nprofiles:\n" + a + b},
		"CRLF": {
			"x: 1\r\n\r\nprofiles:\r\n  a:\r\n",
			set(file("b")),
			"x: 1\r\n\r\nprofiles:\r\n  a:\r\n  b:\r\n    store: file\r\n",
		},
		"four spaces": {
			"profiles:\n    a:\n        store: file\n\n# end\n",
			set(file("b")),
			"profiles:\n    a:\n        store: file\n    b:\n        store: file\n\n# end\n",
		},
		"nothing yet":   {"profiles: # none\n\nx: 1\n", set(file("b")), "profiles: # none\n" + b + "\nx: 1\n"},
		"flow, nothing": {"# a\n\nprofiles: {} # n\n\n# x\nx: 1\n", set(file("b")), "# a\n\nprofiles: # n\n" + b + "\n# x\nx: 1\n"},
		"flow": {
			"profiles:\n\n  a: {store: file} # one\n\n  b: {store: file}\n",
			set(Profile{Name: "a", Store: "keyring"}),
			"profiles:\n\n  a: {store: keyring} # one\n\n  b: {store: file}\n",
		},
		"number as name": {
			"profiles:\n  0123:\n    store:   file   # why\n",
			set(Profile{Name: "0123", Store: "keyring"}),
			"profiles:\n  0123:\n    store: keyring # why\n",
		},
		"new number": {"profiles:\n  0123:\n", set(file("0456")), "profiles:\n  0123:\n  '0456':\n    store: file\n"},
		"dots and case": {
			"profiles:\n  Prod.EU:\n    store: file\n",
			set(Profile{Name: "prod.eu", Store: "keyring"}),
			"profiles:\n  Prod.EU:\n    store: keyring\n",
		},
		"quotes stay": {
			"profiles:\n  a:\n    api_url: 'https://old' # note\n    store: \"file\"\n",
			set(Profile{Name: "a", APIURL: url, Store: "keyring"}),
			"profiles:\n  a:\n    api_url: 'https://x.example/v2' # note\n    store: \"keyring\"\n",
		},
		"unknown key": {
			"profiles:\n  a:\n    future: [1,  2]\n    store: file\n",
			set(Profile{Name: "a", Store: "keyring"}),
			"profiles:\n  a:\n    future: [1, 2]\n    store: keyring\n",
		},
		"command instead": {
			"profiles:\n  a:\n    # where\n    store: file # old\n    api_url: https://x.example/v2\n",
			set(argv("pass", "a b")),
			"profiles:\n  a:\n    # where\n    api_url: https://x.example/v2\n    credential_command: [pass, a b]\n",
		},
		"other command": {
			"profiles:\n  a:\n    credential_command:\n    - op\n    - read\n    api_url: https://x.example/v2\n",
			set(argv("pass", "-x")),
			"profiles:\n  a:\n    credential_command: [pass, -x]\n    api_url: https://x.example/v2\n",
		},
		"other secrets": {
			"profiles:\n" + a,
			set(Profile{Name: "a", Store: "file", OtherSecrets: []string{"keyring a https://old"}}),
			"profiles:\n" + a + "    other_secrets: ['keyring a https://old']\n",
		},
		"nothing changes": {"profiles:\n  a:   {store:   file}\n\n\n", set(file("A")), "profiles:\n  a:   {store:   file}\n\n\n"},
		"remove": {
			"# top\nprofiles:\n" + a + "\n  # about b\n" + b + "\n  # about c\n  c:\n    store: file\n",
			remove("B"),
			"# top\nprofiles:\n" + a + "\n  # about c\n  c:\n    store: file\n",
		},
		"remove the last": {"profiles:\n  # all of them\n" + a + "# end\n", remove("a"), "profiles:\n# all of them\n# end\n"},
		"remove current":  {"# utho\n\ncurrent_profile: a # mine\nprofiles:\n  A:\n  b:\n", remove("a"), "# utho\n\nprofiles:\n  b:\n"},
		"remove other":    {"current_profile: a\nprofiles:\n  A:\n  b:\n", remove("b"), "current_profile: a\nprofiles:\n  A:\n"},
		"remove in flow": {
			"# x\n\nprofiles: {a: {store: file}, b: {store: file}} # all\n\ny: 1\n",
			remove("a"),
			"# x\n\nprofiles: {b: {store: file}} # all\n\ny: 1\n",
		},
		"remove all": {"# mine\n\nprofiles:\n  a:\n", func(e *Edit) error { return e.RemoveProfile("a") }, "# mine\n\nprofiles:\n"},
		"rename": {
			"current_profile: A # c\nprofiles:\n  # about a\n  A: # it\n    x: 1\n" + b,
			rename("a", "0123"),
			"current_profile: '0123' # c\nprofiles:\n  # about a\n  '0123': # it\n    x: 1\n" + b,
		},
		"rename, case": {"current_profile: a\nprofiles:\n" + a, rename("a", "A"), "current_profile: A\nprofiles:\n  A:\n    store: file\n"},
		"use": {
			"x: 1\ncurrent_profile:   b  # c\nprofiles:\n  A:\n  b:\n",
			use("a"),
			"x: 1\ncurrent_profile: A # c\nprofiles:\n  A:\n  b:\n",
		},
		"use, was null":   {"current_profile:\nprofiles:\n  A:\n", use("a"), "current_profile: A\nprofiles:\n  A:\n"},
		"comment at edge": {"profiles:\n  a:\n#   api_url: old\n    store: file\n" + b, remove("a"), "profiles:\n" + b},
		"alias": {
			"base: &b\n  store: file\nprofiles:\n  a: *b\n  c: *b\n",
			set(Profile{Name: "a", Store: "keyring"}),
			"base: &b\n  store: file\nprofiles:\n  a:\n    store: keyring\n  c: *b\n",
		},
		"block scalar": {
			"notes: |\n  profiles:\n\n    a: 1\n\nprofiles:\n" + a,
			set(Profile{Name: "a", Store: "keyring"}),
			"notes: |\n  profiles:\n\n    a: 1\n\nprofiles:\n  a:\n    store: keyring\n",
		},
		"folded over lines": {"notes: a\n\n  b\n\nprofiles:\n" + a, set(file("b")), "notes: |-\n  a\n  b\nprofiles:\n" + a + b},
		"null and comment":  {"profiles: ~ # mine\nx: 1\n", set(file("b")), "profiles: # mine\n" + b + "x: 1\n"},
		"whole file, flow": {
			"# head\n{profiles: {a: {store: file}}}\n",
			set(Profile{Name: "a", Store: "keyring"}),
			"# head\n{profiles: {a: {store: keyring}}}\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := update(t, tc.before, tc.edit)
			if err != nil || got != tc.after {
				t.Errorf("%v\n--- before\n%s--- got\n%s--- want\n%s", err, tc.before, got, tc.after)
			}
		})
	}
}

func TestUpdateRefuses(t *testing.T) {
	t.Parallel()
	const before = "profiles:\n  a: &a\n    store: file\n  b: *a\n"
	for name, tc := range map[string]struct {
		edit func(*Edit) error
		is   error
	}{
		"remove missing": {func(e *Edit) error { return e.RemoveProfile("c") }, ErrNoProfile},
		"use missing":    {func(e *Edit) error { return e.SetCurrent("sandbox") }, ErrNoProfile},
		"bad name":       {func(e *Edit) error { return e.SetProfile(Profile{Name: "a b"}) }, nil},
		"reserved name":  {func(e *Edit) error { return e.SetProfile(Profile{Name: "SANDBOX"}) }, nil},
		"bad store":      {func(e *Edit) error { return e.SetProfile(Profile{Name: "c", Store: "vault"}) }, nil},
		"bad zone":       {func(e *Edit) error { return e.SetProfile(Profile{Name: "c", TimeZone: "x"}) }, nil},
		"two kinds": {func(e *Edit) error {
			return e.SetProfile(Profile{Name: "c", Store: "file", CredentialCommand: []string{"x"}})
		}, nil},
		"rename missing":  {func(e *Edit) error { return e.RenameProfile("c", "d") }, ErrNoProfile},
		"rename to other": {func(e *Edit) error { return e.RenameProfile("a", "B") }, nil},
		"others' anchor":  {func(e *Edit) error { return e.RemoveProfile("a") }, errByHand},
		"edit then fails": {func(e *Edit) error { return errors.Join(e.SetProfile(Profile{Name: "new"}), fs.ErrInvalid) }, fs.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := write(t, before)
			err := Update(t.Context(), Paths{Config: filepath.Dir(path)}, tc.edit)
			if err == nil || tc.is != nil && !errors.Is(err, tc.is) {
				t.Errorf("%v", err)
			}
			if data, _ := os.ReadFile(path); string(data) != before {
				t.Errorf("written all the same:\n%s", data)
			}
		})
	}
	t.Run("broken file", func(t *testing.T) {
		t.Parallel()
		_, err := update(t, "a: b: c\n", func(*Edit) error { t.Error("edited"); return nil })
		var syntax *SyntaxError
		if !errors.As(err, &syntax) {
			t.Errorf("%v", err)
		}
	})
	t.Run("folder others can write", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(t.TempDir(), "d")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		err := Update(t.Context(), Paths{Config: dir}, func(*Edit) error { t.Error("edited"); return nil })
		var mode *privfile.ModeError
		if !errors.As(err, &mode) {
			t.Errorf("%v", err)
		}
	})
}

func TestUpdateMakesFoldersAndModes(t *testing.T) {
	t.Parallel()
	p := Paths{Config: filepath.Join(t.TempDir(), "a", "b")}
	if err := Update(t.Context(), p, func(e *Edit) error { return e.SetProfile(Profile{Name: "a"}) }); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]fs.FileMode{p.Config: 0o700, p.File(): 0o600} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	// A link made by a dot-file manager stays one.
	real := filepath.Join(filepath.Dir(p.Config), "real.yaml")
	if err := os.Rename(p.File(), real); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real, p.File()); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(p.Config), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Update(t.Context(), p, func(e *Edit) error { return e.SetProfile(Profile{Name: "b"}) }); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(p.File()); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Error("the link was replaced")
	}
}

// Several at once lose nothing, and one that waits can be interrupted.
func TestUpdateTogether(t *testing.T) {
	t.Parallel()
	p := Paths{Config: filepath.Join(t.TempDir(), "c")}
	const n = 8
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			if err := Update(t.Context(), p, func(e *Edit) error { return e.SetProfile(Profile{Name: fmt.Sprintf("p%d", i)}) }); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	h, err := Hold(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Release()
	if f, err := h.Load(); err != nil || len(f.Profiles()) != n {
		t.Errorf("%d profiles, %v", len(f.Profiles()), err)
	}
	cause := errors.New("a signal")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if _, err := Hold(ctx, p); !errors.Is(err, cause) {
		t.Errorf("waiting was ended, and it says %v", err)
	}
}

// Check says what Update would, and changes nothing; undo restores what was there, unless it was changed.
func TestCheckAndUndo(t *testing.T) {
	t.Parallel()
	const before = "# mine\nprofiles:\n  a: &a {store:  file}\n  b: *a\n"
	add := func(e *Edit) error { return e.SetProfile(Profile{Name: "c", Store: "file"}) }
	for _, exists := range []bool{true, false} {
		p := Paths{Config: filepath.Dir(write(t, before))}
		if !exists {
			p.Config = filepath.Join(p.Config, "new")
		}
		now := func() string { data, _ := os.ReadFile(p.File()); return string(data) }
		was := now()
		h, err := Hold(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Check(add); err != nil || now() != was {
			t.Errorf("%v: %q", err, now())
		}
		if err := h.Check(func(e *Edit) error { return e.SetCurrent("nosuch") }); !errors.Is(err, ErrNoProfile) {
			t.Error(err)
		}
		undo, err := h.Update(add)
		if err != nil || now() == was {
			t.Fatal(err)
		}
		if err := undo(); err != nil || now() != was {
			t.Errorf("%v: %q", err, now())
		}
		if undo, err = h.Update(add); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p.File(), []byte("# another's\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := undo(); err == nil || now() != "# another's\n" {
			t.Errorf("%v: %q", err, now())
		}
		h.Release()
	}
	// A file where the folder must be.
	p := Paths{Config: filepath.Join(t.TempDir(), "c")}
	if err := os.WriteFile(p.Config, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if h, err := Hold(t.Context(), p); err == nil {
		t.Error(h.Check(add))
	}
}

// Whatever the file looks like and whatever is done to it: what was asked for
// comes out, and each line that belongs to nothing touched stays, in order.
func TestUpdateKeepsTheRest(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		g := &generator{t: t, eol: rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(t, "eol")}
		text := g.file()
		f, err := parse("config.yaml", []byte(text))
		if err != nil {
			t.Fatalf("generated a wrong file: %v\n%s", err, text)
		}
		want := map[string]Profile{}
		for _, p := range f.Profiles() {
			want[strings.ToLower(p.Name)] = p
		}
		current := f.Current()
		e := &Edit{f}
		touched := map[string]bool{}
		for range rapid.IntRange(1, 4).Draw(t, "ops") {
			name := rapid.SampledFrom(names()).Draw(t, "name")
			folded := strings.ToLower(name)
			_, exists := want[folded]
			var err error
			switch op := rapid.SampledFrom([]string{"set", "remove", "use"}).Draw(t, "op"); op {
			case "set":
				p := g.profile(name)
				err = e.SetProfile(p)
				if exists {
					p.Name = want[folded].Name
				}
				want[folded] = p
				touched[p.Name] = true
			case "remove":
				err = e.RemoveProfile(name)
				if exists {
					touched[want[folded].Name] = true
					if strings.EqualFold(current, name) {
						current, touched["current_profile"] = "", true
					}
				}
				delete(want, folded)
			case "use":
				err = e.SetCurrent(name)
				if exists {
					current, touched["current_profile"] = want[folded].Name, true
				}
			}
			if err != nil && (exists || !errors.Is(err, ErrNoProfile)) {
				t.Fatalf("%v\n%s", err, text)
			}
		}
		after := string(e.f.text)
		got := map[string]Profile{}
		for _, p := range e.f.Profiles() {
			got[strings.ToLower(p.Name)] = p
		}
		if !reflect.DeepEqual(got, want) || e.Current() != current {
			t.Fatalf("got %+v (%s)\nwant %+v (%s)\n--- before\n%s--- after\n%s", got, e.Current(), want, current, text, after)
		}
		var words []string // spacing may be normalised
		for line := range strings.Lines(after) {
			words = append(words, spaced(line))
		}
		rest := strings.Join(words, "\n") + "\n"
		for _, l := range g.lines {
			if touched[l.owner] || strings.TrimSpace(l.text) == "" {
				continue
			}
			_, behind, found := strings.Cut(rest, spaced(l.text)+"\n")
			if !found {
				t.Fatalf("lost or moved %q\n--- before\n%s--- after\n%s", l.text, text, after)
			}
			rest = behind
		}
	})
}

// spaced is a line with one blank between its words.
func spaced(line string) string { return strings.Join(strings.Fields(line), " ") }

func names() []string {
	return []string{"work", "Work", "ci", "Prod.EU", "prod.eu", "0123", "1e3", "true"}
}

// generator writes configurations as people do, and remembers whose each line is.
type generator struct {
	t     *rapid.T
	eol   string
	lines []owned
	n     int
}

type owned struct{ text, owner string }

func (g *generator) add(owner, text string) {
	if rapid.Bool().Draw(g.t, "comment") && !strings.HasSuffix(text, ":") {
		g.n++
		text += rapid.SampledFrom([]string{"  # c%d", "\t# c%d"}).Draw(g.t, "gap")
		text = fmt.Sprintf(text, g.n) // no text has a percent sign
	}
	g.lines = append(g.lines, owned{text, owner})
}

func (g *generator) noise(owner string, depth int) {
	for range rapid.IntRange(0, 2).Draw(g.t, "noise") {
		g.n++
		text := ""
		if rapid.Bool().Draw(g.t, "blank") {
			text = strings.Repeat(" ", depth) + fmt.Sprintf("# n%d", g.n)
		}
		g.lines = append(g.lines, owned{text, owner})
	}
}

func (g *generator) quote(s string) string {
	return rapid.SampledFrom([]string{s, "'" + s + "'", `"` + s + `"`}).Draw(g.t, "quote")
}

func (g *generator) profile(name string) Profile {
	pick := func(what string, from ...string) string { return rapid.SampledFrom(from).Draw(g.t, what) }
	p := Profile{
		Name:     name,
		APIURL:   pick("url", "", "https://api.utho.com/v2", "http://127.0.0.1:8080/v2", "https://x.example/#frag: x"),
		Store:    pick("store", "", "keyring", "file"),
		TimeZone: pick("zone", "", "+05:30", "Z"),
	}
	if p.Store == "" && rapid.Bool().Draw(g.t, "command") {
		words := []string{"op", "read", "op://a/b", "a b", "'", "~", "true", "é", "-", "#", "a\nb"}
		p.CredentialCommand = rapid.SliceOfN(rapid.SampledFrom(words), 1, 4).Draw(g.t, "argv")
	}
	return p
}

func (g *generator) file() string {
	step := rapid.SampledFrom([]int{2, 4}).Draw(g.t, "step")
	in := func(n int) string { return strings.Repeat(" ", n*step) }
	sections := rapid.Permutation([]string{"current_profile", "defaults", "profiles", "unknown"}).Draw(g.t, "order")
	used := map[string]bool{}
	for _, s := range sections[:rapid.IntRange(0, 4).Draw(g.t, "sections")] {
		g.noise(s, 0)
		switch s {
		case "current_profile":
			g.add(s, "current_profile: "+g.quote("work"))
		case "defaults":
			g.add(s, "defaults:")
			g.add(s, in(1)+"output:   "+g.quote("json"))
			g.noise(s, step)
			g.add(s, in(1)+"pager: [a,   b]")
		case "unknown":
			g.add(s, "unknown: |")
			g.lines = append(g.lines[:len(g.lines)-1], owned{"unknown: |", s})
			g.lines = append(g.lines, owned{in(1) + "work:", s}, owned{in(1) + "  store: file", s})
		case "profiles":
			g.add(s, "profiles:")
			for _, name := range rapid.SliceOfN(rapid.SampledFrom(names()), 0, 4).Draw(g.t, "profiles") {
				if used[strings.ToLower(name)] {
					continue
				}
				used[strings.ToLower(name)] = true
				p := g.profile(name)
				g.noise(name, step)
				if p.Store != "" && rapid.IntRange(0, 3).Draw(g.t, "flow") == 0 {
					g.add(name, in(1)+name+": {store:  "+p.Store+", x: [1]}")
					continue
				}
				g.add(name, in(1)+name+":")
				if p.APIURL != "" && !strings.Contains(p.APIURL, "#") {
					g.add(name, in(2)+"api_url:   "+g.quote(p.APIURL))
				}
				if p.Store != "" {
					g.add(name, in(2)+"store: "+g.quote(p.Store))
				}
				g.noise(name, 2*step)
				if len(p.CredentialCommand) > 0 {
					g.lines = append(g.lines, owned{in(2) + "credential_command:", name})
					g.add(name, in(2)+"- op")
					g.add(name, in(2)+"- read")
				}
				if rapid.Bool().Draw(g.t, "future") {
					g.add(name, in(2)+"future: {a:   1}")
				}
			}
		}
	}
	var b strings.Builder
	for _, l := range g.lines {
		b.WriteString(l.text + g.eol)
	}
	return b.String()
}
