package utho

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync"
	"time"
)

// call is one operation of the service.
type call struct {
	op     string
	method string
	url    string
	body   []byte
	byID   bool // it is about one token, which may be missing
	// read takes a whole 2xx answer to anything but a create.
	read    func(*answer) *Error
	created *CreatedToken // where a create puts what it got
	time    time.Duration // that the context left it when it began; 0 without a deadline
}

// failure is an error and whether the request may be sent again.
type failure struct {
	*Error
	again bool
}

// do sends the request, again if that is right, until there is an answer or an error.
func (c *Client) do(ctx context.Context, k *call) error {
	if deadline, ok := ctx.Deadline(); ok {
		k.time = time.Until(deadline)
	}
	sent := false
	for attempt := 1; ; attempt++ {
		f := c.try(ctx, k, attempt)
		if f == nil {
			return nil
		}
		sent = sent || f.Sent
		f.Op, f.Sent, f.Attempts = k.op, sent, attempt
		if !f.again || attempt >= c.retry.MaxAttempts {
			return f.Error
		}
		err := c.retry.pause(ctx, attempt, f.RetryAfter)
		switch {
		case err == nil:
			continue
		case err != errNoTime:
			e := k.ended(ctx)
			e.Op, e.Sent, e.Attempts = k.op, sent, attempt
			return e
		case f.RetryAfter > 0:
			err = fmt.Errorf("the service asks to wait %s, longer than there is time", f.RetryAfter)
		}
		if f.Err != nil {
			err = fmt.Errorf("%w; %w", f.Err, err)
		}
		f.Err = err
		return f.Error
	}
}

// ended is the error for a context that has ended: the caller gave up (no kind), or the time ran
// out.
func (k *call) ended(ctx context.Context) *Error {
	e := &Error{Err: ctx.Err()}
	if cause := context.Cause(ctx); !errors.Is(cause, e.Err) {
		e.Err = fmt.Errorf("%w: %w", e.Err, cause)
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		e.Kind = ErrUnavailable
		if e.Err == context.DeadlineExceeded { // and not the caller's own words
			e.Err = &timeoutError{k.time}
		}
	}
	return e
}

// timeoutError says for a request what context.DeadlineExceeded means.
type timeoutError struct{ after time.Duration }

func (e *timeoutError) Error() string {
	if e.after <= 0 {
		return "there was no time left for it"
	}
	unit := time.Second
	for e.after < 10*unit && unit > time.Millisecond {
		unit /= 10
	}
	return "no answer within " + e.after.Round(unit).String()
}

func (e *timeoutError) Unwrap() error { return context.DeadlineExceeded }

// maxRedirects is how many redirects of a GET are followed in one attempt.
const maxRedirects = 5

// try makes one attempt: one exchange, and one more for each redirect that may be followed.
func (c *Client) try(ctx context.Context, k *call, attempt int) *failure {
	target := k.url
	for hops := 0; ; hops++ {
		if ctx.Err() != nil {
			return &failure{Error: k.ended(ctx)}
		}
		next, f := c.exchange(ctx, k, target, attempt)
		if next == "" {
			return f
		}
		if hops == maxRedirects {
			return &failure{Error: &Error{Sent: true, Err: fmt.Errorf("more than %d redirects", maxRedirects)}}
		}
		target = next
	}
}

// exchange sends one request and reads its answer. A redirect that may be followed comes back as
// the next address.
func (c *Client) exchange(ctx context.Context, k *call, target string, attempt int) (next string, f *failure) {
	outer := ctx
	ctx, cancel := context.WithCancel(ctx)
	if c.timeout > 0 {
		ctx, cancel = context.WithTimeout(outer, c.timeout)
	}
	defer cancel()
	sent := &sending{hooked: c.hooked}
	start := time.Now()
	var a *answer
	if c.hook != nil {
		defer func() { c.report(k, target, attempt, start, a, f) }()
	}
	req, err := c.newRequest(ctx, k, target, sent)
	if err != nil {
		return "", &failure{Error: &Error{Err: err}}
	}
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		return "", c.lost(outer, k, 0, sent.maybe(), err)
	}
	a = readAnswer(ctx, resp, c.redact(target))
	if k.created != nil {
		return "", c.judgeCreate(outer, k, a)
	}
	return c.judge(outer, k, a, target)
}

// newRequest builds the request with its headers, the same for every operation.
func (c *Client) newRequest(ctx context.Context, k *call, target string, sent *sending) (*http.Request, error) {
	var body io.Reader
	if k.body != nil {
		body = bytes.NewReader(k.body)
	}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, sent.trace()), k.method, target, body)
	if err != nil {
		return nil, errors.New("the address cannot be read") // the error quotes it
	}
	req.Header.Set("Authorization", "Bearer "+c.secret)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.agent)
	if k.body != nil {
		req.Header.Set("Content-Type", "application/json")
		req.GetBody = func() (io.ReadCloser, error) {
			if sent.http2() {
				return nil, errors.New("a create is not sent twice")
			}
			return io.NopCloser(bytes.NewReader(k.body)), nil
		}
	}
	return req, nil
}

// lost is the failure of a request that has no whole answer. status is that of what came, 0 if
// nothing did.
func (c *Client) lost(ctx context.Context, k *call, status int, sent bool, err error) *failure {
	f := &failure{Error: &Error{Kind: ErrUnavailable, Err: c.cause(err, sent)}, again: !permanent(err)}
	switch {
	case ctx.Err() != nil:
		f.Error, f.again = k.ended(ctx), false
	case err == errTooLarge:
		f.Kind, f.Err, f.again = nil, err, false
	}
	f.StatusCode, f.Sent = status, sent
	if k.created != nil && sent {
		f.Kind, f.again = ErrOutcomeUnknown, false
	}
	return f
}

// redirect gives the address that an answer leads to if the request may be sent there, and else
// says where it leads. Only a GET is followed, and only to where its secret may go.
func (c *Client) redirect(k *call, a *answer, from string) (next string, err error) {
	refuse := func(place, why string) (string, error) {
		return "", fmt.Errorf("redirected to %s%s", c.redact(clip(place, 1000)), why)
	}
	location := a.header.Get("Location")
	base, err := url.Parse(from)
	if err != nil || location == "" {
		return refuse("nowhere", "")
	}
	u, err := base.Parse(location)
	if err != nil {
		return refuse("an address that cannot be read", "")
	}
	place := u.Scheme + "://" + u.Host
	canonical, err := ParseBaseURL(place)
	switch {
	case k.method != http.MethodGet:
		return refuse(place, ", where a "+k.method+" is not sent")
	case u.User != nil:
		return refuse(place, " with a user name")
	case err != nil || canonical.Scheme != c.base.Scheme || canonical.Host != c.base.Host:
		return refuse(place, ", where the secret is not sent")
	}
	u.Host, u.Fragment, u.RawFragment = canonical.Host, "", ""
	return u.String(), nil
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

// trace has the hooks. net/http asks for a second connection only if it wrote nothing on the
// first, so a new question withdraws the answer of the old one.
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

// maybe reports whether the request may have left. It has not if no connection was had. Of a
// transport that need not say, or may send again on its own, one must believe the worst.
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
