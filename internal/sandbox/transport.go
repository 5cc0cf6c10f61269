package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
)

// Transport returns a way to the Sandbox without a port, for an http.Client
// whose requests go to BaseURL. It honours the request's context.
//
// A failure of the store comes back as a *StoreError, not as an answer; then
// nothing was changed, and no httptrace hook has seen a connection. A connection
// that an injected fault drops is io.EOF, one cut short io.ErrUnexpectedEOF.
func (s *Sandbox) Transport() http.RoundTripper { return transport{s} }

type transport struct{ s *Sandbox }

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close() //nolint:errcheck // the body has been read, or the request failed for another reason
	}
	ctx := r.Context()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	// A client that asks whether its request ever left hears of the attempt, and
	// below that it did.
	trace := httptrace.ContextClientTrace(ctx)
	if trace != nil && trace.GetConn != nil {
		trace.GetConn(r.URL.Host)
	}
	p, err := t.s.respond(r)
	if errors.As(err, new(*StoreError)) {
		return nil, err
	}
	if trace != nil {
		if trace.GotConn != nil {
			trace.GotConn(httptrace.GotConnInfo{})
		}
		if trace.WroteRequest != nil {
			trace.WroteRequest(httptrace.WroteRequestInfo{})
		}
	}
	if err != nil {
		return nil, err
	}
	body := &answerBody{ctx: ctx, rest: bytes.NewReader(p.body[:p.sent]), end: io.EOF}
	if p.sent < len(p.body) {
		body.end = io.ErrUnexpectedEOF
	}
	if r.Method == http.MethodHead {
		body = &answerBody{ctx: ctx, rest: bytes.NewReader(nil), end: io.EOF}
	}
	return &http.Response{
		Status:        fmt.Sprintf("%d %s", p.status, http.StatusText(p.status)),
		StatusCode:    p.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        p.header,
		Body:          body,
		ContentLength: int64(len(p.body)),
		Request:       r,
	}, nil
}

// answerBody gives what came through, then end. As with a real connection,
// nothing can be read once the request's context has ended.
type answerBody struct {
	ctx  context.Context
	rest *bytes.Reader
	end  error
}

func (b *answerBody) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := b.rest.Read(p)
	if errors.Is(err, io.EOF) {
		err = b.end
	}
	return n, err
}

func (b *answerBody) Close() error { return nil }
