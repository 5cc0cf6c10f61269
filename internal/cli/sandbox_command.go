package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/sandbox"
)

func newSandbox(p *program) *cobra.Command {
	addr, log := "127.0.0.1:0", false
	serve := &cobra.Command{
		Use: "serve", Short: "Offer the sandbox over HTTP on this machine",
		Long: `Offer the sandbox over HTTP on a loopback address, for pipelines and other clients,
until Ctrl-C or TERM. It prints the two variables that lead utho and others to it.
--log and --debug show each request on stderr, for programs and for people.`,
		Example: "  utho sandbox serve\n  utho sandbox serve --addr 127.0.0.1:8080 --log 2>requests.jsonl",
		Args:    noArgs,
		RunE:    p.sandboxE(func(ctx context.Context, box *sandbox.Sandbox) error { return p.serveSandbox(ctx, box, addr, log) }),
	}
	serve.Flags().Var(nonEmptyFlag(&addr, "HOST:PORT", "the address is empty"), "addr", "loopback address; port 0 takes a free one")
	serve.Flags().BoolVar(&log, "log", false, "write one line of JSON for each request to stderr, without secrets")
	reset := &cobra.Command{
		Use: "reset", Short: "Start the sandbox afresh",
		Long: "Delete what was done in the sandbox: it has its first tokens again.", Example: "  utho sandbox reset",
		Args: noArgs,
		RunE: p.sandboxE(func(ctx context.Context, box *sandbox.Sandbox) error {
			ctx, cancel := context.WithTimeout(ctx, p.env.settings.Timeout)
			defer cancel()
			err := box.Reset(ctx)
			if err == nil {
				p.console.note("the sandbox has its first tokens again")
			}
			return err
		}),
	}
	return newGroup("sandbox", "A built-in look-alike of the service that needs no account",
		`A look-alike of the service, built in, that needs no account, no login and no
network. Its tokens are not real. Use it as a profile:

  utho -p sandbox token list`, serve, reset)
}

// sandboxE is runE for what uses the sandbox itself and has no answer of its own.
func (p *program) sandboxE(run func(context.Context, *sandbox.Sandbox) error) func(*cobra.Command, []string) error {
	return p.documentE(func(ctx context.Context, _ format, _ []string) error {
		if _, err := p.settings(); err != nil {
			return err
		}
		box, err := p.sandbox()
		if err != nil {
			return err
		}
		return run(ctx, box)
	})
}

func (p *program) serveSandbox(ctx context.Context, box *sandbox.Sandbox, addr string, log bool) error {
	ln, err := sandbox.Listen(ctx, addr)
	if errors.Is(err, sandbox.ErrAddress) {
		return hintf(usagef("--addr %s: not a loopback address and a port; the sandbox is for this machine only", quoteText(addr)),
			"for example: utho sandbox serve --addr 127.0.0.1:8080")
	}
	if err != nil {
		return fmt.Errorf("serve the sandbox: %w", err)
	}
	wait, cancel := context.WithTimeout(ctx, p.env.settings.Timeout)
	defer cancel()
	secret, err := box.OperatorSecret(wait)
	if err == nil {
		_, err = fmt.Fprintf(p.out, "UTHO_API_URL=%s\nUTHO_API_KEY=%s\n", addressFor(ln), secret)
	}
	if err != nil {
		_ = ln.Close() // nobody was told of it
		return err
	}
	p.console.note("serving the sandbox on %s; its tokens are not real; Ctrl-C ends it", ln.Addr())
	debug := p.debugging()
	return box.Serve(ctx, ln, func(r sandbox.Request) {
		if debug {
			p.console.plain("debug: " + r.String())
		}
		if log {
			line, _ := json.Marshal(r) // text and numbers: it cannot fail
			p.console.write(string(line) + "\n")
		}
	})
}
