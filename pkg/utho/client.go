package utho

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"
)

// Client speaks to one service with one secret. It is safe for concurrent use and cannot be
// changed once it is made.
type Client struct {
	secret  string
	origin  string
	at      endpoints
	http    http.Client
	agent   string
	retry   RetryPolicy
	stamps  stampReader
	trace   func(Exchange)
	hide    redactor
	hooked  bool // the transport is known to report connections to httptrace
	baseURL string
}

// Option changes what New makes.
type Option func(*options)

type options struct {
	baseURL string
	http    *http.Client
	agent   string
	retry   RetryPolicy
	loc     *time.Location
	trace   func(Exchange)
}

// WithBaseURL sets where the service is, instead of DefaultBaseURL. The tokens are at BASE/api,
// or at BASE itself if it ends in /api. See Origin for what is refused.
func WithBaseURL(base string) Option { return func(o *options) { o.baseURL = base } }

// WithHTTPClient takes the transport, the timeout and the cookies of c, which itself stays as it
// is. Its rule for redirects is not used. The transport must not send a request twice by itself;
// that of net/http does not where it matters.
//
// Without this option each Client has a transport of its own, which keeps a few connections open
// for 30 s. Give several clients the same *http.Client to let them share connections.
func WithHTTPClient(c *http.Client) Option { return func(o *options) { o.http = c } }

// WithUserAgent sets the User-Agent header.
func WithUserAgent(agent string) Option { return func(o *options) { o.agent = agent } }

// WithRetry sets how often and after which pauses requests are sent again.
func WithRetry(p RetryPolicy) Option { return func(o *options) { o.retry = p } }

// WithLocation sets the zone of the service's time stamps, which carry none. Without it that is
// Indian Standard Time, UTC+05:30: what the screenshots in Utho's documentation show.
func WithLocation(loc *time.Location) Option { return func(o *options) { o.loc = loc } }

// New makes a client that sends secret to the service. It does not talk to the service yet.
//
// A secret that cannot stand in a header is refused with ErrBadSecret, a base URL that Origin
// refuses with its *URLError, and a secret of the sandbox (live_sandbox_…) with ErrSandboxSecret
// if the base URL is not on this machine. No error quotes the secret.
func New(secret string, opts ...Option) (*Client, error) {
	o := options{baseURL: DefaultBaseURL, agent: "utho-go"}
	for _, opt := range opts {
		opt(&o)
	}
	switch {
	case secret == "":
		return nil, fmt.Errorf("%w: it is empty", ErrBadSecret)
	case !headerSafe(secret):
		return nil, fmt.Errorf("%w: it holds blanks, control characters or letters outside ASCII, which cannot stand in a header", ErrBadSecret)
	}
	for i := 0; i < len(o.agent); i++ {
		if o.agent[i] < ' ' || o.agent[i] > '~' {
			return nil, fmt.Errorf("user agent %q: only printable ASCII can stand in a header", o.agent)
		}
	}
	base, err := parseAddress(o.baseURL)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(secret, "live_sandbox_") && !base.loopback {
		return nil, fmt.Errorf("%w: it is sent only to this machine, not to %s", ErrSandboxSecret, base.origin)
	}
	if o.loc == nil {
		o.loc = time.FixedZone("IST", 5*60*60+30*60)
	}
	c := &Client{
		secret:  secret,
		origin:  base.origin,
		at:      base.endpoints(),
		agent:   o.agent,
		retry:   o.retry.withDefaults(),
		stamps:  stampReader{o.loc},
		trace:   o.trace,
		hide:    redactor{secret},
		baseURL: base.origin + base.path,
	}
	if o.http != nil {
		c.http = *o.http
	} else {
		c.http.Transport = newTransport()
	}
	// Redirects are followed, or not, by exchange: each is a request of its own in the trace.
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	switch c.http.Transport.(type) {
	case nil, *http.Transport:
		c.hooked = true
	}
	return c, nil
}

// newTransport is http.DefaultTransport with limits that fit a service of small answers.
func newTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxIdleConns:           16,
		MaxIdleConnsPerHost:    8, // as many deletes as a program may run at once keep theirs
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: 1 << 20,
	}
}

// String tells where the client sends its secret, and not the secret.
func (c *Client) String() string { return "utho.Client(" + c.baseURL + ")" }

// GoString is String, for %#v.
func (c *Client) GoString() string { return c.String() }

