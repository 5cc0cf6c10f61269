package utho

import (
	"fmt"
	"strings"
)

// Scope is what a token may do. The zero value is no scope at all and never valid.
//
// It has a text form, so that flag.TextVar, encoding/json and the like read and write it.
type Scope uint8

const (
	// ScopeReadOnly may read. In a request it is "off", in a list "0".
	ScopeReadOnly Scope = iota + 1
	// ScopeWrite may also create and delete. In a request it is "on", in a list "1".
	ScopeWrite
)

// ParseScope reads "read-only" or "write", in any case, so that "Read-Only" is read as well.
func ParseScope(s string) (Scope, error) {
	for _, scope := range []Scope{ScopeReadOnly, ScopeWrite} {
		if strings.EqualFold(s, scope.String()) {
			return scope, nil
		}
	}
	return 0, fmt.Errorf("scope %q: must be read-only or write", s)
}

// String gives "read-only" or "write", the spelling for machines, and "unknown" for the rest.
func (s Scope) String() string { return strings.ToLower(s.Label()) }

// Label gives "Read-Only" or "Write", the spelling of Utho's console, and "Unknown" for the rest.
func (s Scope) Label() string {
	switch s {
	case ScopeReadOnly:
		return "Read-Only"
	case ScopeWrite:
		return "Write"
	}
	return "Unknown"
}

// MarshalText gives what String gives. The zero value is an error.
func (s Scope) MarshalText() ([]byte, error) {
	_, err := ParseScope(s.String())
	return []byte(s.String()), err
}

// UnmarshalText is ParseScope. A text that cannot be read leaves the scope as it was.
func (s *Scope) UnmarshalText(text []byte) error {
	v, err := ParseScope(string(text))
	if err == nil {
		*s = v
	}
	return err
}
