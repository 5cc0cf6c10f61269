package utho

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// The reference: what the package should understand, by encoding/json and without any hurry.

// member is one member of an object, in order, since encoding/json keeps the last of equal names.
type member struct {
	key   string
	value json.RawMessage
}

// refObject reads one JSON object at the start of b.
func refObject(b []byte) ([]member, bool) {
	dec := json.NewDecoder(bytes.NewReader(b))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, false
	}
	var all []member
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, false
		}
		var v json.RawMessage
		if err := dec.Decode(&v); err != nil {
			return nil, false
		}
		all = append(all, member{key.(string), v})
	}
	_, err := dec.Token()
	return all, err == nil
}

// refScope is API.md's table of scopes.
func refScope(v json.RawMessage) (Scope, bool) {
	dec := json.NewDecoder(bytes.NewReader(v))
	dec.UseNumber()
	var x any
	if dec.Decode(&x) != nil {
		return 0, false
	}
	for _, w := range []any{"1", json.Number("1"), true, "on", "true"} {
		if x == w {
			return ScopeWrite, true
		}
	}
	for _, r := range []any{"0", json.Number("0"), false, "off", "false", "", nil} {
		if x == r {
			return ScopeReadOnly, true
		}
	}
	return 0, false
}

// refText is a string, or a number's literal text.
func refText(v json.RawMessage) (string, bool) {
	var s string
	if len(v) > 0 && v[0] == '"' && json.Unmarshal(v, &s) == nil {
		return s, true
	}
	var n json.Number
	if len(v) > 0 && v[0] != '"' && v[0] != 'n' && json.Unmarshal(v, &n) == nil {
		return n.String(), true
	}
	return "", false
}

// refToken reads one element of a list.
func refToken(v json.RawMessage) (Token, bool) {
	all, isObject := refObject(v)
	if !isObject {
		return Token{}, false
	}
	field := map[string]json.RawMessage{}
	for _, m := range all {
		if old, twice := field[m.key]; twice && !bytes.Equal(old, m.value) {
			if m.key == "id" || m.key == "name" || m.key == "write" || m.key == "created_at" {
				return Token{}, false
			}
		}
		field[m.key] = m.value
	}
	var t Token
	var ok1, ok2, ok3 bool
	t.ID, ok1 = refText(field["id"])
	t.Name, ok2 = refText(field["name"])
	if v, there := field["write"]; there {
		t.Scope, ok3 = refScope(v)
	}
	if len(field["id"]) > 0 && field["id"][0] != '"' && strings.Trim(t.ID, "0123456789") != "" {
		ok1 = false
	}
	if c := field["created_at"]; len(c) > 0 && string(c) != "null" {
		if json.Unmarshal(c, &t.CreatedRaw) != nil {
			t.CreatedRaw = string(c)
		}
	}
	if len(t.CreatedRaw) == len(time.DateTime) {
		if at, err := time.ParseInLocation(time.DateTime, t.CreatedRaw, ist); err == nil {
			t.CreatedAt = at
		}
	}
	return t, ok1 && ok2 && ok3 && t.ID != ""
}

// refList reads the list in one object. It does not judge the status.
func refList(all []member) (tokens []Token, fine bool) {
	fine = true
	n := 0
	for _, m := range all {
		if m.key != "api" {
			continue
		}
		n++
		tokens = nil
		var elements []json.RawMessage
		var empty map[string]json.RawMessage
		switch {
		case json.Unmarshal(m.value, &elements) == nil:
			for _, e := range elements {
				t, ok := refToken(e)
				fine = fine && ok
				tokens = append(tokens, t)
			}
		case string(m.value) == `""` || string(m.value) == "false":
		case json.Unmarshal(m.value, &empty) == nil && len(empty) == 0:
		default:
			fine = false
		}
	}
	return tokens, fine && n <= 1
}

func sameTokens(a, b []Token) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !a[i].CreatedAt.Equal(b[i].CreatedAt) {
			return false
		}
		x, y := a[i], b[i]
		x.CreatedAt, y.CreatedAt = time.Time{}, time.Time{}
		if x != y {
			return false
		}
	}
	return true
}

// listFrom runs ListTokens on a body that comes in the given way.
func listFrom(t *testing.T, status int, body io.Reader) ([]Token, error) {
	t.Helper()
	c, err := New(testSecret, WithRetry(RetryPolicy{MaxAttempts: 1}), WithHTTPClient(&http.Client{
		Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, ContentLength: -1, Body: io.NopCloser(body), Request: r}, nil
		}),
	}))
	if err != nil {
		t.Fatal(err)
	}
	list, err := c.ListTokens(t.Context())
	if err != nil {
		mustError(t, err, errors.Unwrap(kindOnly{err}))
		return nil, err
	}
	return list.Tokens, nil
}

