package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"time"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/child"
	"github.com/utho/utho-cli/internal/expiry"
	"github.com/utho/utho-cli/internal/lifecycle"
	"github.com/utho/utho-cli/internal/sandbox"
	"github.com/utho/utho-cli/pkg/utho"
)

// runRequest is what `token run` was asked for.
type runRequest struct {
	lifecycle.LendRequest
	env  []string
	argv []string
}

func newRun(p *program) *cobra.Command {
	r := runRequest{LendRequest: lifecycle.LendRequest{Scope: utho.ScopeReadOnly, Lifetime: 24 * time.Hour}}
	cmd := &cobra.Command{
		Use:   "run [flags] -- COMMAND [ARG...]",
		Short: "Run a command with a token that lives as long as it does",
		Long: `Create a token, run the command with its secret in UTHO_API_KEY and UTHO_TOKEN (or
the variables that --env names) and the service's address in UTHO_API_URL, and
delete the token when the command has ended.

The exit status is the command's: 126 if it cannot be executed, 127 if it is not
found, 128+n if a signal ended it, and 125 if utho failed. If utho is killed, the
token stays; its name has an expiry, and utho token delete --expired finds it.`,
		Example: `  utho token run --env TF_VAR_utho_api_key -- terraform plan
  utho token run --scope write -- ./deploy.sh production
  utho -p sandbox token run --scope write -- go test ./...`,
		Args:              commandArgs,
		ValidArgsFunction: completeCommand,
	}
	f := cmd.Flags()
	f.Var(scopeFlag(&r.Scope), "scope", "what the token may do: read-only or write")
	r.Prefix = "utho-run"
	f.Var(nonEmptyFlag(&r.Prefix, "PREFIX", "the prefix is empty"), "name", "beginning of the token's name")
	f.Var(durationFlag(&r.Lifetime), "ttl", "expiry in the token's name: 90m, 36h, 30d, 12w")
	f.Lookup("ttl").DefValue = "24h"
	envFlag(cmd, &r.env)
	_ = cmd.RegisterFlagCompletionFunc("scope", fixed("read-only", "write"))
	cmd.RunE = p.runE(func(ctx context.Context, args []string) error {
		r.argv = args
		return p.runWithToken(ctx, r)
	})
	return cmd
}

// commandArgs takes a command behind --.
func commandArgs(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return hintf(usagef("%s needs a command", cmd.CommandPath()), "for example: %s -- COMMAND [ARG...]", cmd.CommandPath())
	case cmd.ArgsLenAtDash() != 0:
		return hintf(usagef("%s needs -- before the command", cmd.CommandPath()), "for example: %s -- COMMAND [ARG...]", cmd.CommandPath())
	}
	return nil
}

// envFlag binds --env, the names of the variables that get the secret.
func envFlag(cmd *cobra.Command, env *[]string) {
	cmd.Flags().Var(listFlag(env, "NAME"), "env", "variable that gets the secret (repeatable; default UTHO_API_KEY and UTHO_TOKEN)")
}

// checkEnv checks the names of --env, and gives the default ones.
func checkEnv(names []string) ([]string, error) {
	if len(names) == 0 {
		return variables[:], nil
	}
	for _, name := range names {
		if !isVariable(name) {
			return nil, hintf(usagef("--env %s: not the name of a variable", quoteText(name)), "letters, digits and _, not a digit first")
		}
		if name == "UTHO_API_URL" {
			return nil, usagef("--env UTHO_API_URL: that variable gets the service's address")
		}
	}
	return names, nil
}

