package sandbox

import (
	"go/parser"
	gotoken "go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The look-alike is written from the wire. Were it to share types with the
// client, a wrong field in one would agree with itself in the other.
func TestImports(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 10 {
		t.Fatalf("%v %q", err, files)
	}
	for _, file := range files {
		parsed, err := parser.ParseFile(gotoken.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range parsed.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if rest, ok := strings.CutPrefix(path, "github.com/utho/"); ok && rest != "utho-cli/internal/privfile" {
				t.Errorf("%s imports %s", file, path)
			}
			if !strings.HasSuffix(file, "_test.go") && slices.Contains([]string{"net/http/httptest", "text/template", "testing"}, path) {
				t.Errorf("%s imports %s, which does not belong in the program", file, path)
			}
		}
	}
}
