package utho

import (
	"fmt"
	"time"
)

// Exchange is one request and its answer, for debugging. It has no headers and no secrets.
type Exchange struct {
	Method string
	URL    string
	Status int // 0 without an answer
	// Duration is the time from sending to the end of reading the answer.
	Duration time.Duration
	// Attempt counts from 1. A redirect that is followed is another exchange of the same attempt.
	Attempt int
	// Body is the beginning of the answer, up to 4 KiB, with secrets taken out. Of the answer to a
	// create it is only the length and the message.
	Body string
	// Err is why the exchange was no success. nil if it was one.
	Err error
}

// WithTrace has f called after each exchange with the service, before the method that caused it
// returns. f may be called by several goroutines at once if the client is used so.
func WithTrace(f func(Exchange)) Option { return func(o *options) { o.trace = f } }

// maxTraceBody bounds Exchange.Body, in bytes of the answer.
const maxTraceBody = 4 << 10

// report hands one exchange to the trace. a is nil if there was no answer.
func (c *Client) report(r *request, target string, attempt int, start time.Time, a *answer, f *failure) {
	x := Exchange{Method: r.method, URL: c.hide.text(target), Duration: time.Since(start), Attempt: attempt}
	if f != nil {
		e := *f.Error
		e.Op = c.hide.text(r.op)
		x.Err = &e
	}
	if a != nil {
		x.Status = a.status
		if x.Body = c.hide.upTo(string(a.head), maxTraceBody); r.create != nil {
			x.Body = createSummary(r.create, a, f)
		}
	}
	c.trace(x)
}

// createSummary is all that is told of the answer to a create.
func createSummary(created *CreatedToken, a *answer, f *failure) string {
	message := created.Message
	if f != nil {
		message = f.Message
	}
	return fmt.Sprintf("%d bytes, message %q", len(a.head), message)
}
