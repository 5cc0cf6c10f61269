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
		"jsonlist": func(w io.Writer, rows []item) error { return JSONList(w, rows) },
		"yaml":     func(w io.Writer, rows []item) error { return YAML(w, rows) },
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
	for name, want := range map[string]string{
		"table": "" +
			"API NAME               ACCESS SCOPE  CREATED AT           ACTION\n" +
			"ci                     Write         2024-04-22 01:12:36  utho token delete 10000\n" +
			"日本e\u0301👩\u200d💻 \\x1b[31m|=1+1  Read-Only     soon                 utho token delete 'a b'\n" +
			"                       Write                              utho token delete 10004\n",
		"markdown": "" +
			"| API NAME | ACCESS SCOPE | CREATED AT | ACTION | ID |\n" +
			"| --- | --- | --- | --- | --- |\n" +
			"| ci | Write | 2024-04-22 01:12:36 | utho token delete 10000 | 10000 |\n" +
			"| 日本e\u0301👩\u200d💻 \\\\x1b\\[31m\\|=1+1 | Read-Only | soon | utho token delete 'a b' | a b |\n" +
			"|  | Write |  | utho token delete 10004 | 10004 |\n",
		"csv": "" +
			"name,scope,created,action,id\n" +
			"ci,Write,2024-04-22 01:12:36,utho token delete 10000,10000\n" +
			"日本e\u0301👩\u200d💻 \\x1b[31m|=1+1,Read-Only,soon,utho token delete 'a b',a b\n" +
			",Write,,utho token delete 10004,10004\n",
		"jsonlist": "[\n" +
			`{"id":"10000","name":"ci","access_scope":"Write","created_at_raw":"2024-04-22 01:12:36","expires_at":null},` + "\n" +
			`{"id":"a b","name":"日本e` + "\u0301👩" + `\u200d💻 \u001b[31m|=1+1","access_scope":"Read-Only","created_at_raw":"soon","expires_at":null},` +
			"\n" + `{"id":"10004","name":"","access_scope":"Write","created_at_raw":"","expires_at":null}` + "\n]\n",
		"pairs": "ROWS: 3\n10000: ci\na b: 日本e\u0301👩\u200d💻 \\x1b[31m|=1+1\n10004:\n",
	} {
		var b bytes.Buffer
		if err := formats()[name](&b, few); err != nil || b.String() != want {
			t.Errorf("%s: %v, got\n%s\nwant\n%s", name, err, b.String(), want)
		}
	}
}

func TestEmptyList(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"table": "API NAME  ACCESS SCOPE  CREATED AT  ACTION\n", "wide": "API NAME  ACCESS SCOPE  CREATED AT  ACTION  ID\n",
		"markdown": "| API NAME | ACCESS SCOPE | CREATED AT | ACTION | ID |\n| --- | --- | --- | --- | --- |\n",
		"csv":      "name,scope,created,action,id\n", "json": "[]\n", "jsonlist": "[]\n", "yaml": "[]\n",
	} {
		var b bytes.Buffer
		if err := formats()[name](&b, []item{}); err != nil || b.String() != want {
			t.Errorf("%s: %v, %q, want %q", name, err, b.String(), want)
		}
	}
	var b bytes.Buffer
	for _, write := range []func(io.Writer, []Column[item], []item, TableOptions) error{CSV[item], Markdown[item], Table[item]} {
		if err := write(&b, itemColumns(), nil, TableOptions{NoHeaders: true}); err != nil || b.Len() > 0 {
			t.Errorf("%v, %q, want nothing", err, b.String())
		}
	}
}

// failing takes so many bytes and then fails, as a full disk does.
type failing int

func (f failing) Write([]byte) (int, error) { return int(f), syscall.ENOSPC }

// TestFailedWrite lets every format fail before, in and at the end of its output, small and large.
func TestFailedWrite(t *testing.T) {
	t.Parallel()
	for name, write := range formats() {
		for _, rows := range [][]item{few, slices.Repeat(few, maxRows)} {
			var b bytes.Buffer
			if err := write(&b, rows); err != nil {
				t.Fatal(err)
			}
			for _, at := range []int{0, 1, b.Len() / 2, b.Len() - 1} {
				if err := write(failing(at), rows); !errors.Is(err, syscall.ENOSPC) || !strings.HasPrefix(err.Error(), "write ") {
					t.Errorf("%s, %d rows, fails after %d bytes of %d: %v", name, len(rows), at, b.Len(), err)
				}
			}
		}
	}
}

func TestSelect(t *testing.T) {
	t.Parallel()
	const there = " (there are name, scope, created, action, id)"
	for keys, want := range map[string]string{ // keys, or the error
		"id,name": "id,name", "action": "action", "name,ID": `unknown column "ID"` + there,
		"\x1b": `unknown column "\x1b"` + there, "name,": `unknown column ""` + there, "id,name,id": `column "id" named twice`,
	} {
		cols, err := Select(itemColumns(), strings.Split(keys, ","))
		got := ""
		for _, c := range cols {
			got += "," + c.Key
		}
		if err != nil {
			got = "," + err.Error()
		}
		if got != ","+want {
			t.Errorf("Select(%q) = %s, want %s", keys, got[1:], want)
		}
	}
}
