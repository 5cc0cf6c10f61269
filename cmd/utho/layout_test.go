package main

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// rooms is the house: each package, the other rooms that it may import, and the modules. No arrow goes up or
// sideways beyond these. Imports of tests are free, and so is the standard library.
var rooms = map[string]string{
	"cmd/utho": "internal/cli",
	"internal/cli": `internal/auth internal/child internal/config internal/deliver internal/expiry internal/lifecycle internal/listing internal/output
		internal/problem internal/profiles internal/sandbox internal/session internal/terminal pkg/utho
		github.com/spf13/cobra github.com/spf13/pflag golang.org/x/term`,
	"internal/listing": "internal/expiry internal/lifecycle internal/output pkg/utho",
	"internal/problem": "",
	"internal/session": `internal/auth internal/config internal/lifecycle internal/output internal/problem internal/profiles
		internal/sandbox internal/terminal pkg/utho github.com/spf13/pflag`,
	"internal/terminal":  "internal/output pkg/utho golang.org/x/term golang.org/x/sys",
	"internal/lifecycle": "internal/expiry internal/privfile pkg/utho",
	"internal/profiles":  "internal/auth internal/config internal/privfile",
	"internal/deliver":   "internal/child internal/privfile internal/problem al.essio.dev/pkg/shellescape",
	"internal/config":    "internal/expiry internal/privfile internal/problem github.com/spf13/viper github.com/spf13/pflag go.yaml.in/yaml/v3",
	// godbus says whether a collection is locked, which go-keyring cannot ask; YAML is uthoctl's file.
	"internal/auth": `internal/child internal/privfile internal/problem
		github.com/zalando/go-keyring github.com/godbus/dbus/v5 go.yaml.in/yaml/v3`,
	"internal/child":               "internal/problem",
	"internal/output":              "github.com/olekukonko/tablewriter github.com/mattn/go-runewidth",
	"internal/expiry":              "",
	"internal/privfile":            "golang.org/x/sys al.essio.dev/pkg/shellescape",
	"internal/sandbox":             "internal/privfile",
	"internal/sandbox/sandboxtest": "internal/sandbox", // only tests import it
	"pkg/utho":                     "",
}

// notInProgram must not be linked into the program, whoever imports it.
var notInProgram = []string{
	"testing", "net/http/httptest", "github.com/santhosh-tekuri/jsonschema/v6",
	"github.com/cpuguy83/go-md2man/v2/md2man", // comes with cobra/doc
	"gopkg.in/yaml.v3", "go.yaml.in/yaml/v4",  // viper links go.yaml.in/yaml/v3, and one YAML library is enough
}

// root is the repository.
var root = filepath.Join("..", "..")

// goList gives a line for each package, as on a system; an empty one is this.
func goList(t *testing.T, goos string, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	cmd.Dir, cmd.Env = root, append(os.Environ(), "GOWORK=off")
	if goos != "" {
		cmd.Env = append(cmd.Env, "GOOS="+goos, "GOARCH=amd64", "CGO_ENABLED=0")
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list for %s: %v\n%s", goos, err, &stderr)
	}
	return string(out)
}

// Imports hang on the system a file is for, so each system is asked.
func TestArrows(t *testing.T) {
	const module = "github.com/utho/utho-cli/"
	for _, goos := range []string{"linux", "darwin", "windows", "freebsd"} {
		t.Run(goos, func(t *testing.T) {
			t.Parallel()
			seen := 0
			// With -e, a module that only another system needs and that was never fetched is no error.
			for line := range strings.Lines(goList(t, goos, "-e", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...")) {
				imports := strings.Fields(strings.ReplaceAll(line, module, ""))
				allowed, ok := rooms[imports[0]]
				if !ok {
					t.Errorf("%s is not one of the rooms", imports[0])
				}
				seen++
				for _, path := range imports[1:] {
					first, _, _ := strings.Cut(path, "/")
					if first != "internal" && first != "pkg" && first != "cmd" && !strings.Contains(first, ".") {
						continue // the standard library: no module's path begins without a dot
					}
					if !slices.ContainsFunc(strings.Fields(allowed), func(may string) bool {
						return path == may || strings.Contains(first, ".") && strings.HasPrefix(path, may+"/")
					}) {
						t.Errorf("%s must not import %s", imports[0], path)
					}
				}
			}
			if seen != len(rooms) {
				t.Errorf("%d packages in %d rooms", seen, len(rooms))
			}
		})
	}
}

func TestNotInProgram(t *testing.T) {
	t.Parallel()
	linked := strings.Fields(goList(t, "", "-deps", "./cmd/utho"))
	for _, path := range notInProgram {
		if slices.Contains(linked, path) || len(linked) < len(rooms) {
			t.Errorf("of %d packages the program links %s", len(linked), path)
		}
	}
}

// A file holds one thing: none has more than 400 lines. And nothing hangs on the machine it was written on: such
// paths come in through pasted output and goldens. (That only main exits, and that nothing runs before it, is
// golangci-lint's.)
func TestSources(t *testing.T) {
	t.Parallel()
	// An absolute path into somebody's home or checkout, or one that leaves the repository for a folder beside it.
	machine := regexp.MustCompile(`(?m)(?:^|[\s"'=:(\x60])/(?:root|work|workspace|Users/\w+)/\.?\w|\.\./shar` + `ed\b`)
	for file, text := range texts(t, func(string) bool { return true }) {
		if at := machine.FindStringIndex(text); at != nil {
			t.Errorf("%s:%d: a path of one machine: %q", file, 1+strings.Count(text[:at[1]], "\n"), text[at[0]:at[1]])
		}
		if n := strings.Count(text, "\n"); n > 400 && filepath.Ext(file) == ".go" && !strings.HasSuffix(file, "_test.go") {
			t.Errorf("%s has %d lines", file, n)
		}
	}
}

// texts are files of the repository by their paths with slashes, but for what is built.
func texts(t *testing.T, want func(file string) bool) map[string]string {
	t.Helper()
	built := regexp.MustCompile(`^(\.git|dist|\.ci/out|utho|utho\.exe)$|\.(test|out)$`)
	all := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		file := filepath.ToSlash(strings.TrimPrefix(path, root+string(filepath.Separator)))
		switch {
		case err != nil:
			return err
		case built.MatchString(file) && d.IsDir():
			return filepath.SkipDir
		case d.Type().IsRegular() && !built.MatchString(file) && want(file):
			text, err := os.ReadFile(path)
			all[file] = string(text)
			return err
		}
		return nil
	})
	if err != nil || len(all) == 0 {
		t.Fatalf("%d files: %v", len(all), err)
	}
	return all
}
