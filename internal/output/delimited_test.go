package output

import (
	"bytes"
	"strings"
	"testing"
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
