package sandboxtest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strconv"
	"syscall"
	"testing/iotest"
	"time"
)

var errUnreachable = errors.New("unreachable")

// ServeHTTP answers one request. It panics with [http.ErrAbortHandler] if a fault breaks the connection.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a, err := s.exchange(r)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	maps.Copy(w.Header(), a.header)
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // net/http breaks the connection if that is only a part
}

// Transport returns a way to the Server in process, for requests to [sandbox.BaseURL]. A connection that a fault drops
// is io.EOF, one cut short io.ErrUnexpectedEOF. Once a request's context has ended it fails with the context's error,
// whether it took effect or not.
func (s *Server) Transport() http.RoundTripper { return transport{s} }

type transport struct{ *Server }

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	a, err := t.exchange(r)
	if errors.Is(err, errUnreachable) {
		if trace := httptrace.ContextClientTrace(r.Context()); trace != nil && trace.GetConn != nil {
			trace.GetConn(r.URL.Host) // a client that asks whether its request left hears of no connection
		}
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	if err = cmp.Or(r.Context().Err(), err); err != nil {
		return nil, err
	}
	var body io.Reader = bytes.NewReader(a.body)
	if a.cut {
		body = io.MultiReader(body, iotest.ErrReader(io.ErrUnexpectedEOF))
	}
	return &http.Response{StatusCode: a.status, Header: a.header, Body: io.NopCloser(body), ContentLength: -1, Request: r}, nil
}

// answer is what goes on the wire.
type answer struct {
	status int
	header http.Header
	body   []byte
	cut    bool // the connection breaks after the body, which is only a part then
}

const unauthorized = `{"status":"error","message":"Unauthorized access. Please provide a valid API key."}`

// exchange answers a request as the faults say. The error says how the connection breaks without an answer.
func (s *Server) exchange(r *http.Request) (*answer, error) {
	var body []byte
	var err error
	if r.Body != nil {
		defer r.Body.Close() //nolint:errcheck // read only
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	got, f := s.arrive(r)
	if f.Unreachable {
		return nil, errUnreachable
	}
	if err := f.step(r.Context(), f.Before, f.Hold, f.DropBefore); err != nil {
		return nil, err
	}
	a := &answer{status: http.StatusOK, header: http.Header{}}
	if !f.replaces() || f.Effect || f.KeepBody || f.DropAfter {
		if a, err = s.handle(r, body, &f, got); err != nil {
			return nil, err
		}
	}
	if err := f.step(r.Context(), f.After, f.HoldAfter, f.DropAfter); err != nil {
		return nil, err
	}
	s.spoil(a, &f)
	return a, nil
}

// step is what happens before or after a request takes effect.
func (f *Fault) step(ctx context.Context, call func(), hold <-chan struct{}, drop bool) error {
	if call != nil {
		call()
	}
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if drop {
		return io.EOF
	}
	return nil
}

// handle lets the request take effect. Nobody lists a new token before it is hidden.
func (s *Server) handle(r *http.Request, body []byte, f *Fault, got *Request) (*answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	got.Effect = true
	owner := s.find(bearer(r))
	if owner.refuse > 0 {
		owner.refuse--
		return &answer{status: http.StatusOK, header: http.Header{}, body: []byte(unauthorized)}, nil
	}
	op, _ := asked(r)
	if op == Create && f.ForceWrite {
		body = bytes.Replace(body, []byte(`"write":"off"`), []byte(`"write":"on"`), 1)
	}
	a, err := s.forward(r, body)
	if err != nil || a.status != http.StatusOK || string(a.body) == unauthorized {
		return a, err
	}
	switch got.By = owner.id; op {
	case List:
		shown := slices.DeleteFunc(s.list(), func(t wireToken) bool { return time.Now().Before(s.find(t.ID).until) })
		a.body, err = json.Marshal(wireList{"success", shown})
	case Create:
		s.keep(a.body, f, got.change)
	}
	return a, err
}

// spoil turns the service's answer into what the fault sends.
func (s *Server) spoil(a *answer, f *Fault) {
	a.header.Set("Content-Type", "application/json")
	if f.replaces() {
		a.status = cmp.Or(f.Status, http.StatusOK)
		a.header.Set("Location", f.RedirectTo)
		a.header.Set("Retry-After", f.RetryAfter)
		if !f.KeepBody {
			a.body = []byte(f.Body)
		}
	}
	a.header.Set("Content-Length", strconv.Itoa(len(a.body)))
	if a.cut = f.Truncate; a.cut {
		a.body = a.body[:len(a.body)/2]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a.header.Set("Date", cmp.Or(f.Date, time.Now().Add(s.ahead)).UTC().Format(http.TimeFormat))
}
