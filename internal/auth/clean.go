package auth

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// maxRaw bounds what Clean looks at, in bytes.
const maxRaw = 64 << 10

// The ways in which text can be no token.
var (
	errLines    = errors.New("the token holds a line break; only one token may be given")
	errSpace    = errors.New("the token holds white space in its middle")
	errControl  = errors.New("the token holds a control character")
	errNotASCII = errors.New("the token holds a character outside ASCII")
)

// Clean makes a secret of what was pasted or piped. It takes off white space, a
// byte-order mark, the markers of a bracketed paste, quotes around it, and a
// `Bearer `, `Authorization: Bearer ` or `UTHO_API_KEY=` before it, and decodes
// the UTF-16 of a Windows shell. The notes say what it took off, in words; a
// newline at the end, which every pipe has, is not worth one.
//
// ErrEmpty where nothing is left, ErrTooBig above MaxSecret, another error for
// characters that cannot stand in a header. None of them, nor a note, repeats
// anything of raw.
func Clean(raw []byte) (secret string, notes []string, err error) {
	if len(raw) > maxRaw {
		return "", nil, ErrTooBig
	}
	s, wide := decode(raw)
	c := cleaner{s: strings.TrimSuffix(strings.TrimSuffix(s, "\n"), "\r")}
	if wide {
		c.took("decoded it from UTF-16")
	}
	if strings.HasSuffix(s, "\r\n") {
		c.took("took off a Windows line ending")
	}
	for before := ""; before != c.s; {
		before = c.s
		c.step()
	}
	switch {
	case c.s == "":
		return "", c.notes, ErrEmpty
	case len(c.s) > MaxSecret:
		return "", c.notes, ErrTooBig
	}
	if err := checkBytes(c.s); err != nil {
		return "", c.notes, err
	}
	return c.s, c.notes, nil
}

type cleaner struct {
	s     string
	notes []string
}

func (c *cleaner) took(note string) {
	for _, n := range c.notes {
		if n == note {
			return
		}
	}
	c.notes = append(c.notes, note)
}

// set notes that what is left is s, if that is less.
func (c *cleaner) set(s, note string) {
	if s != c.s {
		c.s = s
		c.took(note)
	}
}

// step takes off one layer.
func (c *cleaner) step() {
	bom := strings.TrimPrefix(c.s, "\ufeff")
	c.set(bom, "took off a byte-order mark")
	c.set(strings.TrimFunc(c.s, blank), "took off white space around it")
	for _, start := range []string{"\x1b[200~", "[200~"} {
		c.set(strings.TrimPrefix(c.s, start), "took off the marks of a bracketed paste")
	}
	for _, end := range []string{"\x1b[201~", "[201~"} {
		c.set(strings.TrimSuffix(c.s, end), "took off the marks of a bracketed paste")
	}
	c.set(unquote(c.s), "took off the quotes around it")
	if rest, ok := word(c.s, "export"); ok && assigns(rest) {
		c.set(rest, "took off an `export`")
	}
	for _, name := range []string{"UTHO_API_KEY=", "UTHO_TOKEN="} {
		c.set(strings.TrimPrefix(c.s, name), "took off the variable's name")
	}
	if len(c.s) >= len("authorization:") && strings.EqualFold(c.s[:len("authorization:")], "authorization:") {
		c.set(strings.TrimLeftFunc(c.s[len("authorization:"):], blank), "took off the header's name")
	}
	if rest, ok := word(c.s, "bearer"); ok {
		c.set(rest, "took off the word `Bearer`")
	}
}

// assigns tells whether s sets one of the variables.
func assigns(s string) bool {
	return strings.HasPrefix(s, "UTHO_API_KEY=") || strings.HasPrefix(s, "UTHO_TOKEN=")
}

// word is s behind the word w and white space after it, ignoring case.
func word(s, w string) (rest string, ok bool) {
	if len(s) < len(w) || !strings.EqualFold(s[:len(w)], w) {
		return s, false
	}
	rest = s[len(w):]
	if r, _ := utf8.DecodeRuneInString(rest); rest != "" && !blank(r) {
		return s, false
	}
	return strings.TrimLeftFunc(rest, blank), true
}

// blank is white space, seen or not.
func blank(r rune) bool {
	return unicode.IsSpace(r) || r == '\u200b' || r == '\u2060' || r == '\ufeff'
}

// unquote takes off one pair of quotes that belong together.
func unquote(s string) string {
	for _, pair := range [][2]string{{`"`, `"`}, {"'", "'"}, {"`", "`"}, {"“", "”"}, {"‘", "’"}, {"„", "“"}, {"‚", "‘"}, {"”", "”"}, {"’", "’"}, {"«", "»"}, {"»", "«"}} {
		if inner, ok := strings.CutPrefix(s, pair[0]); ok {
			if inner, ok = strings.CutSuffix(inner, pair[1]); ok {
				return inner
			}
		}
	}
	return s
}

// checkBytes refuses what cannot stand in a header's value as one word.
func checkBytes(s string) error {
	var err error
	for _, r := range s {
		switch {
		case r == '\n' || r == '\r':
			return errLines
		case unicode.IsSpace(r):
			err = errSpace
		case err == nil && (r < ' ' || r == 0x7f):
			err = errControl
		case err == nil && r > '~':
			err = errNotASCII
		}
	}
	return err
}

// decode is raw as text, from UTF-16 where it begins with the mark of that.
func decode(raw []byte) (text string, wide bool) {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(raw, []byte{0xff, 0xfe}):
		order = binary.LittleEndian
	case bytes.HasPrefix(raw, []byte{0xfe, 0xff}):
		order = binary.BigEndian
	default:
		return string(raw), false
	}
	units := make([]uint16, 0, len(raw)/2)
	for i := 2; i+1 < len(raw); i += 2 {
		units = append(units, order.Uint16(raw[i:]))
	}
	return string(utf16.Decode(units)), true
}
