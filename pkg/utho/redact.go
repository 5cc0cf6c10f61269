package utho

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

const redacted = "[redacted]"

// Redact takes secrets out of a text: those given, as they are, as JSON spells them, with and
// without \/ for /, and as URLs do, and whatever looks like one of Utho's: live_ and at least 20
// letters, digits, - or _ after it. Each becomes "[redacted]". Redact before cutting a text: a part
// of a secret is not found.
func Redact(text string, secrets ...string) string {
	var spellings []string
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		for _, spelling := range []string{
			secret, inJSON(secret, false), inJSON(secret, true), url.QueryEscape(secret), url.PathEscape(secret),
		} {
			spellings = append(spellings, spelling, strings.ReplaceAll(spelling, "/", `\/`))
		}
	}
	if spellings != nil {
		slices.SortFunc(spellings, func(a, b string) int { return len(b) - len(a) })
		both := make([]string, 0, 2*len(spellings))
		for _, spelling := range spellings {
			both = append(both, spelling, redacted)
		}
		text = strings.NewReplacer(both...).Replace(text)
	}
	return redactShape(text)
}

// inJSON is a text as it stands between the quotes of a JSON string.
func inJSON(text string, escapeHTML bool) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(escapeHTML)
	if err := enc.Encode(text); err != nil {
		return text // cannot be: a string always has a spelling
	}
	return strings.Trim(b.String(), "\n")[1 : b.Len()-2]
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
