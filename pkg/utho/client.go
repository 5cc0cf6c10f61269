package utho

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// Client speaks to one service with one secret. It is safe for concurrent use and does not change after New.
type Client struct {
	options
	secret          string
	base            *url.URL
	tokens, account string     // their addresses
	proxy           ProxyError // names the proxy of the package's own transport; empty if there is none
	hooked          bool       // the transport is known to report connections to httptrace
}

// Option changes what New gives.
type Option func(*options)

type options struct {
	baseURL   string
	transport http.RoundTripper
	agent     string
	retry     RetryPolicy
	loc       *time.Location
	hook      func(Exchange)
}

// WithBaseURL sets where the service is, instead of DefaultBaseURL. The tokens are at BASE/api, or at BASE itself if
// it ends in /api. See ParseBaseURL for what is refused.
func WithBaseURL(base string) Option { return func(o *options) { o.baseURL = base } }

// WithTransport sets what sends requests. It must not send a create twice by itself; that of net/http does not.
//
// Without this option the client has a transport of its own: it keeps a few connections open for 30 s, connects
// localhost to nothing but the loopback addresses, and explains what a proxy refuses.
func WithTransport(t http.RoundTripper) Option { return func(o *options) { o.transport = t } }

// WithUserAgent sets the User-Agent header, instead of this package's name.
func WithUserAgent(agent string) Option { return func(o *options) { o.agent = agent } }

// WithRetry sets how often and after which pauses requests are sent again.
func WithRetry(p RetryPolicy) Option { return func(o *options) { o.retry = p } }

// WithLocation sets the zone of the service's time stamps, which carry none. Without it that is Indian Standard Time,
// UTC+05:30: what the screenshots in Utho's documentation show.
func WithLocation(loc *time.Location) Option { return func(o *options) { o.loc = loc } }

// New gives a client that sends secret to the service. It does not talk to the service yet.
//
// A secret that cannot stand in a header is refused with ErrInvalidSecret, a base URL that ParseBaseURL refuses with
// its *URLError, and a proxy variable that is set but cannot be used with a *VariableError. No error quotes the secret.
func New(secret string, opts ...Option) (*Client, error) {
	o := options{baseURL: DefaultBaseURL}
	for _, opt := range opts {
		opt(&o)
	}
	base, err := ParseBaseURL(o.baseURL)
	if err != nil {
		return nil, err
	}
	o.agent, o.loc = cmp.Or(o.agent, "utho-go"), cmp.Or(o.loc, time.FixedZone("IST", 5*60*60+30*60))
	o.retry = o.retry.withDefaults()
	c := &Client{options: o, base: base}
	c.tokens, c.account = endpoints(base)
	if c, err = c.WithSecret(secret); err != nil {
		return nil, err
	}
	if c.transport == nil {
		if base.Scheme == "https" {
			// Reading the system's certificates takes some 12 ms: let that run beside name resolution and connecting.
			go func() { _, _ = x509.SystemCertPool() }()
		}
		if c.proxy, err = proxyFromEnvironment(base); err != nil {
			return nil, err
		}
		c.transport = newTransport(c.proxy)
	}
	_, c.hooked = c.transport.(*http.Transport)
	return c, nil
}

// WithSecret gives a client for the same service with another secret. It shares the connections of c. The error is
// ErrInvalidSecret.
func (c *Client) WithSecret(secret string) (*Client, error) {
	if !headerSafe(secret) {
		return nil, fmt.Errorf("%w: it is empty or holds blanks, control characters or letters outside ASCII, "+
			"which cannot stand in a header", ErrInvalidSecret)
	}
	other := *c
	other.secret = secret
	return &other, nil
}

// String says where the client sends its secret, and not the secret.
func (c Client) String() string { return "utho.Client(" + c.base.String() + ")" }

// GoString is String, for %#v.
func (c Client) GoString() string { return c.String() }
