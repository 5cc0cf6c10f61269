package cli

import (
	"fmt"
	"strings"

	"github.com/utho/utho-cli/internal/output"
)

func quote(s string) string { return output.Quote(s) }

// quoteText is a name in a sentence: in quotes, harmless.
func quoteText(s string) string {
	return `"` + output.Safe(strings.NewReplacer(`"`, `\"`, `\`, `\\`).Replace(s)) + `"`
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// firstOf is the first value that is not blank, without blanks around it.
func firstOf(values ...string) string {
	for _, v := range values {
		if v = strings.TrimSpace(v); v != "" {
			return v
		}
	}
	return ""
}
