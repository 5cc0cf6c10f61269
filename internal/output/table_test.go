package output

import (
	"bytes"
	"encoding/csv"
	"errors"
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

var few = []item{
	{ID: "10000", Name: "ci", Scope: "Write", Created: "2024-04-22 01:12:36"},
	{ID: "a b", Name: "日本e\u0301👩\u200d💻 \x1b[31m|=1+1", Scope: "Read-Only", Created: "soon"},
	{ID: "10004", Scope: "Write"},
}

// TestTableIgnoresEnvironment runs the golden test again where tablewriter would find another locale and a tab
// width: its width library reads both once, when the program starts.
func TestTableIgnoresEnvironment(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	err := os.WriteFile(dir+"/.editorconfig", []byte("root = true\n[*]\nindent_size = 7\ntab_width = 7\n"), 0o600)
	cmd := exec.Command(os.Args[0], "-test.run=^TestGolden$", "-test.v")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "LC_ALL=ja_JP.UTF-8", "LANG=ja_JP.UTF-8", "RUNEWIDTH_EASTASIAN=1")
	out, err2 := cmd.CombinedOutput()
	if err != nil || err2 != nil || !bytes.Contains(out, []byte("--- PASS: TestGolden")) {
		t.Errorf("%v, %v\n%s", err, err2, out)
	}
}

func TestTableShapes(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("long ", 100) + "end"
	type rows = [][]string
	for _, tt := range []struct {
		name string
		rows rows
		o    TableOptions
		want string
	}{
		{"no headers", rows{{"x", "y"}, {"yy", ""}}, TableOptions{NoHeaders: true}, "x   y\nyy\n"},
		{"no trailing blanks", rows{{"", ""}, {"x  ", "x  "}}, TableOptions{}, "A    B\n\nx    x\n"},
		{"leading blanks stay", rows{{"  x"}}, TableOptions{}, "A\n  x\n"},
		{"never cut or wrapped", rows{{long, long}}, TableOptions{NoHeaders: true, Width: 40}, long + "  " + long + "\n"},
		{"mark before blank", rows{{"\u0600", "x"}, {"ab", "x"}}, TableOptions{NoHeaders: true}, "\u0600   x\nab  x\n"},
	} {
		var b bytes.Buffer
		if err := Table(&b, textColumns(len(tt.rows[0])), tt.rows, tt.o); err != nil || b.String() != tt.want {
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
	full, short := "NAME  ACTION\nci    utho delete 1\n", "NAME  ACTION\nci    delete 1\n"
	for terminal, want := range map[int]string{0: full, 200: full, 19: full, 18: short, 14: short, 5: short} {
		var b bytes.Buffer
		if err := Table(&b, cols, []string{"ci"}, TableOptions{Width: terminal}); err != nil || b.String() != want {
			t.Errorf("on %d cells: %v\n%s", terminal, err, b.String())
		}
	}
}

// TestTables holds tablewriter and the plain writer to the very same bytes, and a column to the same place in every
// line.
func TestTables(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 7).Draw(t, "columns")
		cols := textColumns(n)
		rows := rapid.SliceOfN(rapid.SliceOfN(hostile(), n, n), 1, 12).Draw(t, "rows")
		marked, o := rapid.Bool().Draw(t, "last column is |"), TableOptions{NoHeaders: rapid.Bool().Draw(t, "no headers")}
		if marked {
			cols[n-1].Header, cols[n-1].Text = "|", func([]string) string { return "|" }
		}
		var rendered, plain bytes.Buffer
		err := Table(&rendered, cols, rows, o)
		err = errors.Join(err, Table(&plain, cols, slices.Concat(rows, slices.Repeat(rows[:1], maxRows)), o))
		if err != nil || !strings.HasPrefix(plain.String(), rendered.String()) {
			t.Fatalf("%v, tablewriter:\n%q\nplain:\n%q", err, rendered.String(), plain.String())
		}
		at := map[int]bool{}
		for line := range strings.Lines(rendered.String()) {
			at[width(strings.TrimSuffix(line, "|\n"))] = true
		}
		if marked && len(at) != 1 {
			t.Fatalf("the last column begins at %v:\n%s", at, rendered.String())
		}
	})
}

// TestHostileNames holds every format for people to what a terminal may get: one line for each row, of text that
// prints. CSV reads back as the cells that were meant, none of them a formula.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rows := make([]item, rapid.IntRange(1, 5).Draw(t, "rows"))
		for i := range rows {
			rows[i] = item{ID: hostile().Draw(t, "id"), Name: hostile().Draw(t, "name"), Scope: hostile().Draw(t, "scope")}
			if got := Safe(rows[i].Name); checkSafe(rows[i].Name, got) != "" {
				t.Fatalf("Safe(%+q) = %+q: %s", rows[i].Name, got, checkSafe(rows[i].Name, got))
			}
		}
		var b bytes.Buffer
		for name, headers := range map[string]int{"table": 1, "wide": 1, "markdown": 2, "pairs": 1, "csv": 1} {
			b.Reset()
			err := formats()[name](&b, rows)
			if err != nil || strings.Count(b.String(), "\n") != headers+len(rows) || !strings.HasSuffix(b.String(), "\n") {
				t.Fatalf("%s: %v, %d rows: %q", name, err, len(rows), b.String())
			}
			for line := range strings.SplitSeq(b.String(), "\n") {
				if problem := checkSafe(line, line); problem != "" {
					t.Fatalf("%s: %q: %s", name, line, problem)
				}
			}
			if name != "csv" {
				continue
			}
			got, err := csv.NewReader(&b).ReadAll()
			if err != nil || len(got) != 1+len(rows) {
				t.Fatalf("%d records for %d rows, %v", len(got), len(rows), err)
			}
			for i, r := range rows {
				for at, text := range map[int]string{0: r.Name, 1: r.Scope, 4: r.ID} {
					cell := got[i+1][at]
					if unmarked := strings.TrimPrefix(cell, "'"); cell != Safe(text) && unmarked != Safe(text) ||
						cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
						t.Fatalf("%q became %q", text, cell)
					}
				}
			}
		}
	})
}
