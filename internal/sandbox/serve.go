package sandbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// ErrAddress is returned by Listen for an address that is no "HOST:PORT", or is not this machine's alone.
var ErrAddress = errors.New("not a loopback address and a port")

// grace is how long Serve waits for requests under way after its context ended.
const grace = 5 * time.Second

// A Request is what Serve reports of each, without secrets. It is a line of the request log.
type Request struct {
	Time     string  `json:"time"` // RFC 3339, UTC
	Method   string  `json:"method"`
	Path     string  `json:"path"` // escaped, without the query
	Status   int     `json:"status"`
	Result   string  `json:"result"`            // success or error
	Message  string  `json:"message,omitempty"` // of an error
	Token    string  `json:"token,omitempty"`   // whose secret came: operator or an id
	Duration float64 `json:"duration_ms"`
}

// String is the request for people.
func (r Request) String() string {
	text := fmt.Sprintf("%s %s: %d in %g ms, %s", r.Method, r.Path, r.Status, r.Duration, r.Result)
	if r.Message != "" {
		text += ": " + r.Message
	}
	return text
}

// Listen listens on a loopback address, "IP:PORT" or "localhost:PORT", which is 127.0.0.1 whatever a resolver says;
// port 0 takes a free one. ErrAddress for any other.
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	literal := addr
	if host, port, _ := strings.Cut(addr, ":"); strings.EqualFold(host, "localhost") {
		literal = "127.0.0.1:" + port
	}
	at, err := netip.ParseAddrPort(literal)
	if err != nil || !at.Addr().Unmap().IsLoopback() {
		return nil, fmt.Errorf("listen on %q: %w", addr, ErrAddress)
	}
	return (&net.ListenConfig{}).Listen(ctx, "tcp", literal)
}

// Serve answers HTTP on ln until ctx ends; then it lets requests under way finish, for five seconds at most, and
// returns nil. It closes ln in every case. report is called after each request, by several goroutines at once.
func (s *Sandbox) Serve(ctx context.Context, ln net.Listener, report func(Request)) error {
	silent := log.New(io.Discard, "", 0)
	server := &http.Server{Handler: s.handler(report), ReadHeaderTimeout: 10 * time.Second, ErrorLog: silent}
	stopped := make(chan struct{})
	context.AfterFunc(ctx, func() {
		defer close(stopped)
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		if server.Shutdown(last) != nil {
			_ = server.Close() // whoever still holds a request open is cut off
		}
	})
	if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve sandbox on %s: %w", ln.Addr(), err)
	}
	<-stopped
	return nil
}

// handler answers requests. A failure of the store, which changed nothing, is a 500 with an error body that gives
// the reason. A request that cannot be read is not answered.
func (s *Sandbox) handler(report func(Request)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		a, err := s.answer(r)
		if failed, ok := errors.AsType[*StoreError](err); ok {
			a, err = message(http.StatusInternalServerError, statusError, failed.Error()), nil
		}
		header, body, wrong := a.encode()
		if err = cmp.Or(err, wrong); err != nil {
			panic(http.ErrAbortHandler) // nothing is sent, and nothing logged
		}
		maps.Copy(w.Header(), header)
		w.WriteHeader(a.status)
		_, _ = w.Write(body) //nolint:gosec // it is JSON, and called so; a client that has gone away hears of nothing
		done := Request{
			Time: start.UTC().Format("2006-01-02T15:04:05.000Z"), Method: hide(r.Method), Path: hide(r.URL.EscapedPath()),
			Status: a.status, Result: statusSuccess, Token: a.by, Duration: float64(time.Since(start).Microseconds()) / 1000,
		}
		if m, ok := a.body.(messageBody); ok && m.Status == statusError {
			done.Result, done.Message = m.Status, hide(m.Message)
		}
		report(done)
	})
}

// hide bounds a text that came from outside and cuts it where a secret begins.
func hide(text string) string {
	text, _, cut := strings.Cut(text, "live_")
	if cut {
		text += "[secret]"
	}
	return text[:min(len(text), 1000)]
}

// loopback reports whether a Host header names this machine. A page in a browser that has its own name resolve to
// 127.0.0.1 (DNS rebinding) comes with that name, and is refused.
func loopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(hostport, "["), "]")
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
