package output

import (
	"bufio"
	"encoding/csv"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// CSV writes rows as RFC 4180 asks, with LF ends of line, below a line of column keys. Every cell is
// safe text, and one that a spreadsheet would compute starts with an apostrophe, which spreadsheets
// show as text and drop.
func CSV[T any](w io.Writer, cols []Column[T], rows []T, o TableOptions) error {
	if len(cols) == 0 {
		return nil
	}
	record := make([]string, len(cols))
	out := newRecordWriter(w)
	if !o.NoHeaders {
		for i, c := range cols {
			record[i] = c.Key
		}
		if err := out.write(record); err != nil {
			return wrap("csv", err)
		}
	}
	for _, row := range rows {
		for i, c := range cols {
			record[i] = csvCell(c.Text(row))
		}
		if err := out.write(record); err != nil {
			return wrap("csv", err)
		}
	}
	return wrap("csv", out.flush())
}

// csvCell returns text as safe text that no spreadsheet takes for a formula. Blanks in front do not
// hide one, since importers may trim them; nor do the full-width forms, which some locales accept.
// A tab or carriage return in front is no danger once it is spelled out, but is marked like the rest.
func csvCell(text string) string {
	safe := Safe(text)
	first := strings.TrimLeftFunc(text, func(r rune) bool { return unicode.Is(unicode.Zs, r) })
	if r, size := utf8.DecodeRuneInString(first); size > 0 && strings.ContainsRune("=+-@\t\r＝＋－＠", r) {
		return "'" + safe
	}
	return safe
}

// recordWriter is a csv.Writer that keeps the one record which encoding/csv writes as an empty line,
// a single empty field, from being skipped by whoever reads it.
type recordWriter struct {
	buf *bufio.Writer
	csv *csv.Writer // writes to buf itself: bufio does not wrap a writer that is large enough
}

func newRecordWriter(w io.Writer) *recordWriter {
	buf := bufio.NewWriterSize(w, bufferSize)
	return &recordWriter{buf: buf, csv: csv.NewWriter(buf)}
}

func (rw *recordWriter) write(record []string) error {
	if len(record) == 1 && record[0] == "" {
		_, err := rw.buf.WriteString("\"\"\n")
		return err
	}
	return rw.csv.Write(record)
}

func (rw *recordWriter) flush() error {
	rw.csv.Flush()
	return rw.csv.Error()
}
