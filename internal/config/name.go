package config

import (
	"fmt"
	"strings"
)

// Sandbox is the name of the built-in profile, which no file can redefine.
const Sandbox = "sandbox"

// ValidName refuses what cannot name a profile in the file: anything but 1 to 64 of A-Z, a-z, 0-9, dot,
// underscore and hyphen, the first a letter or a digit, and the name of the built-in profile in any case.
func ValidName(name string) error {
	valid := name != "" && len(name) <= 64
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case i > 0 && (c == '.' || c == '_' || c == '-'):
		default:
			valid = false
		}
	}
	if !valid {
		return fmt.Errorf("profile name %q: must be 1 to 64 letters, digits, dots, underscores or hyphens, "+
			"and begin with a letter or a digit", name)
	}
	if strings.EqualFold(name, Sandbox) {
		return fmt.Errorf("profile name %q: is reserved for the built-in sandbox", name)
	}
	return nil
}
