package utho

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

const (
	// maxBody bounds an answer, in bytes after decompression.
	maxBody = 64 << 20
	// headSize is how far into an answer its JSON may begin. A shorter answer is read into
	// memory whole, a longer one is decoded as it arrives.
	headSize = 64 << 10
	// maxCandidates bounds how often a brace in front of the JSON is taken for its start.
	maxCandidates = 64
)

var (
	errTooLarge = fmt.Errorf("the answer is larger than %d MiB", maxBody>>20)
	errEmpty    = errors.New("the answer is empty")
	errNoJSON   = errors.New("the answer is not JSON")
	errWebPage  = errors.New("a web page came back instead of JSON")
)

// payload is the part of an answer that one operation is after.
type payload interface {
	// key is the name of its member in the answer.
	key() string
	// read takes the member's value. Its error is the scanner's; a value that is JSON but not
	// what it should be is kept for err, because the answer's status comes first.
	read(s *scanner) error
	// err is what is wrong with the value, nil if nothing.
	err() error
}

// status is what an answer says of itself.
type status uint8

const (
	statusMissing status = iota // no such member, "" or null: a success, if the rest is one
	statusSuccess
	statusError // "error"
	statusOther // anything else, true and 1 too: it is not guessed what they mean, so a failure
)

// envelope is the frame of every answer: {"status":…,"message":…, and the payload}.
type envelope struct {
	status  status
	message string // of "message", else of "error"
	failed  bool   // there is an "error" that is not empty
	members int
	payload bool  // the payload's member was there
	stated  bool  // "status" was there
	known   bool  // one of the members that answers have was there
	unknown error // with statusOther: what is there instead
	wrong   error // a member of the frame that is there twice
}

// isEmpty: {} or [], which PHP writes for the same thing.
func (e *envelope) isEmpty() bool { return e.members == 0 }

// text is an answer's body: its first bytes, and where the rest comes from.
type text struct {
	head []byte
	rest io.Reader // nil where head is all
	end  error     // why head ends where rest is nil: io.EOF or a failure
	html bool      // the headers call it a web page
}

// parse finds the JSON in an answer and reads it. newPayload makes an empty payload for each
// try; it is nil where there is none to read.
//
// Warnings of PHP may stand before the JSON, braces and brackets among them, and anything may
// follow it. The first object with a member that answers have is the answer. Once such a member
// was seen the search is over: from there on broken JSON is an error, so that a part of a broken
// answer is never taken for the whole.
//
// An error that is none of this file's and no syntaxError is a failure to read the body.
func parse[P payload](t text, newPayload func() P) (*envelope, P, error) {
	var none P
	body := skipMark(t.head)
	if isWebPage(body) {
		return nil, none, errWebPage
	}
	type found struct {
		env *envelope
		p   P
	}
	var spare *found // JSON that can be the answer if nothing better follows
	start := len(t.head) - len(body)
	for from, n := start, 0; n < maxCandidates; n++ {
		i := bytes.IndexAny(t.head[from:], "{[")
		if i < 0 {
			break
		}
		from += i
		s := &scanner{buf: t.head[from:], base: int64(from), src: t.rest, end: t.end}
		p := newPayload()
		env, err := parseAt(s, p)
		switch {
		case err == nil && env.known:
			return env, p, nil
		case err == nil:
			// {} and [] in the middle of words ("Cannot use [] for reading") are words.
			alone := from == start || t.rest == nil && len(bytes.TrimSpace(t.head[min(int(s.offset()), len(t.head)):])) == 0
			if spare == nil && (!env.isEmpty() || alone) {
				spare = &found{env, p}
			}
		case env != nil: // it was the answer
			return nil, none, err
		}
		if s.own {
			break // more was read than can be read again
		}
		from = max(from+1, int(s.offset()))
	}
	switch {
	case spare != nil:
		return spare.env, spare.p, nil
	case t.rest == nil && t.end != io.EOF:
		return nil, none, t.end
	case len(body) == 0:
		return nil, none, errEmpty
	case body[0] == '<' || t.html:
		return nil, none, errWebPage
	}
	return nil, none, errNoJSON
}

// isWebPage: scripts in a page can hold JSON that looks like an answer, so it is not searched.
func isWebPage(body []byte) bool {
	for _, tag := range []string{"<!doctype", "<html"} {
		if len(body) >= len(tag) && strings.EqualFold(string(body[:len(tag)]), tag) {
			return true
		}
	}
	return false
}

