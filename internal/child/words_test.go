package child

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"al.essio.dev/pkg/shellescape"
	"pgregory.net/rapid"

	"github.com/utho/utho-cli/internal/problem"
)

func TestWords(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"  a\tb  ":                  {"a", "b"},
		"\na b\r\n":                 {"a", "b"},
		`a "" b ''`:                 {"a", "", "b", ""},
		`a 'b c'd" e"`:              {"a", "b cd e"},
		`a '\n' "\n"`:               {"a", `\n`, `\n`},
		`a "\\ \" \$ \` + "`" + `"`: {"a", "\\ \" $ `"},
		`a "it's" 'say "x"'`:        {"a", "it's", `say "x"`},
		`a \ b \\ \' \|`:            {"a", " b", `\`, "'", "|"},
		"a \\\nb \"c\\\nd\" 'e\nf'": {"a", "b", "cd", "e\nf"},
		`a '|<>&;$' "|<>&;$x"`:      {"a", "|<>&;$", "|<>&;$x"},
		`a *.go {a,b} ~/x #c x=y`:   {"a", "*.go", "{a,b}", "~/x", "#c", "x=y"},
		"a कुंजी \xff\x00":          {"a", "कुंजी", "\xff\x00"},
	} {
		if got, err := Words(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("Words(%q) = %q, %v; want %q", text, got, err, want)
		}
	}
	for text, says := range map[string]string{
		"": "no command", " \t\n": "no command", "'' a": "no command", "\\\n": "no command",
		"a 'b": "opens a ' that", `a "b\"`: `opens a " that`, `a "b\`: `opens a " that`,
		`a \`: "ends in a backslash", "a\n\n'b": "line break", "a b|c": "unquoted |", `a "x"$`: "unquoted $",
	} {
		_, err := Words(text)
		if !problem.Is(err, problem.Usage) || !strings.Contains(err.Error(), says) {
			t.Errorf("Words(%q): %v; want %q", text, err, says)
		}
	}
	for _, c := range "|<>&;$`()" {
		_, err := Words("it\\'s a" + string(c) + "b")
		hint := problem.Hint(err)
		if !problem.Is(err, problem.Usage) || !strings.HasSuffix(hint, `sh -c 'it\'\''s a`+string(c)+`b'`) {
			t.Errorf("unquoted %c: %v", c, err)
			continue
		}
		_, command, _ := strings.Cut(hint, ": ")
		if words, err := Words(command); err != nil || words[2] != "it\\'s a"+string(c)+"b" {
			t.Errorf("the hint %q is %q, %v", command, words, err)
		}
	}
}

// A real shell takes the same commands apart in the same way, and what a shell's own quoting
// writes is read back.
func TestWordsLikeShell(t *testing.T) {
	t.Parallel()
	sh, noShell := exec.LookPath("sh")
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.OneOf(rapid.String(), rapid.StringMatching("[ '\"\\\\$`|a\n]{0,9}")), 1, 5).Draw(t, "words")
		want = append([]string{"x"}, want...)
		if got, err := Words(shellescape.QuoteCommand(want)); err != nil || !slices.Equal(got, want) {
			t.Fatalf("%q became %q, %v", want, got, err)
		}
		if noShell != nil {
			return
		}
		// Without what only a shell acts upon, even in double quotes.
		text := rapid.StringMatching(`([a-c =.,:/+-]|'[ab"\\]*'|"([ab ']|\\[\\"$ab])*"|\\[ab"'\\$ ]|\\\n){1,12}`).Draw(t, "command")
		got, bad := Words("x " + text)
		out, err := exec.Command(sh, "-c", `set -f; f() { for a; do printf '%s\0' "$a"; done; }; f x `+text).Output()
		if (bad == nil) != (err == nil) || bad == nil && strings.Join(got, "\x00")+"\x00" != string(out) {
			t.Fatalf("%q is %q, %v; to the shell %q, %v", text, got, bad, out, err)
		}
	})
}
