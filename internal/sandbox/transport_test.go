package sandbox

import (
	"context"
	"errors"
	"io"
	"net/http"
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

func TestTransport(t *testing.T) {
	t.Parallel()
	ended, end := context.WithCancel(t.Context())
	end()
	noMore := errors.New("no more")
	for _, tt := range []struct {
		ctx  context.Context
		body io.Reader
		want error
	}{
		{t.Context(), strings.NewReader(""), nil},
		{t.Context(), iotest.ErrReader(noMore), noMore},
		{ended, strings.NewReader(""), context.Canceled},
	} {
		body := &closing{Reader: tt.body}
		req, err := http.NewRequestWithContext(tt.ctx, "GET", BaseURL+"/api", body)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := open(t).Transport().RoundTrip(req)
		if !errors.Is(err, tt.want) || !body.closed || err == nil && resp.Request != req {
			t.Errorf("%v, want %v; body closed %v; %+v", err, tt.want, body.closed, resp)
		}
	}
}
