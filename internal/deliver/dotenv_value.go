package deliver

import (
	"bytes"
	"errors"
	"strings"
)

// hasMore tells whether a shell takes something in a value for other than the value:
// docker, python-dotenv and godotenv read an unquoted value to the end of its line, be
// there a ; in it, and a shell does not. Words behind it are no doubt (a shell would run
// them as a command, which nobody keeps in a dotenv file), but where they assign or
// export another variable.
func hasMore(value []byte, exported bool) bool {
	var open byte
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case c == '\\' && open != '\'':
			i++
		case open != 0:
			if c == open {
				open = 0
			}
		case c == '\'' || c == '"' || c == '`':
			open = c
		case c == '$' && i+1 < len(value) && (value[i+1] == '(' || value[i+1] == '{'):
			if i = closing(value, i+1); i < 0 {
				return true
			}
		case c == ';' || c == '&' || c == '|':
			return true
		case isBlank(c):
			word := value[skipBlanks(value, i, len(value)):]
			name, _, assigns := bytes.Cut(word, []byte("="))
			if exported || assigns && isVariable(string(name)) {
				return true
			}
		}
	}
	return false
}

// closing finds where the bracket at i is closed, -1 if it is not.
func closing(value []byte, i int) int {
	left, right := value[i], byte(')')
	if left == '{' {
		right = '}'
	}
	for depth := 0; i < len(value); i++ {
		switch value[i] {
		case left:
			depth++
		case right:
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// quoteValue writes a value so that a shell and the usual dotenv readers read it back:
// bare where it can be, else in single quotes, else in double quotes with escapes. A
// value that readers do not agree on however it is written, one with control characters
// or a backslash at its end, is an error that does not quote it.
func quoteValue(value string) (string, error) {
	bare := value != ""
	for _, c := range []byte(value) {
		if c < ' ' || c == 0x7f {
			return "", errors.New("the secret has a control character, which a dotenv file cannot hold")
		}
		alnum := '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
		bare = bare && (alnum || strings.IndexByte("_-./:@%+=,", c) >= 0)
	}
	switch {
	case bare:
		return value, nil
	case strings.HasSuffix(value, `\`):
		// Before a closing quote some readers take it for an escape, however many there are.
		return "", errors.New("the secret ends in a backslash, which dotenv readers do not agree on")
	case !strings.ContainsAny(value, `'\`):
		return "'" + value + "'", nil
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "`", "\\`").Replace(value) + `"`, nil
}
