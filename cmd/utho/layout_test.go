package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const modulePath = "github.com/utho/utho-cli"

// A room is one package of the program. What stands in neither of its two lists, it must
// not import.
type room struct {
	inside  []string // other rooms
	outside []string // modules; the standard library is open to all
}

// rooms is the house. There are no other packages, and no arrow goes up or sideways beyond
// those written here. Imports of tests are free.
var rooms = map[string]room{
	"cmd/utho": {inside: []string{"internal/cli"}},
	"internal/cli": {
		inside: []string{
			"internal/auth", "internal/config", "internal/deliver", "internal/expiry",
			"internal/output", "internal/privfile", "internal/sandbox", "pkg/utho",
		},
		outside: []string{
			"github.com/spf13/cobra", "github.com/spf13/pflag", "golang.org/x/term", "golang.org/x/sys",
			"github.com/schollz/progressbar/v3",
		},
	},
	"internal/config": {
		inside:  []string{"internal/privfile"},
		outside: []string{"github.com/spf13/viper", "go.yaml.in/yaml/v4"},
	},
	"internal/auth": {
		inside: []string{"internal/privfile"},
		outside: []string{
			"github.com/zalando/go-keyring",
			"github.com/godbus/dbus/v5", // whether a collection is locked, which go-keyring cannot ask
			"go.yaml.in/yaml/v4",        // uthoctl's file
		},
	},
	"internal/deliver": {
		inside:  []string{"internal/privfile"},
		outside: []string{"al.essio.dev/pkg/shellescape", "golang.org/x/sys"},
	},
	"internal/output": {
		outside: []string{
			"github.com/olekukonko/tablewriter", "github.com/mattn/go-runewidth",
			"github.com/olekukonko/ll", // a renderer of tablewriter's must name its logger
			"al.essio.dev/pkg/shellescape", "go.yaml.in/yaml/v4",
		},
	},
	"internal/sandbox":             {inside: []string{"internal/privfile"}},
	"internal/sandbox/sandboxtest": {inside: []string{"internal/sandbox"}}, // only tests import it
	"internal/expiry":              {},
	"internal/privfile": {
		outside: []string{"github.com/gofrs/flock", "golang.org/x/sys", "al.essio.dev/pkg/shellescape"},
	},
	"pkg/utho": {},
}

// notInProgram are packages that must not be linked into the program, whoever imports them.
var notInProgram = []string{
	"net/http/httptest", "testing", // they are for tests
	"github.com/cpuguy83/go-md2man/v2/md2man", // comes with cobra/doc
	"gopkg.in/yaml.v3",                        // a third YAML library
}

type goPackage struct {
	ImportPath string
	Imports    []string
}

// goList runs go list with args as on goos; an empty one is the system this runs on.
func goList(t *testing.T, goos string, args ...string) []goPackage {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports"}, args...)...)
	cmd.Dir = repoRoot(t)
	cmd.Env = append(os.Environ(), "GOWORK=off")
	if goos != "" {
		cmd.Env = append(cmd.Env, "GOOS="+goos, "GOARCH=amd64", "CGO_ENABLED=0")
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list for %s: %v\n%s", goos, err, stderr.Bytes())
	}
	var list []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatalf("go list for %s: %v", goos, err)
		}
		list = append(list, p)
	}
}

func repoRoot(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		t.Fatal(err)
	}
	return root
}

// Imports hang on the system a file is for, so each system is asked.
func TestArrows(t *testing.T) {
	for _, goos := range []string{"linux", "darwin", "windows", "freebsd"} {
		t.Run(goos, func(t *testing.T) {
			t.Parallel()
			seen := make(map[string]bool)
			// With -e, a module that only another system needs and that was never
			// fetched is no error.
			for _, p := range goList(t, goos, "-e", "./...") {
				name := strings.TrimPrefix(p.ImportPath, modulePath+"/")
				seen[name] = true
				r, ok := rooms[name]
				if !ok {
					t.Errorf("%s is not one of the rooms", name)
					continue
				}
				for _, imported := range p.Imports {
					if !r.mayImport(imported) {
						t.Errorf("%s must not import %s", name, imported)
					}
				}
			}
			for name := range rooms {
				if !seen[name] {
					t.Errorf("the room %s is missing", name)
				}
			}
		})
	}
}

