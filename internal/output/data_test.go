package output

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
	"pgregory.net/rapid"
)

// document has every shape that a command writes.
type document struct {
	Name     string               `json:"name"`
	Count    int                  `json:"count"`
	OK       bool                 `json:"ok"`
	Expires  *string              `json:"expires_at"`
	Token    string               `json:"token,omitempty"`
	Account  *struct{ ID string } `json:"account"`
	Replaced *document            `json:"replaced,omitempty"`
	Errors   []string             `json:"errors"`
	Rows     []document           `json:"rows,omitempty"`
	Empty    map[string]int       `json:"empty"`
	Lists    [][]int              `json:"lists,omitempty"`
}

func sample() document {
	return document{
		Name: "a <b> & \"c\" \\ \x1b\u009b\u202e\U000e0041", Count: -3, OK: true,
		Account:  &struct{ ID string }{"32154"},
		Replaced: &document{Name: "no", Errors: []string{}},
		Errors:   []string{"x", "two\nlines", ""},
		Rows:     []document{{Name: "1"}, {Name: "2", Errors: []string{"- y"}}},
		Empty:    map[string]int{},
		Lists:    [][]int{{1, 2}, {}, {3}},
	}
}

func TestJSONGolden(t *testing.T) {
	t.Parallel()
	v := map[string]any{"name": sample().Name, "errors": []string{"x"}, "empty": []int{}, "none": nil}
	const name = `"a <b> & \"c\" \\ \u001b\u009b\u202e\udb40\udc41"`
	for want, write := range map[string]func(io.Writer, any) error{
		"{\n  \"empty\": [],\n  \"errors\": [\n    \"x\"\n  ],\n  \"name\": " + name + ",\n  \"none\": null\n}\n": JSON,
		`{"empty":[],"errors":["x"],"name":` + name + `,"none":null}` + "\n":                                      JSONLine,
	} {
		var b bytes.Buffer
		if err := write(&b, v); err != nil || b.String() != want {
			t.Errorf("%v, got\n%s\nwant\n%s", err, b.String(), want)
		}
	}
}

func TestYAMLGolden(t *testing.T) {
	t.Parallel()
	const want = `name: "a <b> & \"c\" \\ \u001b\u009b\u202e\U000e0041"
count: -3
ok: true
expires_at: null
account:
  ID: "32154"
replaced:
  name: "no"
  count: 0
  ok: false
  expires_at: null
  account: null
  errors: []
  empty: null
errors:
  - "x"
  - "two\nlines"
  - ""
rows:
  - name: "1"
    count: 0
    ok: false
    expires_at: null
    account: null
    errors: null
    empty: null
  - name: "2"
    count: 0
    ok: false
    expires_at: null
    account: null
    errors:
      - "- y"
    empty: null
empty: {}
lists:
  - - 1
    - 2
  - []
  - - 3
`
	var b bytes.Buffer
	if err := YAML(&b, sample()); err != nil {
		t.Fatal(err)
	}
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	for v, want := range map[any]string{nil: "null\n", "": "\"\"\n", "x": "\"x\"\n", 7: "7\n", true: "true\n"} {
		b.Reset()
		if err := YAML(&b, v); err != nil || b.String() != want {
			t.Errorf("YAML(%v) = %q, %v", v, b.String(), err)
		}
	}
}

// TestYAMLStrings: every string is in quotes, and a reader takes it for that string.
func TestYAMLStrings(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"", "ci", "a: b", "a #b", "- a", "---", "*a", "&a", "!a", "%a", "@a", "`a", "|", ">", "[a", "{a", "'a'", "\"a\"",
		`a\b`, "=", "<<", "~", ".inf", "null", "True", "yes", "No", "on", "y", "0123", "0x1f", "0o17", "1_000", "1e5", "-1",
		"12:30:45", "2024-04-22", "a\nb", "a\tb", "\r", "\b\f", "\u0085", "\ufeff", "\u2028", "\x00", "\x1b[0m", "\x7f",
		"\u200b", "\u202e", "\ufffd", "\ufffe", "\U0001fffe", "\U000e0001", "日本語", "🚀", "❤\ufe0f", "},", "],", "{", `": `,
	} {
		for _, v := range []any{s, []string{s}, map[string]string{"key": s}} {
			var b bytes.Buffer
			if err := YAML(&b, v); err != nil {
				t.Error(err)
				continue
			}
			want, got := reflect.New(reflect.TypeOf(v)), reflect.New(reflect.TypeOf(v))
			want.Elem().Set(reflect.ValueOf(v))
			err := yaml.Load(b.Bytes(), got.Interface())
			if err != nil || !reflect.DeepEqual(got.Interface(), want.Interface()) || !strings.HasSuffix(b.String(), "\"\n") {
				t.Errorf("%+q is written %+q and read %+v, %v", s, b.String(), got.Elem(), err)
			}
		}
	}
}

