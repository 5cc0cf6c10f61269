package utho

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// judge says what the answer to a list, an account read or a delete means. A redirect that may be
// followed comes back as the next address.
func (c *Client) judge(ctx context.Context, k *call, a *answer, target string) (next string, f *failure) {
	if a.status/100 == 3 && a.status != http.StatusNotModified {
		next, err := c.redirect(k, a, target)
		if err != nil {
			return "", c.fail(k, a, &Error{Err: err})
		}
		return next, nil
	}
	if a.status/100 != 2 {
		return "", c.refused(k, a)
	}
	e := k.read(a)
	switch {
	case e == nil:
		return "", nil
	case a.err != nil && e.Message == "": // what came is only a part
		return "", c.lost(ctx, k, a.status, true, a.err)
	}
	return "", c.fail(k, a, e)
}

// refused is the failure that an answer outside 2xx says.
func (c *Client) refused(k *call, a *answer) *failure {
	e := &Error{RetryAfter: retryAfter(a.header, time.Now())}
	o, err := a.find("status")
	if err == nil {
		e.Message, e.Code = o.words(c.redact)
	} else if err == errWebPage {
		e.Err = err
	}
	if a.status == http.StatusSwitchingProtocols {
		e.Err = errNotHTTP
	}
	return c.fail(k, a, e)
}

// fail completes the error of an answer: its status, its kind, and for a wrong address what helps
// to find the right one.
func (c *Client) fail(k *call, a *answer, e *Error) *failure {
	e.StatusCode, e.Sent = a.status, true
	nothing := e.Err == errEmpty && !k.byID
	if page := e.Err == errWebPage; (page || nothing) && a.status/100 == 2 || page && a.status == http.StatusNotFound {
		e.Kind = ErrWrongAddress
	} else if e.Kind == nil {
		e.Kind = k.kindOf(a.status, e.Message)
	}
	if e.Kind == ErrWrongAddress {
		e.Err = c.wrongAddress(a, e.Err)
	}
	return &failure{Error: e, again: retryStatus(a.status)}
}

// wrongAddress says what is at an address, and where the service is if that is elsewhere.
func (c *Client) wrongAddress(a *answer, err error) error {
	if err == nil {
		err = errors.New("there is no such path")
	}
	if c.base.String() == DefaultBaseURL {
		return fmt.Errorf("%s: %w", a.url, err)
	}
	return fmt.Errorf("wrong address %s: %w; the service is at %s", a.url, err, DefaultBaseURL)
}

// judgeCreate says what the answer to a create means. One with a secret is a create, whatever its
// status. One that has none and refuses says that there is no token. After any other nobody knows.
func (c *Client) judgeCreate(ctx context.Context, k *call, a *answer) *failure {
	e := &Error{StatusCode: a.status, Sent: true}
	o, err := a.find("apikey")
	if err != nil {
		o = &object{}
	}
	secret, blank, wrong := readSecret(o.members["apikey"])
	if secret != "" || blank { // else the words could repeat a secret that is not known
		e.Message, e.Code = o.words(func(text string) string { return Redact(text, c.secret, secret) })
	}
	unread := err == nil || err == errEmpty || err == errNoJSON || err == errWebPage
	switch {
	case err == nil && secret != "" && o.twice == "":
		k.created.Secret, k.created.Message = secret, e.Message
		return nil
	case a.err != nil:
		f := c.lost(ctx, k, a.status, true, a.err)
		f.Message, f.Code = e.Message, e.Code
		return f
	case a.status == http.StatusTooManyRequests && unread && blank:
		e.Kind, e.RetryAfter = ErrUnavailable, retryAfter(a.header, time.Now())
		return &failure{Error: e, again: true}
	case err == nil && o.verdict() == verdictError && o.twice == "" && blank && a.status/100 != 1 && a.status < 500:
		if e.Message == "" && e.Code == "" {
			e.Err = errNoReason
		}
		f := c.fail(k, a, e)
		f.again = false
		return f
	case a.status/100 == 3 && a.status != http.StatusNotModified:
		_, e.Err = c.redirect(k, a, k.url)
	case a.status == http.StatusSwitchingProtocols:
		e.Err = errNotHTTP
	case err == errWebPage && (a.status/100 == 2 || a.status == http.StatusNotFound):
		e.Err = c.wrongAddress(a, err)
	case err != nil && err != errEmpty || a.status/100 == 2 && err != nil:
		e.Err = err
	case o.twice != "":
		e.Err = &fieldError{"apikey", "is there twice, with different values"}
	case o.has("apikey"):
		e.Err = wrong
	case a.status/100 == 2:
		e.Err = errors.New("the answer holds no secret")
	}
	e.Kind = ErrOutcomeUnknown
	return &failure{Error: e}
}
