package output

import (
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// CSV writes rows as RFC 4180 asks, with LF ends of line, below a line of column keys. Every cell is safe text, and
// one that a spreadsheet would compute starts with an apostrophe, which spreadsheets show as text and drop.
func CSV[T any](w io.Writer, cols []Column[T], rows []T, o TableOptions) error {
	var doc []byte
	line := func(cell func(Column[T]) string) {
		for i, c := range cols {
			if i > 0 {
				doc = append(doc, ',')
			}
			text := cell(c)
			// A line that is empty because its only field is would be skipped by readers.
			if strings.ContainsAny(text, `",`) || strings.TrimSpace(text) != text || text == "" && len(cols) == 1 {
				text = `"` + strings.ReplaceAll(text, `"`, `""`) + `"`
			}
			doc = append(doc, text...)
		}
		doc = append(doc, '\n')
	}
	if !o.NoHeaders {
		line(func(c Column[T]) string { return c.Key })
	}
	for _, row := range rows {
		line(func(c Column[T]) string { return csvCell(c.Text(row)) })
	}
	return write(w, "csv", doc)
}

// csvCell returns text as safe text that no spreadsheet takes for a formula. Blanks in front do not hide one, since
// importers may trim them; nor do the full-width forms, which some locales accept. A tab or carriage return in
// front is no danger once it is spelled out, but is marked like the rest.
func csvCell(text string) string {
	safe := Safe(text)
	first := strings.TrimLeftFunc(text, func(r rune) bool { return unicode.Is(unicode.Zs, r) })
	if r, size := utf8.DecodeRuneInString(first); size > 0 && strings.ContainsRune("=+-@\t\r＝＋－＠", r) {
		return "'" + safe
	}
	return safe
}
