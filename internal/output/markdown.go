package output

import (
	"io"
	"strings"
)

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
