package sandbox

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptrace"
)

// Transport returns a way to the Sandbox without a port, for an http.Client whose requests go to BaseURL. It
// honours the request's context.
//
// A failure of the store comes back as a *StoreError, not as an answer; then nothing was changed, and no httptrace
// hook has seen a connection.
func (s *Sandbox) Transport() http.RoundTripper { return transport{s} }

type transport struct{ s *Sandbox }

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close() //nolint:errcheck // the body has been read, or the request failed for another reason
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	a, err := t.s.respond(r)
	if err != nil {
		return nil, err
	}
	// A client that asks whether its request ever left hears that it did.
	if trace := httptrace.ContextClientTrace(r.Context()); trace != nil && trace.GotConn != nil {
		trace.GotConn(httptrace.GotConnInfo{})
	}
	body, err := a.json()
	if err == nil {
		err = r.Context().Err()
	}
	if err != nil {
		return nil, err
	}
	resp := &http.Response{
		StatusCode:    a.status,
		Header:        http.Header{},
		Body:          io.NopCloser(bytes.NewReader(body)),
		ContentLength: int64(len(body)),
		Request:       r,
	}
	setHeader(resp.Header, len(body))
	return resp, nil
}
