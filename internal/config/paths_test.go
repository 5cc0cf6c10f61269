package config

import (
	"errors"
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
		err           error
	}{
		"home":             {"HOME=/h", "linux", "/h/.config/utho", "/h/.local/state/utho", nil},
		"macOS":            {"HOME=/h", "darwin", "/h/.config/utho", "/h/.local/state/utho", nil},
		"xdg":              {"HOME=/h XDG_CONFIG_HOME=/c XDG_STATE_HOME=/s", "linux", "/c/utho", "/s/utho", nil},
		"relative xdg":     {"HOME=/h XDG_CONFIG_HOME=c XDG_STATE_HOME=./s", "linux", "/h/.config/utho", "/h/.local/state/utho", nil},
		"own over xdg":     {"HOME=/h UTHO_CONFIG_DIR=/uc UTHO_STATE_DIR=/us XDG_CONFIG_HOME=/c XDG_STATE_HOME=/s", "linux", "/uc", "/us", nil},
		"own relative":     {"UTHO_CONFIG_DIR=rel UTHO_STATE_DIR=rel", "linux", here, here, nil},
		"own without home": {"UTHO_CONFIG_DIR=/uc", "linux", "/uc", "/uc/state", nil},
		"state only":       {"UTHO_STATE_DIR=/us", "linux", "", "/us", ErrNoHome},
		"nothing":          {"", "linux", "", "", ErrNoHome},
		"relative home":    {"HOME=h", "linux", "", "", errAny},
		"windows":          {"AppData=/r LocalAppData=/l HOME=/h", "windows", "/r/utho", "/l/utho", nil},
		"windows, nothing": {"HOME=/h", "windows", "", "", ErrNoHome},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := Locate(func(k string) string {
				_, value, _ := strings.Cut(" "+tc.env, " "+k+"=")
				value, _, _ = strings.Cut(value, " ")
				return value
			}, tc.goos)
			anyErr := tc.err == errAny && err != nil && !errors.Is(err, ErrNoHome)
			if !anyErr && !errors.Is(err, tc.err) || p.Config != tc.config || p.State != tc.state {
				t.Errorf("got %+v, %v", p, err)
			}
			if err != nil && !strings.Contains(err.Error(), "UTHO_CONFIG_DIR") {
				t.Errorf("%v does not name the way out", err)
			}
		})
	}
	p := Paths{Config: "/c"}
	if p.File() != "/c/config.yaml" || p.Credentials() != "/c/credentials" {
		t.Errorf("%s, %s", p.File(), p.Credentials())
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

var errAny = errors.New("an error that names the variable")
