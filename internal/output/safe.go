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
	emojiPresentation  = "\ufe0f" // variation selector 16
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
	var safe []byte
	done := 0 // s[:done] is in safe
	for i, size := 0, 0; i < len(s); i += size {
		if ' ' <= s[i] && s[i] <= '~' { // a short way for most text
			size = 1
			continue
		}
		var r rune
		r, size = utf8.DecodeRuneInString(s[i:])
		before, after := s[done:i], s[i+size:] // what is spelled out joins nothing
		var show bool
		switch {
		case r == utf8.RuneError && size == 1:
		case r == zeroWidthJoiner || r == zeroWidthNonJoiner:
			show = joined(before, after)
		case unicode.Is(unicode.Variation_Selector, r):
			show = selects(before, r, after)
		default:
			show = !invisible(r)
		}
		if !show {
			spelled := strconv.QuoteToASCII(s[i : i+size])
			safe = append(append(safe, s[done:i]...), spelled[1:len(spelled)-1]...)
			done = i + size
		}
	}
	if done == 0 {
		return s
	}
	return string(append(safe, s[done:]...))
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

// joined reports whether a joiner between two texts does its work there.
func joined(before, after string) bool {
	next, _ := utf8.DecodeRuneInString(after)
	for {
		last, size := utf8.DecodeLastRuneInString(before)
		switch {
		case joiningScript(last):
			return joiningScript(next)
		case emoji(last):
			return emoji(next)
		case last < 0x300 || !unicode.Is(unicode.M, last): // else it belongs to what it stands on
			return false
		}
		before = before[:len(before)-size]
	}
}

// selects reports whether the variation selector r belongs between two texts. It does in emoji, and if Unicode has
// variants: of ideographs, symbols, and some letters of other scripts. After a Latin, Greek or Cyrillic letter, or a
// digit, it would only hide a difference.
func selects(before string, r rune, after string) bool {
	base, _ := utf8.DecodeLastRuneInString(before)
	switch {
	case r > 0xffff: // ideographic variants: 240 invisible values, a channel rather than a letter
		return false
	case base == '#' || base == '*' || '0' <= base && base <= '9':
		return r == '\ufe0f' && strings.HasPrefix(after, "\u20e3") // the key around it
	case unicode.Is(unicode.Variation_Selector, base): // which some scripts count as their own marks
		return false
	case joiningScript(base):
		return r <= 0xfe00 // the selectors of Mongolian, and the first of all
	case base == '©' || base == '®':
		return r == '\ufe0f'
	}
	return base >= 0x2000 && base != utf8.RuneError && r >= 0xfe00 &&
		!unicode.In(base, unicode.Latin, unicode.Greek, unicode.Cyrillic, unicode.Z, unicode.M)
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
