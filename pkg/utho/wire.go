package utho

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// fieldError is a value that is JSON but not what this package can read.
type fieldError struct {
	field  string // "api[3].write"
	reason string
}

func (e *fieldError) Error() string { return "the answer's " + e.field + " " + e.reason }

// value is one JSON value of an answer, with its type, since the service writes the same value as a string today and
// as a number tomorrow.
type value struct {
	kind byte   // its first byte: one of `"{[ntf-0…9`; 0 if it is missing
	text string // a string's text, the JSON itself for the rest
}

// UnmarshalJSON keeps any value. encoding/json has checked that b is one.
func (v *value) UnmarshalJSON(b []byte) error {
	v.kind = b[0]
	if b[0] != '"' {
		v.text = string(b)
		return nil
	}
	for _, c := range b {
		if c == '\\' || c >= utf8.RuneSelf {
			return json.Unmarshal(b, &v.text)
		}
	}
	v.text = string(b[1 : len(b)-1])
	return nil
}

func valueOf(raw json.RawMessage) (v value) {
	if raw != nil {
		_ = v.UnmarshalJSON(raw) // a valid string has a text
	}
	return v
}

// kindName names the type of the value for people.
func (v value) kindName() string {
	if v.isNumber() {
		return "a number"
	}
	return map[byte]string{
		0: "missing", '"': "a string", '{': "an object", '[': "an array", 'n': "null", 't': "a boolean", 'f': "a boolean",
	}[v.kind]
}

func (v value) isNumber() bool { return v.kind == '-' || v.kind >= '0' && v.kind <= '9' }

// quote shows the value in an error, without secrets and cut.
func (v value) quote(redact func(string) string) string {
	if v.kind == '{' || v.kind == '[' {
		return v.kindName()
	}
	return strconv.Quote(clip(redact(v.text), 40))
}

// words gives the text of a message: nothing for what PHP takes for nothing.
func (v value) words() string {
	if v.kind != '"' && slices.Contains([]string{"null", "false", "[]", "{}", "0"}, v.text) {
		return ""
	}
	return v.text
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

// token reads the fields. The error is a *fieldError whose field begins at the token.
func (w *wireToken) token(loc *time.Location, redact func(string) string) (t Token, err error) {
	if t.ID, err = w.ID.name(".id"); err != nil {
		return t, err
	}
	if t.ID == "" {
		return t, &fieldError{".id", "is empty"}
	}
	if w.ID.isNumber() && strings.ContainsAny(t.ID, ".eE") {
		return t, &fieldError{".id", "is a number that is not whole"}
	}
	if t.Name, err = w.Name.name(".name"); err != nil {
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

// name reads a string, or a number as its literal text.
func (v value) name(field string) (string, error) {
	switch {
	case v.kind == 0:
		return "", &fieldError{field, "is missing"}
	case v.kind == '"' || v.isNumber():
		return v.text, nil
	}
	return "", &fieldError{field, "is " + v.kindName() + ", not text"}
}

// scope reads what the service writes for a token's scope. Nothing else is a scope, so that none is guessed; above
// all, no value is write only because it is not false.
func (v value) scope(redact func(string) string) (Scope, error) {
	text := v.kind == '"'
	switch {
	case v.kind == 0:
		return 0, &fieldError{".write", "is missing"}
	case v.text == "1", v.text == "true", text && v.text == "on":
		return ScopeWrite, nil
	case v.text == "0", v.text == "false", v.kind == 'n', text && (v.text == "off" || v.text == ""):
		return ScopeReadOnly, nil
	}
	return 0, &fieldError{".write", "is " + v.quote(redact) + ", which is no known scope"}
}

// readTokens reads the "api" of a list: an array of tokens, or one of the shapes of an empty one.
func readTokens(api json.RawMessage, loc *time.Location, redact func(string) string) ([]Token, error) {
	var wire []wireToken
	var empty map[string]json.RawMessage
	switch v := valueOf(api); {
	case v.kind == '[':
		var wrong *json.UnmarshalTypeError
		if err := json.Unmarshal(api, &wire); errors.As(err, &wrong) {
			return nil, &fieldError{"api", "holds a " + wrong.Value + ", not a token"}
		} else if err != nil {
			return nil, err // cannot be: it has been read as JSON before
		}
	case v.kind == 0, v.kind == 'n', v.kind == 'f', v.kind == '"' && v.text == "":
	case v.kind == '{' && json.Unmarshal(api, &empty) == nil && len(empty) == 0:
	default:
		return nil, &fieldError{"api", "is " + v.kindName() + ", not a list"}
	}
	tokens := make([]Token, len(wire))
	for i := range wire {
		var err error
		if tokens[i], err = wire[i].token(loc, redact); err != nil {
			if field, ok := err.(*fieldError); ok {
				field.field = fmt.Sprintf("api[%d]%s", i, field.field)
			}
			return nil, err
		}
	}
	return tokens, nil
}

// readAccount reads the "user" of an account.
func readAccount(user json.RawMessage) (*Account, error) {
	var wire map[string]value
	if v := valueOf(user); json.Unmarshal(user, &wire) != nil || v.kind != '{' {
		return nil, &fieldError{"user", "is " + v.kindName() + ", not an account"}
	}
	a := &Account{}
	for name, field := range map[string]*string{
		"id": &a.ID, "fullname": &a.Name, "email": &a.Email, "company": &a.Company,
	} {
		if v := wire[name]; v.kind != 0 && v.kind != 'n' {
			var err error
			if *field, err = v.name("user." + name); err != nil {
				return nil, err
			}
		}
	}
	return a, nil
}

// readSecret reads the "apikey" of a create: a secret that can stand in a header. It is blank if there is nothing in
// it, as in a refusal; the error says why it is neither.
func readSecret(apikey json.RawMessage) (secret string, blank bool, err error) {
	v := valueOf(apikey)
	text := strings.TrimSpace(v.text)
	switch {
	case v.kind == 0:
		return "", true, &fieldError{"apikey", "is missing"}
	case v.words() == "" || text == "":
		return "", true, &fieldError{"apikey", "is empty"}
	case v.kind != '"':
		return "", false, &fieldError{"apikey", "is " + v.kindName() + ", not a secret"}
	case !headerSafe(text):
		return "", false, &fieldError{"apikey", "holds bytes that cannot stand in a header"}
	}
	return text, false, nil
}

// headerSafe reports whether a secret can stand in the Authorization header: visible ASCII only.
func headerSafe(secret string) bool {
	for i := range len(secret) {
		if secret[i] <= ' ' || secret[i] > '~' {
			return false
		}
	}
	return secret != ""
}
