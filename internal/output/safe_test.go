package output

import (
	"os/exec"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestSafe(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a\nb\r\nc\td": `a\nb\r\nc\td`, "\x1b[31mred\x1b[0m": `\x1b[31mred\x1b[0m`,
		"\x1b]0;pwned\a \x1b]8;;http://x\x1b\\": `\x1b]0;pwned\a \x1b]8;;http://x\x1b\`, "a\x00b\bc\x7f": `a\x00b\bc\x7f`,
		"\u009b31m\u0085": `\u009b31m\u0085`, "\x9b31m": `\x9b31m`, "ok\xff\xc3(\xed\xa0\x80": `ok\xff\xc3(\xed\xa0\x80`,
		"żół\xc5": `żół\xc5`, "a\u202egpj.exe\u202c": `a\u202egpj.exe\u202c`,
		"c\u200bi\u2060\ufeff\u2064": `c\u200bi\u2060\ufeff\u2064`, "a\u2028b\u2029": `a\u2028b\u2029`,
		"x\U000e0001\U000e0041\U000e007f": `x\U000e0001\U000e0041\U000e007f`,
		"\uffff\ufdd0\U0001fffe":          `\uffff\ufdd0\U0001fffe`, "c\u200di c\u200ci": `c\u200di c\u200ci`,
		"e\u0301\u200di": `e` + "\u0301" + `\u200di`, "\u200cم\u200c": `\u200cم\u200c`, "👩\u200d": `👩\u200d`,
		"👩\u200d\ufffd": `👩\u200d` + "\ufffd", "👩\u200d\xff": `👩\u200d\xff`, "م\u200c خ": `م\u200c خ`,
		"م\u200c\u200cخ": `م\u200c\u200cخ`, "م\u200d💻": `م\u200d💻`, "م\u202e\u200cخ": `م\u202e\u200cخ`,
		"ci\ufe0f\ufe01": `ci\ufe0f\ufe01`, "10000\ufe0f": `10000\ufe0f`, "\ufe0fci": `\ufe0fci`,
		"☎\ufe0f\ufe0f": "☎\ufe0f" + `\ufe0f`, "🚀\U000e0100\U000e01ef": `🚀\U000e0100\U000e01ef`, "a\u180b": `a\u180b`, "\u182d\u180b\u180c\ufe00": "\u182d\u180b" + `\u180c\ufe00`,
	} {
		if got := Safe(in); got != want {
			t.Errorf("Safe(%+q) = %+q, want %+q", in, got, want)
		}
	}
	for _, s := range []string{ // languages, emoji, and joiners and selectors that do their work
		`ci "deploy" \n it's ~100%`, "a\ufffdb", "żółw Ωμέγα Привет 日本語 한국어 עברית عربي ไทย", "e\u0301 a\u0308\u0304",
		"a\u00a0b\u3000c  d ", "\u0600\u06dd\u070f", "🚀 ✅ ☎️ 🇮🇳 👍🏽", "1\ufe0f\u20e3 #\ufe0f\u20e3", "葛\ufe00",
		"\u182d\u180b", "می\u200cخواهم", "كِ\u200dب", "क्\u200dष र्\u200cय", "ශ්\u200dරී",
		"👩\u200d💻 👨\u200d👩\u200d👧 ❤️\u200d🔥 👩🏽\u200d⚕️ 🙂\u200d↔️",
	} {
		if got := Safe(s); got != s {
			t.Errorf("Safe(%+q) = %+q", s, got)
		}
	}
}

// TestSafeEveryRune holds what Safe says of each character alone against the Unicode tables.
func TestSafeEveryRune(t *testing.T) {
	t.Parallel()
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if r >= 0xd800 && r < 0xe000 {
			continue
		}
		hidden := unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Variation_Selector,
			unicode.Other_Default_Ignorable_Code_Point, unicode.Noncharacter_Code_Point) ||
			unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r)
		s := string(r)
		if got := Safe(s); (got == s) == hidden {
			t.Errorf("Safe(%+q) = %+q, hidden is %v", s, got, hidden)
		}
		if invisible(r) != hidden {
			t.Errorf("invisible(%U) = %v", r, !hidden)
		}
	}
}

// checkSafe says what is wrong with got as the safe form of in, if anything.
func checkSafe(in, got string) string {
	if !utf8.ValidString(got) {
		return "not UTF-8"
	}
	if Safe(got) != got {
		return "not stable"
	}
	runes := []rune(got)
	for i, r := range runes {
		switch {
		case r == zeroWidthJoiner || r == zeroWidthNonJoiner:
			if i == 0 || i+1 == len(runes) || runes[i-1] < 0x300 || runes[i+1] < 0x600 {
				return "a joiner that joins nothing"
			}
		case unicode.Is(unicode.Variation_Selector, r):
			if i == 0 || unicode.Is(unicode.Variation_Selector, runes[i-1]) || unicode.Is(unicode.Latin, runes[i-1]) {
				return "a variation selector that selects nothing"
			}
		case unicode.Is(unicode.Cc, r), unicode.Is(unicode.Bidi_Control, r), invisible(r):
			return "a character that does not print"
		}
	}
	if !strings.ContainsFunc(in, func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) || invisible(r) }) && got != in {
		return "text that prints was changed"
	}
	return ""
}

// hostile draws text as a service may send it: plain words, any Unicode, any bytes, and what has broken tables
// before.
func hostile() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.StringMatching(`[a-z0-9 _.=|-]{0,12}`),
		rapid.String(),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 12), func(b []byte) string { return string(b) }),
		rapid.StringOf(rapid.SampledFrom([]rune(" a1\u0301é한日ｱ\u200d\u200c\ufe0f\u20e3👩💻🏽🇩🇪❤\u0600\u06dd\u3000"+
			"\x00\t\n\r\x1b\x7f\u0085\u009b\u00ad\u061c\u200b\u200e\u2028\u202e\u2066\ufeff\ufffd\U000e0041मक्خم"))),
	)
}

// TestQuote has a shell say what it reads of the words, and of each character alone.
func TestQuote(t *testing.T) {
	t.Parallel()
	script, said := "printf '[%s]'", ""
	word := func(s string) string {
		q := Quote(s)
		script, said = script+" "+q, said+"["+s+"]"
		return q
	}
	for c := byte(1); c <= '~'; c++ {
		word(string(c))
	}
	for in, want := range map[string]string{
		"": `''`, "10000": `10000`, "Ci": `Ci`, "-1": `-1`, "ci.prod_eu-1": `ci.prod_eu-1`, "https://x.y/z": `https://x.y/z`,
		"two words": `'two words'`, "$(reboot)": `'$(reboot)'`, "a;b&c|d>e<f`g`": "'a;b&c|d>e<f`g`'", "*?[x]{a,b}~!#": `'*?[x]{a,b}~!#'`,
		`back\slash"`: `'back\slash"'`, "=it's": `'=it'\''s'`, "a=b": `'a=b'`, "żółw": `'żółw'`, "line\nbreak\x1b": "'line\nbreak\x1b'",
	} {
		if got := word(in); got != want {
			t.Errorf("Quote(%q) = %s, want %s", in, got, want)
		}
	}
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no sh here")
	}
	if got, err := exec.Command(sh, "-c", script).Output(); err != nil || string(got) != said {
		t.Errorf("a shell reads %q, want %q (%v)", got, said, err)
	}
}
