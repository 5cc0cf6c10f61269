package deliver

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"al.essio.dev/pkg/shellescape"
	"pgregory.net/rapid"
)

func TestSplitWords(t *testing.T) {
	t.Parallel()
	for s, want := range map[string][]string{
		"a":                         {"a"},
		"  a\tb  ":                  {"a", "b"},
		"\na b\r\n":                 {"a", "b"},
		`a ''`:                      {"a", ""},
		`a "" b`:                    {"a", "", "b"},
		`a 'b c'd" e"`:              {"a", "b cd e"},
		`'a b' c`:                   {"a b", "c"},
		`a '\n' "\n"`:               {"a", `\n`, `\n`},
		`a "\\ \" \$ \` + "`" + `"`: {"a", "\\ \" $ `"},
		`a "it's" 'say "x"'`:        {"a", "it's", `say "x"`},
		`a \ b \\ \' \|`:            {"a", " b", `\`, "'", "|"},
		"a \\\nb \"c\\\nd\"":        {"a", "b", "cd"},
		"a\\\nb":                    {"ab"},
		"a \\\n":                    {"a"},
		`a '|<>&;$' "|<>&;$x"`:      {"a", "|<>&;$", "|<>&;$x"},
		"a 'b\nc'":                  {"a", "b\nc"},
		`a *.go ?x [ab] {a,b} ~/x`:  {"a", "*.go", "?x", "[ab]", "{a,b}", "~/x"},
		`a #b c#d !e x=y %z ^`:      {"a", "#b", "c#d", "!e", "x=y", "%z", "^"},
		"a कुंजी \xff":              {"a", "कुंजी", "\xff"},
		`op item create --title "CI token" 'password[password]=-'`: {"op", "item", "create", "--title", "CI token", "password[password]=-"},
	} {
		got, err := splitWords(s)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("splitWords(%q) = %q, %v; want %q", s, got, err, want)
		}
	}
}

func TestSplitWordsRefuses(t *testing.T) {
	t.Parallel()
	for s, says := range map[string]string{
		"":        "no command",
		" \t\n":   "no command",
		"'' a":    "no command",
		"\\\n":    "no command",
		"a 'b":    "opens a ' that",
		`a "b`:    `opens a " that`,
		`a "b\"`:  `opens a " that`,
		`a "b'`:   `opens a " that`,
		`a \`:     "ends in a backslash",
		`a "b\`:   `opens a " that`,
		"a\nb":    "line break",
		"a\n\n'b": "line break",
	} {
		got, err := splitWords(s)
		if err == nil || !strings.Contains(err.what, says) {
			t.Errorf("splitWords(%q) = %q, %v; want %q", s, got, err, says)
		}
	}
	for _, c := range "|<>&;$`()" {
		for _, s := range []string{"a " + string(c), "a b" + string(c) + "c", string(c), `a "x"` + string(c), `a 'x'` + string(c)} {
			if got, err := splitWords(s); err == nil || !err.shell || !strings.HasSuffix(err.what, string(c)) {
				t.Errorf("splitWords(%q) = %q, %v", s, got, err)
			}
		}
		for _, s := range []string{`a \` + string(c), `a '` + string(c) + `'`, `a "\` + string(c) + `"`} {
			if _, err := splitWords(s); err != nil {
				t.Errorf("splitWords(%q) = %v, though it is quoted", s, err)
			}
		}
	}
}

// What a shell's own quoting writes, splitWords reads back.
func TestSplitWordsReadsQuotes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.OneOf(rapid.String(), rapid.StringMatching("[ '\"\\\\$`|a\n]{0,9}")), 1, 5).Draw(t, "words")
		if want[0] == "" {
			want[0] = "x"
		}
		got, err := splitWords(shellescape.QuoteCommand(want))
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("%q became %q, %v", want, got, err)
		}
	})
}

// A real shell takes the same commands apart in the same way.
func TestSplitWordsLikeShell(t *testing.T) {
	t.Parallel()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no sh here")
	}
	rapid.Check(t, func(t *rapid.T) {
		// Without what only a shell acts upon, even in double quotes.
		s := rapid.StringMatching(`([a-c =.,:/+-]|'[ab"\\]*'|"([ab ']|\\[\\"$ab])*"|\\[ab"'\\$ ]|\\\n){1,12}`).Draw(t, "command")
		got, werr := splitWords("x " + s)
		out, err := exec.Command(sh, "-c", `set -f; f() { for a; do printf '%s\0' "$a"; done; }; f x `+s).Output()
		if (werr == nil) != (err == nil) {
			t.Fatalf("%q: %v, but the shell says %v", s, werr, err)
		}
		if werr == nil && strings.Join(got, "\x00")+"\x00" != string(out) {
			t.Fatalf("%q is %q, but the shell says %q", s, got, out)
		}
	})
}

func FuzzSplitWords(f *testing.F) {
	for _, s := range []string{`a 'b' "c\"" \d`, "a | b", "a '", "a\nb", `"$x"`, "\\\n\\"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		words, err := splitWords(s)
		if err != nil {
			if words != nil || err.what == "" {
				t.Fatalf("splitWords(%q) = %q, %v", s, words, err)
			}
			return
		}
		if len(words) == 0 || words[0] == "" {
			t.Fatalf("splitWords(%q) = %q", s, words)
		}
		again, err := splitWords(shellescape.QuoteCommand(words))
		if err != nil || !slices.Equal(again, words) {
			t.Fatalf("%q is %q, which quoted again is %q, %v", s, words, again, err)
		}
		// A byte comes out only where it went in.
		for _, w := range words {
			for _, c := range []byte(w) {
				if strings.IndexByte(s, c) < 0 {
					t.Fatalf("%q is %q: where is %q from?", s, words, c)
				}
			}
		}
	})
}
