package child

import "strings"

// A WordsError says why a command cannot be taken apart.
type WordsError struct {
	What string
	Hint string // what to write instead; empty if there is nothing to suggest
}

func (e *WordsError) Error() string { return e.What }

// Words takes a command apart as a POSIX shell does, without expanding anything; patterns, ~ and # are literal. An
// unquoted | < > & ; $ ` ( ) or line break, on which a shell would act, is refused. There is at least one word, and the
// first is not empty. The error is a *WordsError.
func Words(text string) (words []string, err error) {
	shell := func(what string) ([]string, error) {
		quoted := "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
		return nil, &WordsError{"the command has an unquoted " + what, "no shell runs it; to have one: sh -c " + quoted}
	}
	const blanks = " \t\r\n"
	var word []byte // nil between words
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case strings.IndexByte(blanks, c) >= 0:
			if word != nil {
				words, word = append(words, string(word)), nil
			}
			if c == '\n' && len(words) > 0 && strings.Trim(text[i:], blanks) != "" {
				return shell("line break")
			}
		case strings.IndexByte("|<>&;$`()", c) >= 0:
			return shell(string(rune(c)))
		case c == '\'' || c == '"':
			n := 0
			if word, n = quoted(word, text[i:]); n == 0 {
				return nil, &WordsError{What: "the command opens a " + string(rune(c)) + " that is never closed"}
			}
			i += n
		case c == '\\' && i+1 == len(text):
			return nil, &WordsError{What: "the command ends in a backslash"}
		case c == '\\':
			if i++; text[i] != '\n' {
				word = append(word, text[i])
			}
		default:
			word = append(word, c)
		}
	}
	if word != nil {
		words = append(words, string(word))
	}
	if len(words) == 0 || words[0] == "" {
		return nil, &WordsError{What: "there is no command"}
	}
	return words, nil
}

// quoted adds what the quotes hold that text begins with, and gives the offset of the closing one, 0 if there is none.
func quoted(word []byte, text string) ([]byte, int) {
	word = append([]byte{}, word...) // begun, even if they hold nothing
	for i := 1; i < len(text); i++ {
		if text[i] == text[0] {
			return word, i
		}
		if text[i] == '\\' && text[0] == '"' && i+1 < len(text) && strings.IndexByte("\\\"$`\n", text[i+1]) >= 0 {
			if i++; text[i] == '\n' {
				continue
			}
		}
		word = append(word, text[i])
	}
	return nil, 0
}
