package utho

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const redacted = "[redacted]"

// redactor takes secrets out of text: those that it holds, live_…, and the value of "apikey" in JSON.
type redactor []string

// text takes the secrets out of s.
func (r redactor) text(s string) string { return r.upTo(s, len(s)) }

// err is err without secrets. Where its text holds one, nothing of it is kept but the rest of that.
func (r redactor) err(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	if clean := r.text(text); clean != text {
		return errors.New(clean)
	}
	return err
}

// upTo takes the secrets out of the first limit bytes of s. It sees what follows them too, so
// that a secret which the limit cuts in two is one still.
func (r redactor) upTo(s string, limit int) string {
	var b strings.Builder
	kept := 0 // s[:kept] has been written
	for i := 0; i < len(s) && i < limit; {
		from, to := r.match(s, i)
		if to == 0 {
			i++
			continue
		}
		b.WriteString(s[kept:from])
		b.WriteString(redacted)
		kept, i = to, to
	}
	if kept == 0 {
		return clip(s, limit)
	}
	if kept < limit {
		b.WriteString(clip(s[kept:], limit-kept))
	}
	return b.String()
}

// match tells what to take out of s for a secret that is found at i: s[from:to]. to is 0 if there
// is none.
func (r redactor) match(s string, i int) (from, to int) {
	if to = r.known(s, i); to > 0 {
		return i, to
	}
	if start := spelled(s, i, "live_"); start > 0 {
		to = start
		for to < len(s) && r.known(s, to) == 0 {
			next := tokenByteAt(s, to)
			if next == 0 {
				break
			}
			to = next
		}
		if to > start {
			return i, to
		}
	}
	if s[i] == '"' {
		return apikeyValue(s, i)
	}
	return 0, 0
}

// known gives the end of a secret that begins at s[i], 0 if there is none.
func (r redactor) known(s string, i int) (end int) {
	for _, secret := range r {
		end = max(end, spelled(s, i, secret))
	}
	return end
}

// tokenByteAt gives the end of the letter, digit, _ or - that s[i:] spells, 0 if it spells none.
func tokenByteAt(s string, i int) int {
	if tokenByte(s[i]) {
		return i + 1
	}
	if c, end := escaped(s, i); end > 0 && tokenByte(c) {
		return end
	}
	return 0
}

// leastPart is how much of a secret, in bytes, is taken for it where the text breaks off.
const leastPart = 8

// spelled gives the end of the word that begins at s[i], 0 if it is not there. Each byte of it may be
// spelled in its own way: as it is, in capitals or not (the names of hosts lose them), and as JSON, an
// address or HTML may escape it. Where the text breaks off, leastPart bytes are enough.
//
// A backslash can be itself or an escape, so that there are several readings. They are followed side
// by side: one after the other would take for ever for a word of backslashes.
func spelled(s string, i int, word string) (end int) {
	if word == "" || !sameLetter(s[i], word[0]) && strings.IndexByte(`\%&`, s[i]) < 0 {
		return 0
	}
	var room [2][16]int
	at, next := append(room[0][:0], i), room[1][:0] // where the next byte of the word may begin
	for k := range len(word) {
		next = next[:0]
		for _, j := range at {
			if k >= leastPart {
				end = max(end, brokenOffAt(s, j))
			}
			next = appendEnds(next, s, j, word[k])
		}
		if len(next) == 0 {
			return end
		}
		at, next = next, at
	}
	return at[len(at)-1]
}

// brokenOffAt gives the end of a text that breaks off at s[i], or within an escape that begins there:
// the end of s, or the ellipsis of clip. It is 0 where the text goes on.
func brokenOffAt(s string, i int) int {
	const most = len(`\\\u006`) // of an escape
	rest, _, _ := strings.Cut(s[i:min(i+most+1+len("…"), len(s))], "…")
	if rest == "" || len(rest) <= most && strings.IndexByte(`\%&`, rest[0]) >= 0 {
		return i + len(rest)
	}
	return 0
}

// appendEnds adds to ends, which are in order, where a spelling of c that begins at s[i] may end.
func appendEnds(ends []int, s string, i int, c byte) []int {
	// JSON may put a backslash before it, and JSON in a string of JSON up to three.
	for n := 0; n <= 3 && i+n < len(s); n++ {
		if sameLetter(s[i+n], c) {
			ends = insert(ends, i+n+1)
		}
		if got, end := escaped(s, i+n); end > 0 && sameLetter(got, c) {
			ends = insert(ends, end)
		}
		if s[i+n] != '\\' {
			break
		}
	}
	return ends
}

// insert puts n in its place, which is near the end, if it is not there.
func insert(sorted []int, n int) []int {
	i := len(sorted)
	for i > 0 && sorted[i-1] > n {
		i--
	}
	if i > 0 && sorted[i-1] == n {
		return sorted
	}
	return slices.Insert(sorted, i, n)
}

// escaped reads the escape of an ASCII character at s[i], of JSON (\u0041), an address (%41) or HTML
// (&amp; &#65; &#x41;). end is where it ends, 0 if there is none.
func escaped(s string, i int) (c byte, end int) {
	rest, digits, base := s[i:], "", 16
	switch {
	case len(rest) >= 6 && rest[:2] == `\u`:
		digits, end = rest[2:6], 6
	case len(rest) >= 3 && rest[0] == '%':
		digits, end = rest[1:3], 3
	case rest != "" && rest[0] == '&':
		name, _, found := strings.Cut(rest[1:min(len("&#x0041;"), len(rest))], ";")
		if !found {
			return 0, 0
		}
		end = len(name) + len("&;")
		switch name {
		case "amp":
			return '&', i + end
		case "lt":
			return '<', i + end
		case "gt":
			return '>', i + end
		case "quot":
			return '"', i + end
		case "apos":
			return '\'', i + end
		}
		if digits = strings.TrimPrefix(name, "#"); digits == name {
			return 0, 0
		}
		if base = 10; digits != "" && lower(digits[0]) == 'x' {
			digits, base = digits[1:], 16
		}
	default:
		return 0, 0
	}
	n, err := strconv.ParseUint(digits, base, 7)
	if err != nil {
		return 0, 0
	}
	return byte(n), i + end
}

func sameLetter(a, b byte) bool { return lower(a) == lower(b) }

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func tokenByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

// apikeyValue finds the value of the JSON member whose name starts at s[i], if that name is
// apikey. A value that the text ends in the middle of counts.
func apikeyValue(s string, i int) (from, to int) {
	const name = `"apikey"`
	if len(s)-i < len(name) || !strings.EqualFold(s[i:i+len(name)], name) {
		return 0, 0
	}
	blanks := func(i int) int {
		for i < len(s) && strings.IndexByte(" \t\r\n", s[i]) >= 0 {
			i++
		}
		return i
	}
	j := blanks(i + len(name))
	if j == len(s) || s[j] != ':' {
		return 0, 0
	}
	from = blanks(j + 1)
	if from < len(s) && s[from] == '"' {
		for to = from + 1; to < len(s) && s[to] != '"'; to++ {
			if s[to] == '\\' {
				to++
			}
		}
		return from, min(to+1, len(s))
	}
	for to = from; to < len(s) && strings.IndexByte(",}\r\n", s[to]) < 0; to++ {
	}
	if to == from {
		return 0, 0
	}
	return from, to
}

// clip cuts s to at most n bytes, between characters, and says so with an ellipsis.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
