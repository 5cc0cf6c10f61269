package cli

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/utho/utho-cli/internal/output"
	"github.com/utho/utho-cli/pkg/utho"
)

// connect makes the client.
func (s *session) connect() (err error) {
	s.client, err = s.with(s.secret)
	return err
}

// roundTripper is what all clients of the session share: the sandbox itself, or
// connections to the service.
func (s *session) roundTripper() http.RoundTripper {
	switch {
	case s.transport != nil:
	case s.sandbox:
		s.transport = s.box.Transport()
	default:
		t := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}
		if standard, ok := http.DefaultTransport.(*http.Transport); ok {
			t = standard.Clone()
		}
		t.MaxIdleConnsPerHost = deletesAtOnce
		t.MaxResponseHeaderBytes = 1 << 20
		s.transport = t
		if strings.HasPrefix(s.origin, "https:") {
			// The system's roots take some 12 ms to read: let that run beside
			// name resolution and connecting.
			go func() { _, _ = x509.SystemCertPool() }()
		}
	}
	return s.transport
}

// with is a client for the same place with another secret. It shares the
// connections of the first.
func (s *session) with(secret string) (*utho.Client, error) {
	options := []utho.Option{
		utho.WithBaseURL(s.baseURL),
		utho.WithUserAgent(s.a.userAgent()),
		utho.WithHTTPClient(&http.Client{Transport: s.roundTripper()}),
	}
	if s.once || s.sandbox { // what the sandbox fails with is no passing state of a network
		options = append(options, utho.WithRetry(utho.RetryPolicy{MaxAttempts: 1}))
	}
	if s.zone != nil {
		options = append(options, utho.WithLocation(s.zone))
	}
	if s.a.flags.debug || !s.a.flags.changed("debug") && truthy(s.a.getenv("UTHO_DEBUG")) {
		options = append(options, utho.WithTrace(s.a.trace))
	}
	c, err := utho.New(secret, options...)
	if err != nil {
		if s.kind == "environment" {
			return nil, failf(exitAuth, "auth", "what %s holds cannot be used: %w", s.source, err)
		}
		return nil, failf(exitAuth, "auth", "the credential of profile %s cannot be used: %w", s.profile, err).with("log in again: %s", s.a.command("login"))
	}
	return c, nil
}

func truthy(s string) bool { return s != "" && s != "0" && s != "false" }

// trace shows one exchange on stderr. The client has taken the secrets out.
func (a *app) trace(e utho.Exchange) {
	status := "no answer"
	if e.Status != 0 {
		status = strconv.Itoa(e.Status)
	}
	text := fmt.Sprintf("%s %s: %s in %v", e.Method, e.URL, status, e.Duration.Round(time.Microsecond))
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	a.stderr("utho: debug: " + output.Safe(a.redact(text)))
	if e.Body != "" {
		a.stderr("utho: debug: " + output.Safe(a.redact(e.Body)))
	}
}
