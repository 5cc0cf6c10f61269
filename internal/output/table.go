package output

import (
	"bufio"
	"bytes"
	"io"

	"github.com/olekukonko/ll"
	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/pkg/twwidth"
	"github.com/olekukonko/tablewriter/tw"
)

// maxRows and maxBytes bound the tables that tablewriter lays out; plainTable writes larger ones, and
// writes the same bytes, which a property test holds the two to.
//
// Measured in a process that has just started (linux/amd64, two cores), where a bare GET of ten tokens
// takes 2.9 ms: tablewriter needs 0.15 ms for the first row and 12 µs and 60 allocations for each
// further one, plainTable 0.3 µs. So ten rows cost 0.26 ms and 50, more than a screen shows at once,
// 0.75 ms; 1,000 would cost 10 ms instead of 0.4, and 100,000 a second instead of 25 ms. The bound in
// bytes is for hostile cells: tablewriter holds each several times, and in a cache for good.
const (
	maxRows  = 50
	maxBytes = 32 << 10
)

// gap is what stands between two columns.
const gap = "  "

// Table writes rows as left-aligned columns without borders, two spaces apart, below a line of
// headers. Nothing is ever cut or wrapped, and no line ends in a space.
func Table[T any](w io.Writer, cols []Column[T], rows []T, o TableOptions) error {
	if len(cols) == 0 || o.NoHeaders && len(rows) == 0 {
		return nil
	}
	var headers []string
	if !o.NoHeaders {
		headers = make([]string, len(cols))
		for i, c := range cols {
			headers[i] = Safe(c.Header)
		}
	}
	cell := func(row, col int) string { return Safe(cols[col].Text(rows[row])) }
	if len(rows) <= maxRows {
		cells := make([][]string, len(rows))
		size := 0
		for r := range rows {
			cells[r] = make([]string, len(cols))
			for c := range cols {
				cells[r][c] = cell(r, c)
				size += len(cells[r][c])
			}
		}
		if size <= maxBytes {
			return wrap("table", smallTable(w, headers, len(cols), cells))
		}
		cell = func(row, col int) string { return cells[row][col] }
	}
	return wrap("table", plainTable(w, headers, len(cols), len(rows), cell))
}

// smallTable lets tablewriter lay out safe cells; lineRenderer writes its lines.
func smallTable(w io.Writer, headers []string, cols int, cells [][]string) error {
	section := tw.CellConfig{
		Formatting: tw.CellFormatting{AutoWrap: tw.WrapNone, AutoFormat: tw.Off},
		Alignment:  tw.CellAlignment{Global: tw.AlignLeft},
		Padding:    tw.CellPadding{Global: tw.Padding{Right: gap, Overwrite: true}},
	}
	lines := lineRenderer{widths: columnWidths(headers, cols, len(cells), func(r, c int) string { return cells[r][c] })}
	t := tablewriter.NewTable(&lines.out,
		tablewriter.WithRenderer(&lines),
		tablewriter.WithConfig(tablewriter.Config{Header: section, Row: section}),
		tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithTrimSpace(tw.Off), // a name's own blanks are part of it
		tablewriter.WithEastAsian(false),  // else the locale decides widths
	)
	if headers != nil {
		t.Header(headers)
	}
	if err := t.Bulk(cells); err != nil {
		return err
	}
	if err := t.Render(); err != nil {
		return err
	}
	_, err := w.Write(lines.out.Bytes())
	return err
}

// lineRenderer is a tw.Renderer for lines without rules. It halves what a table costs, compared with
// tablewriter's own, which does much for borders that are not there. It never cuts a cell: the other,
// with a padding of two blanks, pads too far and cuts the cell back rune by rune, which takes joined
// emoji apart. The widths are those of width, not of tablewriter. And its lines end without blanks. It
// writes to memory, since the methods of a Renderer cannot return an error.
type lineRenderer struct {
	out    bytes.Buffer
	widths []int // from columnWidths
	line   []byte
}

func (l *lineRenderer) Header(headers [][]string, ctx tw.Formatting) {
	for _, cells := range headers {
		l.Row(cells, ctx)
	}
}

func (l *lineRenderer) Row(cells []string, _ tw.Formatting) {
	l.line = appendLine(l.line[:0], l.widths, func(c int) string { return cells[c] })
	l.out.Write(l.line)
}

func (l *lineRenderer) Start(io.Writer) error            { return nil }
func (l *lineRenderer) Footer([][]string, tw.Formatting) {}
func (l *lineRenderer) Line(tw.Formatting)               {}
func (l *lineRenderer) Logger(*ll.Logger)                {}
func (l *lineRenderer) Close() error                     { return nil }

func (l *lineRenderer) Config() tw.Rendition {
	return tw.Rendition{
		Borders:  tw.BorderNone,
		Settings: tw.Settings{Lines: tw.LinesNone, Separators: tw.SeparatorsNone},
	}
}

// plainTable writes the bytes that smallTable would, asking for each cell twice instead of keeping
// any. Its cells are safe too.
func plainTable(w io.Writer, headers []string, cols, rows int, cell func(row, col int) string) error {
	widths := columnWidths(headers, cols, rows, cell)
	out := bufio.NewWriterSize(w, bufferSize)
	var line []byte
	if headers != nil {
		line = appendLine(line, widths, func(c int) string { return headers[c] })
		if _, err := out.Write(line); err != nil {
			return err
		}
	}
	for r := range rows {
		line = appendLine(line[:0], widths, func(c int) string { return cell(r, c) })
		if _, err := out.Write(line); err != nil {
			return err
		}
	}
	return out.Flush()
}

// columnWidths gives the widths of the columns with their gaps. The last one needs none: nothing stands
// behind it.
func columnWidths(headers []string, cols, rows int, cell func(row, col int) string) []int {
	twwidth.SetEastAsian(false) // else the locale decides
	widths := make([]int, cols-1)
	for c := range widths {
		if headers != nil {
			widths[c] = width(headers[c])
		}
	}
	for r := range rows {
		for c := range widths {
			widths[c] = max(widths[c], width(cell(r, c)))
		}
	}
	for c := range widths {
		widths[c] += len(gap)
	}
	return widths
}

// appendLine appends a line of one more cell than there are widths; a width includes the gap.
func appendLine(line []byte, widths []int, cell func(col int) string) []byte {
	for c, w := range widths {
		text := cell(c)
		line = append(line, text...)
		for range w - width(text) {
			line = append(line, ' ')
		}
	}
	line = append(line, cell(len(widths))...)
	return append(bytes.TrimRight(line, " "), '\n')
}
