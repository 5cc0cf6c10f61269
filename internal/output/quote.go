package output

import "strings"

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
