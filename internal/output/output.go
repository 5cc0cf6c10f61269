// Package output writes answers: tables, Markdown, CSV, JSON, YAML and lines of `NAME: value`.
//
// One column list per kind of row drives every format that has columns, so that no two of them can disagree. JSON
// and YAML are written from one value, with one set of field names, and carry its text as it is. Every other format
// is read by people, and the text in it comes from a service that lets anyone call a token anything: it passes
// through [Safe] here, in the writers, and nowhere else.
//
// Every writer makes one call of Write and returns its error, wrapped, so that a full disk is a failed command and
// errors.Is still finds a closed pipe. Nothing here looks at a terminal, the locale or the environment: the same
// values give the same bytes everywhere.
package output

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Column is one column of a list of T.
type Column[T any] struct {
	Key    string         // names it to machines: the CSV header and the word for --columns, such as "created"
	Header string         // names it to people, such as "CREATED AT"
	Wide   bool           // a plain table leaves it out; see [Narrow]
	Text   func(T) string // gives the raw text of a cell; the writers make it harmless
	Short  func(T) string // if not nil, what [Table] shows instead of Text if the terminal is too narrow
}

// TableOptions changes how rows are written by [Table], [Markdown] and [CSV].
type TableOptions struct {
	NoHeaders bool // no header, so that an empty list prints nothing
	Bold      bool // the header of a [Table]
	Width     int  // of the terminal in cells, for [Table]; 0 is no limit
}

// Narrow returns the columns that are not marked Wide, in their order: what a plain table shows.
func Narrow[T any](cols []Column[T]) []Column[T] {
	return slices.DeleteFunc(slices.Clone(cols), func(c Column[T]) bool { return c.Wide })
}

// Select returns the columns with the given keys, in the order of keys, whether Wide or not. An unknown key is an error
// that lists the keys there are, and so is a repeated one.
func Select[T any](cols []Column[T], keys []string) ([]Column[T], error) {
	known := make([]string, len(cols))
	for i, c := range cols {
		known[i] = c.Key
	}
	selected := make([]Column[T], len(keys))
	for i, key := range keys {
		at := slices.Index(known, key)
		switch {
		case at < 0:
			return nil, fmt.Errorf("unknown column %q (there are %s)", key, strings.Join(known, ", "))
		case slices.Contains(keys[:i], key):
			return nil, fmt.Errorf("column %q named twice", key)
		}
		selected[i] = cols[at]
	}
	return selected, nil
}

// Pair is one line of [Pairs].
type Pair struct {
	Name  string // fixed text, such as "API NAME"
	Value string // raw text
}

// Pairs writes one line `NAME: value` for each pair, in order.
func Pairs(w io.Writer, pairs []Pair) error {
	var doc []byte
	for _, p := range pairs {
		doc = append(doc, strings.TrimRight(Safe(p.Name)+": "+Safe(p.Value), " ")...)
		doc = append(doc, '\n')
	}
	return write(w, "values", doc)
}

// write writes doc, if there is any, and names it in the error.
func write(w io.Writer, what string, doc []byte) error {
	if len(doc) == 0 {
		return nil
	}
	if _, err := w.Write(doc); err != nil {
		return fmt.Errorf("write %s: %w", what, err)
	}
	return nil
}