// kindOnly gives the kind of an *Error.
type kindOnly struct{ error }

func (k kindOnly) Unwrap() error {
	var e *Error
	if errors.As(k.error, &e) {
		return e.Kind
	}
	return nil
}

var listSeeds = []string{
	someTokens, "\ufeff" + notice + someTokens + notice,
	`{"status":"success","api":[]}`, `{"api":{}}`, `{"api":null,"status":""}`, `{"status":"success","api":false}`, `[]`, `{}`, ` {"status":null}`,
	`{"status":"error","message":"Unauthorized access. Please provide a valid API key."}`,
	`{"status":"success","api":[{"id":1,"name":"n","write":true},{"id":"2","name":"\u0031\ud800","write":null,"x":[{"write":1}]}]}`,
	`{"status":"success","api":[{"id":"1","name":"n","write":"on","write":"off"}]}`,
	`{"status":"success","api":[{"id":"1","name":"n","write":"yes"}]}`,
	`{"api":[{"id":"1","name":"n","write":"1","created_at":"2024-02-30 00:00:00"}]}`,
	`<!DOCTYPE html>{"status":"success"}`, `{"status":"success","api":[{"id":"1"`, `{"a":1}{"status":"success"}`, "{\"\xff\":1,\"api\":\"\"}",
}

// FuzzList: no input makes the decoder panic; every list it gives stands in the input, token for
// token, as the reference reads it; valid JSON is understood exactly as the reference does; and it
// does not matter how the bytes arrive.
func FuzzList(f *testing.F) {
	for _, s := range listSeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := listFrom(t, 200, bytes.NewReader(body))
		slow, errSlow := listFrom(t, 200, iotest.OneByteReader(bytes.NewReader(body)))
		if !sameTokens(got, slow) || (err == nil) != (errSlow == nil) {
			t.Fatalf("at once: %v, %v; byte by byte: %v, %v", got, err, slow, errSlow)
		}
		if _, err := listFrom(t, 500, bytes.NewReader(body)); err == nil {
			t.Fatal("a list with HTTP 500")
		}
		if err == nil {
			if !standsIn(got, body) {
				t.Fatalf("%+v is not in the answer", got)
			}
		}
		if all, isObject := refObject(body); isObject && json.Valid(body) {
			want, fine := refList(all)
			fine = fine && succeeds(all)
			if fine != (err == nil) {
				t.Fatalf("error %v; the reference says %v", err, fine)
			}
			if fine && !sameTokens(got, want) {
				t.Fatalf("got %+v, want %+v", got, want)
			}
		}
	})
}

// standsIn reports whether the tokens are the list of some object in the body, or of none where
// there are none.
func standsIn(got []Token, body []byte) bool {
	for i, c := range body {
		if c == '[' && len(got) == 0 && bytes.HasPrefix(bytes.TrimLeft(body[i+1:], " \t\r\n"), []byte("]")) {
			return true
		}
		if c != '{' {
			continue
		}
		if all, isObject := refObject(body[i:]); isObject {
			if want, fine := refList(all); fine && sameTokens(got, want) {
				return true
			}
		}
	}
	return false
}

// succeeds is the rule about status in an object with or without "api".
func succeeds(all []member) bool {
	if len(all) == 0 {
		return true
	}
	status, message, stated, api, failed := "", "", false, false, false
	var errorText string
	for _, m := range all {
		switch m.key {
		case "status":
			var s *string
			if json.Unmarshal(m.value, &s) != nil {
				return false
			}
			stated = true
			now := ""
			if s != nil {
				now = strings.ToLower(*s)
			}
			if status == "success" && now != "success" || now != "" && now != "success" {
				return false
			}
			status = now
		case "api":
			api = true
		case "message":
			if text := messageText(m.value); text != "" {
				message = text
			}
		case "error":
			if text := messageText(m.value); text != "" {
				failed = true
				errorText = text
			}
		}
	}
	if message == "" {
		message = errorText
	}
	switch {
	case status == "success":
		return true
	case failed:
		return false
	case api:
		return true
	}
	return stated && message == ""
}

