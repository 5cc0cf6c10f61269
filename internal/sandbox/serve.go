package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ErrAddress is returned by Listen for an address that is no "HOST:PORT", or is not this machine's alone.
var ErrAddress = errors.New("not a loopback address and a port")

// grace is how long Serve waits for requests under way after its context ended.
const grace = 5 * time.Second

// Options of Serve. What is left out does not happen.
type Options struct {
	// Log gets one line of JSON a request, without secrets, in the order in which the answers were ready. What it
	// fails with is ignored.
	Log io.Writer
	// Trace is called with one line of text a request, without secrets, by several goroutines at once.
	Trace func(line string)
}

// Listen listens on a loopback address, "HOST:PORT"; port 0 takes a free one. The host is an IP address or
// localhost, which is 127.0.0.1, or ::1 on a machine without that, whatever a resolver says. ErrAddress for any
// other.
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	hosts := []string{host}
	if strings.EqualFold(host, "localhost") {
		hosts = []string{"127.0.0.1", "::1"}
	}
	if ip, parseErr := netip.ParseAddr(hosts[0]); err != nil || parseErr != nil || !ip.Unmap().IsLoopback() {
		return nil, fmt.Errorf("listen on %q: %w", addr, ErrAddress)
	}
	var ln net.Listener
	for _, host := range hosts {
		if ln, err = (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(host, port)); err == nil {
			return ln, nil
		}
	}
	return nil, err
}

// Serve answers HTTP on ln, which must listen on a loopback address, until ctx ends; then it lets requests under
// way finish, for five seconds at most, and returns nil. It closes ln in every case.
func (s *Sandbox) Serve(ctx context.Context, ln net.Listener, opts Options) error {
	at, err := netip.ParseAddrPort(ln.Addr().String())
	if err != nil || !at.Addr().Unmap().IsLoopback() {
		_ = ln.Close() // the address is the error to report
		return fmt.Errorf("serve sandbox on %s: %w", ln.Addr(), ErrAddress)
	}
	server := &http.Server{
		Handler:           opts.around(s),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      2 * time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          log.New(io.Discard, "", 0),
		// OPTIONS * is an unknown path like any other.
		DisableGeneralOptionsHandler: true,
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ln) }()
	select {
	case err := <-ended:
		_ = server.Close() // what broke the listener is the error to report
		return fmt.Errorf("serve sandbox on %s: %w", at, err)
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if err := server.Shutdown(last); err != nil {
		_ = server.Close() // whoever still holds a request open after the grace period is cut off
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve sandbox on %s: %w", at, err)
	}
	return nil
}

// logLine is a line of the request log.
type logLine struct {
	Time     string  `json:"time"` // RFC 3339, UTC
	Method   string  `json:"method"`
	Path     string  `json:"path"` // escaped, without the query
	Status   int     `json:"status"`
	Result   string  `json:"result"`            // success or error
	Message  string  `json:"message,omitempty"` // of an error
	Token    string  `json:"token,omitempty"`   // whose secret came: operator or an id
	Duration float64 `json:"duration_ms"`
}

// around is s, with its requests reported as the options say.
func (o Options) around(s *Sandbox) http.Handler {
	if o.Log == nil && o.Trace == nil {
		return s
	}
	var mu sync.Mutex
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		a := s.serve(w, r)
		line := logLine{
			Time: start.UTC().Format("2006-01-02T15:04:05.000Z"), Method: hide(r.Method), Path: hide(r.URL.EscapedPath()),
			Status: a.status, Result: statusSuccess, Token: a.by,
			Duration: float64(time.Since(start).Microseconds()) / 1000,
		}
		if m, ok := a.body.(messageBody); ok && m.Status == statusError {
			line.Result, line.Message = m.Status, hide(m.Message)
		}
		if o.Trace != nil {
			o.Trace(line.text())
		}
		if o.Log != nil {
			data, err := json.Marshal(line)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				_, _ = o.Log.Write(append(data, '\n'))
			}
		}
	})
}

// text is the line for people.
func (l logLine) text() string {
	text := fmt.Sprintf("%s %s: %d in %g ms, %s", l.Method, l.Path, l.Status, l.Duration, l.Result)
	if l.Message != "" {
		text += ": " + l.Message
	}
	return text
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
