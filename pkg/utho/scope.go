package utho

import "fmt"

// Scope is what a token may do. The zero value is no scope at all and never valid.
//
// *Scope is a flag.Value, and one of the usual extensions of it, so that a command can bind a
// flag to it.
type Scope uint8

const (
	// ScopeReadOnly may read. In a request it is "off", in a list "0".
	ScopeReadOnly Scope = iota + 1
	// ScopeWrite may also create and delete. In a request it is "on", in a list "1".
	ScopeWrite
)

// ParseScope reads what String writes: "read-only" or "write".
func ParseScope(s string) (Scope, error) {
	switch s {
	case "read-only":
		return ScopeReadOnly, nil
	case "write":
		return ScopeWrite, nil
	}
	return 0, fmt.Errorf("scope %q: must be read-only or write", s)
}

// String gives "read-only" or "write", the spelling for machines, and "unknown" for the rest.
func (s Scope) String() string {
	switch s {
	case ScopeReadOnly:
		return "read-only"
	case ScopeWrite:
		return "write"
	}
	return "unknown"
}

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

// Set is ParseScope for flags. A text that cannot be read leaves the scope as it was.
func (s *Scope) Set(text string) error {
	v, err := ParseScope(text)
	if err != nil {
		return err
	}
	*s = v
	return nil
}

// Type names the kind of value in a command's help.
func (s *Scope) Type() string { return "scope" }

// wire is the scope as a create request spells it.
func (s Scope) wire() string {
	if s == ScopeWrite {
		return "on"
	}
	return "off"
}
