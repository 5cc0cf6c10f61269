package utho

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	redacted    = "[redacted]"
	tokenPrefix = "live_"
	tokenBytes  = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
)

// Redact takes secrets out of a text: those given, as they are, as JSON spells them, with and without \/ for /, and
// as URLs do, with and without a live_ before them, and whatever looks like one of Utho's: live_ and at least 20
// letters, digits, - or _ after it. Each becomes "[redacted]". Redact before cutting a text: a part of a secret is
// not found.
func Redact(text string, secrets ...string) string {
	var spellings []string
	for _, s := range secrets {
		if bare, ok := strings.CutPrefix(s, tokenPrefix); ok && len(bare) >= 20 { // some are known without it
			secrets = append(secrets[:len(secrets):len(secrets)], bare)
		}
	}
	for _, s := range slices.DeleteFunc(slices.Clone(secrets), func(s string) bool { return s == "" }) {
		quoted := strconv.Quote(s)
		html, _ := json.Marshal(s) // a string always has a spelling
		quoted, inHTML := quoted[1:len(quoted)-1], string(html[1:len(html)-1])
		for _, s := range []string{s, quoted, inHTML, url.QueryEscape(s), url.PathEscape(s)} {
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

// redactBare takes out what looks like a token without live_ before it: Utho's have 52 letters.
func redactBare(text string) string {
	return regexp.MustCompile(`[A-Za-z0-9]{40,}`).ReplaceAllString(text, redacted)
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
