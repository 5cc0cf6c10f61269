package utho

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// value is one JSON value of an answer, with its type, since the service writes the same value as a string today and
// as a number tomorrow.
type value struct {
	kind byte   // its first byte: one of `"{[ntf-0…9`; 0 if it is missing
	text string // a string's text, the JSON itself for the rest; UTF-8
}

// UnmarshalJSON keeps any value. encoding/json has checked that b is one.
func (v *value) UnmarshalJSON(b []byte) error {
	v.kind = b[0]
	switch {
	case b[0] != '"':
		v.text = strings.ToValidUTF8(string(b), "\ufffd")
	case bytes.IndexByte(b, '\\') < 0 && utf8.Valid(b):
		v.text = string(b[1 : len(b)-1])
	default:
		return json.Unmarshal(b, &v.text)
	}
	return nil
}

func (o *object) value(name string) (v value) {
	if raw := o.members[name]; raw != nil {
		_ = v.UnmarshalJSON(raw) // a valid string has a text
	}
	return v
}

func (v value) isNumber() bool { return v.kind == '-' || v.kind >= '0' && v.kind <= '9' }

// words gives the text of a message: nothing for what PHP takes for nothing.
func (v value) words() string {
	if v.kind != '"' && slices.Contains([]string{"null", "false", "[]", "{}", "0"}, v.text) {
		return ""
	}
	return v.text
}

// name reads a string, or a number as its literal text. The error begins with the field.
func (v value) name(field string) (string, error) {
	switch {
	case v.kind == 0:
		return "", fmt.Errorf("%s is missing", field)
	case v.kind == '"' || v.isNumber():
		return v.text, nil
	}
	return "", fmt.Errorf("%s is not text", field)
}

// wireToken is a token as the service spells it:
//
//	{"id":"10000","name":"ci","write":"1","created_at":"2024-04-22 01:12:36"}
type wireToken struct {
	ID      value `json:"id"`    // "10000" or 10000
	Name    value `json:"name"`  // a string, or a number that PHP made of one
	Write   value `json:"write"` // see scope
	Created value `json:"created_at"`
}

// token reads the fields. The error begins with the field.
func (w *wireToken) token(loc *time.Location, redact func(string) string) (t Token, err error) {
	if t.ID, err = w.ID.name("id"); err != nil {
		return t, err
	}
	switch {
	case t.ID == "":
		return t, errors.New("id is empty")
	case w.ID.isNumber() && strings.ContainsAny(t.ID, ".eE"):
		return t, errors.New("id is a number that is not whole")
	}
	if t.Name, err = w.Name.name("name"); err != nil {
		return t, err
	}
	if t.Scope, err = w.Write.scope(redact); err != nil {
		return t, err
	}
	if w.Created.kind != 'n' {
		t.CreatedRaw = w.Created.text
	}
	at, err := time.ParseInLocation(time.DateTime, t.CreatedRaw, loc)
	if err == nil && len(t.CreatedRaw) == len(time.DateTime) { // it reads fractions and an hour of one digit, too
		t.CreatedAt = at
	}
	return t, nil
}

// scope reads what the service writes for a token's scope. Nothing else is a scope, so that none is guessed; above
// all, no value is write only because it is not false.
func (v value) scope(redact func(string) string) (Scope, error) {
	text := v.kind == '"'
	switch {
	case v.kind == 0:
		return 0, errors.New("write is missing")
	case v.text == "1", v.text == "true", text && v.text == "on":
		return ScopeWrite, nil
	case v.text == "0", v.text == "false", v.kind == 'n', text && (v.text == "off" || v.text == ""):
		return ScopeReadOnly, nil
	}
	return 0, fmt.Errorf("write is %q, which is no known scope", clip(redact(v.text), 40))
}

