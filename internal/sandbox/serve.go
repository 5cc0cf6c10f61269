package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// grace is how long Serve waits for requests under way once its context ended.
const grace = 5 * time.Second

// Serve answers HTTP on ln, which must listen on a loopback address, until ctx
// ends; then it lets requests under way finish, for five seconds at most, and
// returns nil. It closes ln in every case.
func (s *Sandbox) Serve(ctx context.Context, ln net.Listener) error {
	at, err := netip.ParseAddrPort(ln.Addr().String())
	if err != nil || !at.Addr().Unmap().IsLoopback() {
		_ = ln.Close() // the address is the error to tell
		return fmt.Errorf("serve sandbox on %s: not a loopback address", ln.Addr())
	}
	server := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      2 * time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          log.New(io.Discard, "", 0),
		// OPTIONS * is a wrong method like any other.
		DisableGeneralOptionsHandler: true,
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ln) }()
	select {
	case err := <-ended:
		_ = server.Close() // what broke the listener is the error to tell
		return fmt.Errorf("serve sandbox on %s: %w", at, err)
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if err := server.Shutdown(last); err != nil {
		_ = server.Close() // whoever still holds a request open after the grace is cut off
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve sandbox on %s: %w", at, err)
	}
	return nil
}

// loopback reports whether a Host header names this machine. A page in a
// browser that has its own name resolve to 127.0.0.1 (DNS rebinding) comes with
// that name, and is refused.
func loopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(hostport, "["), "]")
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
