package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

// JSON writes v as one document, indented by two, with a newline at its end. Strings carry their true value; DEL,
// C1, bidirectional, zero-width and other invisible characters are \uXXXX escapes, so that the document is safe to
// look at too. Bytes that are not UTF-8 become U+FFFD.
func JSON(w io.Writer, v any) error { return encode(w, "json", v, "  ", escapeJSON) }

// JSONLine writes v as one document on one line, for a stream that carries other lines too. Strings are written as
// by [JSON].
func JSONLine(w io.Writer, v any) error { return encode(w, "json", v, "", escapeJSON) }

// JSONList writes rows as one array with an object in each line, so that long lists are quick to write and pleasant
// to grep. No rows are `[]`. Strings are written as by [JSON].
func JSONList[T any](w io.Writer, rows []T) error {
	var doc bytes.Buffer
	doc.Grow(256 * len(rows)) // which is enough for most
	enc := newEncoder(&doc)
	doc.WriteByte('[')
	for i := range rows {
		if i > 0 {
			doc.Truncate(doc.Len() - 1) // the newline that the encoder puts behind a value
			doc.WriteByte(',')
		}
		doc.WriteByte('\n')
		if err := enc.Encode(&rows[i]); err != nil {
			return fmt.Errorf("write json: %w", err)
		}
	}
	doc.WriteString("]\n")
	return write(w, "json", escapeJSON(doc.Bytes()))
}

// encode writes v as JSON that finish has changed; what is being written is named in the error.
func encode(w io.Writer, what string, v any, indent string, finish func([]byte) []byte) error {
	var doc bytes.Buffer
	enc := newEncoder(&doc)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("write %s: %w", what, err)
	}
	return write(w, what, finish(doc.Bytes()))
}

// escapeJSON is escape for JSON, where a character above U+FFFF is two escapes.
func escapeJSON(doc []byte) []byte {
	return escape(doc, func(r rune) string {
		high, low := utf16.EncodeRune(r)
		return fmt.Sprintf(`\u%04x\u%04x`, high, low)
	})
}

func newEncoder(w io.Writer) *json.Encoder {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc
}

// escape gives the JSON text doc with its invisible characters, which only strings have, as \uXXXX; wide spells those
// above U+FFFF. The variation selectors of emoji stay; joiners are escaped everywhere.
func escape(doc []byte, wide func(rune) string) []byte {
	var escaped []byte
	done := 0 // doc[:done] is in escaped
	for i, size := 0, 0; i < len(doc); i += size {
		if doc[i] < 0x7f {
			size = 1
			continue
		}
		var r rune
		r, size = utf8.DecodeRune(doc[i:])
		if !invisible(r) || 0xfe00 <= r && r <= 0xfe0f {
			continue
		}
		spelled := fmt.Sprintf(`\u%04x`, r)
		if r > 0xffff {
			spelled = wide(r)
		}
		escaped = append(append(escaped, doc[done:i]...), spelled...)
		done = i + size
	}
	if done == 0 {
		return doc
	}
	return append(escaped, doc[done:]...)
}
