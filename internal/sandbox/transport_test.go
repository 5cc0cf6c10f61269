package sandbox

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"testing/iotest"
)

// closing reports whether a request's body has been closed, as a RoundTripper must do whatever happens.
type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }

// A client that traces its requests sees one leave, unless the store failed and nothing can have happened.
func TestTransport(t *testing.T) {
	t.Parallel()
	s := open(t)
	op := operator(t, s)
	noStore := openAt(t, "transport_test.go/sandbox.json")
	ended, end := context.WithCancel(t.Context())
	end()
	noMore, errStore, empty := errors.New("no more"), errors.New("store"), strings.NewReader("")
	for _, tt := range []struct {
		s    *Sandbox
		ctx  context.Context
		url  string
		body io.Reader
		want string
		err  error
	}{
		{s, t.Context(), BaseURL, empty, seedList, nil},
		{s, t.Context(), "https://api.utho.com/v2", empty, errorBody(msgHost), nil},
		{s, t.Context(), BaseURL, iotest.ErrReader(noMore), "", noMore},
		{s, ended, BaseURL, empty, "", context.Canceled},
		{noStore, t.Context(), BaseURL, empty, "", errStore},
	} {
		seen := 0
		ctx := httptrace.WithClientTrace(tt.ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { seen++ }})
		body := &closing{Reader: tt.body}
		req, err := http.NewRequestWithContext(ctx, "GET", tt.url+"/api", body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+op)
		resp, err := tt.s.Transport().RoundTrip(req)
		if errors.As(err, new(*StoreError)) {
			err = errStore
		}
		if !errors.Is(err, tt.err) || !body.closed || (seen == 1) != (tt.err == nil) {
			t.Errorf("%v, want %v; body closed %v, traced %d", err, tt.err, body.closed, seen)
		} else if err == nil {
			data, err := io.ReadAll(resp.Body)
			if err != nil || string(data) != tt.want || resp.ContentLength != int64(len(data)) || resp.Request != req {
				t.Errorf("%v %s %+v", err, data, resp)
			}
		}
	}
}
