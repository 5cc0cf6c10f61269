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

// Markdown writes rows as a pipe table. The cells are plain text: what Markdown or HTML would take for markup is
// escaped, so that a cell reads as it does in [Table]. Without headers only the lines of the rows are written, to
// go below a table that is there.
func Markdown[T any](w io.Writer, cols []Column[T], rows []T, o TableOptions) error {
	// Entities for <, > and &: not every Markdown has backslashes for these.
	escape := strings.NewReplacer("<", "&lt;", ">", "&gt;", "&", "&amp;",
		`\`, `\\`, "|", `\|`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "~", `\~`, "$", `\$`)
	var doc []byte
	line := func(cell func(Column[T]) string) {
		for _, c := range cols {
			doc = append(doc, "| "...)
			doc = append(doc, cell(c)...)
			doc = append(doc, ' ')
		}
		doc = append(doc, "|\n"...)
	}
	if !o.NoHeaders {
		line(func(c Column[T]) string { return escape.Replace(Safe(c.Header)) })
		line(func(Column[T]) string { return "---" })
	}
	for _, row := range rows {
		line(func(c Column[T]) string { return escape.Replace(Safe(c.Text(row))) })
	}
	return write(w, "markdown", doc)
}
