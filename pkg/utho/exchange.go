package utho

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"
)

// request is one call of the service.
type request struct {
	op     string
	method string
	url    string
	body   []byte
	byID   bool                // it is about one token, which may be missing
	read   func(*answer) error // takes a 2xx answer; nil for a create
	create *CreatedToken       // where a create puts what it got
	time   time.Duration       // that the context left it when it began; 0 without a deadline
}

// answer is what came back.
type answer struct {
	text
	request *request
	status  int
	url     string // of the last request, without its query and secrets
	size    int64  // of the body in bytes, 0 if not known
	date    time.Time
}

// failure is an error and what may be done about it.
type failure struct {
	*Error
	again bool
}

// do sends the request, again where that is right, until there is an answer or an error.
func (c *Client) do(ctx context.Context, r *request) error {
	if deadline, ok := ctx.Deadline(); ok {
		r.time = time.Until(deadline)
	}
	sent := false
	for attempt := 1; ; attempt++ {
		f := c.try(ctx, r, attempt)
		if f == nil {
			return nil
		}
		sent = sent || f.Sent
		f.Sent = sent
		f.Op = c.hide.text(r.op)
		f.Attempts = attempt
		if !f.again || attempt >= c.retry.MaxAttempts {
			return f.Error
		}
		err := c.retry.pause(ctx, attempt, f.RetryAfter)
		switch {
		case err == nil:
		case err == errNoTime:
			if f.RetryAfter > 0 {
				err = fmt.Errorf("the service asks to wait %s, longer than there is time", f.RetryAfter)
			}
			f.Err = join(f.Err, err)
			return f.Error
		default:
			e := r.endedError(ctx, err)
			e.Op, e.Attempts, e.Sent = f.Op, attempt, sent
			return e
		}
	}
}

// endedError is the error for a context that is over: the caller gave up (no kind), or the time
// ran out.
func (r *request) endedError(ctx context.Context, err error) *Error {
	e := &Error{Err: err}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		e.Kind = ErrUnavailable
		if err == context.DeadlineExceeded { // and not the caller's own words
			e.Err = &timeOut{r.time}
		}
	}
	return e
}

// timeOut says for a request what context.DeadlineExceeded means.
type timeOut struct{ after time.Duration }

func (e *timeOut) Error() string {
	switch {
	case e.after <= 0:
		return "there was no time left for it"
	case e.after < time.Second:
		return "no answer within " + e.after.Round(10*time.Millisecond).String()
	case e.after < 10*time.Second:
		return "no answer within " + e.after.Round(100*time.Millisecond).String()
	}
	return "no answer within " + e.after.Round(time.Second).String()
}

func (e *timeOut) Unwrap() error { return context.DeadlineExceeded }

func join(err, more error) error {
	if err == nil {
		return more
	}
	return fmt.Errorf("%w; %w", err, more)
}

// maxRedirects is how many redirects of a GET are followed in one attempt.
const maxRedirects = 5

// try makes one attempt: one exchange, and one more for each redirect that may be followed.
func (c *Client) try(ctx context.Context, r *request, attempt int) *failure {
	target := r.url
	for hops := 0; ; hops++ {
		if ctx.Err() != nil {
			return &failure{Error: r.endedError(ctx, ended(ctx))}
		}
		next, f := c.exchange(ctx, r, target, attempt)
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
func (c *Client) exchange(ctx context.Context, r *request, target string, attempt int) (next string, f *failure) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	sent := &sending{hooked: c.hooked}
	start := time.Now()
	var a *answer
	if c.trace != nil {
		defer func() { c.report(r, target, attempt, start, a, f) }()
	}
	req, err := c.newRequest(ctx, r, target, sent)
	if err != nil {
		return "", &failure{Error: &Error{Err: c.harmless(err, false)}}
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return "", c.lost(ctx, r, sent.maybe(), err)
	}
	body := &boundedBody{src: resp.Body, left: maxBody}
	a = newAnswer(r, resp, c.hide.text(target), body)
	defer func() {
		if a.end != errTooLarge {
			drain(body, cancel)
		}
		_ = resp.Body.Close() // the answer has been read, or given up
	}()
	if resp.StatusCode/100 == 3 && resp.StatusCode != http.StatusNotModified {
		return c.redirected(r, a, target, resp.Header.Get("Location"))
	}
	if r.create != nil {
		return "", c.created(ctx, a, resp.Header)
	}
	if resp.StatusCode/100 != 2 {
		return "", c.refused(a, resp.Header)
	}
	return "", c.accepted(ctx, a)
}

// accepted reads a 2xx answer that is not to a create. It may still be a failure.
func (c *Client) accepted(ctx context.Context, a *answer) *failure {
	err := a.request.read(a)
	var said *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &said):
		said.Message, said.Err = c.hide.text(said.Message), c.hide.err(said.Err)
		return &failure{Error: said}
	case readFailed(err):
		f := c.lost(ctx, a.request, true, err)
		f.Status = a.status
		return f
	}
	return &failure{Error: &Error{Status: a.status, Sent: true, Err: c.hide.err(a.explain(err))}}
}

