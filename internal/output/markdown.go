package output

import (
	"bufio"
	"io"
	"strings"
)

// Markdown writes rows as a pipe table. The cells are plain text: what Markdown or HTML would take
// for markup is escaped, so that a cell reads as it does in [Table]. Without headers only the lines of
// the rows are written, to go below a table that is there.
func Markdown[T any](w io.Writer, cols []Column[T], rows []T, o TableOptions) error {
	if len(cols) == 0 {
		return nil
	}
	out := bufio.NewWriterSize(w, bufferSize)
	var line []byte
	if !o.NoHeaders {
		for _, c := range cols {
			line = appendMarkdownCell(line, c.Header)
		}
		line = append(line, "|\n"...)
		for range cols {
			line = append(line, "| --- "...)
		}
		line = append(line, "|\n"...)
	}
	if _, err := out.Write(line); err != nil {
		return wrap("markdown", err)
	}
	for _, row := range rows {
		line = line[:0]
		for _, c := range cols {
			line = appendMarkdownCell(line, c.Text(row))
		}
		line = append(line, "|\n"...)
		if _, err := out.Write(line); err != nil {
			return wrap("markdown", err)
		}
	}
	return wrap("markdown", out.Flush())
}

// appendMarkdownCell appends `| text ` with the characters escaped that mean something in a line.
func appendMarkdownCell(line []byte, text string) []byte {
	line = append(line, "| "...)
	safe := Safe(text)
	for {
		i := strings.IndexAny(safe, "\\|`*_[]~$<>&")
		if i < 0 {
			break
		}
		line = append(line, safe[:i]...)
		switch c := safe[i]; c {
		case '<': // as entities: not every Markdown has backslashes for these
			line = append(line, "&lt;"...)
		case '>':
			line = append(line, "&gt;"...)
		case '&':
			line = append(line, "&amp;"...)
		default:
			line = append(line, '\\', c)
		}
		safe = safe[i+1:]
	}
	line = append(line, safe...)
	return append(line, ' ')
}
