// Package output writes answers: tables, Markdown, CSV, JSON, YAML and lines of `NAME: value`.
//
// One column list per kind of row drives every format that has columns, so that no two of them can
// disagree. JSON and YAML are written from one value, with one set of field names, and carry its
// text as it is. Every other format is read by people, and the text in it comes from a service that
// lets anyone call a token anything: it passes through [Safe] here, in the writers, and nowhere else.
//
// Every writer returns the error of the io.Writer under it, wrapped, so that a full disk is a failed
// command and errors.Is still finds a closed pipe. Nothing here looks at a terminal, the locale or
// the environment: the same values give the same bytes everywhere.
package output

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Column is one column of a list of T.
type Column[T any] struct {
	// Key names the column to machines: the CSV header and the word for --columns, such as "created".
	Key string
	// Header names the column to people, such as "CREATED AT".
	Header string
	// Wide marks a column that a plain table leaves out; see [Narrow].
	Wide bool
	// Text gives the raw text of a cell; the writers make it harmless. It must give the same text
	// each time: long tables ask twice, once to measure and once to write, rather than keep it all.
	Text func(T) string
}

// TableOptions changes how rows are written by [Table], [Markdown] and [CSV].
type TableOptions struct {
	// NoHeaders leaves out the header, so that an empty list prints nothing.
	NoHeaders bool
}

// Narrow returns the columns that are not marked Wide, in their order: what a plain table shows.
func Narrow[T any](cols []Column[T]) []Column[T] {
	narrow := make([]Column[T], 0, len(cols))
	for _, c := range cols {
		if !c.Wide {
			narrow = append(narrow, c)
		}
	}
	return narrow
}

// Select returns the columns with the given keys, in the order of keys, whether Wide or not. An
// unknown key, a repeated one, and no key at all are errors that say which keys there are.
func Select[T any](cols []Column[T], keys []string) ([]Column[T], error) {
	known := make([]string, len(cols))
	for i, c := range cols {
		known[i] = c.Key
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("no column named (there are %s)", strings.Join(known, ", "))
	}
	selected := make([]Column[T], 0, len(keys))
	for i, key := range keys {
		at := slices.Index(known, key)
		if at < 0 {
			return nil, fmt.Errorf("unknown column %q (there are %s)", key, strings.Join(known, ", "))
		}
		if slices.Contains(keys[:i], key) {
			return nil, fmt.Errorf("column %q named twice", key)
		}
		selected = append(selected, cols[at])
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
	var b strings.Builder
	for _, p := range pairs {
		b.WriteString(strings.TrimRight(Safe(p.Name)+": "+Safe(p.Value), " "))
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return wrap("values", err)
}

// bufferSize is how much is written at once: enough that system calls cost nothing, and little beside
// what a short list takes otherwise.
const bufferSize = 16 << 10

// wrap says what could not be written.
func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("write %s: %w", what, err)
}
