package utho

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// A list of 100,000 tokens is 8 MB, and decoding it is most of what listing costs: 126 ms and 60 MB
// with encoding/json, which reads each byte two or three times. So the frame of an answer (objects,
// arrays, plain strings) is read here, as strictly as JSON is, in 49 ms and 13 MB in the same run;
// all the rest (strings with escapes or broken UTF-8, numbers, nested values) goes to encoding/json.
// A fuzz test holds both to the same verdict.

var (
	// errTruncated: the answer ends in the middle of its JSON.
	errTruncated = errors.New("the answer ends in the middle of its JSON")
	// errInvalid stands for 'not JSON' inside values; the scanner adds the place.
	errInvalid = errors.New("invalid JSON")
)

// syntaxError is the place in the answer, counted in bytes, that is not JSON.
type syntaxError int64

func (e syntaxError) Error() string {
	return fmt.Sprintf("the answer is not JSON at byte %d", int64(e))
}

// readSize is how much is asked of the network at once, in bytes.
const readSize = 64 << 10

// scanner reads one JSON text from a stream without holding more of it than one value. A slice
// that it returns is good until the next call.
type scanner struct {
	buf  []byte // read and not dropped yet
	pos  int    // the next byte of buf
	base int64  // where buf starts in the answer
	src  io.Reader
	end  error // why src gives nothing more; io.EOF if it was read to its end
	own  bool  // buf belongs to the scanner, which may move what is in it
}

// fill reads more and may move the unread bytes to the start of buf.
func (s *scanner) fill() error {
	if s.end != nil {
		return s.end
	}
	unread := len(s.buf) - s.pos
	if !s.own || cap(s.buf)-unread < readSize/2 {
		buf := make([]byte, unread, 2*unread+readSize)
		copy(buf, s.buf[s.pos:])
		s.buf, s.own = buf, true
	} else if s.pos > 0 {
		copy(s.buf, s.buf[s.pos:])
		s.buf = s.buf[:unread]
	}
	s.base += int64(s.pos)
	s.pos = 0
	for range 100 {
		n, err := s.src.Read(s.buf[unread:cap(s.buf)])
		s.buf = s.buf[:unread+n]
		if err != nil {
			s.end = err
		}
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	s.end = io.ErrNoProgress
	return s.end
}

// more makes byte off after pos available. The end of the text is errTruncated.
func (s *scanner) more(off int) error {
	for s.pos+off >= len(s.buf) {
		if err := s.fill(); err == io.EOF {
			return errTruncated
		} else if err != nil {
			return err
		}
	}
	return nil
}

// peek skips white space and gives the next byte without taking it.
func (s *scanner) peek() (byte, error) {
	for {
		for s.pos < len(s.buf) {
			if c := s.buf[s.pos]; !blank(c) {
				return c, nil
			}
			s.pos++
		}
		if err := s.more(0); err != nil {
			return 0, err
		}
	}
}

// expect takes the byte c after white space.
func (s *scanner) expect(c byte) error {
	got, err := s.peek()
	if err != nil {
		return err
	}
	if got != c {
		return s.invalid()
	}
	s.pos++
	return nil
}

// next goes to the next member of an object or element of an array that close ends, and reports
// whether there is one. first is true before the first.
func (s *scanner) next(close byte, first bool) (bool, error) {
	c, err := s.peek()
	switch {
	case err != nil:
		return false, err
	case c == close:
		s.pos++
		return false, nil
	case first:
		return true, nil
	case c != ',':
		return false, s.invalid()
	}
	s.pos++
	if c, err = s.peek(); err == nil && c == close {
		err = s.invalid()
	}
	return err == nil, err
}

// key takes a member's name and the colon.
func (s *scanner) key() (string, error) {
	if c, err := s.peek(); err != nil {
		return "", err
	} else if c != '"' {
		return "", s.invalid()
	}
	v, err := s.raw()
	if err != nil {
		return "", err
	}
	b, err := unquote(v)
	if err != nil {
		return "", s.invalid()
	}
	key := string(b)
	return key, s.expect(':')
}

// value takes the next value, which is JSON.
func (s *scanner) value() ([]byte, error) {
	v, err := s.raw()
	if err == nil && !valid(v) {
		err = s.invalid()
	}
	return v, err
}

// raw takes the next value up to where it ends. What is in it need not be JSON.
func (s *scanner) raw() ([]byte, error) {
	c, err := s.peek()
	if err != nil {
		return nil, err
	}
	n := 0
	switch c {
	case '"', '{', '[':
		n, err = s.nested()
	default:
		n, err = s.literal()
	}
	if err != nil {
		return nil, err
	}
	v := s.buf[s.pos : s.pos+n]
	s.pos += n
	return v, nil
}

// nested gives the length of the string, object or array at pos.
func (s *scanner) nested() (int, error) {
	depth, quoted := 0, false
	for off := 0; ; {
		if err := s.more(off); err != nil {
			return 0, err
		}
		b := s.buf[s.pos:]
		for ; off < len(b); off++ {
			if quoted { // as most of an answer is
				for off < len(b) && b[off] != '"' && b[off] != '\\' {
					off++
				}
				if off == len(b) {
					break
				}
			}
			switch b[off] {
			case '\\':
				if quoted {
					off++
				}
			case '"':
				quoted = !quoted
				if !quoted && depth == 0 {
					return off + 1, nil
				}
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return off + 1, nil
				}
			}
		}
	}
}

