package child

import (
	"strings"

	"github.com/utho/utho-cli/internal/problem"
)

// Words takes a command apart as a POSIX shell does, without expanding anything; patterns, ~ and # are literal. An
// unquoted | < > & ; $ ` ( ) or line break, on which a shell would act, is refused. There is at least one word, and the
// first is not empty. The error is of the kind problem.Usage, with
// what to write instead if there is something to suggest.
func Words(text string) (words []string, err error) {
	shell := func(what string) ([]string, error) {
		quoted := "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
		return nil, problem.Usagef("the command has an unquoted %s", what).Hintf("no shell runs it; to have one: sh -c %s", quoted)
	}
	const blanks = " \t\r\n"
	var word []byte // nil between words
	var quote byte  // the one that is open, or 0
	for i := 0; i < len(text); i++ {
		c, next := text[i], text[i+1:]
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case c == '\\' && quote == 0 && next == "":
			return nil, problem.Usagef("the command ends in a backslash")
		case c == '\\' && (quote == 0 || quote == '"' && next != "" && strings.IndexByte("\\\"$`\n", next[0]) >= 0):
			if i++; next[0] != '\n' {
				word = append(word, next[0])
			}
		case quote != 0:
			word = append(word, c)
		case c == '\'' || c == '"':
			quote, word = c, append([]byte{}, word...) // begun, even if they hold nothing
		case strings.IndexByte(blanks, c) >= 0:
			if word != nil {
				words, word = append(words, string(word)), nil
			}
			if c == '\n' && len(words) > 0 && strings.Trim(next, blanks) != "" {
				return shell("line break")
			}
		case strings.IndexByte("|<>&;$`()", c) >= 0:
			return shell(string(rune(c)))
		default:
			word = append(word, c)
		}
	}
	if quote != 0 {
		return nil, problem.Usagef("the command opens a %c that is never closed", quote)
	}
	if word != nil {
		words = append(words, string(word))
	}
	if len(words) == 0 || words[0] == "" {
		return nil, problem.Usagef("there is no command")
	}
	return words, nil
}
