package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/output"
	"github.com/utho/utho-cli/internal/problem"
	"github.com/utho/utho-cli/internal/sandbox"
	"github.com/utho/utho-cli/internal/session"
)

func newSandbox(p *program) *cobra.Command {
	addr, log := "127.0.0.1:0", false
	serve := &cobra.Command{
		Use: "serve", Short: "Offer the sandbox over HTTP on this machine",
		Long: `Offer the sandbox over HTTP on a loopback address, for pipelines and other
clients, until Ctrl-C or TERM. It prints the two variables that lead utho and
others to it. --log and --debug show each request on stderr, for programs and
for people.`,
		Example: "  utho sandbox serve\n  utho sandbox serve --addr 127.0.0.1:8080 --log 2>requests.jsonl",
		Args:    noArgs,
		RunE:    p.sandboxE(func(ctx context.Context, s *session.Session) error { return p.serveSandbox(ctx, s, addr, log) }),
	}
	serve.Flags().Var(nonEmptyFlag(&addr, "HOST:PORT", "the address is empty"), "addr", "loopback address; port 0 takes a free one")
	serve.Flags().BoolVar(&log, "log", false, "write one line of JSON for each request to stderr, without secrets")
	reset := &cobra.Command{
		Use: "reset", Short: "Start the sandbox afresh",
		Long: "Delete what was done in the sandbox: it has its first tokens again.", Example: "  utho sandbox reset",
		Args: noArgs,
		RunE: p.sandboxE(func(ctx context.Context, s *session.Session) error {
			limited, cancel := context.WithTimeout(ctx, s.Timeout)
			defer cancel()
			err := s.Box.Reset(limited)
			if err == nil {
				p.console.Note("the sandbox has its first tokens again")
			}
			return err
		}),
	}
	return newGroup("sandbox", "A built-in look-alike of the service that needs no account",
		`A look-alike of the service, built in, that needs no account, no login and no
network. Its tokens are not real. Use it as a profile:

  utho -p sandbox token list`, serve, reset)
}

// sandboxE is runE for what uses the sandbox itself, whatever profile is chosen, and has no answer of its own.
func (p *program) sandboxE(run func(context.Context, *session.Session) error) func(*cobra.Command, []string) error {
	return p.documentE(func(ctx context.Context, _ format, _ []string) error {
		p.env.Flags.Profile = session.SandboxName
		s, err := p.env.Locate()
		if err != nil {
			return err
		}
		return run(ctx, s)
	})
}

func (p *program) serveSandbox(ctx context.Context, s *session.Session, addr string, log bool) error {
	ln, err := sandbox.Listen(ctx, addr)
	if errors.Is(err, sandbox.ErrAddress) {
		return problem.Usagef("--addr %s: not a loopback address and a port; the sandbox is for this machine only", output.Name(addr)).
			Hintf("for example: utho sandbox serve --addr 127.0.0.1:8080")
	}
	if err != nil {
		return problem.Hintf(fmt.Errorf("serve the sandbox: %w", err), "name another address with --addr; port 0 takes a free one")
	}
	if err = p.env.ReadSecret(ctx, s); err == nil {
		_, err = fmt.Fprintf(p.out, "UTHO_API_URL=%s\nUTHO_API_KEY=%s\n", addressFor(ln), s.Item.Secret)
	}
	if err != nil {
		_ = ln.Close() // nobody was told of it
		return err
	}
	if !log { // whose lines are all JSON
		p.console.Note("serving the sandbox on %s; its tokens are not real; Ctrl-C ends it", ln.Addr())
	}
	debug := p.env.Debugging()
	return s.Box.Serve(ctx, ln, func(r sandbox.Request) {
		if debug {
			p.console.Note("debug: %s", r)
		}
		if log {
			line, _ := json.Marshal(r) // text and numbers: it cannot fail
			p.console.Write(string(line) + "\n")
		}
	})
}
