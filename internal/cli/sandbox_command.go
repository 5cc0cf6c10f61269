package cli

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/sandbox"
)

func (a *app) sandboxCommand() *cobra.Command {
	var addr string
	serve := &cobra.Command{
		Use:   "serve",
		Short: "Offer the sandbox over HTTP on this machine, for pipelines and other clients",
		Long: `Offer the sandbox over HTTP on a loopback address, until Ctrl-C or TERM. It prints
the two variables that lead utho and other clients to it.`,
		Args:              a.none,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	serve.Flags().StringVar(&addr, "addr", "127.0.0.1:0", "loopback address and port, as `HOST:PORT`; port 0 takes a free one")
	noFiles(serve, "addr")
	serve.RunE = a.plain(func(ctx context.Context, _ []string) error { return a.serveSandbox(ctx, addr) })
	reset := &cobra.Command{
		Use:               "reset",
		Short:             "Start the sandbox afresh",
		Args:              a.none,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: a.plain(func(ctx context.Context, _ []string) error {
			box, err := a.sandbox()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(ctx, time.Duration(a.flags.timeout))
			defer cancel()
			if err := box.Reset(ctx); err != nil {
				return err
			}
			a.note("the sandbox is as it was at first")
			return nil
		}),
	}
	return a.group("sandbox", "A built-in look-alike of the service that needs no account", `A look-alike of the service, built in, that needs no account, no login and no
network. Its tokens are not real. Use it as a profile:

  utho -p sandbox token list`, serve, reset)
}

func (a *app) sandbox() (*sandbox.Sandbox, error) {
	dir, err := a.state()
	if err != nil {
		return nil, err
	}
	return sandbox.Open(filepath.Join(dir, "sandbox.json"))
}

func (a *app) serveSandbox(ctx context.Context, addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return usagef("--addr %s: not an address and a port", quoteText(addr)).with("for example --addr 127.0.0.1:8080")
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return usagef("--addr %s: only a loopback address, since the sandbox is for this machine", quoteText(addr)).with("for example --addr 127.0.0.1:8080")
	}
	box, err := a.sandbox()
	if err != nil {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, time.Duration(a.flags.timeout))
	defer cancel()
	secret, err := box.OperatorSecret(wait)
	if err != nil {
		return err
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("serve the sandbox: %w", err)
	}
	if _, err := fmt.Fprintf(a.out, "UTHO_API_URL=http://%s/v2\nUTHO_API_KEY=%s\n", ln.Addr(), secret); err != nil {
		_ = ln.Close()
		return err
	}
	a.note("serving the sandbox on %s; its tokens are not real; Ctrl-C ends it", ln.Addr())
	return box.Serve(ctx, ln, sandbox.Options{})
}
