package config

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func edited(text string, edit func(*Edit) error) (string, error) {
	f, err := parse("config.yaml", []byte(text))
	if err != nil {
		return "", err
	}
	e := &Edit{f}
	err = edit(e)
	return string(e.text), err
}

func update(t *testing.T, p Paths, edit func(*Edit) error) error {
	h, err := Hold(t.Context(), p)
	if err == nil {
		defer h.Release()
		_, err = h.Update(edit)
	}
	return err
}

// What an edit writes: spacing is normalised, all else stays.
func TestUpdate(t *testing.T) {
	t.Parallel()
	set := func(p Profile) func(*Edit) error { return func(e *Edit) error { return e.SetProfile(p) } }
	remove := func(name string) func(*Edit) error { return func(e *Edit) error { return e.RemoveProfile(name) } }
	use := func(name string) func(*Edit) error { return func(e *Edit) error { return e.SetCurrent(name) } }
	rename := func(name, to string) func(*Edit) error {
		return func(e *Edit) error { return e.RenameProfile(name, to) }
	}
	const url = "https://x.example/v2"
	const a, b = "  a:\n    store: file\n", "  b:\n    store: file\n"
	file := func(name string) Profile { return Profile{Name: name, Store: "file"} }
	// Whatever comments and blank lines stand between the lines, an edit leaves them there.
	crowded := "\n\n# head\n\ncurrent_profile: a # mine\n# behind\nprofiles: # p\n\n  # of all\n\n" +
		"  a: # a\n\n    store: file # s\n    # last\n\n  # of most\n\n  # of b\n" + b + "  # of c\n\n  c: # c\n\n\n# end\n"
	with := func(old, text string) string { return strings.Replace(crowded, old, text, 1) }
	for name, tc := range map[string]struct {
		before string
		edit   func(*Edit) error
		after  string
	}{
		"first": {"", func(e *Edit) error {
			err := e.SetProfile(Profile{Name: "default", APIURL: url, Store: "file", TimeZone: "+05:30"})
			return errors.Join(err, e.SetCurrent("DEFAULT"))
		}, "profiles:\n  default:\n    api_url: https://x.example/v2\n    store: file\n    time_zone: \"+05:30\"\ncurrent_profile: default\n"},
		"words only":      {"# mine\n", set(file("a")), "# mine\n\nprofiles:\n" + a},
		"no last newline": {"# mine\nprofiles:\n  a:\n    store: file", set(file("b")), "# mine\nprofiles:\n" + a + b},
		"CRLF":            {"x: 1\r\n\r\nprofiles:\r\n  a:\r\n", set(file("b")), "x: 1\r\n\r\nprofiles:\r\n  a:\r\n  b:\r\n    store: file\r\n"},
		"four spaces": {"profiles:\n    a:\n        store: file\n\n# end\n", set(file("b")),
			"profiles:\n    a:\n        store: file\n    b:\n        store: file\n\n# end\n"},
		"nothing yet":   {"profiles: # none\n\nx: 1\n", set(file("b")), "profiles: # none\n" + b + "\nx: 1\n"},
		"flow, nothing": {"# a\n\nprofiles: {} # n\n\n# x\nx: 1\n", set(file("b")), "# a\n\nprofiles: # n\n" + b + "\n# x\nx: 1\n"},
		"number as name": {"profiles:\n  0123:\n    store:   file   # why\n", set(Profile{Name: "0123", Store: "keyring"}),
			"profiles:\n  0123:\n    store: keyring # why\n"},
		"new number": {"profiles:\n  0123:\n", set(file("0456")), "profiles:\n  0123:\n  \"0456\":\n    store: file\n"},
		"quotes stay": {"profiles:\n  a:\n    api_url: 'https://old' # note\n    store: \"file\"\n",
			set(Profile{Name: "a", APIURL: url, Store: "keyring"}),
			"profiles:\n  a:\n    api_url: 'https://x.example/v2' # note\n    store: \"keyring\"\n"},
		"command instead": {"profiles:\n  a:\n    # where\n    store: file # old\n    api_url: https://x.example/v2\n",
			set(Profile{Name: "a", APIURL: url, CredentialCommand: []string{"pass", "a b"}}),
			"profiles:\n  a:\n    # where\n    api_url: https://x.example/v2\n    credential_command: [pass, a b]\n"},
		"nothing changes":      {"profiles:\n  a:   {store:   file}\n\n\n", set(file("A")), "profiles:\n  a:   {store:   file}\n\n\n"},
		"remove the last":      {"profiles:\n  # all of them\n" + a + "# end\n", remove("a"), "profiles:\n# all of them\n# end\n"},
		"crowded, set":         {crowded, set(Profile{Name: "a", Store: "keyring"}), with("store: file # s", "store: keyring # s")},
		"crowded, add":         {crowded, set(file("d")), with("  c: # c\n", "  c: # c\n  d:\n    store: file\n")},
		"crowded, use":         {crowded, use("b"), with("profile: a", "profile: b")},
		"crowded, remove":      {crowded, remove("b"), with("  # of b\n"+b, "")},
		"crowded, remove last": {crowded, remove("c"), with("  c: # c\n", "")},
		"remove current":       {"# utho\n\ncurrent_profile: a # mine\nprofiles:\n  A:\n  b:\n", remove("a"), "# utho\n\nprofiles:\n  b:\n"},
		"rename": {"current_profile: A # c\nprofiles:\n  # about a\n  A: # it\n    x: 1\n" + b, rename("a", "0123"),
			"current_profile: \"0123\" # c\nprofiles:\n  # about a\n  \"0123\": # it\n    x: 1\n" + b},
		"rename, case":  {"current_profile: a\nprofiles:\n" + a, rename("a", "A"), "current_profile: A\nprofiles:\n  A:\n    store: file\n"},
		"use, was null": {"current_profile:\nprofiles:\n  A:\n", use("a"), "current_profile: A\nprofiles:\n  A:\n"},
		"block scalar": {"notes: |\n  profiles:\n\n    a: 1\n\nprofiles:\n" + a, set(Profile{Name: "a", Store: "keyring"}),
			"notes: |\n  profiles:\n\n    a: 1\n\nprofiles:\n  a:\n    store: keyring\n"},
	} {
		if got, err := edited(tc.before, tc.edit); err != nil || got != tc.after {
			t.Errorf("%s: %v\n--- before\n%s--- got\n%s--- want\n%s", name, err, tc.before, got, tc.after)
		}
	}
}

