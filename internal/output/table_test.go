package output

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
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

// TestTableIgnoresEnvironment runs the golden test again where tablewriter would find another locale and a tab
// width: its width library reads both once, when the program starts.
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
		{"no headers", two, []string{"x", "yy"}, TableOptions{NoHeaders: true}, "x   x\nyy  yy\n"},
		{"no trailing blanks", two, []string{"", "x  "}, TableOptions{}, "A    B\n\nx    x\n"},
		{"leading blanks stay", one, []string{"  x"}, TableOptions{}, "A\n  x\n"},
		{"never cut or wrapped", two, []string{long}, TableOptions{NoHeaders: true, Width: 40}, long + "  " + long + "\n"},
		{"one line each", one, []string{"a\nb\tc\x1b"}, TableOptions{}, "A\na\\nb\\tc\\x1b\n"},
		{"mark before blank", two, []string{"\u0600", "ab"}, TableOptions{NoHeaders: true}, "\u0600    \u0600\nab  ab\n"},
	} {
		var b bytes.Buffer
		if err := Table(&b, tt.cols, tt.rows, tt.o); err != nil || b.String() != tt.want {
			t.Errorf("%s: %v, got\n%q\nwant\n%q", tt.name, err, b.String(), tt.want)
		}
	}
}

// TestTableWidth: columns that have a short text use it if the table is wider than the terminal, and in no other
// case; what is wider all the same is not cut.
func TestTableWidth(t *testing.T) {
	t.Parallel()
	cols := []Column[string]{
		{Header: "NAME", Text: func(s string) string { return s }},
		{Header: "ACTION", Text: func(string) string { return "utho delete 1" }, Short: func(string) string { return "delete 1" }},
	}
	full := "NAME  ACTION\nci    utho delete 1\n"
	short := "NAME  ACTION\nci    delete 1\n"
	for terminal, want := range map[int]string{0: full, 200: full, 19: full, 18: short, 14: short, 5: short} {
		var b bytes.Buffer
		if err := Table(&b, cols, []string{"ci"}, TableOptions{Width: terminal}); err != nil || b.String() != want {
			t.Errorf("on %d cells: %v\n%s", terminal, err, b.String())
		}
	}
}

// TestTablesEqual holds tablewriter and the plain writer to the very same bytes.
func TestTablesEqual(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		cols := textColumns(rapid.IntRange(1, 7).Draw(t, "cols"))
		rows := rapid.SliceOfN(rapid.SliceOfN(hostile(), len(cols), len(cols)), 1, 12).Draw(t, "rows")
		o := TableOptions{NoHeaders: rapid.Bool().Draw(t, "no headers")}
		var rendered, plain bytes.Buffer
		if err := Table(&rendered, cols, rows, o); err != nil {
			t.Fatal(err)
		}
		many := slices.Concat(rows, slices.Repeat(rows[:1], maxRows))
		if err := Table(&plain, cols, many, o); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(plain.String(), rendered.String()) {
			t.Fatalf("tablewriter:\n%q\nplain:\n%q", rendered.String(), plain.String())
		}
	})
}

// TestHostileNames holds every format for people to what a terminal may get: one line for each row, of text that
// prints.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	type writer func(*bytes.Buffer, []Column[string], []string) error
	for name, write := range map[string]writer{
		"table": func(b *bytes.Buffer, c []Column[string], r []string) error { return Table(b, c, r, TableOptions{}) },
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
