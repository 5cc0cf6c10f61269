package output

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"

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

// width returns the number of cells that safe text takes on a terminal. It adds up characters, as terminals do: a
// vowel sign that stands beside its consonant, as many do in Indian scripts, the mark that makes ｶﾞ of ｶ, and each
// half of a flag have a cell of their own. Only emoji are taken whole: joined ones, those with a tone of skin, and
// those that a selector turns into a picture, which is two cells wide. (go-runewidth's own StringWidth gives each
// letter the width of its first character, and so half of a flag to a flag.)
func width(s string) int {
	if asciiPrefix(s) == len(s) {
		return len(s)
	}
	var (
		n      int
		last   rune // the last one that takes room, and how much with what has changed it
		room   int
		joined bool // the next one is part of the last
	)
	for _, r := range s {
		w := runeWidth(r)
		switch {
		case joined && emoji(r), 0x1f3fb <= r && r <= 0x1f3ff && emoji(last):
			w = 0
		case r == emojiPresentation && room == 1 && picture(last):
			room, w = 2, 1
		case w > 0:
			last, room = r, w
		}
		joined = r == zeroWidthJoiner && emoji(last)
		n += w
	}
	return n
}

// runeWidth returns the number of cells of one character of safe text, whatever the locale.
func runeWidth(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case 0x1160 <= r && r < 0x1200, 0xd7b0 <= r && r < 0xd7fc:
		return 0 // vowels and final consonants, which stand in the Hangul syllable before them
	}
	locale := runewidth.Condition{StrictEmojiNeutral: true}
	return max(1, locale.RuneWidth(r))
}

// picture reports whether the selector for emoji makes a picture of r.
func picture(r rune) bool {
	return unicode.Is(unicode.So, r) || strings.ContainsRune("#*0123456789‼⁉ℹ↔◻◼", r)
}
