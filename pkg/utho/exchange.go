package utho

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"
)

// call is one operation of the service.
type call struct {
	op, method, url string
	body            []byte
	wants           string                       // the member of the answer that it is after
	byID            bool                         // it is about one token, which may be missing
	read            func(*answer, *object) error // takes a success; may be nil
	created         *CreatedToken                // where a create puts what it got; nil for the others
	time            time.Duration                // that the context left it when it began; 0 without a deadline
}

// do sends the request, again if that is right, until there is an answer or an error.
func (c *Client) do(ctx context.Context, k *call) error {
	if deadline, ok := ctx.Deadline(); ok {
		k.time = time.Until(deadline)
	}
	for attempt := 1; ; attempt++ {
		e, again := c.exchange(ctx, k, attempt)
		if e == nil {
			return nil
		}
		if again && attempt < c.retry.MaxAttempts {
			err := c.retry.pause(ctx, attempt, e.RetryAfter)
			switch {
			case err == nil:
				continue
			case ctx.Err() != nil:
				e = k.ended(ctx)
			case e.Err == nil || e.RetryAfter > 0:
				e.Err = err
			}
		}
		e.Op, e.Attempts = k.op, attempt
		return e
	}
}

// ended is the error for a context that has ended: the caller gave up (no kind), or the time ran out.
func (k *call) ended(ctx context.Context) *Error {
	e := &Error{Err: ctx.Err()}
	if errors.Is(e.Err, context.DeadlineExceeded) {
		text := "there was no time left for it"
		if k.time > 0 {
			unit := time.Second
			if k.time < 2*unit {
				unit /= 100
			}
			text = "no answer within " + k.time.Round(unit).String()
		}
		e.Kind, e.Err = ErrUnavailable, &worded{text, e.Err}
	}
	if cause := context.Cause(ctx); !errors.Is(cause, ctx.Err()) {
		e.Err = &worded{cause.Error(), errors.Join(ctx.Err(), cause)}
	}
	return e
}

// exchange sends the request once and reads its answer. again reports whether it may be better the next time.
func (c *Client) exchange(ctx context.Context, k *call, attempt int) (e *Error, again bool) {
	if ctx.Err() != nil {
		return k.ended(ctx), false
	}
	start := time.Now()
	var a *answer
	if c.hook != nil {
		defer func() { c.report(k, attempt, start, a, e) }()
	}
	var asked, connected atomic.Bool // for a connection, and with one; set on goroutines of net/http
	req, err := c.newRequest(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	}), k)
	if err != nil {
		return &Error{Err: err}, false
	}
	resp, err := c.transport.RoundTrip(req) //nolint:bodyclose // readAnswer closes it
	if err != nil {
		// Of a transport that says nothing of its connections one must believe the worst.
		return c.lost(ctx, k, 0, connected.Load() || !c.hooked && !asked.Load(), err)
	}
	if a = readAnswer(ctx, resp); k.created != nil {
		return c.judgeCreate(ctx, k, a)
	}
	return c.judge(ctx, k, a)
}

// newRequest builds the request with its headers, the same for every operation.
func (c *Client) newRequest(ctx context.Context, k *call) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, k.method, k.url, bytes.NewReader(k.body))
	if err != nil {
		return nil, errors.New("the address cannot be read") // the error quotes it
	}
	req.Header.Set("Authorization", "Bearer "+c.secret)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.agent)
	if k.body != nil {
		req.Header.Set("Content-Type", "application/json")
		req.GetBody = nil // without it net/http does not send a create again by itself
	}
	return req, nil
}

// lost is the error for a request that has no whole answer. status is that of what came, 0 if nothing did.
func (c *Client) lost(ctx context.Context, k *call, status int, sent bool, err error) (e *Error, again bool) {
	switch {
	case ctx.Err() != nil:
		e = k.ended(ctx)
	case errors.Is(err, errTooLarge):
		e = &Error{Err: err}
	default:
		e = &Error{Kind: ErrUnavailable}
		e.Err, again = c.cause(err, sent)
	}
	e.StatusCode = status
	if k.created != nil && sent {
		e.Kind, again = ErrOutcomeUnknown, false
	}
	return e, again
}

// redirected says where an answer leads. No redirect is followed: the secret is for one place, and a request that
// changes something must not become another.
func (c *Client) redirected(a *answer) error {
	if a.location == nil {
		return errors.New("redirected to nowhere")
	}
	place := strings.ToLower(a.location.Scheme + "://" + a.location.Host) // names of hosts have no case
	place = Redact(place, c.secret, strings.ToLower(c.secret))
	return fmt.Errorf("redirected to %s, and redirects are not followed", clip(place, 200))
}
