package utho

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
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
	status   int
	header   http.Header
	location *url.URL // where a redirect leads; nil if that cannot be read
	body     []byte   // what could be read of it
	err      error    // why that is not all; nil if it is
}

// readAnswer reads a whole answer. The end of ctx closes what is read: not every body ends with its request.
func readAnswer(ctx context.Context, resp *http.Response) *answer {
	a := &answer{status: resp.StatusCode, header: resp.Header}
	a.location, _ = resp.Location()
	closeBody := func() { _ = resp.Body.Close() } // the answer has been read, or given up
	defer closeBody()
	defer context.AfterFunc(ctx, closeBody)()
	var b bytes.Buffer
	b.Grow(64 << 10) // for 700 tokens
	n, err := b.ReadFrom(io.LimitReader(resp.Body, maxBody+1))
	if a.body, a.err = b.Bytes(), err; n > maxBody {
		a.body, a.err = nil, errTooLarge
	}
	return a
}

// object is a JSON object in an answer: {"status":…,"message":…, and what was asked for}.
type object struct {
	members map[string]json.RawMessage
	tokens  []wireToken // the elements of "api", if that is an array; empty for those that are no objects
	err     error       // why it is broken: then it has the members before that
}

// rank is how much the object looks like the answer with the member key: 3 if it has it, 0 if it has nothing of one.
func (o *object) rank(key string) int {
	for i, name := range []string{key, "status", "message", "error", "errors", "errorcode"} {
		if _, ok := o.members[name]; ok {
			return max(3-i, 1)
		}
	}
	return 0
}

// find looks for the object in an answer that has the member key, or, without one, that says how it went. It is empty
// if there is an error, or JSON but nothing that answers have.
//
// Warnings of PHP may stand before the JSON, braces among them, and anything may follow it. Several objects that could
// be the answer are an error, since one is not. An object that breaks off is no answer, nor is anything in it.
func (a *answer) find(key string) (*object, error) {
	body := bytes.TrimLeft(bytes.TrimPrefix(a.body, []byte("\ufeff")), " \t\r\n")
	start := strings.ToLower(string(body[:min(len(body), len("<!doctype"))]))
	switch {
	case start == "":
		return &object{}, errEmpty
	case strings.HasPrefix(start, "<html"), start == "<!doctype": // scripts in a page can hold JSON
		return &object{}, errWebPage
	}
	var found *object
	best, several := 0, false
	for tries := 0; ; tries++ { // each brace in front of the JSON may be its start
		i := bytes.IndexAny(body, "{[")
		if i < 0 {
			break
		}
		if tries == 1000 && best == 0 { // what is behind them may be the answer
			return &object{}, errBroken
		} else if tries == 1000 {
			break
		}
		o, size := readObject(body[i:])
		body = body[i+size:]
		switch rank := o.rank(key); {
		case rank > best, found == nil && !errors.Is(o.err, errBroken), best == 0 && errors.Is(o.err, errTruncated):
			found, best, several = o, rank, false
		case rank > 0 && rank == best:
			several = true
		}
	}
	html := start[0] == '<' || strings.Contains(strings.ToLower(a.header.Get("Content-Type")), "text/html")
	switch {
	case several:
		return &object{}, errSeveral
	case found == nil && html:
		return &object{}, errWebPage
	case found == nil:
		return &object{}, errNoJSON
	case found.err != nil:
		return &object{}, found.err
	}
	return found, nil
}

// readObject reads the object or array at the start of b, and gives how much of b is done with: one byte if it was no
// start of JSON. Of an array only the end is of interest.
func readObject(b []byte) (o *object, size int) {
	o = &object{members: map[string]json.RawMessage{}}
	dec := json.NewDecoder(bytes.NewReader(b))
	var err error
	if b[0] == '[' {
		err = dec.Decode(&json.RawMessage{})
	} else {
		for _, err = dec.Token(); err == nil && dec.More(); {
			err = o.readMember(dec, b)
		}
		if err == nil {
			_, err = dec.Token()
		}
	}
	switch {
	case err == nil:
		return o, int(dec.InputOffset())
	case errors.As(err, new(*json.SyntaxError)):
		o.err = errBroken
	default:
		o.err = errTruncated
	}
	if o.rank("") > 0 || errors.Is(o.err, errTruncated) && len(o.members) > 0 {
		return o, len(b)
	}
	return o, 1
}

// readMember reads one member of an object in b. The tokens of a list, which is long, are read at once and not again.
func (o *object) readMember(dec *json.Decoder, b []byte) error {
	name, err := dec.Token()
	if err != nil {
		return err
	}
	key, _ := name.(string)
	before := o.members[key]
	o.members[key] = nil // it is there, even if its value breaks off
	start := dec.InputOffset()
	var to any = &json.RawMessage{}
	if key == "api" {
		o.tokens = make([]wireToken, 0, len(b)/80) // which is what a token takes, and more
		to = &o.tokens
	}
	if err := dec.Decode(to); err != nil && !errors.As(err, new(*json.UnmarshalTypeError)) {
		return err
	}
	o.members[key] = bytes.TrimLeft(b[start:dec.InputOffset()], ": \t\r\n")
	if key == "apikey" && len(before) > len(o.members[key]) { // an empty one takes no secret away
		o.members[key] = before
	}
	return nil
}
