package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdLeaks looks for secrets where there must be none: in the state folder and
// the configuration, except for the file store, which keeps them, and the
// sandbox's own file.
func cmdLeaks(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: leaks")
	}
	found, err := leaks(ts.Getenv("UTHO_STATE_DIR"), ts.Getenv("UTHO_CONFIG_DIR"))
	ts.Check(err)
	for _, path := range found {
		ts.Fatalf("%s holds a secret", path)
	}
}

// leaks are the files below the folders that hold what looks like a secret.
func leaks(folders ...string) (found []string, err error) {
	for _, dir := range folders {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			switch {
			case os.IsNotExist(err):
				return nil
			case err != nil:
				return err
			case !d.Type().IsRegular(), filepath.Base(filepath.Dir(path)) == "credentials", d.Name() == "sandbox.json":
				return nil
			}
			content, err := os.ReadFile(path)
			if bytes.Contains(content, []byte("live_")) {
				found = append(found, path)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// A search that finds nothing proves nothing unless it can find something.
func TestLeaksFinds(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x"), []byte("a live_test_0123 b"), 0o600); err != nil {
		t.Fatal(err)
	}
	if found, err := leaks(dir, filepath.Join(dir, "none")); err != nil || len(found) != 1 {
		t.Errorf("found %q, %v", found, err)
	}
}
