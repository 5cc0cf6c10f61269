package expiry

import (
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// SuffixError is the error for a new name that was typed with an expiry in it, which only Append may write there.
type SuffixError struct {
	Name string // as it was typed
}

func (e *SuffixError) Error() string {
	return fmt.Sprintf("bad name %q: it ends like a name with an expiry, which utho writes itself", e.Name)
}

// CheckName returns an error unless name can be that of a new token: 1 to 255 bytes of UTF-8 text without control
// characters (C0, DEL, C1) and without line or paragraph separators. A name that ends in an expiry suffix, or is
// nothing but one, is a *SuffixError. A name that passes may still be too long for an expiry behind it; Append
// reports that.
func CheckName(name string) error {
	switch {
	case name == "":
		return errors.New("bad name: it is empty")
	case len(name) > maxName:
		return fmt.Errorf("bad name: it is %d bytes long; at most %d are allowed", len(name), maxName)
	case !utf8.ValidString(name):
		return fmt.Errorf("bad name %q: it is not valid UTF-8", name)
	}
	for _, r := range name {
		// \u2028 and \u2029 break lines as the control characters do.
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return fmt.Errorf("bad name %q: it has a control character, %U", name, r)
		}
	}
	if Has("x" + name) { // the x is for a name that is only a suffix
		return &SuffixError{Name: name}
	}
	return nil
}
