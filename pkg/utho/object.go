package utho

import (
	"encoding/json"
	"io"
)

// object walks over the members of one JSON object in memory.
type object struct {
	b     []byte
	i     int
	begun bool
}

// next gives the next member: its name and its value, which are JSON. The name is nil at the end
// of the object.
func (o *object) next() (key, value []byte, err error) {
	if !o.begun {
		if len(o.b) == 0 || o.b[0] != '{' {
			return nil, nil, errInvalid
		}
		o.begun = true
		o.i = 1
		if o.at() == '}' {
			return o.finish()
		}
	} else {
		switch o.at() {
		case '}':
			return o.finish()
		case ',':
			o.i++
		default:
			return nil, nil, errInvalid
		}
	}
	if o.at() != '"' {
		return nil, nil, errInvalid
	}
	end, plain := stringEnd(o.b, o.i)
	if key = o.b[o.i:end]; plain {
		key = key[1 : len(key)-1]
	} else if key, err = unquote(key); err != nil {
		return nil, nil, err
	}
	o.i = end
	if o.at() != ':' {
		return nil, nil, errInvalid
	}
	o.i++
	if value, err = o.value(); err != nil {
		return nil, nil, err
	}
	if key == nil {
		key = []byte{}
	}
	return key, value, nil
}

func (o *object) finish() (key, value []byte, err error) {
	if o.i+1 != len(o.b) {
		return nil, nil, errInvalid
	}
	return nil, nil, nil
}

// at skips white space and gives the byte there, 0 at the end.
func (o *object) at() byte {
	for ; o.i < len(o.b); o.i++ {
		if c := o.b[o.i]; !blank(c) {
			return c
		}
	}
	return 0
}

// value takes the value at i.
func (o *object) value() ([]byte, error) {
	var end int
	switch o.at() {
	case '"':
		e, plain := stringEnd(o.b, o.i)
		v := o.b[o.i:e]
		o.i = e
		if !plain && !json.Valid(v) {
			return nil, errInvalid
		}
		return v, nil
	case '{', '[':
		s := scanner{buf: o.b, pos: o.i, end: io.EOF}
		n, err := s.nested()
		if err != nil {
			return nil, errInvalid
		}
		end = o.i + n
	default:
		for end = o.i; end < len(o.b) && !blank(o.b[end]) && o.b[end] != ',' && o.b[end] != '}'; end++ {
		}
	}
	v := o.b[o.i:end]
	o.i = end
	if !json.Valid(v) {
		return nil, errInvalid
	}
	return v, nil
}
