package output

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	zeroWidthNonJoiner = '\u200c'
	zeroWidthJoiner    = '\u200d'
	emojiPresentation  = '\ufe0f' // variation selector 16
	enclosingKeycap    = "\u20e3"
)

// Safe returns s as one line that shows people everything that is in it and that no terminal, pager or spreadsheet
// acts upon. Text that prints is returned unchanged. Controls, bytes that are not UTF-8, bidirectional, invisible
// and formatting characters are spelled as Go spells them: \n \x1b \u202e.
//
// Joiners stay if writing needs them, between letters of a script that joins (Indic scripts, Arabic and its kin)
// and between emoji; so do variation selectors of emoji and such scripts. Elsewhere they are spelled out, since
// they make two names look alike.
//
// The result cannot be turned back: a name may hold a real backslash. Safe(Safe(s)) is Safe(s).
func Safe(s string) string {
	i := asciiPrefix(s)
	if i == len(s) {
		return s
	}
	var safe []byte
	done, before := 0, context{} // s[:done] is in safe
	if i > 0 {
		before.next(rune(s[i-1]))
	}
	for i < len(s) {
		r, n := utf8.DecodeRuneInString(s[i:])
		var show bool
		switch {
		case r == utf8.RuneError && n == 1:
		case r == zeroWidthJoiner || r == zeroWidthNonJoiner:
			following, _ := utf8.DecodeRuneInString(s[i+n:])
			show = before.joins(following)
		case unicode.Is(unicode.Variation_Selector, r):
			show = before.takesSelector(r, s[i+n:])
		default:
			show = !invisible(r)
		}
		if show {
			before.next(r)
		} else {
			spelled := strconv.QuoteToASCII(s[i : i+n])
			safe = append(append(safe, s[done:i]...), spelled[1:len(spelled)-1]...)
			done = i + n
			before = context{}
		}
		i += n
	}
	if done == 0 {
		return s
	}
	return string(append(safe, s[done:]...))
}

// asciiPrefix returns how many bytes of printing ASCII s begins with: a short way for most text.
func asciiPrefix(s string) int {
	return len(s) - len(strings.TrimLeftFunc(s, func(r rune) bool { return 0x20 <= r && r <= 0x7e }))
}

// invisible reports whether r does something else than print: controls, line and paragraph separators, formatting
// characters, characters that Unicode says to ignore, joiners, variation selectors, and code points that are no
// characters. The formatting characters that print, such as the Arabic number sign, are not invisible.
func invisible(r rune) bool {
	switch {
	case r < 0x300:
		return r < 0x20 || 0x7f <= r && r < 0xa0 || r == 0xad
	case 0x350 <= r && r < 0x600, 0x3165 <= r && r < 0xd800:
		return false // Greek, Cyrillic, Hebrew; Han, Hangul: a short way for most text
	}
	return unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp,
		unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector,
		unicode.Noncharacter_Code_Point) &&
		!unicode.Is(unicode.Prepended_Concatenation_Mark, r)
}

// context is what stands before a character, as far as joiners and variation selectors care.
type context struct {
	word  bool // a word of a script that joins
	emoji bool // an emoji
	base  rune // what a variation selector would change; 0 if there is nothing
}

// next moves past r, which is shown as it is.
func (c *context) next(r rune) {
	switch {
	case r < 0x300:
		*c = context{base: r}
	case r == zeroWidthJoiner || r == zeroWidthNonJoiner:
		*c = context{}
	case unicode.Is(unicode.Variation_Selector, r):
		c.base = 0
	case joiningScript(r):
		*c = context{word: true, base: r}
	case unicode.Is(unicode.M, r): // belongs to what it stands on
		c.base = 0
	case emoji(r):
		*c = context{emoji: true, base: r}
	default:
		*c = context{base: r}
	}
}

// joins reports whether a joiner before the given character does its work there.
func (c *context) joins(following rune) bool {
	return c.word && joiningScript(following) || c.emoji && emoji(following)
}

// takesSelector reports whether the variation selector r belongs here, before rest. It does in emoji, and if
// Unicode has variants: of ideographs, symbols, and some letters of other scripts. After a Latin, Greek or Cyrillic
// letter, or a digit, it would only hide a difference.
func (c *context) takesSelector(r rune, rest string) bool {
	switch {
	case r > 0xffff: // ideographic variants: 240 invisible values, a channel rather than a letter
		return false
	case c.base == '#' || c.base == '*' || '0' <= c.base && c.base <= '9':
		return r == emojiPresentation && strings.HasPrefix(rest, enclosingKeycap)
	case c.word:
		return c.base != 0 && r <= 0xfe00 // the selectors of Mongolian, and the first of all
	case c.base == '©' || c.base == '®':
		return r == emojiPresentation
	}
	return c.base >= 0x2000 && r >= 0xfe00 &&
		!unicode.In(c.base, unicode.Latin, unicode.Greek, unicode.Cyrillic, unicode.Z)
}

// emoji reports whether r is a symbol that emoji are made of. U+2194 is the one mathematical symbol that takes part
// in a joined emoji (a shaking head). The replacement character is a symbol too, but also what stands for the end
// of a text.
func emoji(r rune) bool {
	return r == 0x2194 || 0x1f3fb <= r && r <= 0x1f3ff ||
		r >= 0x2190 && r != utf8.RuneError && unicode.Is(unicode.So, r)
}

// joiningScript reports whether r is a letter or mark of a script in whose words joiners change what is read: the
// Brahmi family and the cursive scripts.
func joiningScript(r rune) bool {
	return r >= 0x600 && unicode.In(r, unicode.L, unicode.M) && unicode.In(r,
		unicode.Arabic, unicode.Syriac, unicode.Nko, unicode.Mandaic, unicode.Mongolian, unicode.Adlam,
		unicode.Hanifi_Rohingya, unicode.Phags_Pa, unicode.Devanagari, unicode.Bengali, unicode.Gurmukhi,
		unicode.Gujarati, unicode.Oriya, unicode.Tamil, unicode.Telugu, unicode.Kannada, unicode.Malayalam,
		unicode.Sinhala, unicode.Khmer, unicode.Myanmar, unicode.Tibetan, unicode.Balinese, unicode.Javanese,
		unicode.Sundanese, unicode.Meetei_Mayek, unicode.Chakma, unicode.Grantha, unicode.Newa,
		unicode.Syloti_Nagri, unicode.Kaithi, unicode.Sharada, unicode.Tirhuta, unicode.Modi)
}

// Quote returns s as one word of a POSIX shell or zsh, in single quotes unless all of it is plain. It quotes for
// pasting, not for showing: control characters stay, inside the quotes. The writers make them harmless, and the
// word then names nothing, as it should be.
func Quote(s string) string {
	plain := s != ""
	for i := range len(s) {
		c := s[i]
		plain = plain && ('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
			strings.IndexByte("-_./:@", c) >= 0)
	}
	if plain {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// Name is a name in a sentence: in double quotes, harmless.
func Name(s string) string {
	return `"` + Safe(strings.NewReplacer(`"`, `\"`, `\`, `\\`).Replace(s)) + `"`
}
