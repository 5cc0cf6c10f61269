package output

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"
	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
)

const (
	// maxRows bounds the tables that tablewriter lays out: a row costs it 12 µs and 60 allocations, and a plain line
	// 0.4 µs. Longer tables are written without it, by the same function for a line and so with the same bytes.
	maxRows = 50

	gap = "  " // between two columns
)

// Table writes rows as left-aligned columns without borders, two spaces apart, below a line of headers. Nothing is
// ever cut or wrapped, and no line ends in a space. If the table would be wider than o.Width, columns that have a
// Short text show that; nothing else depends on the width.
func Table[T any](w io.Writer, cols []Column[T], rows []T, o TableOptions) error {
	t := newTable(cols, rows, o, false)
	if o.Width > 0 && t.width > o.Width {
		t = newTable(cols, rows, o, true)
	}
	if len(rows) > maxRows {
		for _, cells := range t.lines {
			t.Row(cells, tw.Formatting{})
		}
	} else if err := t.render(o); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	if o.Bold && !o.NoHeaders {
		header, rest, _ := bytes.Cut(t.text, []byte("\n"))
		t.text = fmt.Appendf(nil, "\x1b[1m%s\x1b[0m\n%s", header, rest)
	}
	return write(w, "table", t.text)
}

// table is one table in safe text, and the tw.Renderer that writes its lines.
type table struct {
	*renderer.Blueprint // has the methods that lines without rules do not need

	lines  [][]string // of cells
	widths []int      // of the columns
	width  int        // of the whole
	text   []byte     // what is written so far
}

func newTable[T any](cols []Column[T], rows []T, o TableOptions, short bool) *table {
	t := &table{lines: make([][]string, 0, len(rows)+1), widths: make([]int, len(cols))}
	cells := make([]string, (len(rows)+1)*len(cols))
	line := func(cell func(Column[T]) string) {
		t.lines = append(t.lines, cells[:len(cols):len(cols)])
		for i, c := range cols {
			cells[i] = Safe(cell(c))
			t.widths[i] = max(t.widths[i], width(cells[i]))
		}
		cells = cells[len(cols):]
	}
	if !o.NoHeaders {
		line(func(c Column[T]) string { return c.Header })
	}
	for _, row := range rows {
		line(func(c Column[T]) string {
			if short && c.Short != nil {
				return c.Short(row)
			}
			return c.Text(row)
		})
	}
	t.width = len(gap) * (len(cols) - 1)
	for _, w := range t.widths {
		t.width += w
	}
	return t
}

// render lets tablewriter lay out the lines. Its own renderer takes twice as long, with borders that are not there,
// and with a padding of two blanks it cuts joined emoji apart; t writes the lines it is given.
func (t *table) render(o TableOptions) error {
	asItIs := tw.CellConfig{Formatting: tw.CellFormatting{AutoWrap: tw.WrapNone, AutoFormat: tw.Off}}
	t.Blueprint = renderer.NewBlueprint(tw.Rendition{
		Borders:  tw.BorderNone,
		Settings: tw.Settings{Lines: tw.LinesNone, Separators: tw.SeparatorsNone},
	})
	layout := tablewriter.NewTable(io.Discard, // t keeps the text itself
		tablewriter.WithRenderer(t),
		tablewriter.WithConfig(tablewriter.Config{Header: asItIs, Row: asItIs}),
		tablewriter.WithTrimSpace(tw.Off), // a name's own blanks are part of it
	)
	rows := t.lines
	if !o.NoHeaders {
		layout.Header(rows[0])
		rows = rows[1:]
	}
	if err := layout.Bulk(rows); err != nil {
		return err
	}
	return layout.Render()
}

// Header is called by tablewriter.
func (t *table) Header(lines [][]string, ctx tw.Formatting) {
	for _, cells := range lines {
		t.Row(cells, ctx)
	}
}

// Row appends one line to the text; tablewriter calls it too.
func (t *table) Row(cells []string, _ tw.Formatting) {
	for i, cell := range cells {
		t.text = append(t.text, cell...)
		if i+1 < len(cells) {
			for range t.widths[i] + len(gap) - width(cell) {
				t.text = append(t.text, ' ')
			}
		}
	}
	t.text = append(bytes.TrimRight(t.text, " "), '\n')
}

// width returns the number of cells that safe text takes on a terminal, whatever the locale. The library does not know
// that the selector for emoji makes a picture, which is two cells wide: it is shown one that is.
func width(s string) int {
	if strings.Contains(s, emojiPresentation) {
		var shown strings.Builder
		for part := range strings.SplitAfterSeq(s, emojiPresentation) {
			text, selected := strings.CutSuffix(part, emojiPresentation)
			base, size := utf8.DecodeLastRuneInString(text)
			if selected && picture(base) {
				text = text[:len(text)-size] + "🙂"
			}
			shown.WriteString(text)
		}
		s = shown.String()
	}
	terminal := runewidth.Condition{StrictEmojiNeutral: true}
	return terminal.StringWidth(s)
}

// picture reports whether the selector for emoji makes a picture of r.
func picture(r rune) bool {
	return unicode.Is(unicode.So, r) || strings.ContainsRune("#*0123456789‼⁉ℹ↔◻◼", r)
}
