package output

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/olekukonko/tablewriter/pkg/twwidth"
)

// width returns the number of columns that safe text takes on a terminal. It adds up characters, as
// terminals do: a vowel sign that stands beside its consonant, as many do in Indian scripts, the mark
// that makes ｶﾞ of ｶ, and each half of a flag have a column of their own. Only emoji are taken whole:
// joined ones, those with a tone of skin, and those that a selector turns into a picture, which is two
// columns wide.
//
// tablewriter gives each letter the width of its first character, and so half of a flag to a flag.
// Which characters are wide comes from there.
func width(s string) int {
	n := 0
	for n < len(s) && s[n] < utf8.RuneSelf {
		n++
	}
	if n == len(s) {
		return n
	}
	var (
		last   rune // the last one that takes room, and how much with what has changed it
		room   int
		joined bool // the next one is part of the last
	)
	if n > 0 {
		last, room = rune(s[n-1]), 1
	}
	for _, r := range s[n:] {
		w := runeWidth(r)
		switch {
		case joined && emoji(r), skinTone(r) && emoji(last):
			w = 0
		case r == emojiPresentation && room == 1 && picture(last):
			room, w = 2, 1
		case w > 0:
			last, room = r, w
		}
		joined = r == zeroWidthJoiner && emoji(last)
		n += w
	}
	return n
}

// runeWidth returns the number of columns of one character of safe text.
func runeWidth(r rune) int {
	switch {
	case r < 0x300, 0x370 <= r && r < 0x483:
		return 1
	case 0x3041 <= r && r < 0x3097, 0x30a1 <= r && r < 0x30fb, 0x4e00 <= r && r < 0xa000, 0xac00 <= r && r < 0xd7a4:
		return 2 // Kana, Han, Hangul: quickly, since most of what comes here is these
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case 0x1160 <= r && r < 0x1200, 0xd7b0 <= r && r < 0xd7fc:
		return 0 // vowels and final consonants, which stand in the syllable before them
	case r < 0x1100:
		return 1
	}
	return max(1, twwidth.WidthNoCache(string(r))) // Width would keep every string it ever saw
}

func skinTone(r rune) bool { return 0x1f3fb <= r && r <= 0x1f3ff }

// picture reports whether the selector for emoji makes a picture of r.
func picture(r rune) bool {
	return unicode.Is(unicode.So, r) || strings.ContainsRune("#*0123456789‼⁉ℹ↔◻◼", r)
}