func (r room) mayImport(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	if !strings.Contains(first, ".") {
		return true // the standard library: no module's path begins without a dot
	}
	if name, ok := strings.CutPrefix(path, modulePath+"/"); ok {
		return slices.Contains(r.inside, name)
	}
	return slices.ContainsFunc(r.outside, func(module string) bool {
		return path == module || strings.HasPrefix(path, module+"/")
	})
}

func TestNotInProgram(t *testing.T) {
	linked := goList(t, "", "-deps", "./cmd/utho")
	if len(linked) < len(rooms) {
		t.Fatalf("go list knows %d packages of the program only", len(linked))
	}
	for _, p := range linked {
		if slices.Contains(notInProgram, p.ImportPath) {
			t.Errorf("the program links %s", p.ImportPath)
		}
	}
}

// Only main exits: everything else returns, so that deferred work is done and tests can
// call it. And nothing runs before main: each init is paid for by every command.
func TestOnlyMainExits(t *testing.T) {
	root := repoRoot(t)
	for _, file := range sourceFiles(t) {
		if filepath.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") {
			continue
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, filepath.Join(root, file), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Error(err)
			continue
		}
		exits := strings.HasPrefix(file, "cmd/") || strings.HasPrefix(file, ".ci/")
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Recv == nil && n.Name.Name == "init" {
					t.Errorf("%s: func init", fset.Position(n.Pos()))
				}
			case *ast.SelectorExpr:
				x, ok := n.X.(*ast.Ident)
				if !ok || exits {
					return true
				}
				name := x.Name + "." + n.Sel.Name
				if name == "os.Exit" || name == "syscall.Exit" || strings.HasPrefix(name, "log.Fatal") {
					t.Errorf("%s: %s outside cmd/utho", fset.Position(n.Pos()), name)
				}
			}
			return true
		})
	}
}

// Nothing here may hang on the machine it was written on. Such names come in through pasted
// output, goldens and scripts that were tried in one place only.
func TestNoMachinePaths(t *testing.T) {
	root := repoRoot(t)
	// An absolute path into somebody's home or checkout, or one that leaves the repository
	// for a folder beside it.
	machine := regexp.MustCompile(`(?:^|[\s"'=:(\x60])/(?:root|work|workspace|Users/\w+)/\.?\w|\.\./shar` + `ed\b`)
	for _, file := range sourceFiles(t) {
		content, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Error(err)
			continue
		}
		for i, line := range bytes.Split(content, []byte("\n")) {
			if m := machine.Find(line); m != nil {
				t.Errorf("%s:%d: a path of one machine: %q", file, i+1, m)
			}
		}
	}
}

// sourceFiles lists the files of the repository, with slashes: those that git knows or
// would add, and where this is no checkout all but the build's.
func sourceFiles(t *testing.T) []string {
	t.Helper()
	root := repoRoot(t)
	cmd := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate")
	cmd.Dir = root
	var files []string
	if out, err := cmd.Output(); err == nil {
		for file := range strings.SplitSeq(string(out), "\x00") {
			// A file that was deleted and not yet committed is still listed.
			if info, err := os.Lstat(filepath.Join(root, file)); err == nil && info.Mode().IsRegular() {
				files = append(files, file)
			}
		}
	} else {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() && (d.Name() == ".git" || d.Name() == "dist") {
				return filepath.SkipDir
			}
			rel, err := filepath.Rel(root, path)
			if d.Type().IsRegular() {
				files = append(files, filepath.ToSlash(rel))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Contains(files, "cmd/utho/layout_test.go") {
		t.Fatalf("this test is not among the %d files of the repository", len(files))
	}
	return files
}
