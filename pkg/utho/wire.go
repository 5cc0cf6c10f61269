package utho

import (
	"errors"
	"fmt"
	"time"
)

// fieldError is a value that is JSON but not what this package can read.
type fieldError struct {
	field  string // "api[3].write"
	reason string
}

func (e *fieldError) Error() string { return "the answer's " + e.field + " " + e.reason }

// wireToken is a token as the service spells it:
//
//	{"id":"10000","name":"ci","write":"1","created_at":"2024-04-22 01:12:36"}
//
// Each field is the literal JSON, nil where it is missing.
type wireToken struct {
	id      []byte // "10000" or 10000
	name    []byte // a string, or a number that PHP made of one
	write   []byte // see wireScope
	created []byte // a string without a zone; null and other things occur
}

// tokenReader turns list elements into Tokens.
type tokenReader struct {
	stamps  stampReader
	scratch []byte
}

// read reads one element of a list, which is any JSON value. The error is a *fieldError with the
// field's place in the element, or errInvalid where b is not JSON.
func (r *tokenReader) read(b []byte) (Token, error) {
	if b[0] != '{' {
		if !valid(b) {
			return Token{}, errInvalid
		}
		return Token{}, &fieldError{"", "is " + jsonType(b) + ", not a token"}
	}
	var w wireToken
	var wrong *fieldError
	o := object{b: b}
	for {
		key, value, err := o.next()
		if err != nil {
			return Token{}, err
		}
		if key == nil {
			break
		}
		var field *[]byte
		switch string(key) {
		case "id":
			field = &w.id
		case "name":
			field = &w.name
		case "write":
			field = &w.write
		case "created_at":
			field = &w.created
		default:
			continue
		}
		if *field != nil && string(*field) != string(value) && wrong == nil {
			wrong = &fieldError{"." + string(key), "is there twice, with different values"}
		}
		*field = value
	}
	if wrong != nil {
		return Token{}, wrong
	}
	return r.token(w)
}

// token reads the fields. They become one string, so that a list costs one allocation for each
// token and not three.
func (r *tokenReader) token(w wireToken) (Token, error) {
	id, err := wireID(w.id)
	if err != nil {
		return Token{}, at(".id", err)
	}
	name, err := wireText(w.name)
	if err != nil {
		return Token{}, at(".name", err)
	}
	scope, err := wireScope(w.write)
	if err != nil {
		return Token{}, at(".write", err)
	}
	created := w.created
	switch {
	case string(created) == "null":
		created = nil
	case len(created) > 0 && created[0] == '"':
		if created, err = unquote(created); err != nil {
			return Token{}, err
		}
	}
	r.scratch = append(append(append(r.scratch[:0], id...), name...), created...)
	text := string(r.scratch)
	return Token{
		ID:         text[:len(id)],
		Name:       text[len(id) : len(id)+len(name)],
		Scope:      scope,
		CreatedRaw: text[len(id)+len(name):],
		CreatedAt:  r.stamps.read(created),
	}, nil
}

func at(field string, reason error) error {
	if reason == errInvalid {
		return reason
	}
	return &fieldError{field, reason.Error()}
}

var (
	errMissing = errors.New("is missing")
	errEmptyID = errors.New("is empty")
)

// wireID reads an id: a string that is not empty, or a whole number with all its digits.
func wireID(v []byte) ([]byte, error) {
	id, err := wireText(v)
	if err != nil {
		return nil, err
	}
	if len(id) == 0 {
		return nil, errEmptyID
	}
	if v[0] != '"' {
		for i, c := range id {
			if (c < '0' || c > '9') && (c != '-' || i > 0) {
				return nil, fmt.Errorf("is a number that is not whole")
			}
		}
	}
	return id, nil
}

// wireText reads a string, or a number as its literal text.
func wireText(v []byte) ([]byte, error) {
	if v == nil {
		return nil, errMissing
	}
	switch c := v[0]; {
	case c == '"':
		return unquote(v)
	case c == '-' || c >= '0' && c <= '9':
		return v, nil
	}
	return nil, fmt.Errorf("is %s, not text", jsonType(v))
}

// wireScope reads what the service writes for a token's scope. Nothing else is a scope, so that
// none is guessed; above all, no value is write only because it is not false.
func wireScope(v []byte) (Scope, error) {
	if v == nil {
		return 0, errMissing
	}
	text := v
	if v[0] == '"' {
		var err error
		if text, err = unquote(v); err != nil {
			return 0, err
		}
		switch string(text) {
		case "1", "on", "true":
			return ScopeWrite, nil
		case "0", "off", "false", "":
			return ScopeReadOnly, nil
		}
	} else {
		switch string(v) {
		case "1", "true":
			return ScopeWrite, nil
		case "0", "false", "null":
			return ScopeReadOnly, nil
		}
	}
	return 0, fmt.Errorf("is %q, which is no known scope", clip(string(text), 40))
}

// jsonType names the type of the JSON value v for people.
func jsonType(v []byte) string {
	if len(v) == 0 {
		return "nothing"
	}
	switch v[0] {
	case '"':
		return "a string"
	case '{':
		return "an object"
	case '[':
		return "an array"
	case 'n':
		return "null"
	case 't', 'f':
		return "a boolean"
	}
	return "a number"
}

// stampReader reads the service's time stamps, which have no zone, in one location. It is four
// times as fast as time.ParseInLocation, and stricter: that one takes fractions of seconds too.
type stampReader struct {
	loc *time.Location
}

// read gives the zero time for all but a real date in the form 2006-01-02 15:04:05.
func (r stampReader) read(b []byte) time.Time {
	const form = "2006-01-02 15:04:05"
	if len(b) != len(form) {
		return time.Time{}
	}
	for i := range len(form) {
		digit := form[i] >= '0' && form[i] <= '9'
		if digit && (b[i] < '0' || b[i] > '9') || !digit && b[i] != form[i] {
			return time.Time{}
		}
	}
	two := func(i int) int { return int(b[i]-'0')*10 + int(b[i+1]-'0') }
	year, month, day := two(0)*100+two(2), time.Month(two(5)), two(8)
	hour, minute, second := two(11), two(14), two(17)
	if month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}
	}
	return time.Date(year, month, day, hour, minute, second, 0, r.loc)
}

func daysIn(year int, month time.Month) int {
	switch month {
	case time.February:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case time.April, time.June, time.September, time.November:
		return 30
	}
	return 31
}
