package utho

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxBody bounds an answer, in bytes after decompression.
const maxBody = 64 << 20

var (
	errTooLarge  = fmt.Errorf("the answer is larger than %d MiB", maxBody>>20)
	errEmpty     = errors.New("the answer is empty")
	errNoJSON    = errors.New("the answer is not JSON")
	errBroken    = errors.New("the answer holds broken JSON")
	errTruncated = errors.New("the answer ends in the middle of its JSON")
	errWebPage   = errors.New("a web page came back instead of JSON")
	errSeveral   = errors.New("the answer holds several answers")
	errNoReason  = errors.New("the service refuses without saying why")
)

// answer is what came back.
type answer struct {
	status int
	header http.Header
	url    string // of the last request, without its query and secrets
	page   bool   // the headers call it a web page
	body   []byte // what could be read of it
	err    error  // why that is not all; nil if it is
}

// readAnswer reads a whole answer. ctx ends it whatever the body is, since its end closes what is
// read: not every body ends by itself when its request does.
func readAnswer(ctx context.Context, resp *http.Response, url string) *answer {
	url, _, _ = strings.Cut(url, "?")
	a := &answer{status: resp.StatusCode, header: resp.Header, url: url}
	a.page = strings.Contains(strings.ToLower(resp.Header.Get("Content-Type")), "text/html")
	closeBody := func() { _ = resp.Body.Close() } // the answer has been read, or given up
	defer closeBody()
	switch {
	case a.status == http.StatusSwitchingProtocols: // what follows is no body and has no end
		return a
	case resp.ContentLength > maxBody:
		a.err = errTooLarge
		return a
	}
	defer context.AfterFunc(ctx, closeBody)()
	var b bytes.Buffer
	if n := resp.ContentLength; n > 0 {
		b.Grow(int(min(n, 1<<20)) + bytes.MinRead)
	}
	n, err := b.ReadFrom(io.LimitReader(resp.Body, maxBody+1))
	if a.err = err; n > maxBody {
		a.err = errTooLarge
		return a
	}
	a.body = b.Bytes()
	return a
}

// date is the service's clock when it answered, the zero time if it did not say.
func (a *answer) date() time.Time {
	date, err := http.ParseTime(a.header.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return date
}

// object is a JSON object in an answer: {"status":…,"message":…, and what was asked for}.
type object struct {
	members map[string]json.RawMessage
	twice   string // a member that is there twice, with different values
	err     error  // why it is broken: then it has the members before that
}

func (o *object) has(names ...string) bool {
	for _, name := range names {
		if _, ok := o.members[name]; ok {
			return true
		}
	}
	return false
}

// find looks for the object in an answer that has the member key, or, without one, that says how
// it went.
//
// Warnings of PHP may stand before the JSON, braces and brackets among them, and anything may
// follow it. Several objects that could be the answer are an error, since one of them is not. An
// object that breaks off is no answer, and neither is anything in it. The result has no members if
// there is JSON, but nothing that answers have.
func (a *answer) find(key string) (*object, error) {
	body := bytes.TrimLeft(bytes.TrimPrefix(a.body, []byte("\ufeff")), " \t\r\n")
	if len(body) == 0 {
		return nil, errEmpty
	}
	for _, tag := range []string{"<!doctype", "<html"} { // scripts in a page can hold JSON
		if len(body) >= len(tag) && strings.EqualFold(string(body[:len(tag)]), tag) {
			return nil, errWebPage
		}
	}
	objects, other, cut := a.objects(body, key)
	for _, names := range [][]string{{key}, {"status"}, {"message", "error", "errors", "errorcode"}} {
		var found []*object
		for _, o := range objects {
			if o.has(names...) {
				found = append(found, o)
			}
		}
		switch {
		case len(found) > 1:
			return nil, errSeveral
		case len(found) == 1:
			return found[0], found[0].err
		}
	}
	switch {
	case cut:
		return nil, errTruncated
	case body[0] == '<' || a.page:
		return nil, errWebPage
	case other:
		return &object{}, nil
	}
	return nil, errNoJSON
}

// objects gives the objects in body that have members of an answer. other reports whether there
// was JSON without them, cut whether the body ends in the middle of one.
func (a *answer) objects(body []byte, key string) (found []*object, other, cut bool) {
	// Each brace in front of the JSON may be its start. The work for those that are not is bounded.
	for work, bound := 0, 4*len(body)+1024; work <= bound; {
		i := bytes.IndexAny(body, "{[")
		if i < 0 {
			return found, other, cut
		}
		body = body[i:]
		o, size := readObject(body)
		work += size
		known := o.has("status", "message", "error", "errors", "errorcode", "api", "apikey", "user", key)
		cut = o.err == errTruncated
		switch {
		case known:
			found = append(found, o)
		case o.err == nil:
			other = true
		}
		switch {
		case o.err == nil:
			body = body[size:]
		case known, cut && len(o.members) > 0:
			return found, other, cut
		default:
			body = body[1:]
		}
	}
	return found, other, cut
}

// readObject reads the object or array at the start of b, of which size bytes were looked at. Of
// an array only its end is of interest.
func readObject(b []byte) (o *object, size int) {
	o = &object{}
	dec := json.NewDecoder(bytes.NewReader(b))
	var skip json.RawMessage
	if b[0] == '[' {
		return o, o.end(dec, dec.Decode(&skip), len(b))
	}
	o.members = map[string]json.RawMessage{}
	_, err := dec.Token()
	for err == nil && dec.More() {
		var name json.Token
		if name, err = dec.Token(); err != nil {
			break
		}
		key, _ := name.(string) // encoding/json has no other names
		before, twice := o.members[key]
		o.members[key] = nil
		var value json.RawMessage
		if err = dec.Decode(&value); err != nil {
			break
		}
		if twice && !bytes.Equal(before, value) && o.twice == "" {
			o.twice = key
		}
		o.members[key] = value
	}
	if err == nil {
		_, err = dec.Token()
	}
	return o, o.end(dec, err, len(b))
}

// end says how reading an object ended, and how many of n bytes were looked at.
func (o *object) end(dec *json.Decoder, err error, n int) int {
	switch {
	case err == nil:
		return int(dec.InputOffset())
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		o.err = errTruncated
		return n
	}
	o.err = errBroken
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return int(min(max(syntax.Offset, 1), int64(n)))
	}
	return n
}

