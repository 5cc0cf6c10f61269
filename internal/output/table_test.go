package output

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// item is a row as the commands have them.
type item struct {
	ID      string  `json:"id"`
	Name    string  `json:"name"`
	Scope   string  `json:"access_scope"`
	Created string  `json:"created_at_raw"`
	Expires *string `json:"expires_at"`
	Action  string  `json:"action"`
}

func itemColumns() []Column[item] {
	return []Column[item]{
		{Key: "name", Header: "API NAME", Text: func(i item) string { return i.Name }},
		{Key: "scope", Header: "ACCESS SCOPE", Text: func(i item) string { return i.Scope }},
		{Key: "created", Header: "CREATED AT", Text: func(i item) string { return i.Created }},
		{Key: "action", Header: "ACTION", Text: func(i item) string { return "utho token delete " + Quote(i.ID) }},
		{Key: "id", Header: "ID", Wide: true, Text: func(i item) string { return i.ID }},
	}
}

func items(n int) []item {
	rows := make([]item, n)
	for i := range rows {
		id := fmt.Sprint(10000 + i)
		rows[i] = item{
			ID: id, Name: "deploy-" + id, Scope: []string{"Read-Only", "Write"}[i%2],
			Created: "2024-04-22 01:12:36", Action: "utho token delete " + id,
		}
	}
	return rows
}

var few = []item{
	{ID: "10000", Name: "ci", Scope: "Write", Created: "2024-04-22 01:12:36", Action: "utho token delete 10000"},
	{ID: "10001", Name: "日本語", Scope: "Read-Only", Created: "2024-04-22 01:16:51", Action: "utho token delete 10001"},
	{ID: "10002", Name: "cafe\u0301 \x1b[31m|=1+1", Scope: "Write", Created: "soon", Action: "utho token delete 10002"},
	{ID: "a b", Name: "👩\u200d💻 mañana", Scope: "Read-Only", Created: "", Action: "utho token delete 'a b'"},
	{ID: "10004", Name: "", Scope: "Write", Created: "2024-04-22 01:16:51", Action: "utho token delete 10004"},
}

func TestTableGolden(t *testing.T) {
	const want = "" +
		"API NAME            ACCESS SCOPE  CREATED AT           ACTION\n" +
		"ci                  Write         2024-04-22 01:12:36  utho token delete 10000\n" +
		"日本語              Read-Only     2024-04-22 01:16:51  utho token delete 10001\n" +
		"cafe\u0301 \\x1b[31m|=1+1  Write         soon                 utho token delete 10002\n" +
		"👩\u200d💻 mañana           Read-Only                          utho token delete 'a b'\n" +
		"                    Write         2024-04-22 01:16:51  utho token delete 10004\n"
	var b bytes.Buffer
	if err := Table(&b, Narrow(itemColumns()), few, TableOptions{}); err != nil {
		t.Fatal(err)
	}
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

// TestTableIgnoresEnvironment runs the golden test again where tablewriter would find another locale
// and a tab width: its width library reads both once, when the program starts.
func TestTableIgnoresEnvironment(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/.editorconfig", []byte("root = true\n[*]\nindent_size = 7\ntab_width = 7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "-test.run=^TestTableGolden$", "-test.v")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=ja_JP.UTF-8", "LANG=ja_JP.UTF-8", "RUNEWIDTH_EASTASIAN=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: TestTableGolden")) {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestTableShapes(t *testing.T) {
	t.Parallel()
	text := func(s string) string { return s }
	one := []Column[string]{{Key: "a", Header: "A", Text: text}}
	two := []Column[string]{{Key: "a", Header: "A", Text: text}, {Key: "b", Header: "B", Text: text}}
	long := strings.Repeat("long ", 100) + "end"
	for _, tt := range []struct {
		name string
		cols []Column[string]
		rows []string
		o    TableOptions
		want string
	}{
		{"empty list", two, nil, TableOptions{}, "A  B\n"},
		{"empty list, no headers", two, nil, TableOptions{NoHeaders: true}, ""},
		{"no columns", nil, []string{"x"}, TableOptions{}, ""},
		{"no headers", two, []string{"x", "yy"}, TableOptions{NoHeaders: true}, "x   x\nyy  yy\n"},
		{"no trailing blanks", two, []string{"", "x  "}, TableOptions{}, "A    B\n\nx    x\n"},
		{"leading blanks stay", one, []string{"  x"}, TableOptions{}, "A\n  x\n"},
		{"never cut or wrapped", two, []string{long}, TableOptions{NoHeaders: true}, long + "  " + long + "\n"},
		{"one line each", one, []string{"a\nb\tc\x1b"}, TableOptions{}, "A\na\\nb\\tc\\x1b\n"},
		{"mark before blank", two, []string{"\u0600", "ab"}, TableOptions{NoHeaders: true}, "\u0600    \u0600\nab  ab\n"},
	} {
		for _, rows := range [][]string{tt.rows, pad(tt.rows)} { // as tablewriter and as plainTable write them
			var b bytes.Buffer
			if err := Table(&b, tt.cols, rows, tt.o); err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			want := tt.want
			if len(rows) > len(tt.rows) && len(tt.cols) > 0 {
				last := want[strings.LastIndexByte(want[:len(want)-1], '\n')+1:]
				want += strings.Repeat(last, len(rows)-len(tt.rows))
			}
			if b.String() != want {
				t.Errorf("%s, %d rows: got\n%q\nwant\n%q", tt.name, len(rows), b.String(), want)
			}
		}
	}
}

