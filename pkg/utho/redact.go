package utho

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	redacted    = "[redacted]"
	tokenPrefix = "live_"
	tokenBytes  = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
)

// Redact takes secrets out of a text: those given, as they are, as JSON spells them, with and without \/ for /, and as
// URLs do, and whatever looks like one of Utho's: live_ and at least 20 letters, digits, - or _ after it. Each becomes
// "[redacted]". Redact before cutting a text: a part of a secret is not found.
func Redact(text string, secrets ...string) string {
	var spellings []string
	for _, s := range slices.DeleteFunc(slices.Clone(secrets), func(s string) bool { return s == "" }) {
		for _, s := range []string{s, inJSON(s, false), inJSON(s, true), url.QueryEscape(s), url.PathEscape(s)} {
			spellings = append(spellings, s, strings.ReplaceAll(s, "/", `\/`))
		}
	}
	slices.SortFunc(spellings, func(a, b string) int { return len(b) - len(a) }) // the whole before a part of it
	pairs := make([]string, 0, 2*len(spellings))
	for _, s := range spellings {
		pairs = append(pairs, s, redacted)
	}
	text = strings.NewReplacer(pairs...).Replace(text)
	var clean strings.Builder
	for { // what looks like a token
		before, after, found := strings.Cut(text, tokenPrefix)
		clean.WriteString(before)
		if !found {
			return clean.String()
		}
		text = strings.TrimLeft(after, tokenBytes)
		if token := after[:len(after)-len(text)]; len(token) < 20 {
			clean.WriteString(tokenPrefix + token)
		} else {
			clean.WriteString(redacted)
		}
	}
}

// inJSON is a text as it stands between the quotes of a JSON string.
func inJSON(text string, escapeHTML bool) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(escapeHTML)
	_ = enc.Encode(text) // a string always has a spelling
	return strings.TrimSuffix(strings.TrimPrefix(b.String(), `"`), "\"\n")
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
