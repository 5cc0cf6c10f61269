package utho

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
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
	errNotHTTP   = errors.New("the answer cannot be read as HTTP")
)

// answer is what came back.
type answer struct {
	status int
	header http.Header
	url    string // of the last request, without its query and secrets
	body   []byte // what could be read of it
	err    error  // why that is not all; nil if it is
}

// readAnswer reads a whole answer. Its end closes what is read when ctx ends: not every body ends by itself when its
// request does.
func readAnswer(ctx context.Context, resp *http.Response, url string) *answer {
	url, _, _ = strings.Cut(url, "?")
	a := &answer{status: resp.StatusCode, header: resp.Header, url: url}
	closeBody := func() { _ = resp.Body.Close() } // the answer has been read, or given up
	defer closeBody()
	switch {
	case a.status == http.StatusSwitchingProtocols: // what follows is no body and has no end
		a.err = errNotHTTP
		return a
	case resp.ContentLength > maxBody:
		a.err = errTooLarge
		return a
	}
	defer context.AfterFunc(ctx, closeBody)()
	var b bytes.Buffer
	b.Grow(int(min(max(resp.ContentLength, 0), 1<<20)) + bytes.MinRead)
	n, err := b.ReadFrom(io.LimitReader(resp.Body, maxBody+1))
	if a.body, a.err = b.Bytes(), err; n > maxBody {
		a.body, a.err = nil, errTooLarge
	} else if err != nil && ctx.Err() != nil {
		a.err = ctx.Err()
	}
	return a
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

// find looks for the object in an answer that has the member key, or, without one, that says how it went.
//
// Warnings of PHP may stand before the JSON, braces and brackets among them, and anything may follow it. Several
// objects that could be the answer are an error, since one of them is not. An object that breaks off is no answer,
// and neither is anything in it. The result has no members if there is JSON, but nothing that answers have.
func (a *answer) find(key string) (*object, error) {
	body := bytes.TrimLeft(bytes.TrimPrefix(a.body, []byte("\ufeff")), " \t\r\n")
	start := strings.ToLower(string(body[:min(len(body), len("<!doctype"))]))
	switch {
	case start == "":
		return nil, errEmpty
	case strings.HasPrefix(start, "<html"), start == "<!doctype": // scripts in a page can hold JSON
		return nil, errWebPage
	}
	objects, other := objectsIn(body, key)
	for _, names := range [][]string{{key}, {"status"}, {"message", "error", "errors", "errorcode"}} {
		var found *object
		for _, o := range objects {
			switch {
			case !o.has(names...):
			case found != nil:
				return nil, errSeveral
			default:
				found = o
			}
		}
		if found != nil {
			return found, found.err
		}
	}
	switch {
	case other == nil || other == errTruncated:
		return &object{}, other
	case start[0] == '<' || strings.Contains(strings.ToLower(a.header.Get("Content-Type")), "text/html"):
		return nil, errWebPage
	}
	return nil, errNoJSON
}

// objectsIn gives the objects in body that have members of an answer. other says what else there is: nil for JSON
// that is no answer, errTruncated for some that ends with the body.
func objectsIn(body []byte, key string) (found []*object, other error) {
	other = errNoJSON
	// Each brace in front of the JSON may be its start. The work for those that are not is bounded.
	for work, bound := 0, 4*len(body)+1024; work <= bound; {
		i := bytes.IndexAny(body, "{[")
		if i < 0 {
			break
		}
		body = body[i:]
		o, size := readObject(body)
		known := o.has("status", "message", "error", "errors", "errorcode", "api", "apikey", "user", key)
		if known {
			found = append(found, o)
		}
		switch {
		case o.err != nil && known:
			return found, o.err
		case o.err == errTruncated && len(o.members) > 0:
			return found, o.err
		case o.err != nil:
			body = body[1:]
		default:
			body = body[size:]
		}
		if other != nil && o.err != errBroken {
			other = o.err
		}
		work += size
	}
	return found, other
}

// readObject reads the object or array at the start of b, of which it looks at size bytes. Of an array only the end
// is of interest.
func readObject(b []byte) (o *object, size int) {
	o = &object{members: map[string]json.RawMessage{}}
	dec := json.NewDecoder(bytes.NewReader(b))
	var err error
	if b[0] == '[' {
		var skip json.RawMessage
		err = dec.Decode(&skip)
	} else {
		for _, err = dec.Token(); err == nil && dec.More(); {
			var name json.Token
			if name, err = dec.Token(); err != nil {
				break
			}
			key := fmt.Sprint(name)
			before, twice := o.members[key]
			o.members[key] = nil
			var value json.RawMessage
			if err = dec.Decode(&value); twice && !bytes.Equal(before, value) && o.twice == "" {
				o.twice = key
			}
			o.members[key] = value
		}
		if err == nil {
			_, err = dec.Token()
		}
	}
	syntax, ok := errors.AsType[*json.SyntaxError](err)
	switch {
	case err == nil:
		return o, int(dec.InputOffset())
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		o.err = errTruncated
	case ok:
		o.err = errBroken
		return o, int(min(max(syntax.Offset, 1), int64(len(b))))
	default:
		o.err = errBroken
	}
	return o, len(b)
}
