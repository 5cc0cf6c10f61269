package utho

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// tokenPayload is the "api" of a list.
type tokenPayload struct {
	tokens []Token
	size   int64 // of the answer in bytes, 0 if not known
	reader tokenReader
	wrong  error
}

func (*tokenPayload) key() string  { return "api" }
func (p *tokenPayload) err() error { return p.wrong }

// read takes an array of tokens, or one of the shapes of an empty one: {}, null, "", false.
func (p *tokenPayload) read(s *scanner) error {
	c, err := s.peek()
	if err != nil {
		return err
	}
	if c != '[' {
		v, err := s.value()
		if err != nil {
			return err
		}
		switch {
		case string(v) == "null", string(v) == "false", string(v) == `""`:
		case c == '{' && len(strings.TrimSpace(string(v[1:len(v)-1]))) == 0:
		default:
			p.wrong = &fieldError{"api", "is " + jsonType(v) + ", not a list"}
		}
		return nil
	}
	s.pos++
	first := s.offset()
	for i := 0; ; i++ {
		more, err := s.next(']', i == 0)
		if err != nil || !more {
			return err
		}
		v, err := s.raw()
		if err != nil {
			return err
		}
		t, err := p.reader.read(v)
		switch e := err.(type) {
		case nil:
			if p.wrong == nil {
				p.add(t, s.offset()-first)
			}
		case *fieldError:
			if p.wrong == nil {
				p.wrong = &fieldError{fmt.Sprintf("api[%d]%s", i, e.field), e.reason}
			}
		default:
			return s.invalid()
		}
	}
}

// add appends t. read is how many bytes the tokens so far took; with the answer's size it tells
// how many will come, which saves append's copies of a long list.
func (p *tokenPayload) add(t Token, read int64) {
	if n := len(p.tokens); n == cap(p.tokens) && n >= 64 {
		room := n
		if p.size > read {
			room = min(int((p.size-read)*int64(n)/read)+n/16, max(n, 1<<17))
		}
		grown := make([]Token, n, n+room)
		copy(grown, p.tokens)
		p.tokens = grown
	}
	p.tokens = append(p.tokens, t)
}

// accountPayload is the "user" of the account.
type accountPayload struct {
	account Account
	wrong   error
}

func newAccountPayload() *accountPayload { return &accountPayload{} }

func (*accountPayload) key() string  { return "user" }
func (p *accountPayload) err() error { return p.wrong }

func (p *accountPayload) read(s *scanner) error {
	v, err := s.value()
	if err != nil {
		return err
	}
	p.account, p.wrong = Account{}, nil
	if v[0] != '{' {
		p.wrong = &fieldError{"user", "is " + jsonType(v) + ", not an account"}
		return nil
	}
	o := object{b: v}
	for {
		key, value, err := o.next()
		if err != nil {
			return s.invalid()
		}
		if key == nil {
			return nil
		}
		var field *string
		switch string(key) {
		case "id":
			field = &p.account.ID
		case "fullname":
			field = &p.account.Name
		case "email":
			field = &p.account.Email
		case "company":
			field = &p.account.Company
		default:
			continue
		}
		if string(value) == "null" {
			continue
		}
		text, err := wireText(value)
		if err != nil {
			if p.wrong == nil {
				p.wrong = at("user."+string(key), err)
			}
			continue
		}
		*field = string(text)
	}
}

// secretPayload is the "apikey" of a create.
type secretPayload struct {
	secret string   // usable in a header, or empty
	hide   redactor // of what was there, usable or not
	blank  bool     // there is nothing in it
	wrong  error
}

func newSecretPayload() *secretPayload { return &secretPayload{} }

func (*secretPayload) key() string  { return "apikey" }
func (p *secretPayload) err() error { return p.wrong }

func (p *secretPayload) read(s *scanner) error {
	v, err := s.value()
	if err != nil {
		return err
	}
	p.secret, p.wrong, p.blank = "", nil, messageText(v) == ""
	if v[0] != '"' {
		p.hide = append(p.hide, textsIn(v)...)
		p.wrong = &fieldError{"apikey", "is " + jsonType(v) + ", not a secret"}
		return nil
	}
	text, err := unquote(v)
	if err != nil {
		return s.invalid()
	}
	secret := strings.TrimSpace(string(text))
	p.hide = append(p.hide, secret)
	switch {
	case secret == "":
		p.wrong = &fieldError{"apikey", "is empty"}
	case !headerSafe(secret):
		p.wrong = &fieldError{"apikey", "holds bytes that cannot stand in a header"}
	default:
		p.secret = secret
	}
	return nil
}

// textsIn gives what may be a secret in a value that is no string: texts and numbers that are not too
// short for one, and a few only.
func textsIn(v []byte) (texts []string) {
	dec := json.NewDecoder(bytes.NewReader(v))
	dec.UseNumber()
	for len(texts) < 16 {
		token, err := dec.Token()
		if err != nil {
			break
		}
		switch token.(type) {
		case string, json.Number:
			if text := strings.TrimSpace(fmt.Sprint(token)); len(text) >= leastPart {
				texts = append(texts, text)
			}
		}
	}
	return texts
}

// headerSafe reports whether a secret can stand in the Authorization header: visible ASCII only.
func headerSafe(secret string) bool {
	for i := 0; i < len(secret); i++ {
		if secret[i] <= ' ' || secret[i] > '~' {
			return false
		}
	}
	return secret != ""
}
