package auth

import (
	"errors"
	"io/fs"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
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
	for name, tc := range map[string]struct {
		official, community string
		tool                string // "" for none
		both                bool
	}{
		"official":             {official: yamlToken, tool: toolOfficial},
		"community":            {community: jsonToken, tool: toolCommunity},
		"both":                 {official: yamlToken, community: jsonToken, both: true},
		"neither":              {},
		"one holds none":       {official: "token: \"\"\nregion: x\n", community: jsonToken, tool: toolCommunity},
		"comments only":        {official: "# nothing\n", community: jsonToken, tool: toolCommunity},
		"other keys only":      {community: `{"region":"x"}`, official: "{}"},
		"any case":             {official: "Token: '" + secret + "'\n", tool: toolOfficial},
		"white space, quotes":  {official: "token: \" 'Bearer " + secret + "'\\n\"\n", tool: toolOfficial},
		"JSON with a BOM":      {community: "\ufeff" + jsonToken, tool: toolCommunity},
		"JSON with tabs":       {community: "{\n\t\"apikey\":\t\"" + secret + "\"\n}\n", tool: toolCommunity},
		"nested is not looked": {official: "a:\n  token: " + secret + "\n"},
		"number":               {official: "token: 12\n"},
		"list":                 {official: "token: [" + secret + "]\n"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := home(t, tc.official, tc.community)
			in, err := FindImport()
			noSecret(t, err)
			var both *BothError
			var none *NoImportError
			switch {
			case tc.both:
				if !errors.As(err, &both) {
					t.Fatalf("%+v, %v", in, err)
				}
			case tc.tool == "":
				if !errors.As(err, &none) {
					t.Fatalf("%+v, %v", in, err)
				}
			default:
				if err != nil || in.Secret != secret || in.Tool != tc.tool || in.Open || !strings.HasPrefix(in.Path, dir) {
					t.Fatalf("%+v, %v", in, err)
				}
				return
			}
			for _, path := range []string{".config/uthoctl.yaml", ".utho/config.json"} {
				if !strings.Contains(err.Error(), filepath.Join(dir, path)) {
					t.Errorf("%v does not name %s", err, path)
				}
			}
		})
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
		"a.json":        {`{"token":"live_test_a","apikey":"live_test_b"}`, "live_test_b", toolCommunity},
		"b.yaml":        {"token: live_test_a\napikey: live_test_b\n", "live_test_a", toolOfficial},
		"c":             {"apikey: live_test_b\n", "live_test_b", toolCommunity},
		"d.json":        {`{"token":"live_test_a"}`, "live_test_a", toolOfficial},
		"no mapping":    {text: secret},
		"broken YAML":   {text: "token: " + secret + ": x\n"},
		"broken JSON":   {text: `{"token": "` + secret},
		"bad escape":    {text: "token: \"" + secret + "\\q\"\n"},
		"alias":         {text: "token: *" + secret + "\n"},
		"no text":       {text: "\x00\x01" + secret},
		"inner space":   {text: "token: " + secret + " " + secret + "\n"},
		"two lines":     {text: "token: |\n  " + secret + "\n  " + secret + "\n"},
		"too large":     {text: "token: " + secret + "\n#" + strings.Repeat("x", maxImport)},
		"token too big": {text: "token: " + strings.Repeat("x", MaxSecret+1) + "\n"},
	} {
		path := filepath.Join(dir, name)
		writeFile(t, path, tc.text, 0o600)
		in, err := ReadImport(path)
		noSecret(t, err)
		if tc.want != "" && (err != nil || in != (Import{tc.tool, path, false, tc.want})) {
			t.Errorf("%s: %+v, %v", name, in, err)
		}
		if tc.want != "" {
			continue
		}
		if err == nil || in.Secret != "" || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %+v, %v", name, in, err)
		}
		// The other is not taken in silence.
		official := filepath.Join(dir, ".config", "uthoctl.yaml")
		writeFile(t, official, tc.text, 0o600)
		if in, err = FindImport(); err == nil || in.Secret != "" || !strings.Contains(err.Error(), official) {
			t.Errorf("%s: find: %+v, %v", name, in, err)
		}
	}
	if _, err := ReadImport(filepath.Join(dir, "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	path := filepath.Join(dir, "b.yaml")
	for mode, open := range map[fs.FileMode]bool{0o600: false, 0o644: true, 0o640: true, 0o604: true, 0o620: false} {
		chmod(t, path, mode)
		if in, err := ReadImport(path); err != nil || in.Open != open {
			t.Errorf("mode %o: open %v, %v", mode, in.Open, err)
		}
	}
}

func FuzzImport(f *testing.F) {
	f.Add([]byte("token: " + secret + "\n"))
	f.Add([]byte(`{"apikey":"` + secret + `"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "f.yaml")
		writeFile(t, path, string(data), 0o600)
		in, err := ReadImport(path)
		if (err == nil) != (in.Secret != "") {
			t.Fatalf("%+v, %v", in, err)
		}
		noSecret(t, err)
	})
}