// FuzzElement holds the reader of list elements to the reference, and to JSON.
func FuzzElement(f *testing.F) {
	for _, s := range []string{
		`{"id":"1","name":"n","write":"1","created_at":"2024-04-22 01:12:36"}`, `{"id":1,"name":2,"write":3}`, `null`, `{}`, `{"a":[{"}":"]"}],"id":"\u0031"}`,
		"{\"id\":\"\xff\",\"name\":\"\\\"\",\"write\":true}", `{"id":1,}`, `{"id":01}`, `{"id":"1" "name":"n"}`, `{"a":nul}`, `{"a":"\x"}`, "{\"a\":\"\n\"}", `{"":1,"id":-0}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 || blank(b[0]) || blank(b[len(b)-1]) {
			return
		}
		r := tokenReader{stamps: stampReader{ist}}
		got, err := r.read(b)
		if (err == errInvalid) == json.Valid(b) {
			t.Fatalf("JSON is %v, the reader says %v", json.Valid(b), err)
		}
		if !json.Valid(b) {
			return
		}
		want, fine := refToken(b)
		if fine != (err == nil) || fine && !sameTokens([]Token{got}, []Token{want}) {
			t.Fatalf("got %+v, %v, want %+v, %v", got, err, want, fine)
		}
		if got.Scope == ScopeWrite && !bytes.Contains(b, []byte("1")) && !bytes.Contains(b, []byte("on")) && !bytes.Contains(b, []byte("true")) && !bytes.Contains(b, []byte(`\u`)) {
			t.Fatalf("a guessed scope: %+v", got)
		}
	})
}

// FuzzCreate: a secret is only ever the "apikey" of an object in the answer; 'nothing was created'
// is only said where such an object says "error"; and no error quotes a secret.
func FuzzCreate(f *testing.F) {
	for _, s := range []string{
		created, notice + created, `{"status":"error","message":"no"}`, `{"status":"error","apikey":"` + newSecret + `"}`, `{"apikey":" x "}`, `{"apikey":"a","apikey":"b"}`,
		`{"status":"success","message":"` + newSecret + `"}`, `<html>` + created, created[:50], `{}`, `[]`, ``, `{"status":"success","apikey":{"a":"` + newSecret + `"}}`,
	} {
		for _, status := range []int{200, 400, 429, 500} {
			f.Add(status, []byte(s))
		}
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 200 || status > 599 {
			return
		}
		posts := 0
		c, err := New(testSecret, WithRetry(RetryPolicy{MaxAttempts: 3, MinDelay: 1, MaxDelay: 1}), WithHTTPClient(&http.Client{
			Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				posts++
				return &http.Response{StatusCode: status, ContentLength: -1, Body: io.NopCloser(bytes.NewReader(body)), Request: r, Header: http.Header{}}, nil
			}),
		}))
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.CreateToken(t.Context(), ci)
		if want := map[bool]int{true: 3, false: 1}[status == 429]; posts != want {
			t.Fatalf("HTTP %d: sent %d times", status, posts)
		}
		var keys, errs []string
		for i, ch := range body {
			if ch != '{' {
				continue
			}
			all, _ := refObject(body[i:])
			for _, m := range all {
				var s string
				if json.Unmarshal(m.value, &s) != nil {
					continue
				}
				if m.key == "apikey" {
					keys = append(keys, strings.TrimSpace(s))
				}
				if m.key == "status" && strings.EqualFold(s, "error") {
					errs = append(errs, s)
				}
			}
		}
		if err == nil {
			if status/100 != 2 || !slices.Contains(keys, got.Secret) || !headerSafe(got.Secret) {
				t.Fatalf("HTTP %d: a secret from nowhere: %q", status, got.Secret)
			}
			return
		}
		e := mustError(t, err, kindOnly{err}.Unwrap())
		if e.Kind != ErrOutcomeUnknown && status != 429 && (status >= 500 || len(errs) == 0) {
			t.Fatalf("HTTP %d: it says that nothing was created: %v", status, err)
		}
	})
}

// The seeds of the reference itself: it would be of no use if it understood nothing.
func TestReference(t *testing.T) {
	t.Parallel()
	all, isObject := refObject([]byte(someTokens))
	tokens, fine := refList(all)
	if !isObject || !fine || len(tokens) != 2 || tokens[0].Scope != ScopeWrite || tokens[1].Scope != ScopeReadOnly || !succeeds(all) {
		t.Errorf("%+v", tokens)
	}
	_, p, err := decodeList([]byte(someTokens))
	if err != nil || !reflect.DeepEqual(p.tokens[0].Name, tokens[0].Name) || !sameTokens(p.tokens, tokens) {
		t.Errorf("%v, %+v", err, p)
	}
}