// newRequest builds the request with its headers, the same for every operation.
func (c *Client) newRequest(ctx context.Context, r *request, target string, sent *sending) (*http.Request, error) {
	var body io.Reader
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, sent.trace()), r.method, target, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.secret)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.agent)
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
		req.GetBody = func() (io.ReadCloser, error) {
			if sent.http2() {
				return nil, errNotAgain
			}
			return io.NopCloser(bytes.NewReader(r.body)), nil
		}
	}
	return req, nil
}

// lost is the failure of a request that has no answer, or one that broke off.
func (c *Client) lost(ctx context.Context, r *request, sent bool, err error) *failure {
	again := !hopeless(err)
	err = c.harmless(err, sent)
	f := &failure{Error: &Error{Kind: ErrUnavailable, Sent: sent, Err: err}, again: again}
	if err == errBadLocation {
		f.Kind, f.again = nil, false
	}
	if ctx.Err() != nil {
		f.Error = r.endedError(ctx, ended(ctx))
		f.Sent, f.again = sent, false
	}
	if r.create != nil && sent {
		f.Kind, f.again = ErrOutcomeUnknown, false
	}
	return f
}

// redirected deals with a redirect. Only a GET is followed, and only to where its secret may go.
func (c *Client) redirected(r *request, a *answer, from, location string) (string, *failure) {
	e := &Error{Status: a.status, Sent: true}
	next, host := resolve(from, location)
	shown := c.hide.text(host)
	switch {
	case r.create != nil:
		e.Kind = ErrOutcomeUnknown
		e.Err = fmt.Errorf("redirected to %s, where a create is not sent", shown)
	case next == "":
		e.Err = fmt.Errorf("redirected to %s", shown)
	case r.method != http.MethodGet:
		e.Err = fmt.Errorf("redirected to %s, where a %s is not sent", shown, r.method)
	case host != c.origin:
		e.Err = fmt.Errorf("redirected to %s, where the secret is not sent", shown)
	default:
		return next, nil
	}
	return "", &failure{Error: e}
}

// resolve makes an address of a Location header, empty if that is not possible, and names the
// place it leads to.
func resolve(from, location string) (next, host string) {
	base, err := url.Parse(from)
	if err != nil || location == "" {
		return "", "nowhere"
	}
	u, err := base.Parse(location)
	if err != nil {
		return "", "an address that cannot be read"
	}
	u.Fragment, u.RawFragment = "", ""
	plain := url.URL{Scheme: u.Scheme, Host: u.Host}
	host = clip(plain.String(), 200)
	if a, err := parseAddress(plain.String()); err == nil {
		host = a.origin
	}
	if u.User != nil {
		return "", host + " with a user name"
	}
	return u.String(), host
}

