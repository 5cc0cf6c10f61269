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
	for name, tt := range map[string]struct {
		s    *Sandbox
		ctx  context.Context
		url  string
		body io.Reader
		want string
		err  error
	}{
		"answer":        {s, t.Context(), BaseURL, empty, seedList, nil},
		"another host":  {s, t.Context(), "https://api.utho.com/v2", empty, errorBody(msgHost), nil},
		"broken body":   {s, t.Context(), BaseURL, iotest.ErrReader(noMore), "", noMore},
		"ended context": {s, ended, BaseURL, empty, "", context.Canceled},
		"no store":      {noStore, t.Context(), BaseURL, empty, "", errStore},
	} {
		seen := 0
		ctx := httptrace.WithClientTrace(tt.ctx, &httptrace.ClientTrace{
			GotConn: func(httptrace.GotConnInfo) { seen++ },
		})
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
		if !errors.Is(err, tt.err) || err != nil != (tt.err != nil) || !body.closed || (seen == 1) != (err == nil) {
			t.Errorf("%s: %v, body closed %v, traced %d", name, err, body.closed, seen)
		}
		if err != nil {
			continue
		}
		data, err := io.ReadAll(resp.Body)
		if err != nil || string(data) != tt.want || resp.ContentLength != int64(len(data)) || resp.Request != req {
			t.Errorf("%s: %v %s %+v", name, err, data, resp)
		}
	}
}
