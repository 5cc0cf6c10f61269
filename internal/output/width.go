package output

import (
	"strings"
	"unicode"

	"github.com/mattn/go-runewidth"
)

// width returns the number of cells that safe text takes on a terminal. It adds up characters, as terminals do: a
// vowel sign that stands beside its consonant, as many do in Indian scripts, the mark that makes ｶﾞ of ｶ, and each
// half of a flag have a cell of their own. Only emoji are taken whole: joined ones, those with a tone of skin, and
// those that a selector turns into a picture, which is two cells wide. (go-runewidth's own StringWidth gives each
// letter the width of its first character, and so half of a flag to a flag.)
func width(s string) int {
	if asciiPrefix(s) == len(s) {
		return len(s)
	}
	var (
		n      int
		last   rune // the last one that takes room, and how much with what has changed it
		room   int
		joined bool // the next one is part of the last
	)
	for _, r := range s {
		w := runeWidth(r)
		switch {
		case joined && emoji(r), 0x1f3fb <= r && r <= 0x1f3ff && emoji(last):
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

// runeWidth returns the number of cells of one character of safe text, whatever the locale.
func runeWidth(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case 0x1160 <= r && r < 0x1200, 0xd7b0 <= r && r < 0xd7fc:
		return 0 // vowels and final consonants, which stand in the Hangul syllable before them
	}
	locale := runewidth.Condition{StrictEmojiNeutral: true}
	return max(1, locale.RuneWidth(r))
}

// picture reports whether the selector for emoji makes a picture of r.
func picture(r rune) bool {
	return unicode.Is(unicode.So, r) || strings.ContainsRune("#*0123456789‼⁉ℹ↔◻◼", r)
}