func isVariable(name string) bool {
	for i := range len(name) {
		c := name[i]
		if c != '_' && (c|0x20 < 'a' || c|0x20 > 'z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

// commandEnv is the environment of a command that gets a secret.
func commandEnv(names []string, secret, apiURL string) []string {
	set := make([]string, 0, len(names)+1)
	for _, name := range names {
		set = append(set, name+"="+secret)
	}
	return child.WithoutCredentials(os.Environ(), append(set, "UTHO_API_URL="+apiURL)...)
}

func (p *program) runWithToken(ctx context.Context, r runRequest) error {
	if _, err := p.format(documentFormats); err != nil {
		return err
	}
	if err := checkName(r.Prefix); err != nil {
		return err
	}
	if _, err := expiry.Append(r.Prefix+"-0123456789", time.Now().Add(r.Lifetime)); err != nil {
		return usagef("--name: %w", err)
	}
	names, err := checkEnv(r.env)
	if err != nil {
		return err
	}
	path, err := child.LookPath(r.argv[0])
	if err != nil {
		return &runError{fmt.Errorf("%w; nothing was created", err)}
	}
	s, err := p.connect(ctx)
	if err != nil {
		return &runError{err}
	}
	apiURL := s.baseURL
	if s.box != nil {
		url, stop, err := serveSandbox(s.box)
		if err != nil {
			return &runError{err}
		}
		defer stop()
		apiURL = url
	}
	end, err := p.signals.protect()
	if err != nil {
		return err
	}
	defer end()
	relay := newRelay()
	var status int
	var failed error
	used, err := s.Lend(ctx, p.signals.grace, r.LendRequest, func(i lifecycle.Issued) {
		p.secrets = append(p.secrets, i.Secret)
		p.mask(i.Secret)
		cmd := exec.Command(path, r.argv[1:]...) //nolint:noctx // nothing of utho's may end the command
		cmd.Args[0] = r.argv[0]
		cmd.Stdin, cmd.Stdout, cmd.Stderr = p.in, p.out.f, p.console.f
		cmd.Env = commandEnv(names, i.Secret, apiURL)
		stop := p.signals.passTo(relay.pass)
		defer stop()
		status, failed = relay.run(cmd)
	})
	return runOutcome(p, used, status, failed, err)
}

// runOutcome is the end of `token run`: what became of the command, and of its token.
func runOutcome(p *program, used bool, status int, failed, err error) error {
	switch {
	case !used && err != nil:
		return &runError{err}
	case err != nil && (status != 0 || failed != nil):
		p.report(&runError{err}) // the command's own status counts
	case err != nil:
		return &runError{err}
	}
	if failed != nil {
		return &runError{failed}
	}
	if status != 0 {
		return childStatus(status)
	}
	return nil
}

// relay passes the signals that utho gets on to a command.
type relay struct{ sent chan os.Signal }

// newRelay takes signals from now on, so that none is lost before the command starts.
func newRelay() *relay {
	r := &relay{make(chan os.Signal, 16)}
	notifyPassed(r.sent)
	return r
}

func (r *relay) pass(sig os.Signal) {
	select {
	case r.sent <- sig:
	default: // a command that is sent sixteen signals at once needs no more
	}
}

// run starts the command and waits for it, whatever comes. failed is why it was never
// started.
func (r *relay) run(cmd *exec.Cmd) (status int, failed error) {
	if err := cmd.Start(); err != nil {
		return 0, &child.StartError{Name: cmd.Args[0], NotFound: errors.Is(err, os.ErrNotExist), Err: err}
	}
	quit := make(chan struct{})
	defer close(quit)
	go func() {
		for {
			select {
			case sig := <-r.sent:
				if !fromTerminal(sig) {
					_ = cmd.Process.Signal(sig) // it may have ended meanwhile
				}
			case <-quit:
				return
			}
		}
	}()
	var exit *exec.ExitError
	if err := cmd.Wait(); errors.As(err, &exit) {
		return exitStatus(exit.ProcessState), nil
	} else if err != nil {
		return exitRunFailed, nil //nolint:nilerr // how the command ended cannot be told
	}
	return 0, nil
}

// serveSandbox offers the sandbox on loopback while a command runs.
func serveSandbox(box *sandbox.Sandbox) (url string, stop func(), err error) {
	ctx, cancel := context.WithCancel(context.Background())
	ln, err := sandbox.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		cancel()
		return "", nil, fmt.Errorf("serve the sandbox: %w", err)
	}
	done := make(chan struct{})
	go func() {
		_ = box.Serve(ctx, ln, sandbox.Options{}) // how it stopped is nothing the command did
		close(done)
	}()
	return addressFor(ln), func() { cancel(); <-done }, nil
}

// addressFor is the base URL of a sandbox that is served.
func addressFor(ln net.Listener) string { return "http://" + ln.Addr().String() + "/v2" }
