package output

import "al.essio.dev/pkg/shellescape"

// Quote returns s as one word of a POSIX shell: ” for the empty string, s itself where nothing in it
// is special. It quotes for pasting, not for showing: control characters stay, inside the quotes. The
// writers make them harmless, and the word then names nothing, which is as it should be.
func Quote(s string) string {
	if simpleWord(s) {
		return s
	}
	quoted := shellescape.Quote(s)
	if quoted[0] == '=' {
		// Plain to POSIX and to shellescape, but zsh reads =name as the path of a command.
		return "'" + quoted + "'"
	}
	return quoted
}

// simpleWord spares ids and most names the regular expression of shellescape.
func simpleWord(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return s != ""
}
