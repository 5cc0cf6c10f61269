package auth

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/utho/utho-cli/internal/problem"
)

// Not exactly one token is an error, and so is a file that cannot be read as one: the other is not taken in silence.
func TestFindImport(t *testing.T) {
	const yamlToken, jsonToken = "token: " + secret + "\n", `{"apikey": "` + secret + `"}`
	const official, community, none, both, bad = "uthoctl", "the community's utho", "import: no token found in", "both ", "import "
	for name, tc := range map[string]struct{ official, community, want string }{
		"official":             {yamlToken, "", official},
		"official, as JSON":    {`{"token": "` + secret + `"}`, "", official},
		"community":            {"", jsonToken, community},
		"community, as YAML":   {"", "apikey: " + secret + "\n", community},
		"both":                 {yamlToken, jsonToken, both},
		"neither":              {"", "", none},
		"one holds none":       {"token: \"\"\nregion: x\n", jsonToken, community},
		"comments only":        {"# nothing\n", jsonToken, community},
		"other keys only":      {"{}", `{"region":"x"}`, none},
		"white space, quotes":  {"token: \" 'Bearer " + secret + "'\\n\"\n", "", official},
		"JSON with a BOM":      {"", "\ufeff" + jsonToken, community},
		"JSON with tabs":       {"", "{\n\t\"apikey\":\t\"" + secret + "\"\n}\n", community},
		"nested is not looked": {"a:\n  token: " + secret + "\n", "", none},
		"both keys":            {yamlToken + "apikey: live_test_b\n", "", official},
		"list":                 {"token: [" + secret + "]\n", jsonToken, bad},
		"no mapping":           {secret, jsonToken, bad},
		"broken YAML":          {"token: " + secret + ": x\n", jsonToken, bad},
		"broken JSON":          {`{"token": "` + secret, jsonToken, bad},
		"alias":                {"token: *" + secret + "\n", jsonToken, bad},
		"no text":              {"\x00\x01" + secret, jsonToken, bad},
		"inner space":          {"token: " + secret + " " + secret + "\n", jsonToken, bad},
		"two lines":            {"token: |\n  " + secret + "\n  " + secret + "\n", jsonToken, bad},
	} {
		dir := t.TempDir()
		t.Setenv("HOME", dir)
		t.Setenv("USERPROFILE", dir)
		paths := [2]string{filepath.Join(dir, ".config", "uthoctl.yaml"), filepath.Join(dir, ".utho", "config.json")}
		for i, text := range []string{tc.official, tc.community} {
			if text != "" {
				writeFile(t, paths[i], text, 0o600)
			}
		}
		in, err := FindImport()
		noSecret(t, err)
		switch {
		case tc.want == official || tc.want == community:
			if err != nil || in.Secret != secret || in.Tool != tc.want || in.Open || !strings.HasPrefix(in.Path, dir) {
				t.Errorf("%s: %+v, %v", name, in, err)
			}
		case err == nil || problem.Is(err, problem.Usage) != (tc.want == both), !strings.HasPrefix(err.Error(), tc.want),
			!strings.Contains(err.Error(), paths[0]), strings.Contains(err.Error(), paths[1]) == (tc.want == bad):
			t.Errorf("%s: %+v, %v", name, in, err)
		}
	}
	t.Setenv("HOME", "")
	t.Setenv("USERPROFILE", "")
	if _, err := FindImport(); err == nil || !strings.Contains(err.Error(), "HOME") {
		t.Errorf("without a home: %v", err)
	}
}
