package auth

import (
	"errors"
	"strings"
	"unicode"
)

// maxRaw bounds what Clean looks at, in bytes.
const maxRaw = 64 << 10

var errBytes = errors.New("the token holds white space, a control character or a character outside ASCII")

// Clean turns what was pasted or piped into a secret: the first line, without the white space, byte-order mark,
// marks of a bracketed paste, quotes and `Bearer ` around it. The notes say what it took off; the newline at the
// end is not worth one.
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
		if last := len(s) - 1; last > 0 && s[0] == s[last] && strings.ContainsRune("\"'`", rune(s[0])) {
			take("the quotes around it", strings.TrimFunc(s[1:last], blank))
		}
		if word := s[:min(len(s), len("bearer"))]; strings.EqualFold(word, "bearer") {
			rest := s[len(word):]
			if bare := strings.TrimLeftFunc(rest, blank); bare != rest || rest == "" {
				take("the word `Bearer`", bare)
			}
		}
	}
	switch {
	case s == "":
		return "", notes, ErrEmpty
	case len(s) > MaxSecret:
		return "", notes, ErrTooBig
	case strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", notes, errBytes
	}
	return s, notes, nil
}

// blank is white space, seen or not.
func blank(r rune) bool { return unicode.IsSpace(r) || r == '\u200b' || r == '\ufeff' }
