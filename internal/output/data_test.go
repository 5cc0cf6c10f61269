package output

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"
)

const name = "a <b> & \x1b\u009b\u202e\U000e0041"

func TestJSONGolden(t *testing.T) {
	t.Parallel()
	v := map[string]any{"name": name, "errors": []string{"x"}, "empty": []int{}, "none": nil}
	const inJSON = `"a <b> & \u001b\u009b\u202e\udb40\udc41"`
	for want, write := range map[string]func(io.Writer, any) error{
		"{\n  \"empty\": [],\n  \"errors\": [\n    \"x\"\n  ],\n  \"name\": " + inJSON + ",\n  \"none\": null\n}\n": JSON,
		`{"empty":[],"errors":["x"],"name":` + inJSON + `,"none":null}` + "\n":                                      JSONLine,
	} {
		var b bytes.Buffer
		if err := write(&b, v); err != nil || b.String() != want {
			t.Errorf("%v, got\n%s\nwant\n%s", err, b.String(), want)
		}
	}
}

func TestYAMLGolden(t *testing.T) {
	t.Parallel()
	type row struct {
		ID     string
		Errors []string `json:"errors"`
	}
	for want, v := range map[string]any{
		"null\n": nil, "\"\"\n": "", "7\n": 7, "true\n": true, "\"a <b> & \\u001b\\u009b\\u202e\\U000e0041\"\n": name,
		`count: -3
expires_at: null
account:
  ID: "no"
  errors: []
errors:
  - "x"
  - "two\nlines"
rows:
  - ID: "1"
    errors: null
  - ID: "2"
    errors:
      - "- y"
empty: {}
lists:
  - - 1
    - 2
  - []
  - - 3
`: struct {
			Count   int            `json:"count"`
			Expires *string        `json:"expires_at"`
			Token   string         `json:"token,omitempty"`
			Account *row           `json:"account"`
			Errors  []string       `json:"errors"`
			Rows    []row          `json:"rows"`
			Empty   map[string]int `json:"empty"`
			Lists   [][]int        `json:"lists"`
		}{
			Count: -3, Account: &row{"no", []string{}}, Errors: []string{"x", "two\nlines"}, Empty: map[string]int{},
			Rows: []row{{ID: "1"}, {"2", []string{"- y"}}}, Lists: [][]int{{1, 2}, {}, {3}},
		},
	} {
		var b bytes.Buffer
		if err := YAML(&b, v); err != nil || b.String() != want {
			t.Errorf("%v, got\n%s\nwant\n%s", err, b.String(), want)
		}
	}
}

// TestTrueValues writes trees with hostile text and reads the same values back from every format, in text that is
// safe to look at.
func TestTrueValues(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := tree(3).Draw(t, "value")
		formats := map[string]func(io.Writer) error{
			"json": func(w io.Writer) error { return JSON(w, want) },
			"yaml": func(w io.Writer) error { return YAML(w, want) },
		}
		if list, ok := want.([]any); ok {
			formats["json list"] = func(w io.Writer) error { return JSONList(w, list) }
		}
		for name, write := range formats {
			var b bytes.Buffer
			err := write(&b)
			doc := b.String()
			if i := strings.IndexFunc(doc, func(r rune) bool {
				return invisible(r) && r != '\n' && (r < 0xfe00 || r > 0xfe0f)
			}); err != nil || i >= 0 || !utf8.ValidString(doc) || !strings.HasSuffix(doc, "\n") {
				t.Fatalf("%s: %v, or not safe to look at (at %d): %+q", name, err, i, doc)
			}
			var got any
			if strings.HasPrefix(name, "json") {
				err = json.Unmarshal(b.Bytes(), &got)
			} else {
				err = yaml.Unmarshal(b.Bytes(), &got)
			}
			if err != nil || !reflect.DeepEqual(normal(got), normal(want)) {
				t.Fatalf("%s: %v\nwrote %+q\nread  %#v\nof    %#v", name, err, doc, normal(got), normal(want))
			}
		}
	})
}

// yamlTraps are texts that a reader of YAML would take for something else without quotes.
var yamlTraps = []string{
	"", "a: b", "a #b", "- a", "---", "*a", "&a", "!a", "%a", "@a", "`a", "|", ">", "[a", "{a", "'a'", "\"a\"", `a\b`, "=", "<<", "~",
	".inf", "null", "True", "yes", "No", "on", "y", "0123", "0x1f", "0o17", "1_000", "1e5", "-1", "12:30:45", "2024-04-22",
	"a\nb", "\x00", "\U0001fffe", "},", "],", "{", `": `,
}

// tree draws a value of JSON of at most the given depth.
func tree(depth int) *rapid.Generator[any] {
	scalars := []*rapid.Generator[any]{
		rapid.Map(hostile(), func(s string) any { return s }),
		rapid.Map(rapid.SampledFrom(yamlTraps), func(s string) any { return s }),
		rapid.Map(rapid.Int32(), func(n int32) any { return float64(n) }),
		rapid.Map(rapid.Bool(), func(v bool) any { return v }),
		rapid.Just[any](nil),
	}
	if depth == 0 {
		return rapid.OneOf(scalars...)
	}
	return rapid.OneOf(append(scalars,
		rapid.Map(rapid.SliceOfN(tree(depth-1), 0, 4), func(l []any) any { return l }),
		rapid.Map(rapid.MapOfN(rapid.StringMatching("[a-z]{3,5}_[a-z]"), tree(depth-1), 0, 4), func(m map[string]any) any { return m }),
	)...)
}

// normal gives the values that readers differ in one type: numbers are float64, and bytes that are not UTF-8 U+FFFD.
func normal(v any) (same any) {
	if data, err := json.Marshal(v); err != nil || json.Unmarshal(data, &same) != nil {
		panic(err)
	}
	return same
}

// TestNoValue: what has no JSON is an error, and nothing is written that could pass for a document.
func TestNoValue(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	none := []float64{1, math.Inf(1)}
	for i, err := range []error{JSON(&b, none), YAML(&b, none), JSONList(&b, none)} {
		if err == nil || b.Len() > 0 {
			t.Errorf("%d: %v, %q", i, err, b.String())
		}
	}
}
