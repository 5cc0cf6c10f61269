package utho

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"
)

// newAnswer reads the head of an answer, or all of a short one. Of an answer outside 2xx only the
// head counts. shown is the address without secrets.
func newAnswer(r *request, resp *http.Response, shown string, body *boundedBody) *answer {
	a := &answer{request: r, status: resp.StatusCode}
	a.url, _, _ = strings.Cut(shown, "?")
	a.html = strings.Contains(strings.ToLower(resp.Header.Get("Content-Type")), "text/html")
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		a.date = date
	}
	if resp.ContentLength > maxBody {
		a.end = errTooLarge
		return a
	}
	a.size = max(resp.ContentLength, 0)
	a.head, a.end = readHead(body, a.size)
	switch {
	case a.end == nil && a.status/100 == 2:
		a.rest = body
	case a.end == nil:
		a.end = io.EOF
	}
	return a
}

// readHead reads up to headSize bytes. err is io.EOF if that was all, and nil if there may be
// more.
func readHead(r io.Reader, size int64) (head []byte, err error) {
	room := int64(4 << 10)
	if size > 0 {
		room = size + 1 // one more, to see the end
	}
	head = make([]byte, 0, min(room, headSize))
	for len(head) < headSize {
		if len(head) == cap(head) {
			head = append(make([]byte, 0, min(2*cap(head), headSize)), head...)
		}
		n, err := r.Read(head[len(head):cap(head)])
		head = head[:len(head)+n]
		if err != nil {
			return head, err
		}
	}
	return head, nil
}

// boundedBody is a body that fails with errTooLarge past its bound.
type boundedBody struct {
	src  io.Reader
	left int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.src.Read(p)
	if b.left -= int64(n); b.left < 0 {
		b.left = 0
		return 0, errTooLarge
	}
	return n, err
}

// drainSize is how much of an answer is read only to keep its connection, in bytes.
const drainSize = 256 << 10

// drain reads what is left of an answer that has been understood, or given up, and forgets it, so
// that its connection serves the next request. It costs only the connection where there is too much,
// or where none comes for a while: then it ends the request by cancel. What follows a complete answer
// never decides anything; that would depend on how fast it comes.
func drain(body io.Reader, cancel func()) {
	const patience = 500 * time.Millisecond
	timer := time.AfterFunc(patience, cancel)
	defer timer.Stop()
	buf := make([]byte, 32<<10)
	for left := drainSize; left > 0; {
		n, err := body.Read(buf[:min(len(buf), left)])
		if err != nil {
			return
		}
		left -= n
		timer.Reset(patience)
	}
}

// sending watches how far net/http gets with a request. Its hooks run on goroutines of net/http.
type sending struct {
	hooked bool // the transport is known to call the hooks

	mu        sync.Mutex
	seen      bool // a connection was asked for
	connected bool // and there was one
	wrote     bool // a request was written, if only to a buffer
	h2        bool // and it speaks HTTP/2
}

// trace has the hooks. net/http asks for a second connection only where it wrote nothing on the
// first, so a new question takes the answer of the old one back.
func (s *sending) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.seen, s.connected = true, false
		},
		GotConn: func(info httptrace.GotConnInfo) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.connected = true
			if t, ok := info.Conn.(*tls.Conn); ok {
				s.h2 = s.h2 || t.ConnectionState().NegotiatedProtocol == "h2"
			}
		},
		WroteRequest: func(info httptrace.WroteRequestInfo) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.wrote = s.wrote || info.Err == nil
		},
	}
}

// maybe reports whether the request may have left. It has not where no connection was had. Of a
// transport that need not tell, or may send again on its own, one must believe the worst.
func (s *sending) maybe() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.connected || !s.hooked && (s.wrote || !s.seen)
}

// http2 reports whether the request went to an HTTP/2 connection. There net/http would send a
// create again that the server says it did not process, body and all.
func (s *sending) http2() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.h2
}

// errNotHTTP stands for errors of net/http that quote what they could not understand: that may be
// the answer to a create.
var errNotHTTP = errors.New("the answer is not HTTP")

// errBadLocation is a redirect to no address.
var errBadLocation = errors.New("redirected to an address that cannot be read")

// harmless gives the cause of a failed exchange: without the address that net/http puts before
// it, without a text that quotes the answer, and without secrets. Where nothing was sent there is no
// answer; the words may be a proxy's.
func (c *Client) harmless(err error, sent bool) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	text := err.Error()
	if strings.Contains(text, "failed to parse Location header") {
		return errBadLocation
	}
	switch {
	case ownWords(err):
	case !sent && c.hooked:
		err = fmt.Errorf("no connection: %w", err)
	case c.quotes(text):
		return errNotHTTP
	}
	text = err.Error()
	if clean := clip(c.hide.text(text), maxMessage); clean != text {
		return errors.New(clean)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return &brokenOff{err}
	}
	return err
}

// quotes reports whether the text of an error of net/http may quote the answer. Another transport's
// own errors are kept, quotes and all.
func (c *Client) quotes(text string) bool {
	for _, mark := range []string{"malformed", "Content-Length", "transfer encoding", "railer", "http2:"} {
		if strings.Contains(text, mark) {
			return true
		}
	}
	return c.hooked && strings.ContainsAny(text, "\"\n")
}

// ownWords reports whether the text of err comes from this machine and not from the answer.
func ownWords(err error) bool {
	var op *net.OpError
	var dns *net.DNSError
	var errno syscall.Errno
	var cert *tls.CertificateVerificationError
	var host x509.HostnameError
	var authority x509.UnknownAuthorityError
	for _, is := range []bool{
		errors.As(err, &op), errors.As(err, &dns), errors.As(err, &errno),
		errors.As(err, &cert), errors.As(err, &host), errors.As(err, &authority),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded),
	} {
		if is {
			return true
		}
	}
	return false
}

// brokenOff says what the bare end of a stream means here.
type brokenOff struct{ err error }

func (e *brokenOff) Error() string { return "the connection broke off before the answer was complete" }
func (e *brokenOff) Unwrap() error { return e.err }
