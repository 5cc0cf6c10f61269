package utho

import (
	"encoding/json"
	"net/url"
	"strings"
	"unicode/utf8"
)

const redacted = "[redacted]"

// redactor takes secrets out of text. It knows the client's own secret in every spelling that an
// answer or an address could give it, the value of "apikey" in JSON, and live_….
type redactor struct {
	secrets []string
}

func newRedactor(secret string) redactor {
	spellings := []string{secret, strings.ReplaceAll(secret, "/", `\/`), url.PathEscape(secret), url.QueryEscape(secret)}
	if b, err := json.Marshal(secret); err == nil {
		spellings = append(spellings, string(b[1:len(b)-1]))
	}
	var r redactor
	for i, s := range spellings {
		if s != "" && !contains(spellings[:i], s) {
			r.secrets = append(r.secrets, s)
		}
	}
	return r
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

// text takes the secrets out of s.
func (r redactor) text(s string) string { return r.upTo(s, len(s)) }

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
	for _, secret := range r.secrets {
		if strings.HasPrefix(s[i:], secret) {
			return i, i + len(secret)
		}
	}
	switch s[i] {
	case 'l':
		if strings.HasPrefix(s[i:], "live_") {
			end := i + len("live_")
			for end < len(s) && tokenByte(s[end]) {
				end++
			}
			if end > i+len("live_") {
				return i, end
			}
		}
	case '"':
		return apikeyValue(s, i)
	}
	return 0, 0
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
