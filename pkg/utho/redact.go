package utho

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

const redacted = "[redacted]"

// Redact takes secrets out of a text: those given, as they are, as JSON spells them, with and without \/ for /, and as
// URLs do, and whatever looks like one of Utho's: live_ and at least 20 letters, digits, - or _ after it. Each becomes
// "[redacted]". Redact before cutting a text: a part of a secret is not found.
func Redact(text string, secrets ...string) string {
	var spellings []string
	for _, s := range secrets {
		if s != "" {
			spellings = append(spellings, s, inJSON(s, false), inJSON(s, true), url.QueryEscape(s), url.PathEscape(s))
		}
	}
	for _, s := range spellings {
		spellings = append(spellings, strings.ReplaceAll(s, "/", `\/`))
	}
	slices.SortFunc(spellings, func(a, b string) int { return len(b) - len(a) }) // the whole before a part of it
	pairs := make([]string, 0, 2*len(spellings))
	for _, s := range spellings {
		pairs = append(pairs, s, redacted)
	}
	return redactShape(strings.NewReplacer(pairs...).Replace(text))
}

// inJSON is a text as it stands between the quotes of a JSON string.
func inJSON(text string, escapeHTML bool) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(escapeHTML)
	_ = enc.Encode(text) // a string always has a spelling
	return strings.TrimSuffix(strings.TrimPrefix(b.String(), `"`), "\"\n")
}

// redactShape takes out what looks like a token of the service.
func redactShape(text string) string {
	const prefix, least = "live_", 20
	var b strings.Builder
	for {
		i := strings.Index(text, prefix)
		if i < 0 {
			return b.String() + text
		}
		end := i + len(prefix)
		for end < len(text) && tokenByte(text[end]) {
			end++
		}
		b.WriteString(text[:i])
		if end-i-len(prefix) >= least {
			b.WriteString(redacted)
		} else {
			b.WriteString(text[i:end])
		}
		text = text[end:]
	}
}

func tokenByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

// redact is Redact with the client's own secret.
func (c *Client) redact(text string) string { return Redact(text, c.secret) }

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
