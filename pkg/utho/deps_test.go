package utho

import (
	"os/exec"
	"strings"
	"testing"
)

// Other programs take this package without taking anything else.
func TestStandardLibraryOnly(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	if got := strings.Fields(string(out)); len(got) != 1 || !strings.HasSuffix(got[0], "/pkg/utho") {
		t.Errorf("packages from elsewhere: %q", got)
	}
}
