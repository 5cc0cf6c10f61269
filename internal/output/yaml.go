package output

import (
	"bytes"
	"fmt"
	"io"
)

// YAML writes v as one document with the fields, names and order of [JSON], whose text it translates. Every string
// is in double quotes with the escapes of [JSON], which are those of YAML too, but for \UXXXXXXXX above U+FFFF; so
// no reader takes `no`, `0123` or a date for something else. Names of fields stand without quotes: they must be
// plain words, and none that YAML reads as a value (no, on).
//
// A YAML library is not used here: go.yaml.in/yaml writes bidirectional and zero-width controls as they are, and
// knows no json tags. The tests read back with it what is written here.
func YAML(w io.Writer, v any) error {
	return encode(w, "yaml", v, " ", func(doc []byte) []byte {
		return escape(blockStyle(doc), func(r rune) string { return fmt.Sprintf(`\U%08x`, r) })
	})
}

// blockStyle returns JSON with one value or bracket a line as YAML without brackets.
func blockStyle(doc []byte) []byte {
	var text, open []byte // open holds the brackets around a line
	for line := range bytes.Lines(doc) {
		line = bytes.Trim(line, " ,\n")
		last := line[len(line)-1]
		if len(line) == 1 && (last == '}' || last == ']') {
			open = open[:len(open)-1]
			continue
		}
		if bytes.HasSuffix(text, []byte("\n")) { // else it goes on behind the `- ` of its list
			text = append(text, bytes.Repeat([]byte("  "), len(open)-1)...)
		}
		inList := len(open) > 0 && open[len(open)-1] == '['
		if inList {
			text = append(text, "- "...)
		} else if len(open) > 0 {
			key, value, _ := bytes.Cut(line[1:], []byte(`": `))
			text = append(append(text, key...), ": "...)
			line = value
		}
		if last != '{' && last != '[' {
			text = append(append(text, line...), '\n')
			continue
		}
		if !inList && len(open) > 0 { // the value of a key begins in a line of its own
			text[len(text)-1] = '\n'
		}
		open = append(open, last)
	}
	return text
}