// refused is the failure that an answer outside 2xx says.
func (c *Client) refused(a *answer, h http.Header) *failure {
	message := ""
	env, _, err := parse(a.text, newNoPayload)
	if err == nil {
		message = c.hide.text(env.message)
	}
	e := &Error{Status: a.status, Message: message, Sent: true, RetryAfter: retryAfter(h, time.Now())}
	if e.Kind = a.kind(kindOfStatus(a.status, message), message); e.Kind == ErrNotFound && err == errWebPage {
		e.Kind = nil // a page says that the address is wrong, not the id
	}
	if err == errWebPage && e.Kind != ErrUnavailable {
		e.Err = a.explain(err)
	}
	return &failure{Error: e, again: retryStatus(a.status)}
}

// created takes the answer to a create. Where it neither has a secret nor refuses, nobody knows.
func (c *Client) created(ctx context.Context, a *answer, h http.Header) *failure {
	env, p, err := parse(a.text, newSecretPayload)
	e := &Error{Status: a.status, Sent: true}
	if err == nil {
		e.Message = append(p.hide, c.hide...).text(env.message)
	}
	switch {
	case a.status == http.StatusTooManyRequests:
		e.Kind, e.RetryAfter = ErrUnavailable, retryAfter(h, time.Now())
		return &failure{Error: e, again: true}
	case readFailed(err):
		f := c.lost(ctx, a.request, true, err)
		f.Status = a.status
		return f
	case err != nil:
		e.Err = a.explain(err)
	case env.wrong != nil:
		e.Err = env.wrong
	case env.status == statusError && (!env.payload || p.blank) && a.status < 500 && a.status/100 != 1:
		if e.Kind = a.kind(kindOfStatus(a.status, e.Message), e.Message); e.Message == "" {
			e.Err = errNoReason
		}
		return &failure{Error: e}
	case env.status == statusError && p.secret != "":
		e.Err = errBoth
	case a.status/100 == 2 && p.secret != "":
		a.request.create.Secret, a.request.create.Message = p.secret, e.Message
		return nil
	case p.err() != nil:
		e.Err = p.err()
	case a.status/100 == 2:
		e.Err = errNoSecret
	}
	e.Kind = ErrOutcomeUnknown
	return &failure{Error: e}
}

var (
	errNoList    = errors.New("the answer holds no list of tokens")
	errNoAccount = errors.New("the answer holds no account")
	errNoVerdict = errors.New("the answer says neither success nor failure")
	errNoReason  = errors.New("the service refuses without saying why")
	errNoSecret  = errors.New("the answer holds no secret")
	errBoth      = errors.New("the answer holds a secret and says that it is an error")
	errNotAgain  = errors.New("the connection broke; a create is not sent twice")
)

// accept turns a frame that says failure, and a value that cannot be read, into an error.
func (a *answer) accept(env *envelope, p payload) error {
	switch {
	case env.status == statusError:
		return a.says(env, errNoReason)
	case env.status == statusOther:
		return a.says(env, env.unknown)
	case env.status == statusMissing && (env.failed || !env.payload && kindOfMessage(env.message) != nil):
		return a.says(env, errNoReason)
	case env.wrong != nil:
		return env.wrong
	}
	return p.err()
}

// says is the error for a 2xx answer that is a failure by its words, or by otherwise if it has
// none.
func (a *answer) says(env *envelope, otherwise error) error {
	e := &Error{Status: a.status, Message: env.message, Sent: true}
	e.Kind = a.kind(kindOfMessage(env.message), env.message)
	if e.Message == "" || otherwise != errNoReason {
		e.Err = otherwise
	}
	return e
}

// kind corrects 'not found' for operations that are not about one token: there it is the address
// that is wrong (no kind), or it is the client's own key that was not found.
func (a *answer) kind(kind error, message string) error {
	if kind != ErrNotFound || a.request.byID {
		return kind
	}
	words := plainWords(message)
	for _, key := range []string{" api key ", " apikey ", " token ", " key "} {
		if strings.Contains(words, key) {
			return ErrUnauthorized
		}
	}
	return nil
}

// explain adds to an error about the answer's text what helps to mend it.
func (a *answer) explain(err error) error {
	if err == errWebPage {
		return fmt.Errorf("%s: %w; the service is at %s", a.url, err, DefaultBaseURL)
	}
	return err
}
