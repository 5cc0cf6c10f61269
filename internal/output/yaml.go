package output

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"iter"
	"strings"
	"unicode/utf8"
)

// YAML writes v as one document with the fields, names and order of [JSON], whose text it translates.
// A string is plain where every reader of YAML 1.1 and 1.2 takes it for a string, and in double quotes
// otherwise, with the escapes of [JSON]; above U+FFFF these are \UXXXXXXXX, since YAML knows no
// surrogates.
//
// A YAML library is not used here: go.yaml.in/yaml writes bidirectional and zero-width controls as
// they are, knows no json tags, and holds the document as a tree, which for 100,000 tokens is hundreds
// of megabytes. The tests read back with it what is written here.
func YAML(w io.Writer, v any) error {
	var doc bytes.Buffer
	if err := newEncoder(&doc).Encode(v); err != nil {
		return wrap("yaml", err)
	}
	y := yamlText{json: doc.Bytes()}
	y.node(0, false)
	_, err := w.Write(y.text)
	return wrap("yaml", err)
}

// YAMLList writes rows as the one list that [YAML] writes for them; it holds one row at a time.
func YAMLList[T any](w io.Writer, rows iter.Seq[T]) error {
	out := bufio.NewWriterSize(w, bufferSize)
	var doc bytes.Buffer
	var y yamlText
	enc := newEncoder(&doc)
	end := "[]\n"
	var row T // one for all, since what the encoder is given is allocated
	for row = range rows {
		doc.Reset()
		if err := enc.Encode(&row); err != nil {
			return wrap("yaml", err)
		}
		y.json, y.text = doc.Bytes(), append(y.text[:0], "- "...)
		y.node(2, false)
		if _, err := out.Write(y.text); err != nil {
			return wrap("yaml", err)
		}
		end = ""
	}
	if _, err := out.WriteString(end); err != nil {
		return wrap("yaml", err)
	}
	return wrap("yaml", out.Flush())
}

// yamlText translates a value of JSON, which must be valid and compact, into YAML.
type yamlText struct {
	json []byte // what is left
	text []byte // what is done
}

// node moves one value over, with the end of its last line. Where it is a collection, its lines are
// indented by indent; the first one only where the value belongs to a key, since behind `- ` it goes
// on in the same line.
func (y *yamlText) node(indent int, afterKey bool) {
	open := y.json[0]
	if (open == '{' || open == '[') && y.json[1] != open+2 { // in ASCII } is { + 2, and ] is [ + 2
		if afterKey {
			y.text = append(y.text, '\n')
		}
		for first := true; y.json[0] != open+2; first = false {
			y.json = y.json[1:] // the bracket or a comma
			if afterKey || !first {
				for range indent {
					y.text = append(y.text, ' ')
				}
			}
			if open == '[' {
				y.text = append(y.text, "- "...)
			} else {
				y.scalar()
				y.text = append(y.text, ':')
				y.json = y.json[1:] // the colon
			}
			y.node(indent+2, open == '{')
		}
		y.json = y.json[1:]
		return
	}
	if afterKey {
		y.text = append(y.text, ' ')
	}
	y.scalar()
	y.text = append(y.text, '\n')
}

// scalar moves a string, a number, a word or an empty collection over.
func (y *yamlText) scalar() {
	switch y.json[0] {
	case '"':
		end := 1
		escaped := false
		for ; y.json[end] != '"'; end++ {
			if y.json[end] == '\\' {
				escaped = true
				end++
			}
		}
		s := string(y.json[1:end])
		if escaped {
			// The error is impossible: encoding/json wrote this string.
			_ = json.Unmarshal(y.json[:end+1], &s)
		}
		y.text = appendYAMLString(y.text, s)
		y.json = y.json[end+1:]
	case '{', '[':
		y.text = append(y.text, y.json[:2]...)
		y.json = y.json[2:]
	default:
		end := bytes.IndexAny(y.json, ",]}\n")
		y.text = append(y.text, y.json[:end]...)
		y.json = y.json[end:]
	}
}

// appendYAMLString appends s plain or in double quotes, on one line.
func appendYAMLString(to []byte, s string) []byte {
	if plainYAML(s) {
		return append(to, s...)
	}
	to = append(to, '"')
	for _, r := range s { // a byte that is not UTF-8 comes as U+FFFD
		switch {
		case r == '"' || r == '\\':
			to = append(to, '\\', byte(r))
		case r == '\n':
			to = append(to, `\n`...)
		case r == '\r':
			to = append(to, `\r`...)
		case r == '\t':
			to = append(to, `\t`...)
		case r > 0xffff && invisibleInData(r):
			to = appendHex(append(to, `\U`...), r, 8)
		case invisibleInData(r):
			to = appendHex(append(to, `\u`...), r, 4)
		default:
			to = utf8.AppendRune(to, r)
		}
	}
	return append(to, '"')
}

// plainYAML reports whether s without quotes is the string s, in a block, to readers of YAML 1.1 too,
// to which `no` and `on` are booleans. It starts with a letter, so that it is no number, date, or mark,
// and is of characters that mean nothing; a colon within a word is one of them.
func plainYAML(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
		case i == 0:
			return false
		case '0' <= c && c <= '9', strings.IndexByte("_-./@+", c) >= 0:
		case c == ' ' && i+1 < len(s):
		case c == ':' && i+1 < len(s) && s[i+1] != ' ':
		default:
			return false
		}
	}
	if len(s) <= len("false") {
		switch strings.ToLower(s) {
		case "", "y", "n", "yes", "no", "on", "off", "true", "false", "null":
			return false
		}
	}
	return true
}
