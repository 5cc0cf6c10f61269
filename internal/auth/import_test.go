package auth

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/utho/utho-cli/internal/problem"
)

func home(t *testing.T, official, community string) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("USERPROFILE", dir)
	if official != "" {
		writeFile(t, filepath.Join(dir, ".config", "uthoctl.yaml"), official, 0o600)
	}
	if community != "" {
		writeFile(t, filepath.Join(dir, ".utho", "config.json"), community, 0o600)
	}
	return dir
}

func TestFindImport(t *testing.T) {
	const yamlToken, jsonToken = "token: " + secret + "\n", `{"apikey": "` + secret + `"}`
	const official, community, none, both = "uthoctl", "the community's utho", "import: no token found in", "both "
	for name, tc := range map[string]struct{ official, community, want string }{
		"official":             {yamlToken, "", official},
		"community":            {"", jsonToken, community},
		"both":                 {yamlToken, jsonToken, both},
		"neither":              {"", "", none},
		"one holds none":       {"token: \"\"\nregion: x\n", jsonToken, community},
		"comments only":        {"# nothing\n", jsonToken, community},
		"other keys only":      {"{}", `{"region":"x"}`, none},
		"white space, quotes":  {"token: \" 'Bearer " + secret + "'\\n\"\n", "", official},
		"JSON with a BOM":      {"", "\ufeff" + jsonToken, community},
		"JSON with tabs":       {"", "{\n\t\"apikey\":\t\"" + secret + "\"\n}\n", community},
		"nested is not looked": {"a:\n  token: " + secret + "\n", "", none},
	} {
		dir := home(t, tc.official, tc.community)
		in, err := FindImport()
		noSecret(t, err)
		switch {
		case tc.want == official || tc.want == community:
			if err != nil || in.Secret != secret || in.Tool != tc.want || in.Open || !strings.HasPrefix(in.Path, dir) {
				t.Errorf("%s: %+v, %v", name, in, err)
			}
		case err == nil || problem.Is(err, problem.Usage) != (tc.want == both) || !strings.HasPrefix(err.Error(), tc.want) ||
			!strings.Contains(err.Error(), dir+"/.config/uthoctl.yaml") || !strings.Contains(err.Error(), dir+"/.utho/config.json"):
			t.Errorf("%s: %+v, %v", name, in, err)
		}
	}
	t.Setenv("HOME", "")
	t.Setenv("USERPROFILE", "")
	if _, err := FindImport(); err == nil || !strings.Contains(err.Error(), "HOME") {
		t.Errorf("without a home: %v", err)
	}
}

func TestReadImport(t *testing.T) {
	dir := home(t, "", `{"apikey":"`+secret+`"}`)
	for name, tc := range map[string]struct{ text, want, tool string }{
		"list":          {text: "token: [" + secret + "]\n"},
		"b.yaml":        {"token: live_test_a\napikey: live_test_b\n", "live_test_a", "uthoctl"},
		"c":             {"apikey: live_test_b\n", "live_test_b", "the community's utho"},
		"d.json":        {`{"token":"live_test_a"}`, "live_test_a", "uthoctl"},
		"no mapping":    {text: secret},
		"broken YAML":   {text: "token: " + secret + ": x\n"},
		"broken JSON":   {text: `{"token": "` + secret},
		"alias":         {text: "token: *" + secret + "\n"},
		"no text":       {text: "\x00\x01" + secret},
		"inner space":   {text: "token: " + secret + " " + secret + "\n"},
		"two lines":     {text: "token: |\n  " + secret + "\n  " + secret + "\n"},
		"token too big": {text: "token: " + strings.Repeat("x", MaxSecret+1) + "\n"},
	} {
		path := filepath.Join(dir, name)
		writeFile(t, path, tc.text, 0o600)
		in, err := ReadImport(path)
		noSecret(t, err)
		if tc.want != "" {
			if err != nil || in != (Import{tc.tool, path, false, tc.want}) {
				t.Errorf("%s: %+v, %v", name, in, err)
			}
			continue
		}
		// The other is not taken in silence.
		official := filepath.Join(dir, ".config", "uthoctl.yaml")
		writeFile(t, official, tc.text, 0o600)
		_, findErr := FindImport()
		if err == nil || findErr == nil || !strings.Contains(err.Error(), path) || !strings.Contains(findErr.Error(), official) {
			t.Errorf("%s: %+v, %v, %v", name, in, err, findErr)
		}
	}
	if _, err := ReadImport(filepath.Join(dir, "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	must(t, os.Chmod(filepath.Join(dir, "b.yaml"), 0o640))
	if in, err := ReadImport(filepath.Join(dir, "b.yaml")); runtime.GOOS != "windows" && (err != nil || !in.Open) {
		t.Errorf("others can read it: %+v, %v", in, err)
	}
}
