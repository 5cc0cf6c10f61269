package output

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"iter"
	"unicode/utf16"
	"unicode/utf8"
)

// JSON writes v as one document, indented by two, with a newline at its end. Strings carry their true
// value; DEL, C1, bidirectional, zero-width and other invisible characters are \uXXXX escapes, so
// that the document is safe to look at too. Bytes that are not UTF-8 become U+FFFD.
func JSON(w io.Writer, v any) error {
	var b bytes.Buffer
	enc := newEncoder(&b)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return wrap("json", err)
	}
	_, err := w.Write(escapeInvisible(nil, b.Bytes()))
	return wrap("json", err)
}

// JSONList writes rows as one array with an object in each line, so that long lists are quick to write
// and pleasant to grep; it holds one row at a time. No rows are `[]`. Strings are written as by [JSON].
func JSONList[T any](w io.Writer, rows iter.Seq[T]) error {
	out := bufio.NewWriterSize(w, bufferSize)
	var doc bytes.Buffer
	var line []byte
	enc := newEncoder(&doc)
	before, end := "[\n", "[]\n"
	var row T // one for all, since what the encoder is given is allocated
	for row = range rows {
		doc.Reset()
		if err := enc.Encode(&row); err != nil {
			return wrap("json", err)
		}
		line = append(line[:0], before...)
		line = escapeInvisible(line, bytes.TrimSuffix(doc.Bytes(), []byte("\n")))
		if _, err := out.Write(line); err != nil {
			return wrap("json", err)
		}
		before, end = ",\n", "\n]\n"
	}
	if _, err := out.WriteString(end); err != nil {
		return wrap("json", err)
	}
	return wrap("json", out.Flush())
}

// newEncoder returns an encoder that leaves <, > and & alone.
func newEncoder(w io.Writer) *json.Encoder {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc
}

// escapeInvisible appends the JSON text doc with its invisible characters as escapes. Outside strings
// JSON is printable ASCII, so what is found is always inside one.
func escapeInvisible(to, doc []byte) []byte {
	done := 0
	for i := 0; ; {
		for i < len(doc) && doc[i] < 0x7f {
			i++
		}
		if i == len(doc) {
			return append(to, doc[done:]...)
		}
		r, n := utf8.DecodeRune(doc[i:])
		if invisibleInData(r) || r == utf8.RuneError && n == 1 {
			to = append(to, doc[done:i]...)
			to = appendUnicodeEscape(to, r)
			done = i + n
		}
		i += n
	}
}

// invisibleInData reports whether JSON and YAML escape r. They keep the variation selectors that
// emoji are written with, and escape joiners everywhere.
func invisibleInData(r rune) bool {
	return invisible(r) && (r < 0xfe00 || r > 0xfe0f)
}

// appendUnicodeEscape appends r as JSON spells it: \uXXXX, twice above U+FFFF.
func appendUnicodeEscape(to []byte, r rune) []byte {
	if r > 0xffff {
		high, low := utf16.EncodeRune(r)
		return appendHex(append(appendHex(append(to, `\u`...), high, 4), `\u`...), low, 4)
	}
	return appendHex(append(to, `\u`...), r, 4)
}

// JSONLine writes v as one document on one line, for a stream that carries other lines too. Strings
// are written as by [JSON].
func JSONLine(w io.Writer, v any) error {
	var b bytes.Buffer
	if err := newEncoder(&b).Encode(v); err != nil {
		return wrap("json", err)
	}
	_, err := w.Write(escapeInvisible(nil, b.Bytes()))
	return wrap("json", err)
}