// parseAt reads what may be the answer at the scanner's place. An error with an envelope means
// that it is the answer, but a broken one. Without one, the scanner stands where the next try may
// begin, or before.
func parseAt[P payload](s *scanner, p P) (*envelope, error) {
	c, err := s.peek()
	if err != nil {
		return nil, err
	}
	at := s.pos
	s.pos++
	if c == '[' {
		if err := s.expect(']'); err != nil {
			s.rewind(at)
			return nil, err
		}
		return &envelope{}, nil
	}
	env := &envelope{}
	for {
		more, err := s.next('}', env.members == 0)
		if err == nil && !more {
			return env, nil
		}
		var key string
		if err == nil {
			key, err = s.key()
		}
		if err == nil {
			env.members++
			err = env.member(s, key, p)
		}
		if err == nil {
			continue
		}
		if env.known || readFailed(err) || env.members > 0 && err == errTruncated {
			return env, err
		}
		if env.members == 0 {
			s.rewind(at)
		}
		return nil, err
	}
}

// rewind goes back to what was position at, where it has not been dropped.
func (s *scanner) rewind(at int) {
	if !s.own {
		s.pos = at
	}
}

// member takes one member of the frame.
func (e *envelope) member(s *scanner, key string, p payload) error {
	twice := false
	switch {
	case key != "" && key == p.key():
		e.known = true
		twice, e.payload = e.payload, true
		if err := p.read(s); err != nil {
			return err
		}
	case key == "status":
		e.known, e.stated = true, true
		v, err := s.value()
		if err != nil {
			return err
		}
		before := e.status
		e.status, e.unknown = readStatus(v)
		twice = before != statusMissing && before != e.status
	case key == "message":
		e.known = true
		v, err := s.value()
		if err != nil {
			return err
		}
		if m := messageText(v); m != "" {
			e.message = m
		}
	case key == "error":
		e.known = true
		v, err := s.value()
		if err != nil {
			return err
		}
		if m := messageText(v); m != "" {
			e.failed = true
			if e.message == "" {
				e.message = m
			}
		}
	default:
		e.known = e.known || key == "api" || key == "apikey" || key == "user"
		if _, err := s.value(); err != nil {
			return err
		}
	}
	if twice && e.wrong == nil {
		e.wrong = &fieldError{key, "is there twice"}
	}
	return nil
}

// readStatus reads "status". The error says what is there where it is none that is known.
func readStatus(v []byte) (status, error) {
	if string(v) == "null" {
		return statusMissing, nil
	}
	is := clip(string(v), 40)
	switch v[0] {
	case '"':
		text, err := unquote(v)
		if err != nil {
			text = v
		}
		switch {
		case len(text) == 0:
			return statusMissing, nil
		case strings.EqualFold(string(text), "success"):
			return statusSuccess, nil
		case strings.EqualFold(string(text), "error"):
			return statusError, nil
		}
		is = strconv.Quote(clip(string(text), 40))
	case '{', '[':
		is = jsonType(v)
	}
	return statusOther, &fieldError{"status", "is " + is + `, neither "success" nor "error"`}
}

// messageText gives the words of a message: a string's text, nothing for what PHP takes for
// nothing, and the JSON itself where it is something else.
func messageText(v []byte) string {
	switch string(v) {
	case "null", "false", "[]", "{}", `""`, "0":
		return ""
	}
	if v[0] == '"' {
		if text, err := unquote(v); err == nil {
			v = text
		}
	}
	return clip(strings.ToValidUTF8(string(v), "\ufffd"), maxMessage)
}

// noPayload is for answers of which only the frame matters.
type noPayload struct{}

func newNoPayload() noPayload           { return noPayload{} }
func (noPayload) key() string           { return "" }
func (noPayload) read(s *scanner) error { _, err := s.value(); return err }
func (noPayload) err() error            { return nil }

// readFailed reports whether err is a failure to read the answer, and not what stood in it.
func readFailed(err error) bool {
	var syntax syntaxError
	var field *fieldError
	switch {
	case err == nil, err == errTruncated, err == errTooLarge, err == errEmpty, err == errNoJSON, err == errWebPage,
		errors.As(err, &syntax), errors.As(err, &field):
		return false
	}
	return true
}
