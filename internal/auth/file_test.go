package auth

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/zalando/go-keyring"

	"github.com/utho/utho-cli/internal/privfile"
)

func api(profile string) Ref { return Ref{profile, "https://api.utho.com"} }

func newFile(t *testing.T) (*FileStore, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "credentials")
	return NewFile(dir), dir
}

func TestStores(t *testing.T) {
	file, _ := newFile(t)
	for name, s := range map[string]Store{"file": file, "keyring": mock(t)} {
		ctx, at := t.Context(), api("work.eu")
		if _, err := s.Get(ctx, at); !errors.Is(err, ErrNotFound) || !errors.Is(s.Delete(ctx, at), ErrNotFound) {
			t.Errorf("%s: empty: %v", name, err)
		}
		for _, i := range []Item{item, {Secret: secret + "<&>"}, {Secret: strings.Repeat("x", MaxSecret)}} {
			must(t, s.CheckSet(ctx, at), s.Set(ctx, at, i))
			if got, err := s.Get(ctx, at); err != nil || got != i {
				t.Errorf("%s: %v, %v", name, got, err)
			}
		}
		if left, err := keyring.Get("utho-probe:api.utho.com", at.Profile); !errors.Is(err, keyring.ErrNotFound) {
			t.Errorf("%s: the check left %q, %v", name, left, err)
		}
		for bad, want := range map[string]error{"": ErrEmpty, strings.Repeat("x", MaxSecret+1): ErrTooBig} {
			if err := s.Set(ctx, at, Item{Secret: bad}); !errors.Is(err, want) || errors.As(err, new(*NotKnownError)) {
				t.Errorf("%s: %d bytes: %v", name, len(bad), err)
			}
		}
		for _, other := range []string{"http://api.utho.com", "https://api.utho.com:8443", "https://api.utho.com.evil.example", ""} {
			got, err := s.Get(ctx, Ref{"work.eu", other})
			if got != (Item{}) || !errors.Is(err, ErrNotFound) && !errors.As(err, new(*OriginError)) {
				t.Errorf("%s: the secret of one place for %q: %v, %v", name, other, got, err)
			}
			noSecret(t, err)
		}
		if err := errors.Join(s.Delete(ctx, at), s.Delete(ctx, at)); !errors.Is(err, ErrNotFound) || errors.As(err, new(*NotKnownError)) {
			t.Errorf("%s: after delete: %v", name, err)
		}
	}
}

func TestFileStore(t *testing.T) {
	t.Parallel()
	s, dir := newFile(t)
	ctx, path := t.Context(), filepath.Join(dir, "work.eu.json")
	if _, err := s.Get(ctx, api("work.eu")); err == nil {
		t.Error("a token in no folder")
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Error("looking made the folder")
	}
	must(t, s.Set(ctx, api("work.eu"), item), s.Set(ctx, api("Work.EU"), Item{Secret: secret + "<&>"})) // one name
	data, err := os.ReadFile(path)
	if want := `{"origin":"https://api.utho.com","token":"` + secret + "<&>\"}\n"; string(data) != want {
		t.Errorf("file: %s, %v", data, err)
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 1 {
		t.Errorf("it left %v, %v", names, err)
	}
	must(t, s.Delete(ctx, Ref{Profile: "WORK.EU"})) // whatever place it is for
}

func TestFileStoreRefuses(t *testing.T) {
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
	must(t, s.Set(t.Context(), api("work"), item), os.Chmod(dir, 0o750))
	_, getErr := s.Get(t.Context(), api("work"))
	for _, err := range []error{getErr, s.Set(t.Context(), api("work"), item), s.CheckSet(t.Context(), api("work"))} {
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
