package output

import (
	"strings"
	"testing"
	"unicode"

	"github.com/olekukonko/tablewriter/pkg/twwidth"
	"pgregory.net/rapid"
)

// TestWidth has what wcwidth 0.7 says of the same texts, the usual reference of terminals, and but for
// pictures and flags xterm and VTE too.
func TestWidth(t *testing.T) {
	t.Parallel()
	for want, texts := range map[int][]string{
		0: {"", "\u0301"},
		1: {"a", "é", "e\u0301", "a\u0300\u0316\u0330", "a\u20dd", "①", "±", "…", "ﷺ", "❤", "☎", "☎\ufe0e", "𝒜", "ｱ", "ع", "\u182d\u180b"},
		2: {
			"ab", "日", "한", "Ａ", "\u3000", "㎏", "か\u3099", "葛\ufe00", "\u1112\u1161\u11ab", "𠀀",
			"ｶﾞ", "ﾊﾟ", "กำ", "ກຳ", "की", "नी", "কী", "நி", "क्ष", "क्\u200dष", "कीं",
			"🇮🇳", "👍🏽", "👩\u200d💻", "👨\u200d👩\u200d👧", "👩\u200d❤️\u200d👨", "🤷🏽\u200d♀️", "🏴\u200d☠️", "❤️\u200d🔥", "🙂\u200d↔️", "🫠", "⚡", "⌚", "⌚\ufe0f",
			"❤️", "☺️", "✔️", "‼️", "ℹ️", "↔️", "◻️", "©️", "™️", "Ⓜ️", "🅰️", "1️⃣", "#️⃣",
		},
		3: {"abc", "👍🏽x", "x🇮🇳", "1️⃣2", "❤️\u00a0"},
		4: {"日本", "தமிழ்", "ខ្មែរ", "🇮🇳🇩🇪", "नमस्ते", "❤️❤️", "1️⃣2️⃣", "👩\u200d💻👩\u200d💻"},
		5: {"ไทยกำ", "עברית", "မြန်မာ"},
		6: {"മലയാളം", "日本語"},
	} {
		for _, text := range texts {
			if Safe(text) != text {
				t.Errorf("%+q is not safe", text)
			}
			if got := width(text); got != want {
				t.Errorf("%s (%+q) is %d wide, want %d", text, text, got, want)
			}
		}
	}
}

// TestRuneWidth holds the quick ways to the table behind them.
func TestRuneWidth(t *testing.T) {
	twwidth.SetEastAsian(false)
	for r := rune(0xa0); r < 0x20100; r++ { // above that nothing but Han
		if invisible(r) || !unicode.IsGraphic(r) || unicode.Is(unicode.M, r) {
			continue
		}
		want := max(1, twwidth.WidthNoCache(string(r)))
		if 0x1160 <= r && r < 0x1200 || 0xd7b0 <= r && r < 0xd7fc {
			want = 0
		}
		if got := runeWidth(r); got != want {
			t.Errorf("%U %c: %d, want %d", r, r, got, want)
		}
	}
}

// TestWidthAddsUp: what stands behind a blank does not change what stands before it.
func TestWidthAddsUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := Safe(hostile().Draw(t, "a")), Safe(hostile().Draw(t, "b"))
		if got, want := width(a+" "+b), width(a)+1+width(b); got != want {
			t.Fatalf("%+q: %d, want %d", a+" "+b, got, want)
		}
		if got, most := width(a), 2*len([]rune(a)); got < 0 || got > most {
			t.Fatalf("%+q: %d of at most %d", a, got, most)
		}
	})
}

// TestColumnsStand: the second column begins at the same place in every line.
func TestColumnsStand(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfN(rapid.Map(hostile(), Safe), 1, 8).Draw(t, "names")
		cell := func(r, c int) string { return []string{names[r], "|"}[c] }
		var b strings.Builder
		if err := plainTable(&b, nil, 2, len(names), cell); err != nil {
			t.Fatal(err)
		}
		at := -1
		for line := range strings.Lines(b.String()) {
			start := width(strings.TrimSuffix(line, "|\n"))
			if at >= 0 && start != at {
				t.Fatalf("the second column begins at %d and %d:\n%s", at, start, b.String())
			}
			at = start
		}
	})
}
