package output

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// formats are the writers of lists, for what holds of all of them.
func formats() map[string]func(io.Writer, []item) error {
	cols := itemColumns()
	return map[string]func(io.Writer, []item) error{
		"table":    func(w io.Writer, rows []item) error { return Table(w, Narrow(cols), rows, TableOptions{}) },
		"wide":     func(w io.Writer, rows []item) error { return Table(w, cols, rows, TableOptions{}) },
		"markdown": func(w io.Writer, rows []item) error { return Markdown(w, cols, rows, TableOptions{}) },
		"csv":      func(w io.Writer, rows []item) error { return CSV(w, cols, rows, TableOptions{}) },
		"json":     func(w io.Writer, rows []item) error { return JSON(w, rows) },
		"jsonlist": func(w io.Writer, rows []item) error { return JSONList(w, slices.Values(rows)) },
		"yaml":     func(w io.Writer, rows []item) error { return YAML(w, rows) },
		"yamllist": func(w io.Writer, rows []item) error { return YAMLList(w, slices.Values(rows)) },
		"pairs": func(w io.Writer, rows []item) error {
			pairs := []Pair{{"ROWS", fmt.Sprint(len(rows))}}
			for _, r := range rows {
				pairs = append(pairs, Pair{r.ID, r.Name})
			}
			return Pairs(w, pairs)
		},
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"markdown": "" +
			"| API NAME | ACCESS SCOPE | CREATED AT | ACTION | ID |\n" +
			"| --- | --- | --- | --- | --- |\n" +
			"| ci | Write | 2024-04-22 01:12:36 | utho token delete 10000 | 10000 |\n" +
			"| 日本語 | Read-Only | 2024-04-22 01:16:51 | utho token delete 10001 | 10001 |\n" +
			"| cafe\u0301 \\\\x1b\\[31m\\|=1+1 | Write | soon | utho token delete 10002 | 10002 |\n" +
			"| 👩\u200d💻 mañana | Read-Only |  | utho token delete 'a b' | a b |\n" +
			"|  | Write | 2024-04-22 01:16:51 | utho token delete 10004 | 10004 |\n",
		"csv": "" +
			"name,scope,created,action,id\n" +
			"ci,Write,2024-04-22 01:12:36,utho token delete 10000,10000\n" +
			"日本語,Read-Only,2024-04-22 01:16:51,utho token delete 10001,10001\n" +
			"cafe\u0301 \\x1b[31m|=1+1,Write,soon,utho token delete 10002,10002\n" +
			"👩\u200d💻 mañana,Read-Only,,utho token delete 'a b',a b\n" +
			",Write,2024-04-22 01:16:51,utho token delete 10004,10004\n",
		"jsonlist": "[\n" +
			`{"id":"10000","name":"ci","access_scope":"Write","created_at_raw":"2024-04-22 01:12:36",` +
			`"expires_at":null,"action":"utho token delete 10000"},` + "\n" +
			`{"id":"10001","name":"日本語","access_scope":"Read-Only","created_at_raw":"2024-04-22 01:16:51",` +
			`"expires_at":null,"action":"utho token delete 10001"},` + "\n" +
			`{"id":"10002","name":"cafe` + "\u0301" + ` \u001b[31m|=1+1","access_scope":"Write","created_at_raw":"soon",` +
			`"expires_at":null,"action":"utho token delete 10002"},` + "\n" +
			`{"id":"a b","name":"👩\u200d💻 mañana","access_scope":"Read-Only","created_at_raw":"",` +
			`"expires_at":null,"action":"utho token delete 'a b'"},` + "\n" +
			`{"id":"10004","name":"","access_scope":"Write","created_at_raw":"2024-04-22 01:16:51",` +
			`"expires_at":null,"action":"utho token delete 10004"}` + "\n]\n",
		"yamllist": "" +
			"- id: \"10000\"\n  name: \"ci\"\n  access_scope: \"Write\"\n  created_at_raw: \"2024-04-22 01:12:36\"\n" +
			"  expires_at: null\n  action: \"utho token delete 10000\"\n" +
			"- id: \"10001\"\n  name: \"日本語\"\n  access_scope: \"Read-Only\"\n  created_at_raw: \"2024-04-22 01:16:51\"\n" +
			"  expires_at: null\n  action: \"utho token delete 10001\"\n" +
			"- id: \"10002\"\n  name: \"cafe\u0301 \\u001b[31m|=1+1\"\n  access_scope: \"Write\"\n  created_at_raw: \"soon\"\n" +
			"  expires_at: null\n  action: \"utho token delete 10002\"\n" +
			"- id: \"a b\"\n  name: \"👩\\u200d💻 mañana\"\n  access_scope: \"Read-Only\"\n  created_at_raw: \"\"\n" +
			"  expires_at: null\n  action: \"utho token delete 'a b'\"\n" +
			"- id: \"10004\"\n  name: \"\"\n  access_scope: \"Write\"\n  created_at_raw: \"2024-04-22 01:16:51\"\n" +
			"  expires_at: null\n  action: \"utho token delete 10004\"\n",
		"pairs": "ROWS: 5\n10000: ci\n10001: 日本語\n10002: cafe\u0301 \\x1b[31m|=1+1\na b: 👩\u200d💻 mañana\n10004:\n",
	} {
		var b bytes.Buffer
		if err := formats()[name](&b, few); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if b.String() != want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, b.String(), want)
		}
	}
}

