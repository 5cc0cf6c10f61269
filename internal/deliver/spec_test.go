package deliver

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseSpec(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Spec{
		"stdout":                    {KindStdout, ""},
		"file:token":                {KindFile, "token"},
		"file:~/a#b/token":          {KindFile, "~/a#b/token"},
		"file:a:b":                  {KindFile, "a:b"},
		"file: ":                    {KindFile, " "},
		"env:.env":                  {KindEnv, ".env"},
		"env:/a#b/.env#TOKEN_2":     {KindEnv, "/a#b/.env#TOKEN_2"},
		"env:.env#_":                {KindEnv, ".env#_"},
		"profile:ci":                {KindProfile, "ci"},
		"profile:Prod.EU":           {KindProfile, "Prod.EU"},
		"exec:gh secret set X":      {KindExec, "gh secret set X"},
		`exec:sh -c 'cat > "$OUT"'`: {KindExec, `sh -c 'cat > "$OUT"'`},
	} {
		got, err := ParseSpec(text)
		if err != nil || got != want {
			t.Errorf("ParseSpec(%q) = %+v, %v; want %+v", text, got, err, want)
		}
		if got.String() != text {
			t.Errorf("ParseSpec(%q) prints as %q", text, got)
		}
	}
}

func TestParseSpecRefuses(t *testing.T) {
	t.Parallel()
	for text, says := range map[string][2]string{ // why and hint
		"":                       {"none of the known kinds", "file:PATH"},
		"token.txt":              {"none of the known kinds", "file:PATH"},
		"/etc/token":             {"none of the known kinds", "file:PATH"},
		"-":                      {"none of the known kinds", "stdout"},
		"FILE:x":                 {"none of the known kinds", ""},
		" file:x":                {"none of the known kinds", ""},
		`C:\token`:               {"none of the known kinds", ""},
		"unknown:x":              {"none of the known kinds", ""},
		"stdout:":                {"nothing behind it", "stdout"},
		"stdout:x":               {"nothing behind it", ""},
		"file":                   {"nothing behind file:", ""},
		"file:":                  {"nothing behind file:", ""},
		"env:":                   {"nothing behind env:", ""},
		"profile:":               {"nothing behind profile:", ""},
		"exec:":                  {"nothing behind exec:", ""},
		"file:a/":                {"names a folder", ""},
		"file:.":                 {"names a folder", ""},
		"file:a/..":              {"names a folder", ""},
		"file:~/":                {"names a folder", ""},
		"file:a\x00b":            {"NUL", ""},
		"env:#NAME":              {"path is empty", ""},
		"env:.env#":              {`"" is not the name of a variable`, "env:PATH#NAME"},
		"env:.env#1A":            {`"1A" is not the name`, ""},
		"env:.env#A-B":           {`"A-B" is not the name`, ""},
		"env:.env#A B":           {`"A B" is not the name`, ""},
		"env:.env#Ä":             {"is not the name", ""},
		"env:/a#b/.env":          {`"b/.env" is not the name`, "last #"},
		"env:dir/#X":             {"names a folder", ""},
		"exec:  ":                {"no command", ""},
		"exec:''":                {"no command", ""},
		"exec:a | b":             {"unquoted |", `write --to "exec:sh -c 'a | b'"`},
		"exec:a 'it":             {"never closed", ""},
		"exec:echo $HOME":        {"unquoted $", `write --to 'exec:sh -c '"'"'echo $HOME'"'"''`},
		"exec:echo it\\'s > out": {"unquoted >", `write --to 'exec:sh -c '`},
	} {
		_, err := ParseSpec(text)
		var bad *SpecError
		if !errors.As(err, &bad) || bad.Text != text || !strings.Contains(bad.Why, says[0]) || !strings.Contains(bad.Hint, says[1]) {
			t.Errorf("ParseSpec(%q) = %v (hint %q); want %q", text, err, bad.Hint, says)
		}
		if strings.ContainsAny(err.Error(), "\x00\n") {
			t.Errorf("ParseSpec(%q): the error has raw control characters", text)
		}
	}
}

func TestPaths(t *testing.T) {
	t.Parallel()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	for text, want := range map[string]string{
		"file:x":             filepath.Join(here, "x"),
		"file:./a/../x":      filepath.Join(here, "x"),
		"file:~/x":           filepath.Join(home, "x"),
		"file:~":             filepath.Join(here, "~"),
		"file:~root/x":       filepath.Join(here, "~root", "x"),
		"file:a/~/x":         filepath.Join(here, "a", "~", "x"),
		"file:$HOME/x":       filepath.Join(here, "$HOME", "x"),
		"file:x#y":           filepath.Join(here, "x#y"),
		"env:~/.env":         filepath.Join(home, ".env"),
		"env:~/a#b/.env#FOO": filepath.Join(home, "a#b", ".env"),
	} {
		d := open(t, Env{Home: home}, text)
		var got string
		switch d := d.(type) {
		case *file:
			got = d.path
		case *envFile:
			got = d.path
		}
		if got != want || d.String() != text {
			t.Errorf("%s goes to %s, as %s; want %s", text, got, d, want)
		}
	}
	if got := open(t, Env{}, "env:x").(*envFile).name; got != "UTHO_API_KEY" {
		t.Errorf("the default variable is %s", got)
	}
	if got := open(t, Env{}, "env:x#y#Z").(*envFile).name; got != "Z" {
		t.Errorf("the variable is %s", got)
	}
	_, err = openSpec(Env{}, "file:~/x")
	fails(t, err, "no home folder")
	for _, s := range []Spec{{}, {Kind: KindStdout}, {Kind: KindProfile, Arg: "x"}, {Kind: KindExec, Arg: "a|b"}} {
		if _, err := New(s, Env{}); !errors.As(err, new(*SpecError)) {
			t.Errorf("New(%v) = %v", s, err)
		}
	}
}
