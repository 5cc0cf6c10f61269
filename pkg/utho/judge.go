package utho

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// judge says what the answer to a list, an account read or a delete means, and whether it may be better the next
// time.
func (c *Client) judge(ctx context.Context, k *call, a *answer) (e *Error, again bool) {
	key := k.wants
	if k.byID {
		key = "status" // nothing else says that a token is gone
	}
	o, err := a.find(key)
	switch {
	case a.status/100 == 3:
		e = &Error{Err: c.redirected(a)}
	case a.status/100 != 2:
		if e = o.said(c.redact); errors.Is(err, errWebPage) {
			e.Err = err
		}
		e.RetryAfter, again = retryAfter(a.header), retryStatus(a.status)
	case err != nil:
		e = &Error{Err: err}
	default:
		if e = o.failure(k, c.redact); e == nil && k.read != nil {
			if err = k.read(a, o); err != nil {
				e = &Error{Err: err}
			}
		}
	}
	switch {
	case e == nil:
		return nil, false
	case a.status/100 == 2 && a.err != nil && e.Message == "": // what came is only a part
		return c.lost(ctx, k, a.status, true, a.err)
	}
	return c.answered(k, a, e), again
}

// answered completes the error of an answer: its status, its kind, and for a wrong address what helps to find the
// right one.
func (c *Client) answered(k *call, a *answer, e *Error) *Error {
	e.StatusCode = a.status
	page, nothing := errors.Is(e.Err, errWebPage), errors.Is(e.Err, errEmpty) && !k.byID
	if a.status/100 == 2 && (page || nothing) || a.status == http.StatusNotFound && page {
		e.Kind = ErrWrongAddress
	} else {
		e.Kind = k.kindOf(a.status, e.Message)
	}
	if errors.Is(e.Kind, ErrWrongAddress) {
		e.Err = c.wrongAddress(k, e.Err)
	} else if a.status/100 == 2 && e.Message+e.Code == "" && e.Err == nil {
		e.Err = errors.New("the service refuses without saying why")
	}
	return e
}

// wrongAddress says what is at an address, and where the service is if that is elsewhere.
func (c *Client) wrongAddress(k *call, err error) error {
	if err == nil {
		err = errors.New("there is no such path")
	}
	at := c.redact(k.url)
	if c.base.String() == DefaultBaseURL {
		return fmt.Errorf("%s: %w", at, err)
	}
	return fmt.Errorf("wrong address %s: %w; the service is at %s", at, err, DefaultBaseURL)
}

// judgeCreate says what the answer to a create means. One with a secret is a create, whatever its status. One that
// has none and refuses says that there is no token. After any other nobody knows.
func (c *Client) judgeCreate(ctx context.Context, k *call, a *answer) (e *Error, again bool) {
	o, err := a.find("apikey")
	secret, blank, wrong := o.readSecret()
	e = &Error{}
	if secret != "" || blank { // else the words could repeat a secret that is not known
		e = o.said(func(text string) string { return redactBare(Redact(text, c.secret, secret)) })
	}
	status, _ := o.status(c.redact)
	whole := err == nil || errors.Is(err, errEmpty) || errors.Is(err, errNoJSON) || errors.Is(err, errWebPage)
	switch {
	case err == nil && secret != "":
		k.created.Secret, k.created.Message = secret, e.Message
		return nil, false
	case a.err != nil:
		return c.lost(ctx, k, a.status, true, a.err)
	case a.status == http.StatusTooManyRequests && whole && blank:
		e.RetryAfter = retryAfter(a.header)
		return c.answered(k, a, e), true
	case status == "error" && blank && a.status < 500:
		return c.answered(k, a, e), false
	case a.status/100 == 3:
		e.Err = c.redirected(a)
	case a.status/100 != 2 && whole && blank: // the status says enough
	case errors.Is(err, errWebPage):
		e.Err = c.wrongAddress(k, err)
	case err != nil:
		e.Err = err
	default:
		e.Err = wrong
	}
	e.StatusCode, e.Kind = a.status, ErrOutcomeUnknown
	return e, false
}
