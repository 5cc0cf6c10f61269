package utho

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"
)

// VariableError says which environment variable is set but cannot be used. It is refused, and not treated as if it
// were not set: then a request would take another way than was asked for.
type VariableError struct {
	Variable string // HTTPS_PROXY or https_proxy
	Reason   string // in plain words; it quotes nothing of the value, which may hold a password
}

func (e *VariableError) Error() string { return e.Variable + " cannot be used: " + e.Reason }

// ProxyError says that a proxy did not connect to the service. Nothing was sent.
type ProxyError struct {
	Proxy      string // its URL without user name and password
	Variable   string // the environment variable that names it
	StatusCode int    // what it answered; 0 if it could not be reached
	Err        error  // why it could not be reached
}

func (e *ProxyError) Error() string {
	text := "the proxy " + e.Proxy + " (" + e.Variable + ")"
	if e.StatusCode == 0 {
		return text + " cannot be reached: " + e.Err.Error()
	}
	return fmt.Sprintf("%s refuses: HTTP %d %s", text, e.StatusCode, http.StatusText(e.StatusCode))
}

// Unwrap gives the cause.
func (e *ProxyError) Unwrap() error { return e.Err }

// proxyFromEnvironment reads the proxy variable for base as net/http does, but refuses what that ignores or takes for
// another host. http goes to this machine only, and never through a proxy. The result names the proxy, if there is
// one, for errors.
func proxyFromEnvironment(base *url.URL) (proxy ProxyError, err error) {
	name, value := "HTTPS_PROXY", os.Getenv("HTTPS_PROXY")
	if value == "" {
		name, value = "https_proxy", os.Getenv("https_proxy")
	}
	if _, loopback, _ := canonicalHost(base); value == "" || base.Scheme != "https" || loopback {
		return proxy, nil
	}
	if !strings.Contains(value, "://") {
		value = "http://" + value
	}
	u, err := url.Parse(value)
	switch {
	case err != nil, u.Hostname() == "", strings.Trim(u.Path, "/") != "", strings.ContainsAny(value, "?#"):
		return proxy, &VariableError{name, "it is not http://[USER:PASSWORD@]HOST[:PORT]; in a user name or " +
			"password write %23 for #, %2F for /, %3F for ?, %25 for %"}
	case u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "socks5" && u.Scheme != "socks5h":
		return proxy, &VariableError{name, "a proxy is http://, https:// or socks5://"}
	}
	return ProxyError{Proxy: u.Scheme + "://" + u.Host, Variable: name}, nil
}

// newTransport is http.DefaultTransport with limits that fit a service of small answers, and with its own way to
// localhost and through the proxy.
func newTransport(proxy ProxyError) *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, // never for this machine
		OnProxyConnectResponse: func(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
			if resp.StatusCode == http.StatusOK {
				return nil
			}
			return &ProxyError{Proxy: proxy.Proxy, Variable: proxy.Variable, StatusCode: resp.StatusCode}
		},
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			host, port, err := net.SplitHostPort(addr)
			if err != nil || !strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") {
				return dialer.DialContext(ctx, network, addr)
			}
			// A resolver can say anything of localhost, and http to it is not encrypted.
			conn, err := dialer.DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
			if err != nil {
				if conn6, err6 := dialer.DialContext(ctx, network, net.JoinHostPort("::1", port)); err6 == nil {
					return conn6, nil
				}
			}
			return conn, err
		},
		ForceAttemptHTTP2:   true,
		TLSHandshakeTimeout: 10 * time.Second,
		MaxIdleConnsPerHost: 8, // as many deletes as a program may run at once keep theirs
		IdleConnTimeout:     30 * time.Second,
	}
}

// worded is an error in other words than its own.
type worded struct {
	text string
	err  error
}

func (e *worded) Error() string { return e.text }
func (e *worded) Unwrap() error { return e.err }

// cause gives the reason of a failed exchange in words, without secrets, addresses and what an answer says. sent
// reports whether the request may have left, again whether trying to connect again may be of use: at a proxy that
// does not know the user, or does not allow the place, it can lock an account.
func (c *Client) cause(err error, sent bool) (cause error, again bool) { //nolint:revive // again says something of the error
	if proxy, ok := errors.AsType[*ProxyError](err); ok {
		return proxy, proxy.StatusCode != http.StatusProxyAuthRequired && proxy.StatusCode != http.StatusForbidden
	}
	text, permanent := networkWords(err)
	op, ok := errors.AsType[*net.OpError](err)
	switch {
	case ok && op.Op == "proxyconnect" && c.proxy.Proxy != "":
		proxy := c.proxy
		proxy.Err = &worded{text, err}
		return &proxy, !permanent
	case !sent:
		text = "no connection to " + c.base.Host + ": " + cmp.Or(text, err.Error())
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		text = "the connection broke off before the answer was complete"
	case text != "":
		text = "the connection broke: " + text
	case c.hooked:
		return errNotHTTP, !permanent // the words of net/http can quote the answer, which may be that to a create
	default:
		text = err.Error() // another transport's own words
	}
	return &worded{clip(c.redact(text), maxMessage), err}, !permanent
}

// networkWords gives the words for an error of the network, empty if it is none. permanent is one that will be the
// same the next time.
func networkWords(err error) (text string, permanent bool) {
	dns, isDNS := errors.AsType[*net.DNSError](err)
	errno, isErrno := errors.AsType[syscall.Errno](err)
	timeout, isNet := errors.AsType[net.Error](err)
	cert, isCert := errors.AsType[*tls.CertificateVerificationError](err)
	record, isRecord := errors.AsType[tls.RecordHeaderError](err)
	op, isOp := errors.AsType[*net.OpError](err)
	switch {
	case isDNS && dns.IsNotFound:
		return "no such host", true
	case isDNS && dns.IsTimeout:
		return "looking up the name timed out", false
	case isDNS: // it can name the resolver's connection, ahead of what happened
		return "looking up the name failed: " + strings.TrimSpace(dns.Err[strings.LastIndexByte(dns.Err, ':')+1:]), false
	case isErrno && !errno.Timeout():
		return errno.Error(), false
	case isNet && timeout.Timeout():
		return "timed out", false
	case isCert:
		return cert.Error(), true
	case isRecord && string(record.RecordHeader[:]) == "HTTP/":
		return "the server speaks http, not https", true
	case isOp:
		return op.Err.Error(), isRecord
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "it was closed", false
	}
	return "", isRecord
}
