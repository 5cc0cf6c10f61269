package utho

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

const redacted = "[redacted]"

// Redact takes secrets out of a text: those given, as they are, as JSON spells them, with and without \/ for /, and
// as URLs do, with and without a live_ before them, and whatever looks like one of Utho's: live_ and at least 20
// letters, digits, - or _ after it. Each becomes "[redacted]". Redact before cutting a text: a part of a secret is
// not found.
func Redact(text string, secrets ...string) string {
	if text == "" {
		return ""
	}
	var spellings []string
	for _, s := range secrets {
		if bare, ok := strings.CutPrefix(s, "live_"); ok && len(bare) >= 20 { // some are known without it
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
	return tokenPattern().ReplaceAllString(strings.NewReplacer(pairs...).Replace(text), redacted)
}

// redactBare takes out what looks like a token without live_ before it: Utho's have 52 letters.
func redactBare(text string) string { return barePattern().ReplaceAllString(text, redacted) }

// The patterns are compiled when a text has to be read: at start-up they would cost every command.
var (
	tokenPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`live_[\w-]{20,}`) })
	barePattern  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[A-Za-z0-9]{40,}`) })
)

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
