// Package problem is errors of which more is known than their text: what kind of failure they are, what the next step
// is, and further lines. The commands turn kinds into exit codes.
package problem

import (
	"errors"
	"fmt"
)

// A Kind is what scripts tell failures apart by.
type Kind int

// The kinds of failure that have no error type of their own.
const (
	Usage     Kind = iota + 1 // what was typed or set cannot be
	Auth                      // there is no credential, or one that cannot be used
	NotFound                  // what was named is not there
	Partial                   // some of several failed
	Matched                   // a gate that stays shut
	RunFailed                 // utho itself failed, around a command that has exit statuses of its own
)

// An Error is an error of which more is known than its text.
type Error struct {
	err   error
	text  string // in the place of err's own; "" for that
	kind  Kind
	hint  string
	lines []string
}

// Error is the text alone.
func (e *Error) Error() string {
	if e.text != "" {
		return e.text
	}
	return e.err.Error()
}

// Unwrap returns the error of which more is known.
func (e *Error) Unwrap() error { return e.err }

// Of is err of a kind.
func Of(kind Kind, err error) *Error { return &Error{err: err, kind: kind} }

// New is a new error of a kind.
func New(kind Kind, format string, args ...any) *Error { return Of(kind, fmt.Errorf(format, args...)) }

// Usagef is a new error of the kind Usage.
func Usagef(format string, args ...any) *Error { return New(Usage, format, args...) }

// Hintf adds the next step: a sentence, with a command if there is one.
func (e *Error) Hintf(format string, args ...any) *Error {
	e.hint = fmt.Sprintf(format, args...)
	return e
}

// Hintf is err with the next step.
func Hintf(err error, format string, args ...any) error {
	return (&Error{err: err}).Hintf(format, args...)
}

// WithLines is err with further lines behind its text, which are meant to be lines.
func WithLines(err error, lines []string) *Error { return &Error{err: err, lines: lines} }

// Reworded is err in other words.
func Reworded(err error, text string) *Error { return &Error{err: err, text: text} }

// Is reports whether err is of a kind, whatever else it is.
func Is(err error, kind Kind) bool {
	return find(err, func(e *Error) bool { return e.kind == kind }).kind == kind
}

// Hint returns the outermost next step of err, "" if there is none.
func Hint(err error) string { return find(err, func(e *Error) bool { return e.hint != "" }).hint }

// Lines returns the further lines of err.
func Lines(err error) []string { return find(err, func(e *Error) bool { return e.lines != nil }).lines }

// find is the outermost Error in err that fits; an empty one if there is none.
func find(err error, fits func(*Error) bool) *Error {
	e, ok := errors.AsType[*Error](err)
	switch {
	case !ok:
		return &Error{}
	case fits(e):
		return e
	}
	return find(e.err, fits)
}
