package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
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
	"internal/auth": `internal/child internal/privfile
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

func repoRoot(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// goList gives a line for each package, as on a system; an empty one is this.
func goList(t *testing.T, goos string, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	cmd.Dir, cmd.Env = repoRoot(t), append(os.Environ(), "GOWORK=off")
	if goos != "" {
		cmd.Env = append(cmd.Env, "GOOS="+goos, "GOARCH=amd64", "CGO_ENABLED=0")
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list for %s: %v\n%s", goos, err, stderr.Bytes())
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

// Only main exits: everything else returns, so that deferred work is done and tests can call it. Nothing runs
// before main: each init is paid for by every command. A file holds one thing: none has more than 400 lines.
// And nothing hangs on the machine it was written on: such paths come in through pasted output and goldens.
func TestSources(t *testing.T) {
	t.Parallel()
	// An absolute path into somebody's home or checkout, or one that leaves the repository for a folder beside it.
	machine := regexp.MustCompile(`(?:^|[\s"'=:(\x60])/(?:root|work|workspace|Users/\w+)/\.?\w|\.\./shar` + `ed\b`)
	exits := regexp.MustCompile(`^(os\.Exit|syscall\.Exit|log\.Fatal.*)$`)
	for _, file := range sourceFiles(t) {
		content, err := os.ReadFile(filepath.Join(repoRoot(t), file))
		if err != nil {
			t.Error(err)
			continue
		}
		for i, line := range bytes.Split(content, []byte("\n")) {
			if found := machine.Find(line); found != nil {
				t.Errorf("%s:%d: a path of one machine: %q", file, i+1, found)
			}
		}
		if filepath.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") {
			continue
		}
		if n := bytes.Count(content, []byte("\n")); n > 400 {
			t.Errorf("%s has %d lines", file, n)
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, file, content, parser.SkipObjectResolution)
		if err != nil {
			t.Error(err)
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Recv == nil && n.Name.Name == "init" {
					t.Errorf("%s: func init", fset.Position(n.Pos()))
				}
			case *ast.SelectorExpr:
				x, ok := n.X.(*ast.Ident)
				if ok && exits.MatchString(x.Name+"."+n.Sel.Name) && f.Name.Name != "main" {
					t.Errorf("%s: %s.%s outside main", fset.Position(n.Pos()), x.Name, n.Sel.Name)
				}
			}
			return true
		})
	}
}

// sourceFiles lists the files of the repository, with slashes, but for what is built.
func sourceFiles(t *testing.T) (files []string) {
	t.Helper()
	built := regexp.MustCompile(`^(\.git|dist|\.ci/out|utho|utho\.exe)$|\.(test|out)$`)
	root := repoRoot(t)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		rel := filepath.ToSlash(strings.TrimPrefix(path, root+string(filepath.Separator)))
		switch {
		case err != nil:
			return err
		case built.MatchString(rel) && d.IsDir():
			return filepath.SkipDir
		case d.Type().IsRegular() && !built.MatchString(rel):
			files = append(files, rel)
		}
		return nil
	})
	if err != nil || !slices.Contains(files, "cmd/utho/layout_test.go") {
		t.Fatalf("%d files: %v", len(files), err)
	}
	return files
}
