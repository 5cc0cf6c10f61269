package utho

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// RetryPolicy says how often a request is sent again after a lost connection, 429, 502, 503 or 504, and after which
// pauses. If the service names a pause (Retry-After), that one counts. A pause that would outlast the context's
// deadline is not begun. Fields that are zero or less have their default.
//
// Not sent again are: a create that may have had an effect, names that do not resolve, connections that certificates
// forbid, and what a proxy refuses with 407 or 403.
type RetryPolicy struct {
	MaxAttempts int           // with the first one; default 4, and 1 is 'never again'
	MinDelay    time.Duration // before the second attempt; doubles with each; default 200 ms
	MaxDelay    time.Duration // the longest pause that nobody asked for; default 5 s
}

func (p RetryPolicy) withDefaults() RetryPolicy {
	return RetryPolicy{
		MaxAttempts: cmp.Or(max(p.MaxAttempts, 0), 4),
		MinDelay:    cmp.Or(max(p.MinDelay, 0), 200*time.Millisecond),
		MaxDelay:    cmp.Or(max(p.MaxDelay, 0), 5*time.Second),
	}
}

// delay is the pause after the given attempt, counted from 1: half of it fixed, half by chance, so that clients which
// failed together do not come back together.
func (p RetryPolicy) delay(attempt int) time.Duration {
	d := p.MinDelay
	for i := 1; i < attempt && d < p.MaxDelay; i++ {
		d *= 2
	}
	d = min(d, p.MaxDelay)
	return d/2 + rand.N(d/2+1)
}

// pause waits before the next attempt. An error says why there will be none.
func (p RetryPolicy) pause(ctx context.Context, attempt int, asked time.Duration) error {
	wait := cmp.Or(asked, p.delay(attempt))
	deadline, limited := ctx.Deadline()
	switch late := limited && wait > time.Until(deadline); {
	case late && asked > 0:
		return fmt.Errorf("the service asks to wait %s, longer than there is time", asked)
	case late:
		return errors.New("no time is left to try again")
	}
	select {
	case <-time.After(wait):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// retryAfter reads the Retry-After header: seconds, or a date, which counts from the service's own clock if it gives
// it. 0 if there is none that can be read.
func retryAfter(h http.Header) time.Duration {
	v := h.Get("Retry-After")
	if n, _ := strconv.ParseInt(v, 10, 32); n > 0 { // the largest there is if it does not fit
		return time.Duration(n) * time.Second
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	return max(at.Sub(now), 0)
}

// retryStatus reports whether an answer with this status may be better the next time.
func retryStatus(status int) bool {
	return status == http.StatusTooManyRequests || status >= http.StatusBadGateway && status <= http.StatusGatewayTimeout
}
