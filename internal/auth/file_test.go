package auth

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/utho/utho-cli/internal/privfile"
)

func api(profile string) Ref { return Ref{profile, "https://api.utho.com"} }

func newFile(t *testing.T) (*FileStore, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "credentials")
	return NewFile(dir), dir
}

func TestFileStore(t *testing.T) {
	t.Parallel()
	s, dir := newFile(t)
	ctx, path := t.Context(), filepath.Join(dir, "work.eu.json")
	if _, err := s.Get(ctx, api("work.eu")); !errors.Is(err, ErrNotFound) || !errors.Is(s.Delete(ctx, api("work.eu")), ErrNotFound) {
		t.Errorf("empty store: %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Error("looking made the folder")
	}
	for i, item := range []Item{{Secret: secret + "<&>"}, item, {Secret: strings.Repeat("x", MaxSecret)}} {
		if err := errors.Join(s.CheckSet(ctx, api("work.eu")), s.Set(ctx, api("Work.EU"), item)); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Get(ctx, api("work.eu")); err != nil || got != item {
			t.Errorf("ignoring case: %v, %v", got, err)
		}
		data, err := os.ReadFile(path)
		if want := `{"origin":"https://api.utho.com","token":"` + secret + "<&>\"}\n"; i == 0 && string(data) != want {
			t.Errorf("file: %s, %v", data, err)
		}
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 1 {
		t.Errorf("it left %v, %v", names, err)
	}
	for path, want := range map[string]fs.FileMode{dir: 0o700, path: 0o600} {
		if info, err := os.Stat(path); runtime.GOOS != "windows" && (err != nil || info.Mode().Perm() != want) {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	for bad, want := range map[string]error{"": ErrEmpty, strings.Repeat("x", MaxSecret+1): ErrTooBig} {
		if err := s.Set(ctx, api("work.eu"), Item{Secret: bad}); !errors.Is(err, want) {
			t.Errorf("%d bytes: %v", len(bad), err)
		}
	}
	if err := s.Delete(ctx, Ref{Profile: "WORK.EU"}); err != nil { // whatever place it is for
		t.Error(err)
	}
	if _, err := s.Get(ctx, api("work.eu")); !errors.Is(err, ErrNotFound) {
		t.Errorf("after delete: %v", err)
	}
}

// The secret of one place is not given out for another.
func TestFileStoreOrigin(t *testing.T) {
	t.Parallel()
	s, _ := newFile(t)
	if err := s.Set(t.Context(), api("work"), item); err != nil {
		t.Fatal(err)
	}
	for _, origin := range []string{"http://api.utho.com", "https://api.utho.com:8443", "https://api.utho.com.evil.example", "https://api.utho.com/"} {
		got, err := s.Get(t.Context(), Ref{"work", origin})
		var other *OriginError
		if !errors.As(err, &other) || got != (Item{}) || *other != (OriginError{"work", "https://api.utho.com", origin}) {
			t.Errorf("%s: %v, %v", origin, got, err)
		}
		noSecret(t, err)
	}
}

func TestFileStoreRefuses(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows keeps no modes")
	}
	good := `{"origin":"https://api.utho.com","token":"` + secret + `"}`
	damaged := func(text string) func(*testing.T, string) {
		return func(t *testing.T, path string) { writeFile(t, path, text, 0o600) }
	}
	for name, tc := range map[string]struct {
		spoil func(t *testing.T, path string)
		says  string
	}{
		"others can read": {func(t *testing.T, path string) { writeFile(t, path, good, 0o644) }, "chmod 600 "},
		"folder is open": {func(t *testing.T, path string) {
			writeFile(t, path, good, 0o600)
			must(t, os.Chmod(filepath.Dir(path), 0o755))
		}, "chmod 700 "},
		"link": {func(t *testing.T, path string) {
			writeFile(t, path+".real", good, 0o600)
			must(t, os.Symlink(path+".real", path))
		}, "symbolic link"},
		"dangling link": {func(t *testing.T, path string) { must(t, os.Symlink("nowhere", path)) }, "symbolic link"},
		"folder":        {func(t *testing.T, path string) { must(t, os.MkdirAll(path, 0o700)) }, "regular"},
		"no JSON":       {damaged(secret), "damaged"},
		"empty":         {damaged(""), "damaged"},
		"no origin":     {damaged(`{"token":"` + secret + `"}`), "damaged"},
		"too big":       {damaged(`{"origin":"https://api.utho.com","token":"` + strings.Repeat("x", MaxSecret+1) + `"}`), "damaged"},
	} {
		s, dir := newFile(t)
		must(t, os.MkdirAll(dir, 0o700))
		tc.spoil(t, filepath.Join(dir, "work.json"))
		got, err := s.Get(t.Context(), api("work"))
		if err == nil || errors.Is(err, ErrNotFound) || got != (Item{}) || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, %v; want a refusal that says %q", name, got, err, tc.says)
		}
		noSecret(t, err)
	}
}

func TestFileStoreSetRefuses(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows keeps no modes")
	}
	s, dir := newFile(t)
	target := filepath.Join(t.TempDir(), "target")
	writeFile(t, target, "old", 0o600)
	must(t, os.MkdirAll(dir, 0o700))
	must(t, os.Symlink(target, filepath.Join(dir, "linked.json")))
	ref := api("linked")
	for _, err := range []error{s.Set(t.Context(), ref, item), s.CheckSet(t.Context(), ref), s.Delete(t.Context(), ref)} {
		if !errors.Is(err, privfile.ErrLink) {
			t.Errorf("through a link: %v", err)
		}
		noSecret(t, err)
	}
	if data, _ := os.ReadFile(target); string(data) != "old" {
		t.Errorf("the link was followed: %q", data)
	}
	writeFile(t, filepath.Join(dir, "work.json"), "x", 0o644)
	must(t, os.Chmod(dir, 0o750))
	for _, err := range []error{s.Set(t.Context(), api("work"), item), s.CheckSet(t.Context(), api("work"))} {
		if err == nil || !strings.Contains(err.Error(), "chmod 700") {
			t.Errorf("in an open folder: %v", err)
		}
	}
	if err := s.Delete(t.Context(), api("work")); err != nil {
		t.Errorf("logout must always work: %v", err)
	}
}

func writeFile(t *testing.T, path, text string, mode fs.FileMode) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600), os.Chmod(path, mode))
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}
