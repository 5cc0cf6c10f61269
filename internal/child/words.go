package child

import "strings"

// A WordsError says why a command cannot be taken apart.
type WordsError struct {
	What string
	Hint string // what to write instead; empty if there is nothing to suggest
}

func (e *WordsError) Error() string { return e.What }

// Words takes a command apart as a POSIX shell does, without expanding anything: blanks
// separate words; '…' is literal; in "…" a backslash escapes \ " $ ` and newline; outside it
// makes the next byte literal, and joins lines before a newline. An unquoted | < > & ; $ `
// ( ) or line break, on which a shell would act, is refused. Patterns, ~ and # are literal.
// There is at least one word, and the first is not empty. The error is a *WordsError.
func Words(text string) ([]string, error) {
	var words []string
	var word strings.Builder
	open := false // a word has begun; quotes begin one even if they hold nothing
	end := func() {
		if open {
			words = append(words, word.String())
			word.Reset()
			open = false
		}
	}
	shell := func(what string) ([]string, error) {
		quoted := "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
		return nil, &WordsError{"the command has an unquoted " + what, "no shell runs it; to have one: sh -c " + quoted}
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case ' ', '\t', '\r':
			end()
		case '\n':
			end()
			if len(words) > 0 && strings.Trim(text[i:], " \t\r\n") != "" {
				return shell("line break")
			}
		case '|', '<', '>', '&', ';', '$', '`', '(', ')':
			return shell(string(rune(c)))
		case '\\':
			if i++; i == len(text) {
				return nil, &WordsError{What: "the command ends in a backslash"}
			}
			if text[i] != '\n' {
				word.WriteByte(text[i])
				open = true
			}
		case '\'', '"':
			n := quoted(&word, text[i:])
			if n < 0 {
				return nil, &WordsError{What: "the command opens a " + string(rune(c)) + " that is never closed"}
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
		return nil, &WordsError{What: "there is no command"}
	}
	return words, nil
}

// quoted writes what the quotes hold that text begins with, and gives the offset of the
// closing one, -1 if there is none.
func quoted(word *strings.Builder, text string) int {
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == text[0]:
			return i
		case c == '\\' && text[0] == '"' && i+1 < len(text) && strings.IndexByte("\\\"$`\n", text[i+1]) >= 0:
			if i++; text[i] != '\n' {
				word.WriteByte(text[i])
			}
		default:
			word.WriteByte(c)
		}
	}
	return -1
}
