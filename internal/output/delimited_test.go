package output

import (
	"bytes"
	"encoding/csv"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func textColumns(n int) []Column[[]string] {
	cols := make([]Column[[]string], n)
	for i := range cols {
		key := string(rune('a' + i))
		cols[i] = Column[[]string]{Key: key, Header: strings.ToUpper(key), Text: func(row []string) string { return row[i] }}
	}
	return cols
}

func TestCSVCells(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"ci": "ci", "a,b": `"a,b"`, `say "hi"`: `"say ""hi"""`, " a ": `" a "`, "a=b+c-d@e": "a=b+c-d@e", "": `""`, `\.`: `\.`,
		"=1+1": "'=1+1", `=HYPERLINK("x")`: `"'=HYPERLINK(""x"")"`, "+1": "'+1", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)",
		"\t=1": `'\t=1`, "\r=1": `'\r=1`, " =1": "' =1", "\u00a0=1": "'\u00a0=1", "＝1": "'＝1", "＠x": "'＠x",
		"\n=1": `\n=1`, "a\r\nb": `a\r\nb`, "\x1b[31m": `\x1b[31m`, "\u200b=1": `\u200b=1`, "'quoted'": "'quoted'",
	} {
		var b bytes.Buffer
		if err := CSV(&b, textColumns(1), [][]string{{in}}, TableOptions{NoHeaders: true}); err != nil || b.String() != want+"\n" {
			t.Errorf("%q: %q, %v, want %q", in, b.String(), err, want)
		}
	}
}

// TestCSVReadsBack holds that every record arrives, with the cells that were meant.
func TestCSVReadsBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 4).Draw(t, "columns")
		rows := rapid.SliceOfN(rapid.SliceOfN(hostile(), n, n), 0, 8).Draw(t, "rows")
		var b bytes.Buffer
		if err := CSV(&b, textColumns(n), rows, TableOptions{}); err != nil {
			t.Fatal(err)
		}
		got, err := csv.NewReader(bytes.NewReader(b.Bytes())).ReadAll()
		if err != nil || len(got) != len(rows)+1 {
			t.Fatalf("%d records for %d rows, %v: %q", len(got), len(rows), err, b.String())
		}
		for r, row := range rows {
			for c, text := range row {
				cell := got[r+1][c]
				if cell != Safe(text) && cell != "'"+Safe(text) {
					t.Fatalf("%q became %q", text, cell)
				}
				if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
					t.Fatalf("%q became the formula %q", text, cell)
				}
			}
		}
	})
}

func TestMarkdownCells(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`a\|b`: `a\\\|b`, "`code` $x$": "\\`code\\` \\$x\\$", "**bold** _it_ ~~no~~": `\*\*bold\*\* \_it\_ \~\~no\~\~`,
		"![x](http://y)": `!\[x\](http://y)`, "<script>&amp;": "&lt;script&gt;&amp;amp;", "a\n\x1b[0m": `a\\n\\x1b\[0m`, "": "",
	} {
		var b bytes.Buffer
		if err := Markdown(&b, textColumns(1), [][]string{{in}}, TableOptions{NoHeaders: true}); err != nil || b.String() != "| "+want+" |\n" {
			t.Errorf("%q: %q, %v, want %q", in, b.String(), err, want)
		}
	}
}

// TestMarkdownReadsBack takes lines apart as GitHub's tables are: at each bar without a backslash that escapes it.
func TestMarkdownReadsBack(t *testing.T) {
	t.Parallel()
	unescape := strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&",
		`\\`, `\`, `\|`, `|`, "\\`", "`", `\*`, `*`, `\_`, `_`, `\[`, `[`, `\]`, `]`, `\~`, `~`, `\$`, `$`)
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 4).Draw(t, "columns")
		row := rapid.SliceOfN(rapid.OneOf(hostile(), rapid.StringMatching("[\\\\|`*_<>&~$a-]{0,8}")), n, n).Draw(t, "row")
		var b bytes.Buffer
		if err := Markdown(&b, textColumns(n), [][]string{row}, TableOptions{NoHeaders: true}); err != nil {
			t.Fatal(err)
		}
		cells := regexp.MustCompile(`\| ((?:[^\\|]|\\.)*) (\|\n)?`).FindAllStringSubmatch(b.String(), -1)
		if len(cells) != n || cells[n-1][2] == "" || strings.Count(b.String(), "\n") != 1 {
			t.Fatalf("%d cells of %d: %q", len(cells), n, b.String())
		}
		for i := range cells {
			if got := unescape.Replace(cells[i][1]); got != Safe(row[i]) {
				t.Fatalf("%q was written %q, which reads %q", row[i], cells[i][1], got)
			}
		}
	})
}