// literal gives the length of the number or word at pos. The end of the text ends it too, so
// that text which is not JSON is called that, not truncated.
func (s *scanner) literal() (int, error) {
	for off := 0; ; off++ {
		if err := s.more(off); err == errTruncated {
			return off, nil
		} else if err != nil {
			return 0, err
		}
		if off == maxLiteral {
			return 0, s.invalid()
		}
		if c := s.buf[s.pos+off]; blank(c) || c == ',' || c == '}' || c == ']' || c == ':' || c == '"' {
			if off == 0 {
				return 0, s.invalid()
			}
			return off, nil
		}
	}
}

// maxLiteral bounds a number, in digits.
const maxLiteral = 4 << 10

func (s *scanner) invalid() error { return syntaxError(s.base + int64(s.pos)) }

func (s *scanner) offset() int64 { return s.base + int64(s.pos) }

func blank(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// valid reports whether v, one value as raw finds it, is JSON.
func valid(v []byte) bool {
	if len(v) > 0 && v[0] == '"' {
		if end, plain := stringEnd(v, 0); plain {
			return end == len(v)
		}
	}
	return json.Valid(v)
}

// stringEnd gives the end of the string that starts at b[i], after its closing quote. It is plain
// where its bytes are its text and it is JSON for certain.
func stringEnd(b []byte, i int) (end int, plain bool) {
	plain = true
	for j := i + 1; j < len(b); j++ {
		switch c := b[j]; {
		case c == '"':
			return j + 1, plain
		case c == '\\':
			plain = false
			j++
		case c < ' ' || c >= utf8.RuneSelf:
			plain = false
		}
	}
	return len(b), false
}

// unquote gives the text of a JSON string. Broken UTF-8 becomes U+FFFD, as encoding/json has it.
func unquote(v []byte) ([]byte, error) {
	end, plain := stringEnd(v, 0)
	if end != len(v) {
		return nil, errInvalid
	}
	if plain {
		return v[1 : len(v)-1], nil
	}
	var s string
	if err := json.Unmarshal(v, &s); err != nil {
		return nil, errInvalid
	}
	return []byte(s), nil
}

// skipMark drops a byte-order mark and white space from the start of b.
func skipMark(b []byte) []byte {
	return bytes.TrimLeft(bytes.TrimPrefix(b, []byte("\ufeff")), " \t\r\n")
}
