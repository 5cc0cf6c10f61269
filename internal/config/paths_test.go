package config

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

func TestLocate(t *testing.T) {
	t.Parallel()
	here, err := filepath.Abs("rel")
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		env           string // NAME=value …
		goos          string
		config, state string
		says          string // in the error, if there is one
	}{
		"home":             {"HOME=/h", "linux", "/h/.config/utho", "/h/.local/state/utho", ""},
		"macOS":            {"HOME=/h", "darwin", "/h/.config/utho", "/h/.local/state/utho", ""},
		"xdg":              {"HOME=/h XDG_CONFIG_HOME=/c XDG_STATE_HOME=/s", "linux", "/c/utho", "/s/utho", ""},
		"relative xdg":     {"HOME=/h XDG_CONFIG_HOME=c XDG_STATE_HOME=./s", "linux", "/h/.config/utho", "/h/.local/state/utho", ""},
		"own over xdg":     {"HOME=/h UTHO_CONFIG_DIR=/uc UTHO_STATE_DIR=/us XDG_CONFIG_HOME=/c XDG_STATE_HOME=/s", "linux", "/uc", "/us", ""},
		"own relative":     {"UTHO_CONFIG_DIR=rel UTHO_STATE_DIR=rel", "linux", here, here, ""},
		"own without home": {"UTHO_CONFIG_DIR=/uc", "linux", "/uc", "/uc/state", ""},
		"state only":       {"UTHO_STATE_DIR=/us", "linux", "", "/us", "HOME is not set"},
		"nothing":          {"", "linux", "", "", "HOME is not set"},
		"relative home":    {"HOME=h", "linux", "", "", "HOME is \"h\", which is not an absolute path"},
		"windows":          {"AppData=/r LocalAppData=/l HOME=/h", "windows", "/r/utho", "/l/utho", ""},
		"windows, nothing": {"HOME=/h", "windows", "", "", "HOME is not set"},
	} {
		p, err := Locate(func(k string) string {
			_, value, _ := strings.Cut(" "+tc.env, " "+k+"=")
			value, _, _ = strings.Cut(value, " ")
			return value
		}, tc.goos)
		if p.Config != tc.config || p.State != tc.state || (err == nil) != (tc.says == "") {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
		if said := fmt.Sprint(err); err != nil && (!strings.Contains(said, tc.says) || !strings.Contains(said, "UTHO_CONFIG_DIR")) {
			t.Errorf("%s: %s; want %s and the way out", name, said, tc.says)
		}
	}
}

func TestValidName(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 64)
	for _, name := range []string{"a", "default", "Prod.EU", "0123", "1e3", "a_b-c.d", "true", "null", "no", long} {
		if err := ValidName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", ".", "..", ".a", "-a", "_a", "a b", "a/b", `a\b`, "a:b",
		"ä", "a\n", "a\x00", "sandbox", "SandBox", long + "a", "../x", "~"} {
		if err := ValidName(name); err == nil {
			t.Errorf("%q was taken", name)
		}
	}
}
