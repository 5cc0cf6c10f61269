package sandboxtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing/iotest"
	"time"
)

var errUnreachable = errors.New("unreachable")

// ServeHTTP answers one request. It panics with [http.ErrAbortHandler] if a fault
// breaks the connection.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a, err := s.exchange(r)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	maps.Copy(w.Header(), a.header)
	w.WriteHeader(a.status)
	if !a.cut {
		_, _ = w.Write(a.body) // a client that has gone away hears of nothing
		return
	}
	_, _ = w.Write(a.body[:len(a.body)/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// Transport returns a way to the Server in process, for requests to
// [sandbox.BaseURL]. A connection that a fault drops is io.EOF, one cut short
// io.ErrUnexpectedEOF. Once a request's context has ended it fails with the
// context's error, whether it took effect or not.
func (s *Server) Transport() http.RoundTripper { return transport{s} }

type transport struct{ s *Server }

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close() //nolint:errcheck // it has been read
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	trace := httptrace.ContextClientTrace(r.Context())
	if trace != nil && trace.GetConn != nil {
		trace.GetConn(r.URL.Host)
	}
	a, err := t.s.exchange(r)
	if errors.Is(err, errUnreachable) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	if trace != nil && trace.GotConn != nil {
		trace.GotConn(httptrace.GotConnInfo{})
	}
	if trace != nil && trace.WroteRequest != nil {
		trace.WroteRequest(httptrace.WroteRequestInfo{})
	}
	if gone := r.Context().Err(); gone != nil {
		return nil, gone
	}
	if err != nil {
		return nil, err
	}
	var body io.Reader = bytes.NewReader(a.body)
	if a.cut {
		body = io.MultiReader(bytes.NewReader(a.body[:len(a.body)/2]), iotest.ErrReader(io.ErrUnexpectedEOF))
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", a.status, http.StatusText(a.status)), StatusCode: a.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header, Body: io.NopCloser(body), ContentLength: int64(len(a.body)), Request: r,
	}, nil
}

// answer is what goes on the wire.
type answer struct {
	status int
	header http.Header
	body   []byte
	cut    bool // the connection breaks in the middle of the body
}

const unauthorized = `{"status":"error","message":"Unauthorized access. Please provide a valid API key."}`

// exchange answers a request as the faults say. The error says how the connection
// breaks without an answer.
func (s *Server) exchange(r *http.Request) (*answer, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	got, f, c := s.arrive(r, body)
	defer s.note(func() {
		s.ended++
		c.ended = s.ended
	})
	ctx := r.Context()
	if f.Unreachable {
		return nil, errUnreachable
	}
	if f.Before != nil {
		f.Before()
	}
	if err := hold(ctx, f.Hold); err != nil {
		return nil, err
	}
	if f.DropBefore {
		return nil, io.EOF
	}
	a := &answer{status: http.StatusOK, header: http.Header{}}
	if !f.replaces() || f.Effect || f.KeepBody || f.DropAfter {
		var by string
		var err error
		if a, by, err = s.handle(r, body, &f, c); err != nil {
			return nil, err
		}
		s.note(func() { got.By, got.Effect = by, true })
	}
	if f.After != nil {
		f.After()
	}
	if err := hold(ctx, f.HoldAfter); err != nil {
		return nil, err
	}
	if f.DropAfter {
		return nil, io.EOF
	}
	s.spoil(a, &f)
	s.note(func() { got.Status = a.status })
	return a, nil
}

// handle lets the request take effect; by is whose secret it came with.
func (s *Server) handle(r *http.Request, body []byte, f *Fault, c *change) (a *answer, by string, err error) {
	s.turn.Lock()
	defer s.turn.Unlock()
	secret := bearer(r)
	owner := s.createOf(secret)
	if owner != nil && owner.refuse > 0 {
		owner.refuse--
		return &answer{status: http.StatusOK, header: http.Header{}, body: []byte(unauthorized)}, "", nil
	}
	if a, err = s.forward(r, f.tamper(body)); err != nil {
		return nil, "", err
	}
	switch {
	case a.status != http.StatusOK || string(a.body) == unauthorized:
		return a, "", nil
	case c.op == List:
		a.body, err = s.visible()
	case c.op == Create:
		s.keep(c, a.body, f)
	}
	if secret == s.operator {
		by = "operator"
	} else if owner != nil {
		by = owner.id
	}
	return a, by, err
}

// tamper rewrites what a create asks for. A body that is no create's is left for
// the service to refuse.
func (f *Fault) tamper(body []byte) []byte {
	var fields map[string]any
	if !f.ForceWrite && f.Rename == "" || json.Unmarshal(body, &fields) != nil {
		return body
	}
	if f.ForceWrite {
		fields["write"] = "on"
	}
	if f.Rename != "" {
		fields["name"] = f.Rename
	}
	body, _ = json.Marshal(fields) // they came from JSON
	return body
}

// visible is the answer to a list, without the tokens that are hidden from it.
func (s *Server) visible() ([]byte, error) {
	shown := slices.DeleteFunc(s.list(), func(t wireToken) bool {
		c := s.createOf(t.ID)
		if c == nil {
			return false
		}
		c.lists--
		return c.lists >= 0 || time.Now().Before(c.until)
	})
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	err := enc.Encode(wireList{Status: "success", API: shown})
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), err
}

// spoil turns the service's answer into what the fault sends.
func (s *Server) spoil(a *answer, f *Fault) {
	a.header.Set("Content-Type", "application/json")
	if f.replaces() {
		switch {
		case f.Status != 0:
			a.status = f.Status
		case f.RetryAfter != "":
			a.status = http.StatusTooManyRequests
		case f.RedirectTo != "":
			a.status = http.StatusFound
		default:
			a.status = http.StatusOK
		}
		if f.RedirectTo != "" {
			a.header.Set("Location", f.RedirectTo)
		}
		if f.RetryAfter != "" {
			a.header.Set("Retry-After", f.RetryAfter)
		}
		if strings.HasPrefix(f.Body, "<") {
			a.header.Set("Content-Type", "text/html; charset=UTF-8")
		}
		if !f.KeepBody {
			a.body = []byte(f.Body)
		}
	}
	a.body, a.cut = append([]byte(f.Prefix), a.body...), f.Truncate
	a.header.Set("Content-Length", strconv.Itoa(len(a.body)))
	date := f.Date
	if date.IsZero() {
		s.mu.Lock()
		date = time.Now().Add(s.ahead)
		s.mu.Unlock()
	}
	a.header.Set("Date", date.UTC().Format(http.TimeFormat))
}

// hold blocks until something comes from c; a nil c holds nothing.
func hold(ctx context.Context, c <-chan struct{}) error {
	if c == nil {
		return nil
	}
	select {
	case <-c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
