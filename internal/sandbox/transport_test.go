package sandbox

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// closing tells whether a request's body has been closed, as a RoundTripper must
// do whatever happens.
type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("no more") }

func TestTransport(t *testing.T) {
	t.Parallel()
	s := Memory(WithClock(aMoment))
	op := operator(t, s)
	request := func(method string, body io.Reader) (*http.Request, *closing) {
		c := &closing{Reader: body}
		req, err := http.NewRequestWithContext(t.Context(), method, BaseURL+"/api", c)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+op)
		return req, c
	}

	t.Run("answer", func(t *testing.T) {
		req, body := request("GET", strings.NewReader(""))
		resp, err := s.Transport().RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(resp.Body)
		if err != nil || string(data) != seedList || resp.Body.Close() != nil {
			t.Errorf("%v %s", err, data)
		}
		if resp.Status != "200 OK" || resp.StatusCode != 200 || resp.Proto != "HTTP/1.1" || resp.ProtoMajor != 1 || resp.ProtoMinor != 1 ||
			resp.ContentLength != int64(len(data)) || resp.Request != req || resp.Header.Get("Date") != "Mon, 23 Nov 2026 09:30:00 GMT" {
			t.Errorf("%+v", resp)
		}
		if !body.closed {
			t.Error("the request's body is open")
		}
	})
	t.Run("a plain request is a GET", func(t *testing.T) {
		req, _ := request("GET", strings.NewReader(""))
		req.Method, req.Body, req.Host = "", nil, ""
		resp, err := s.Transport().RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(resp.Body)
		if err != nil || string(data) != seedList {
			t.Errorf("%v %s", err, data)
		}
	})
	t.Run("HEAD has no body", func(t *testing.T) {
		req, _ := request("HEAD", strings.NewReader(""))
		resp, err := s.Transport().RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(resp.Body)
		if err != nil || len(data) > 0 || resp.ContentLength == 0 {
			t.Errorf("%v %s", err, data)
		}
	})
	t.Run("a body that cannot be read", func(t *testing.T) {
		req, body := request("GET", brokenReader{})
		if _, err := s.Transport().RoundTrip(req); err == nil || err.Error() != "no more" || !body.closed {
			t.Errorf("%v, closed %v", err, body.closed)
		}
	})
	t.Run("another host", func(t *testing.T) {
		g := send(t, inProcess(s), "GET", "https://api.utho.com/v2/api", op, "")
		if g.status != 421 || g.body != errorBody(msgHost) {
			t.Errorf("%+v", g)
		}
	})
	t.Run("context ended before", func(t *testing.T) {
		req, body := request("GET", strings.NewReader(""))
		ctx, end := context.WithCancel(t.Context())
		end()
		if _, err := s.Transport().RoundTrip(req.WithContext(ctx)); !errors.Is(err, context.Canceled) || !body.closed {
			t.Errorf("%v, closed %v", err, body.closed)
		}
	})
	t.Run("context ended while reading", func(t *testing.T) {
		req, _ := request("GET", strings.NewReader(""))
		ctx, end := context.WithCancel(t.Context())
		resp, err := s.Transport().RoundTrip(req.WithContext(ctx))
		if err != nil {
			t.Fatal(err)
		}
		end()
		if _, err := io.ReadAll(resp.Body); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	})
}

// A client that traces its requests sees one leave, unless the store failed and
// nothing can have happened.
func TestTransportTrace(t *testing.T) {
	t.Parallel()
	left := func(s *Sandbox) []string {
		var seen []string
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			GotConn:      func(httptrace.GotConnInfo) { seen = append(seen, "connection") },
			WroteRequest: func(httptrace.WroteRequestInfo) { seen = append(seen, "written") },
		})
		_, err := roundTrip(ctx, inProcess(s), "GET", BaseURL+"/api", "x", "")
		if failed := errors.As(err, new(*StoreError)); failed == slices.Contains(seen, "written") {
			t.Errorf("%v after %v", err, seen)
		}
		return seen
	}
	both := []string{"connection", "written"}
	if got := left(Memory()); !slices.Equal(got, both) {
		t.Errorf("an answer: %v", got)
	}
	if got := left(Memory(WithFaults(NewFaults(Rule{DropAfter: true})))); !slices.Equal(got, both) {
		t.Errorf("a lost answer: %v", got)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := left(openAt(t, filepath.Join(file, "sandbox.json"))); got != nil {
		t.Errorf("no store: %v", got)
	}
}
