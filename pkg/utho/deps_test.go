package utho

import (
	"os/exec"
	"testing"
)

// Other programs take this package without taking anything else.
func TestStandardLibraryOnly(t *testing.T) {
	t.Parallel()
	const others = "{{if and (not .Standard) .DepOnly}}{{.ImportPath}}{{end}}"
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", others, ".").Output()
	if err != nil || len(out) != 0 {
		t.Errorf("packages from elsewhere: %s, %v", out, err)
	}
}
