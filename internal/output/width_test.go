package output

import "testing"

// TestWidth has what wcwidth 0.7 says of the same texts, the usual reference of terminals, and but for pictures and
// flags xterm and VTE too.
func TestWidth(t *testing.T) {
	t.Parallel()
	for want, texts := range map[int][]string{
		0: {"", "\u0301"},
		1: {"a", "é", "e\u0301", "a\u0300\u0316\u0330", "a\u20dd", "①", "±", "…", "ﷺ", "❤", "☎", "☎\ufe0e", "𝒜", "ｱ", "ع", "\u182d\u180b"},
		2: {
			"ab", "日", "한", "Ａ", "\u3000", "㎏", "か\u3099", "葛\ufe00", "\u1112\u1161\u11ab", "𠀀",
			"ｶﾞ", "ﾊﾟ", "กำ", "ກຳ", "की", "नी", "কী", "நி", "क्ष", "क्\u200dष", "कीं",
			"🇮🇳", "👍🏽", "👩\u200d💻", "👨\u200d👩\u200d👧", "👩\u200d❤️\u200d👨", "🤷🏽\u200d♀️", "🏴\u200d☠️", "❤️\u200d🔥",
			"🙂\u200d↔️", "🫠", "⚡", "⌚", "⌚\ufe0f",
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
