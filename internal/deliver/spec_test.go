package deliver

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/utho/utho-cli/internal/problem"
)

func TestParseSpec(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Spec{
		"stdout":                    {KindStdout, ""},
		"file:~/a#b/token":          {KindFile, "~/a#b/token"},
		"file:a:b":                  {KindFile, "a:b"},
		"env:.env":                  {KindEnv, ".env"},
		"env:/a#b/.env#TOKEN_2":     {KindEnv, "/a#b/.env#TOKEN_2"},
		"profile:Prod.EU":           {KindProfile, "Prod.EU"},
		`exec:sh -c 'cat > "$OUT"'`: {KindExec, `sh -c 'cat > "$OUT"'`},
	} {
		if got, err := ParseSpec(text); err != nil || got != want || got.String() != text {
			t.Errorf("ParseSpec(%q) = %+v, %v; want %+v", text, got, err, want)
		}
	}
	if got := (Spec{KindOwn, "work"}).String(); got != "profile:work" {
		t.Errorf("one's own profile is %q", got)
	}
}

func TestParseSpecRefuses(t *testing.T) {
	t.Parallel()
	for text, says := range map[string][2]string{ // why and hint
		"":                       {"none of the known kinds", "file:PATH"},
		"-":                      {"none of the known kinds", "stdout"},
		`C:\token`:               {"none of the known kinds", ""},
		"stdout:":                {"nothing after it", "stdout"},
		"file":                   {"nothing after file:", ""},
		"file:a/":                {"names a folder", ""},
		"file:a\x00b":            {"NUL", ""},
		"env:#NAME":              {"path is empty", ""},
		"env:.env#":              {`"" is not the name of a variable`, "env:PATH#NAME"},
		"env:/a#b/.env":          {`"b/.env" is not the name`, "last #"},
		"exec:  ":                {"no command", ""},
		"exec:a | b":             {"unquoted |", `write --to "exec:sh -c 'a | b'"`},
		"exec:echo it\\'s > out": {"unquoted >", `write --to 'exec:sh -c '`},
		"exec:put $HOME":         {"unquoted $", `write --to 'exec:sh -c '"'"'put $HOME'"'"''`},
	} {
		_, err := ParseSpec(text)
		named, why, _ := strings.Cut(fmt.Sprint(err), fmt.Sprintf("--to %q: ", text))
		if !problem.Is(err, problem.Usage) || named != "" || !strings.Contains(why, says[0]) || !strings.Contains(problem.Hint(err), says[1]) {
			t.Errorf("ParseSpec(%q) = %#v; want %q", text, err, says)
		} else if strings.ContainsAny(err.Error(), "\x00\n") {
			t.Errorf("ParseSpec(%q): the error has raw control characters", text)
		}
	}
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	if err := errors.Join(os.Mkdir(home+"/real", 0o700), os.Symlink("real", home+"/link")); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"file:~/x":            "file:" + home + "/x",
		"file:~/link/x":       "file:" + home + "/real/x", // the same for whoever comes another way
		"file:$HOME/x":        "file:" + here + "/$HOME/x",
		"env:~/.env":          "env:" + home + "/.env#UTHO_API_KEY",
		"env:~/a#b/.env#FOO":  "env:" + home + "/a#b/.env#FOO",
		"exec:/bin/put 'a b'": "exec:/bin/put",
	} {
		if d := open(t, Env{Home: home}, text); d.Place() != filepath.FromSlash(want) {
			t.Errorf("%s goes to %s, as %s; want %s", text, d.Place(), d, want)
		}
	}
	for _, s := range []Spec{{}, {KindFile, "~/x"}, {Kind: KindStdout}, {Kind: KindProfile, Arg: "x"}, {Kind: KindExec, Arg: "a|b"}} {
		if _, err := New(s, Env{}); !problem.Is(err, problem.Usage) {
			t.Errorf("New(%v) = %v", s, err)
		}
	}
}