// ListTokens returns all tokens of the account (GET BASE/api). A list in which any token cannot
// be read is an error, never a shorter list.
func (c *Client) ListTokens(ctx context.Context) (*TokenList, error) {
	list := &TokenList{}
	err := c.do(ctx, &request{
		op:     "list tokens",
		method: http.MethodGet,
		url:    c.at.tokens,
		read: func(a *answer) error {
			env, p, err := parse(a.text, func() *tokenPayload {
				return &tokenPayload{size: a.size, reader: tokenReader{stamps: c.stamps}}
			})
			if err != nil {
				return err
			}
			if err := a.accept(env, p); err != nil {
				return err
			}
			// A missing "api" is an empty list, in {} too. But other things have no "api" either:
			// words without a success, and objects that are no answer at all.
			stated := env.stated || env.isEmpty()
			if !env.payload && env.status == statusMissing && (env.message != "" || !stated) {
				return a.says(env, errNoList)
			}
			list.Tokens = p.tokens
			if list.Tokens == nil {
				list.Tokens = []Token{}
			}
			list.ServerTime = a.date
			return nil
		},
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// Account tells whose the client's secret is (GET BASE/account/info).
func (c *Client) Account(ctx context.Context) (*Account, error) {
	var account Account
	err := c.do(ctx, &request{
		op:     "read account",
		method: http.MethodGet,
		url:    c.at.account,
		read: func(a *answer) error {
			env, p, err := parse(a.text, newAccountPayload)
			if err != nil {
				return err
			}
			if err := a.accept(env, p); err != nil {
				return err
			}
			if !env.payload {
				return a.says(env, errNoAccount)
			}
			account = p.account
			return nil
		},
	})
	if err != nil {
		return nil, err
	}
	return &account, nil
}

// DeleteToken removes the token with the given id for good (DELETE BASE/api/ID/delete). It is
// ErrNotFound if there is none, and ErrForbidden if the client's own secret is read-only.
//
// Only an answer that says so is a success. After any other, list to see whether the token is
// gone: the words of the service are not a reliable sign.
func (c *Client) DeleteToken(ctx context.Context, id string) error {
	op := "delete token " + id
	switch id {
	case "", ".", "..":
		return &Error{Op: op, Err: fmt.Errorf("%q is no id", id)}
	}
	return c.do(ctx, &request{
		op:     op,
		method: http.MethodDelete,
		url:    c.at.delete(id),
		byID:   true,
		read: func(a *answer) error {
			env, p, err := parse(a.text, newNoPayload)
			if err != nil {
				return err
			}
			if err := a.accept(env, p); err != nil {
				return err
			}
			if env.status == statusMissing && !env.known {
				return a.says(env, errNoVerdict)
			}
			return nil
		},
	})
}

// CreateToken makes a token and returns its secret, which the service shows only once
// (POST BASE/api/generate).
//
// It is sent again only where the connection was never made, or the service turned it away
// unread (429): a lost answer may have been a token. An error that is not ErrOutcomeUnknown
// says that nothing was created: the service refused, or the request never left (Error.Sent).
// ErrOutcomeUnknown is everything else: no answer, a 5xx, a redirect, a page, an answer without
// a usable secret. Whether there is a new token can then only be seen by listing.
func (c *Client) CreateToken(ctx context.Context, r CreateTokenRequest) (*CreatedToken, error) {
	const op = "create token"
	var wrong error
	switch {
	case r.Name == "":
		wrong = errors.New("the name is empty")
	case !utf8.ValidString(r.Name):
		wrong = errors.New("the name is not UTF-8")
	case r.Scope != ScopeReadOnly && r.Scope != ScopeWrite:
		wrong = errors.New("the scope must be read-only or write")
	}
	if wrong != nil {
		return nil, &Error{Op: op, Err: wrong}
	}
	body, err := createBody(r)
	if err != nil {
		return nil, &Error{Op: op, Err: err}
	}
	created := &CreatedToken{}
	err = c.do(ctx, &request{
		op:     op,
		method: http.MethodPost,
		url:    c.at.create(),
		body:   body,
		create: created,
	})
	if err != nil {
		return nil, err
	}
	return created, nil
}

// createBody is {"name":"ci","write":"on"}, with <, > and & as they are.
func createBody(r CreateTokenRequest) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(struct {
		Name  string `json:"name"`
		Write string `json:"write"`
	}{r.Name, r.Scope.wire()})
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}
