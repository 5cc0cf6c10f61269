package utho

import (
	"cmp"
	"fmt"
	"time"
)

// Exchange is one request and its answer, for debugging. It has no headers and no secrets.
type Exchange struct {
	Method     string
	URL        string
	StatusCode int           // of the answer, 0 without one
	Duration   time.Duration // from sending to the end of reading the answer
	Attempt    int           // counts from 1
	Body       string        // of the answer, up to 4 KiB, without secrets; of that to a create its length and message
	Err        error         // why the exchange was no success; nil if it was one
}

// WithRequestHook has f called after each exchange with the service, before the method that caused it returns. f may
// be called by several goroutines at once if the client is used so.
func WithRequestHook(f func(Exchange)) Option { return func(o *options) { o.hook = f } }

// report hands one exchange to the hook. a is nil if there was no answer.
func (c *Client) report(k *call, attempt int, start time.Time, a *answer, e *Error) {
	x := Exchange{Method: k.method, URL: c.redact(k.url), Duration: time.Since(start), Attempt: attempt}
	message := ""
	if e != nil {
		shown := *e
		shown.Op = k.op
		x.Err, message = &shown, e.Message
	}
	if a != nil {
		x.StatusCode, x.Body = a.status, clip(c.redact(string(a.body)), 4<<10)
		if k.created != nil {
			x.Body = fmt.Sprintf("%d bytes, message %q", len(a.body), cmp.Or(message, k.created.Message))
		}
	}
	c.hook(x)
}