// readTokens reads the "api" of a list: an array of tokens, or one of the shapes of an empty one.
func (o *object) readTokens(loc *time.Location, redact func(string) string) ([]Token, error) {
	api := o.members["api"]
	switch {
	case bytes.HasPrefix(api, []byte("[")), slices.Contains([]string{"", "null", "false", `""`}, string(api)):
	case bytes.HasPrefix(api, []byte("{")) && len(bytes.TrimSpace(api[1:len(api)-1])) == 0:
	default:
		return nil, errors.New("the answer's api is not a list")
	}
	tokens := make([]Token, len(o.tokens))
	for i := range tokens {
		var err error
		if tokens[i], err = o.tokens[i].token(loc, redact); err != nil {
			return nil, fmt.Errorf("the answer's api[%d].%w", i, err)
		}
	}
	return tokens, nil
}

// readAccount reads the "user" of an account.
func (o *object) readAccount() (*Account, error) {
	var wire map[string]value
	if o.value("user").kind != '{' || json.Unmarshal(o.members["user"], &wire) != nil {
		return nil, errors.New("the answer's user is not an account")
	}
	a := &Account{}
	for name, field := range map[string]*string{
		"id": &a.ID, "fullname": &a.Name, "email": &a.Email, "company": &a.Company,
	} {
		if v := wire[name]; v.kind != 0 && v.kind != 'n' {
			var err error
			if *field, err = v.name("the answer's user." + name); err != nil {
				return nil, err
			}
		}
	}
	return a, nil
}

// readSecret reads the "apikey" of a create: a secret that can stand in a header. It is blank if there is nothing in
// it, as in a refusal; the error says why it is neither.
func (o *object) readSecret() (secret string, blank bool, err error) {
	v := o.value("apikey")
	text := strings.TrimSpace(v.text)
	switch {
	case v.kind == 0:
		return "", true, errors.New("the answer's apikey is missing")
	case v.words() == "" || text == "":
		return "", true, errors.New("the answer's apikey is empty")
	case v.kind != '"':
		return "", false, errors.New("the answer's apikey is not text")
	case !headerSafe(text):
		return "", false, errors.New("the answer's apikey holds bytes that cannot stand in a header")
	}
	return text, false, nil
}

// headerSafe reports whether a text can stand in a header as one word: visible ASCII only.
func headerSafe(text string) bool {
	return text != "" && strings.IndexFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

// status reads "status": "success", "error", or "" if it is missing, empty or null. Anything else is an error, true
// and 1 too: it is not guessed what they mean.
func (o *object) status(redact func(string) string) (string, error) {
	v := o.value("status")
	text := strings.ToLower(v.text)
	switch {
	case v.kind == 0, v.kind == 'n':
		return "", nil
	case v.kind == '"' && (text == "" || text == "success" || text == "error"):
		return text, nil
	}
	return "", fmt.Errorf(`the answer's status is %q, neither "success" nor "error"`, clip(redact(v.text), 40))
}

// said gives the service's words and code for a failure, without secrets and cut. They are in "message", else
// "error", else "errors", which may be a list of objects with message and code.
func (o *object) said(redact func(string) string) *Error {
	var list [1]struct{ Message, Code value }
	_ = json.Unmarshal(o.members["errors"], &list) // it may be anything
	message := cmp.Or(o.value("message").words(), o.value("error").words(), list[0].Message.words())
	code := cmp.Or(o.value("errorcode").words(), list[0].Code.words())
	if message == "" && list[0].Code.kind == 0 {
		message = o.value("errors").words()
	}
	return &Error{Message: clip(redact(message), maxMessage), Code: clip(redact(code), 100)}
}

// failure gives the object as an error, nil if it says success, or nothing and has what was asked for.
func (o *object) failure(k *call, redact func(string) string) *Error {
	e := o.said(redact)
	status, err := o.status(redact)
	failed := e.Code != "" || o.value("error").words() != "" || o.value("errors").words() != ""
	switch {
	case err != nil:
		e.Err = err
	case status == "error", status == "" && failed:
	case status == "" && o.members[k.wants] == nil:
		e.Err = fmt.Errorf("the answer holds no %q", k.wants)
	default:
		return nil
	}
	return e
}
