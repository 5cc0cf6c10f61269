package auth

import (
	"errors"
	"strings"
	"unicode"
)

var errBytes = errors.New("the token holds white space, a control character or a character outside ASCII")

// Clean turns what was pasted or piped into a secret, without the white space, byte-order mark, marks of a bracketed
// paste, quotes and `Bearer ` around it.
//
// ErrEmpty if nothing remains, ErrTooBig above MaxSecret, another error for characters that cannot stand in a
// header. None of them repeats anything of raw.
func Clean(raw []byte) (string, error) {
	s := strings.NewReplacer("\x1b[200~", "", "\x1b[201~", "").Replace(string(raw))
	for before := ""; before != s; {
		before = s
		s = strings.TrimFunc(s, blank)
		if last := len(s) - 1; last > 0 && s[0] == s[last] && strings.ContainsRune("\"'`", rune(s[0])) {
			s = s[1:last]
		}
		if word, rest, _ := strings.Cut(s, " "); strings.EqualFold(word, "bearer") {
			s = rest
		}
	}
	switch {
	case s == "":
		return "", ErrEmpty
	case len(s) > MaxSecret:
		return "", ErrTooBig
	case strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", errBytes
	}
	return s, nil
}

// blank is white space, seen or not.
func blank(r rune) bool { return unicode.IsSpace(r) || r == '\u200b' || r == '\ufeff' }
