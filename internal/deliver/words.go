package deliver

import "strings"

// A wordError says why a command cannot be taken apart.
type wordError struct {
	what  string
	shell bool // a shell would do something with it
}

func (e *wordError) Error() string { return e.what }

// splitWords takes a command apart as a POSIX shell does, without expanding
// anything: blanks separate words; '…' is literal; in "…" a backslash is an escape
// before \ " $ ` and newline and literal elsewhere; outside a backslash makes the next
// byte literal, and joins lines before a newline.
//
// What a shell would act upon (| < > & ; $ ` ( ) and a newline between words) is an
// error where it is not quoted. Patterns, ~ and # are literal. A result has at least
// one word, and the first is not empty.
func splitWords(s string) ([]string, *wordError) {
	var (
		words []string
		word  strings.Builder
		open  bool // a word has begun; quotes begin one even where they hold nothing
	)
	end := func() {
		if open {
			words = append(words, word.String())
			word.Reset()
			open = false
		}
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case ' ', '\t', '\r':
			end()
		case '\n':
			end()
			if len(words) > 0 && strings.Trim(s[i:], " \t\r\n") != "" {
				return nil, &wordError{what: "the command has an unquoted line break", shell: true}
			}
		case '|', '<', '>', '&', ';', '$', '`', '(', ')':
			return nil, &wordError{what: "the command has an unquoted " + string(rune(c)), shell: true}
		case '\\':
			i++
			if i == len(s) {
				return nil, &wordError{what: "the command ends in a backslash"}
			}
			if s[i] != '\n' {
				word.WriteByte(s[i])
				open = true
			}
		case '\'':
			n := strings.IndexByte(s[i+1:], '\'')
			if n < 0 {
				return nil, &wordError{what: "the command opens a ' that is never closed"}
			}
			word.WriteString(s[i+1 : i+1+n])
			open = true
			i += n + 1
		case '"':
			n, ok := doubleQuoted(&word, s[i+1:])
			if !ok {
				return nil, &wordError{what: `the command opens a " that is never closed`}
			}
			open = true
			i += n
		default:
			word.WriteByte(c)
			open = true
		}
	}
	end()
	if len(words) == 0 || words[0] == "" {
		return nil, &wordError{what: "there is no command"}
	}
	return words, nil
}

// doubleQuoted writes what s holds up to its closing ", and says how many bytes that
// took, the quote included.
func doubleQuoted(word *strings.Builder, s string) (int, bool) {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return i + 1, true
		case c == '\\' && i+1 < len(s) && strings.IndexByte("\\\"$`\n", s[i+1]) >= 0:
			i++
			if s[i] != '\n' {
				word.WriteByte(s[i])
			}
		default:
			word.WriteByte(c)
		}
	}
	return 0, false
}