func TestUpdateRefuses(t *testing.T) {
	t.Parallel()
	const before = "profiles:\n  a: &a\n    store: file\n  b: *a\n"
	for name, tc := range map[string]struct {
		edit func(*Edit) error
		is   error
	}{
		"remove missing":  {func(e *Edit) error { return e.RemoveProfile("c") }, ErrNoProfile},
		"bad name":        {func(e *Edit) error { return e.SetProfile(Profile{Name: "a b"}) }, nil},
		"bad store":       {func(e *Edit) error { return e.SetProfile(Profile{Name: "c", Store: "vault"}) }, nil},
		"rename to other": {func(e *Edit) error { return e.RenameProfile("a", "B") }, nil},
		"others' anchor":  {func(e *Edit) error { return e.RemoveProfile("a") }, errByHand},
		"others' value":   {func(e *Edit) error { return e.SetProfile(Profile{Name: "b", Store: "keyring"}) }, errByHand},
		"edit then fails": {func(e *Edit) error { return errors.Join(e.SetProfile(Profile{Name: "new"}), fs.ErrInvalid) }, fs.ErrInvalid},
	} {
		path := write(t, before)
		err := update(t, Paths{Config: filepath.Dir(path)}, tc.edit)
		if err == nil || tc.is != nil && !errors.Is(err, tc.is) {
			t.Errorf("%s: %v", name, err)
		}
		if data, _ := os.ReadFile(path); string(data) != before {
			t.Errorf("%s: written all the same:\n%s", name, data)
		}
	}
	p := Paths{Config: t.TempDir()}
	chmod(t, p.Config, 0o777)
	if _, err := Hold(t.Context(), p); err == nil {
		t.Errorf("a folder that others can write: %v", err)
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
		cause := errors.New("a signal")
		ended, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		if _, err := Hold(ended, p); !errors.Is(err, cause) {
			t.Errorf("waiting was ended, and it says %v", err)
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
}