func TestEmptyList(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"table":    "API NAME  ACCESS SCOPE  CREATED AT  ACTION\n",
		"wide":     "API NAME  ACCESS SCOPE  CREATED AT  ACTION  ID\n",
		"markdown": "| API NAME | ACCESS SCOPE | CREATED AT | ACTION | ID |\n| --- | --- | --- | --- | --- |\n",
		"csv":      "name,scope,created,action,id\n",
		"json":     "[]\n",
		"jsonlist": "[]\n",
		"yaml":     "[]\n",
		"yamllist": "[]\n",
	} {
		var b bytes.Buffer
		if err := formats()[name](&b, []item{}); err != nil || b.String() != want {
			t.Errorf("%s: %v, %q, want %q", name, err, b.String(), want)
		}
	}
	var b bytes.Buffer
	for _, write := range []func() error{
		func() error { return CSV(&b, itemColumns(), nil, TableOptions{NoHeaders: true}) },
		func() error { return Markdown(&b, itemColumns(), nil, TableOptions{NoHeaders: true}) },
		func() error { return Table(&b, itemColumns(), nil, TableOptions{NoHeaders: true}) },
		func() error { return Pairs(&b, nil) },
	} {
		if err := write(); err != nil || b.Len() > 0 {
			t.Errorf("%v, %q, want nothing", err, b.String())
		}
	}
	if err := JSONList(&b, slices.Values([]item{})); err != nil || b.String() != "[]\n" {
		t.Errorf("JSONList of nothing: %v, %q", err, b.String())
	}
}

// failing takes n bytes and then fails, as a full disk does.
type failing struct{ n int }

func (f *failing) Write(p []byte) (int, error) {
	if len(p) > f.n {
		return f.n, syscall.ENOSPC
	}
	f.n -= len(p)
	return len(p), nil
}

// TestFailedWrite lets every format fail before, in and at the end of its output, small and large.
func TestFailedWrite(t *testing.T) {
	t.Parallel()
	for name, write := range formats() {
		for _, rows := range [][]item{few, items(100)} {
			var b bytes.Buffer
			if err := write(&b, rows); err != nil {
				t.Fatal(err)
			}
			for _, at := range []int{0, 1, b.Len() / 2, b.Len() - 1} {
				if err := write(&failing{at}, rows); !errors.Is(err, syscall.ENOSPC) || !strings.HasPrefix(err.Error(), "write ") {
					t.Errorf("%s, %d rows, fails after %d bytes of %d: %v", name, len(rows), at, b.Len(), err)
				}
			}
		}
	}
}

func TestSelect(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		keys []string
		want string // keys, or the error
	}{
		{[]string{"id", "name"}, "id name"},
		{[]string{"action"}, "action"},
		{nil, "no column named (there are name, scope, created, action, id)"},
		{[]string{"name", "ID"}, `unknown column "ID" (there are name, scope, created, action, id)`},
		{[]string{""}, `unknown column "" (there are name, scope, created, action, id)`},
		{[]string{"\x1b"}, `unknown column "\x1b" (there are name, scope, created, action, id)`},
		{[]string{"id", "name", "id"}, `column "id" named twice`},
	} {
		cols, err := Select(itemColumns(), tt.keys)
		var got []string
		for _, c := range cols {
			got = append(got, c.Key)
		}
		if err != nil {
			got = []string{err.Error()}
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("Select(%q) = %q, want %q", tt.keys, got, tt.want)
		}
	}
}

func BenchmarkList(b *testing.B) {
	for _, n := range []int{10, 1000, 10_000} {
		rows := items(n)
		for name, write := range formats() {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := write(io.Discard, rows); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