// verdict is what an object says of itself.
type verdict uint8

const (
	verdictMissing verdict = iota // no status, "" or null: a success, if the rest is one
	verdictSuccess
	verdictError
	verdictOther // true and 1 too: it is not guessed what they mean, so a failure
)

// verdict reads "status".
func (o *object) verdict() verdict {
	v := valueOf(o.members["status"])
	switch {
	case v.kind == 0, v.kind == 'n', v.kind == '"' && v.text == "":
		return verdictMissing
	case v.kind == '"' && strings.EqualFold(v.text, "success"):
		return verdictSuccess
	case v.kind == '"' && strings.EqualFold(v.text, "error"):
		return verdictError
	}
	return verdictOther
}

// words gives the service's words and code for a failure, without secrets and cut. They are in
// "message", else "error", else "errors", which may be a list of objects with message and code.
func (o *object) words(redact func(string) string) (message, code string) {
	message, code = valueOf(o.members["message"]).words(), valueOf(o.members["errorcode"]).words()
	if message == "" {
		message = valueOf(o.members["error"]).words()
	}
	var list []struct{ Message, Code value }
	if json.Unmarshal(o.members["errors"], &list) == nil {
		var all []string
		for _, e := range list {
			if code == "" {
				code = e.Code.words()
			}
			if text := e.Message.words(); text != "" {
				all = append(all, text)
			}
		}
		if message == "" {
			message = strings.Join(all, "; ")
		}
	}
	if message == "" && code == "" {
		message = valueOf(o.members["errors"]).words()
	}
	clean := func(text string, limit int) string {
		return clip(redact(strings.ToValidUTF8(text, "\ufffd")), limit)
	}
	return clean(message, maxMessage), clean(code, 100)
}

// failure gives the object as an error, nil if it is a success. payload is the member that a
// success without a status must have.
func (o *object) failure(payload string, redact func(string) string) *Error {
	e := &Error{}
	e.Message, e.Code = o.words(redact)
	failed := valueOf(o.members["error"]).words() != "" || valueOf(o.members["errors"]).words() != "" || e.Code != ""
	switch verdict := o.verdict(); {
	case verdict == verdictError:
		if e.Message == "" {
			e.Err = errNoReason
		}
		return e
	case verdict == verdictOther:
		v := valueOf(o.members["status"])
		is := v.kindName()
		if v.kind != '{' && v.kind != '[' {
			is = strconv.Quote(clip(redact(v.text), 40))
		}
		e.Err = &fieldError{"status", "is " + is + `, neither "success" nor "error"`}
		return e
	case verdict == verdictMissing && (failed || !o.has(payload) && kindOfMessage(e.Message) != nil):
		return e
	case o.twice != "":
		return &Error{Err: &fieldError{clip(redact(o.twice), 40), "is there twice, with different values"}}
	}
	return nil
}
