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
	"sync/atomic"
	"time"
)

// call is one operation of the service.
type call struct {
	op, method, url string
	body            []byte
	wants           string                       // the member of the answer that it is after
	byID            bool                         // it is about one token, which may be missing
	read            func(*answer, *object) error // takes a success
	created         *CreatedToken                // where a create puts what it got; nil for the others
	time            time.Duration                // that the context left it when it began; 0 without a deadline
}

// do sends the request, again if that is right, until there is an answer or an error.
func (c *Client) do(ctx context.Context, k *call) error {
	if deadline, ok := ctx.Deadline(); ok {
		k.time = time.Until(deadline)
	}
	sent := false
	for attempt := 1; ; attempt++ {
		e, again := c.try(ctx, k, attempt)
		if e == nil {
			return nil
		}
		sent = sent || e.Sent
		if again && attempt < c.retry.MaxAttempts {
			switch err := c.retry.pause(ctx, attempt, e.RetryAfter); {
			case err == nil:
				continue
			case ctx.Err() != nil:
				e = k.ended(ctx)
			case e.Err == nil:
				e.Err = err
			default:
				e.Err = fmt.Errorf("%w; %w", e.Err, err)
			}
		}
		e.Op, e.Sent, e.Attempts = k.op, sent, attempt
		return e
	}
}

// ended is the error for a context that has ended: the caller gave up (no kind), or the time ran out.
func (k *call) ended(ctx context.Context) *Error {
	e := &Error{Err: ctx.Err()}
	if e.Err == context.DeadlineExceeded {
		e.Kind, e.Err = ErrUnavailable, &timeoutError{k.time}
	}
	if cause := context.Cause(ctx); !errors.Is(cause, ctx.Err()) {
		e.Err = fmt.Errorf("%w: %w", ctx.Err(), cause)
	}
	return e
}

// timeoutError says for a request what context.DeadlineExceeded means.
type timeoutError struct{ after time.Duration }

func (e *timeoutError) Error() string {
	if e.after <= 0 {
		return "there was no time left for it"
	}
	step := 100 * time.Millisecond
	if e.after < time.Second {
		step = 10 * time.Millisecond
	}
	return "no answer within " + e.after.Round(step).String()
}

func (e *timeoutError) Unwrap() error { return context.DeadlineExceeded }

// maxRedirects is how many redirects of a GET are followed in one attempt.
const maxRedirects = 5

// try makes one attempt: one exchange, and one more for each redirect that may be followed.
func (c *Client) try(ctx context.Context, k *call, attempt int) (e *Error, again bool) {
	next := k.url
	for range maxRedirects + 1 {
		if ctx.Err() != nil {
			return k.ended(ctx), false
		}
		next, e, again = c.exchange(ctx, k, next, attempt)
		if next == "" {
			return e, again
		}
	}
	return &Error{Sent: true, Err: fmt.Errorf("more than %d redirects", maxRedirects)}, false
}

// exchange sends one request and reads its answer. A redirect that may be followed comes back as the next address.
func (c *Client) exchange(outer context.Context, k *call, target string, attempt int) (next string, e *Error, again bool) {
	ctx := outer
	if c.timeout > 0 {
		var cancel func()
		ctx, cancel = context.WithTimeout(outer, c.timeout)
		defer cancel()
	}
	sent := &sending{hooked: c.hooked}
	start := time.Now()
	var a *answer
	if c.hook != nil {
		defer func() { c.report(k, target, attempt, start, a, e) }()
	}
	req, err := c.newRequest(ctx, k, target, sent)
	if err != nil {
		return "", &Error{Err: err}, false
	}
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		e, again = c.lost(outer, k, 0, sent.maybe(), err)
		return "", e, again
	}
	a = readAnswer(ctx, resp, c.redact(target))
	switch {
	case k.created != nil:
		e, again = c.judgeCreate(outer, k, a)
	case a.status/100 == 3 && a.status != http.StatusNotModified:
		if next, err = c.redirect(k, a, target); err != nil {
			e = c.answered(k, a, &Error{Err: err})
		}
	default:
		e, again = c.judge(outer, k, a)
	}
	return next, e, again
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
			if sent.http2.Load() { // there net/http would send again what the server says it did not process
				return nil, errors.New("a create is not sent twice")
			}
			return io.NopCloser(bytes.NewReader(k.body)), nil
		}
	}
	return req, nil
}

// lost is the error for a request that has no whole answer. status is that of what came, 0 if nothing did.
func (c *Client) lost(ctx context.Context, k *call, status int, sent bool, err error) (e *Error, again bool) {
	again = !permanent(err)
	switch {
	case ctx.Err() != nil:
		e, again = k.ended(ctx), false
	case err == errTooLarge || err == errNotHTTP:
		e, again = &Error{Err: err}, false
	default:
		e = &Error{Kind: ErrUnavailable, Err: c.cause(err, sent)}
	}
	e.StatusCode, e.Sent = status, sent
	if k.created != nil && sent {
		e.Kind, again = ErrOutcomeUnknown, false
	}
	return e, again
}

// redirect gives the address that an answer leads to if the request may be sent there, and else says where it leads.
// Only a GET is followed, and only to where its secret may go.
func (c *Client) redirect(k *call, a *answer, from string) (next string, err error) {
	base, err := url.Parse(from)
	if err != nil || a.header.Get("Location") == "" {
		return "", errors.New("redirected to nowhere")
	}
	u, err := base.Parse(a.header.Get("Location"))
	if err != nil {
		return "", errors.New("redirected to an address that cannot be read")
	}
	place := u.Scheme + "://" + u.Host
	canonical, err := ParseBaseURL(place)
	why := ""
	switch {
	case k.method != http.MethodGet:
		why = "a " + k.method
	case u.User != nil || err != nil || canonical.Scheme != c.base.Scheme || canonical.Host != c.base.Host:
		why = "the secret"
	default:
		u.Host, u.Fragment, u.RawFragment = canonical.Host, "", ""
		return u.String(), nil
	}
	return "", fmt.Errorf("redirected to %s, where %s is not sent", clip(c.redact(place), 200), why)
}

// sending watches how far net/http gets with a request. Its hooks run on goroutines of net/http.
type sending struct {
	hooked    bool        // the transport is known to call the hooks
	seen      atomic.Bool // a connection was asked for
	connected atomic.Bool // and there was one
	wrote     atomic.Bool // a request was written, if only to a buffer
	http2     atomic.Bool // the connection speaks HTTP/2
}

// trace has the hooks. net/http asks for a second connection only if it wrote nothing on the first, so a new question
// withdraws the answer of the old one.
func (s *sending) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) {
			s.connected.Store(false)
			s.seen.Store(true)
		},
		GotConn: func(info httptrace.GotConnInfo) {
			s.connected.Store(true)
			if t, ok := info.Conn.(*tls.Conn); ok && t.ConnectionState().NegotiatedProtocol == "h2" {
				s.http2.Store(true)
			}
		},
		WroteRequest: func(info httptrace.WroteRequestInfo) {
			if info.Err == nil {
				s.wrote.Store(true)
			}
		},
	}
}

// maybe reports whether the request may have left. It has not if no connection was had. Of a transport that need not
// say, or may send again on its own, one must believe the worst.
func (s *sending) maybe() bool {
	return s.connected.Load() || !s.hooked && (s.wrote.Load() || !s.seen.Load())
}