// pad repeats the last row until the table is a large one.
func pad(rows []string) []string {
	if len(rows) == 0 {
		return nil
	}
	for len(rows) <= maxRows {
		rows = append(rows[:len(rows):len(rows)], rows[len(rows)-1])
	}
	return rows
}

// TestTablesEqual holds the two ways of writing a table to the very same bytes.
func TestTablesEqual(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		cols := rapid.IntRange(1, 7).Draw(t, "cols")
		cell := rapid.Map(hostile(), Safe)
		rows := rapid.SliceOfN(rapid.SliceOfN(cell, cols, cols), 0, 12).Draw(t, "rows")
		var headers []string
		if rapid.Bool().Draw(t, "with headers") {
			headers = rapid.SliceOfN(rapid.StringMatching(`[A-Z]{1,6}( [A-Z]{1,6})?`), cols, cols).Draw(t, "headers")
		}
		var small, plain bytes.Buffer
		if err := smallTable(&small, headers, cols, rows); err != nil {
			t.Fatal(err)
		}
		if err := plainTable(&plain, headers, cols, len(rows), func(r, c int) string { return rows[r][c] }); err != nil {
			t.Fatal(err)
		}
		if small.String() != plain.String() {
			t.Fatalf("tablewriter:\n%q\nplain:\n%q", small.String(), plain.String())
		}
	})
}

// TestTableLarge holds tables on both sides of the two bounds to each other.
func TestTableLarge(t *testing.T) {
	t.Parallel()
	write := func(rows []item) string {
		var b bytes.Buffer
		if err := Table(&b, itemColumns(), rows, TableOptions{}); err != nil {
			t.Error(err)
		}
		return b.String()
	}
	rows := items(maxRows + 1)
	if small, large := write(rows[:maxRows]), write(rows); !strings.HasPrefix(large, small) {
		t.Errorf("%d rows:\n%s\n%d rows:\n%s", maxRows, small, maxRows+1, large)
	}
	wide := items(1)
	wide[0].Name = strings.Repeat("名", maxBytes)
	lines := strings.Split(write(wide), "\n")
	if want := wide[0].Name + "  Read-Only     2024-04-22 01:12:36  utho token delete 10000  10000"; lines[1] != want {
		t.Errorf("a long cell was changed: %d bytes, want %d", len(lines[1]), len(want))
	}
}

// TestHostileNames holds every format for people to what a terminal may get: one line for each row,
// of text that prints.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	type writer func(*bytes.Buffer, []Column[string], []string) error
	for name, write := range map[string]writer{
		"table": func(b *bytes.Buffer, c []Column[string], r []string) error { return Table(b, c, r, TableOptions{}) },
		"plain table": func(b *bytes.Buffer, c []Column[string], r []string) error {
			return plainTable(b, []string{"A", "B"}, 2, len(r), func(row, col int) string { return Safe(c[col].Text(r[row])) })
		},
		"markdown": func(b *bytes.Buffer, c []Column[string], r []string) error {
			return Markdown(b, c, r, TableOptions{NoHeaders: true})
		},
		"csv": func(b *bytes.Buffer, c []Column[string], r []string) error { return CSV(b, c, r, TableOptions{}) },
		"pairs": func(b *bytes.Buffer, _ []Column[string], r []string) error {
			pairs := []Pair{{"A", "B"}}
			for _, s := range r {
				pairs = append(pairs, Pair{s, s})
			}
			return Pairs(b, pairs)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				text := func(s string) string { return s }
				cols := []Column[string]{{Key: "a", Header: "A", Text: text}, {Key: "b", Header: "B", Text: text}}
				rows := rapid.SliceOfN(hostile(), 1, 5).Draw(t, "rows")
				var b bytes.Buffer
				if err := write(&b, cols, rows); err != nil {
					t.Fatal(err)
				}
				lines := strings.SplitAfter(b.String(), "\n")
				want := len(rows) + 2 // the header and what follows the last newline
				if name == "markdown" {
					want--
				}
				if len(lines) != want || lines[len(lines)-1] != "" {
					t.Fatalf("%d lines for %d rows: %q", len(lines)-1, len(rows), b.String())
				}
				for _, line := range lines {
					line = strings.TrimSuffix(line, "\n")
					if problem := checkSafe(line, line); problem != "" {
						t.Fatalf("%q: %s", line, problem)
					}
				}
			})
		})
	}
}

func BenchmarkTablewriter(b *testing.B) {
	for _, n := range []int{1, 10, 20, 30, 40, 50, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			cells := make([][]string, n)
			headers := []string{"API NAME", "ACCESS SCOPE", "CREATED AT", "ACTION"}
			for i, row := range items(n) {
				cells[i] = []string{row.Name, row.Scope, row.Created, row.Action}
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := smallTable(new(bytes.Buffer), headers, len(headers), cells); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
