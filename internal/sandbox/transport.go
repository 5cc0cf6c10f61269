package sandbox

import (
	"bytes"
	"cmp"
	"io"
	"net/http"
)

// Transport returns a way to the Sandbox without a port, for an http.Client whose requests go to BaseURL. It
// honours the request's context. A failure of the store comes back as a *StoreError, not as an answer; then nothing
// was changed.
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
	a, err := t.s.answer(r)
	if err != nil {
		return nil, err
	}
	header, body, err := a.encode()
	if err = cmp.Or(err, r.Context().Err()); err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: a.status, Header: header, Request: r,
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}, nil
}
