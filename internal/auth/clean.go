package auth

import (
	"errors"
	"strings"
	"unicode"
)

// maxRaw bounds what Clean looks at, in bytes.
const maxRaw = 64 << 10

// The ways in which text can be no token.
var (
	errSpace    = errors.New("the token holds white space in its middle")
	errControl  = errors.New("the token holds a control character")
	errNotASCII = errors.New("the token holds a character outside ASCII")
)

// Clean turns what was pasted or piped into a secret: the first line, without the white space, byte-order
// mark, marks of a bracketed paste, quotes and `Bearer ` around it. The notes say what it took off; the
// newline at the end is not worth one.
//
// ErrEmpty if nothing remains, ErrTooBig above MaxSecret, another error for characters that cannot stand in a
// header. None of them, nor a note, repeats anything of raw.
func Clean(raw []byte) (secret string, notes []string, err error) {
	if len(raw) > maxRaw {
		return "", nil, ErrTooBig
	}
	s := string(raw)
	take := func(what, rest string) {
		if rest != s {
			s, notes = rest, append(notes, "took off "+what)
		}
	}
	take("a byte-order mark", strings.TrimPrefix(s, "\ufeff"))
	take("the marks of a bracketed paste", strings.NewReplacer("\x1b[200~", "", "\x1b[201~", "").Replace(s))
	s = strings.TrimSuffix(strings.TrimSuffix(s, "\n"), "\r") // as every pipe has it
	take("white space around it", strings.TrimFunc(s, blank))
	if line, _, more := strings.Cut(s, "\n"); more {
		s, notes = strings.TrimFunc(line, blank), append(notes, "only the first line is used")
	}
	for before := ""; before != s; {
		before = s
		take("the quotes around it", strings.TrimFunc(unquote(s), blank))
		take("the word `Bearer`", withoutBearer(s))
	}
	switch {
	case s == "":
		return "", notes, ErrEmpty
	case len(s) > MaxSecret:
		return "", notes, ErrTooBig
	}
	if err := checkBytes(s); err != nil {
		return "", notes, err
	}
	return s, notes, nil
}

// unquote takes off one pair of quotes.
func unquote(s string) string {
	for _, q := range []string{`"`, "'", "`"} {
		if len(s) > 1 && strings.HasPrefix(s, q) && strings.HasSuffix(s, q) {
			return s[1 : len(s)-1]
		}
	}
	return s
}

// withoutBearer is s behind the word and the white space after it, ignoring case.
func withoutBearer(s string) string {
	const word = "bearer"
	if len(s) < len(word) || !strings.EqualFold(s[:len(word)], word) {
		return s
	}
	rest := s[len(word):]
	if bare := strings.TrimLeftFunc(rest, blank); rest == "" || bare != rest {
		return bare
	}
	return s
}

// blank is white space, seen or not.
func blank(r rune) bool { return unicode.IsSpace(r) || r == '\u200b' || r == '\ufeff' }

// checkBytes refuses what cannot stand in a header's value as one word.
func checkBytes(s string) error {
	for _, r := range s {
		switch {
		case unicode.IsSpace(r):
			return errSpace
		case r < ' ' || r == 0x7f:
			return errControl
		case r > '~':
			return errNotASCII
		}
	}
	return nil
}