// TestTrueValues writes trees with hostile text and reads the same values back from every format, in text that is
// safe to look at.
func TestTrueValues(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := tree(3).Draw(t, "value")
		for name, write := range map[string]func(*bytes.Buffer) error{
			"json": func(b *bytes.Buffer) error { return JSON(b, want) },
			"yaml": func(b *bytes.Buffer) error { return YAML(b, want) },
			"json list": func(b *bytes.Buffer) error {
				if list, ok := want.([]any); ok {
					return JSONList(b, slices.Values(list))
				}
				return JSON(b, want)
			},
			"yaml list": func(b *bytes.Buffer) error {
				if list, ok := want.([]any); ok {
					return YAMLList(b, slices.Values(list))
				}
				return YAML(b, want)
			},
		} {
			var b bytes.Buffer
			if err := write(&b); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			doc := b.String()
			if i := strings.IndexFunc(doc, func(r rune) bool {
				return invisible(r) && r != '\n' && (r < 0xfe00 || r > 0xfe0f)
			}); i >= 0 || !utf8.ValidString(doc) || !strings.HasSuffix(doc, "\n") {
				t.Fatalf("%s is not safe to look at (at %d): %+q", name, i, doc)
			}
			var got any
			var err error
			if strings.HasPrefix(name, "json") {
				err = json.Unmarshal(b.Bytes(), &got)
			} else {
				err = yaml.Load(b.Bytes(), &got)
			}
			if err != nil || !reflect.DeepEqual(normal(got), normal(want)) {
				t.Fatalf("%s: %v\nwrote %+q\nread  %#v\nof    %#v", name, err, doc, normal(got), normal(want))
			}
		}
	})
}

// tree draws a value of JSON of at most the given depth.
func tree(depth int) *rapid.Generator[any] {
	scalars := []*rapid.Generator[any]{
		rapid.Map(hostile(), func(s string) any { return s }),
		rapid.Map(rapid.SampledFrom([]string{"yes", "null", "~", "1e3", "0x1", "- a", "a: b", "a #b"}), func(s string) any { return s }),
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

// normal gives the values that readers differ in one type: numbers are float64, and bytes that are not UTF-8 are
// U+FFFD, each by itself.
func normal(v any) any {
	switch v := v.(type) {
	case int:
		return float64(v)
	case string:
		return string([]rune(v))
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = normal(v[i])
		}
		return list
	case map[string]any:
		m := make(map[string]any, len(v))
		for k := range v {
			m[k] = normal(v[k])
		}
		return m
	}
	return v
}

// TestListsAgree holds the list writers to the writers of one value.
func TestListsAgree(t *testing.T) {
	t.Parallel()
	rows := items(2000)
	var list, value bytes.Buffer
	if err := JSONList(&list, slices.Values(rows)); err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSuffix(list.String(), "\n"), "\n") {
		switch {
		case i == 0 && line == "[", i == len(rows)+1 && line == "]":
		case !json.Valid([]byte(strings.TrimSuffix(line, ","))):
			t.Fatalf("line %d is not an object: %s", i, line)
		}
	}
	if err := JSON(&value, rows); err != nil {
		t.Fatal(err)
	}
	var compactList, compactValue bytes.Buffer
	if err := json.Compact(&compactList, list.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := json.Compact(&compactValue, value.Bytes()); err != nil {
		t.Fatal(err)
	}
	if compactList.String() != compactValue.String() {
		t.Error("JSONList and JSON write different values")
	}
	list.Reset()
	value.Reset()
	if err := YAMLList(&list, slices.Values(rows)); err != nil {
		t.Fatal(err)
	}
	if err := YAML(&value, rows); err != nil {
		t.Fatal(err)
	}
	if list.String() != value.String() {
		t.Error("YAMLList and YAML write different text")
	}
}

// TestNoValue: what has no JSON is an error, and nothing is written that could pass for a document.
func TestNoValue(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]func(*bytes.Buffer) error{
		"json":      func(b *bytes.Buffer) error { return JSON(b, math.NaN()) },
		"yaml":      func(b *bytes.Buffer) error { return YAML(b, math.NaN()) },
		"json list": func(b *bytes.Buffer) error { return JSONList(b, slices.Values([]float64{1, math.Inf(1)})) },
		"yaml list": func(b *bytes.Buffer) error { return YAMLList(b, slices.Values([]float64{1, math.Inf(1)})) },
	} {
		var b bytes.Buffer
		if err := write(&b); err == nil || b.Len() > 0 {
			t.Errorf("%s: %v, %q", name, err, b.String())
		}
	}
}
