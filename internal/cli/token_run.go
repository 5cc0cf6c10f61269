package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/child"
	"github.com/utho/utho-cli/internal/lifecycle"
	"github.com/utho/utho-cli/internal/output"
	"github.com/utho/utho-cli/internal/problem"
	"github.com/utho/utho-cli/internal/sandbox"
	"github.com/utho/utho-cli/internal/session"
	"github.com/utho/utho-cli/internal/terminal"
	"github.com/utho/utho-cli/pkg/utho"
)

func newRun(p *program) *cobra.Command {
	r := lifecycle.LendRequest{Prefix: "utho-run", Scope: utho.ScopeReadOnly, Lifetime: 24 * time.Hour}
	cmd := &cobra.Command{
		Use: "run [flags] -- COMMAND [ARG...]", Short: "Run a command with a token that lives as long as it does",
		Long: `Create a token, run the command with its secret in UTHO_API_KEY and UTHO_TOKEN
(or the variables that --env names) and the service's address in UTHO_API_URL,
and delete the token when the command has ended.

The exit status is the command's, or 125 if utho failed; see utho help
exit-codes. If utho is killed, the token stays until utho token delete --expired
finds it.`,
		Example: `  utho token run --env TF_VAR_utho_api_key -- terraform plan
  utho token run --scope write -- ./deploy.sh production
  utho -p sandbox token run --scope write -- go test ./...`,
	}
	f := cmd.Flags()
	bind(cmd, "scope", scopeFlag(&r.Scope), "what the token may do: read-only or write", fixed("read-only", "write"))
	f.Var(nonEmptyFlag(&r.Prefix, "PREFIX", "the prefix is empty"), "name", "beginning of the token's name")
	f.Var(durationFlag(&r.Lifetime), "ttl", "expiry in the token's name: 90m, 36h, 30d, 12w")
	f.Lookup("ttl").DefValue = "24h"
	p.around(cmd, func(ctx context.Context, argv []string, with lend) error { return p.runWithToken(ctx, r, argv, with) })
	return cmd
}

// commandArgs takes a command behind --.
func commandArgs(cmd *cobra.Command, args []string) error {
	needs := "a command"
	switch {
	case len(args) > 0 && cmd.ArgsLenAtDash() == 0:
		return nil
	case len(args) > 0:
		needs = "-- before the command"
	}
	return problem.Usagef("%s needs %s", cmd.CommandPath(), needs).Hintf("for example: %s -- COMMAND [ARG...]", cmd.CommandPath())
}

// lend is a command of the user that gets a secret and the service's address, and none of utho's own credentials.
type lend func(secret, apiURL string) *exec.Cmd

// around makes cmd a command around one of the user, whose exit statuses are its own.
func (p *program) around(cmd *cobra.Command, run func(ctx context.Context, argv []string, with lend) error) {
	var env []string
	cmd.Args, cmd.ValidArgsFunction = commandArgs, completeCommand
	cmd.Flags().Var(listFlag(&env, "NAME"), "env", "variable that gets the secret (repeatable; default UTHO_API_KEY and UTHO_TOKEN)")
	cmd.RunE = p.documentE(func(ctx context.Context, _ format, argv []string) error {
		names, err := checkEnv(env)
		if err != nil {
			return err
		}
		path, err := child.LookPath(argv[0])
		if err != nil {
			return problem.Of(problem.RunFailed, err)
		}
		err = run(ctx, argv, func(secret, apiURL string) *exec.Cmd {
			set := []string{"UTHO_API_URL=" + apiURL}
			for _, name := range names {
				set = append(set, name+"="+secret)
			}
			return &exec.Cmd{
				Path: path, Args: argv, Env: child.WithoutCredentials(os.Environ(), set...),
				Stdin: p.console.In, Stdout: p.out.f, Stderr: p.console.Err,
			}
		})
		if err != nil {
			return problem.Of(problem.RunFailed, err)
		}
		return nil
	})
}

// checkEnv checks the names of --env, and gives the default ones.
func checkEnv(names []string) ([]string, error) {
	if len(names) == 0 {
		return session.Variables[:], nil
	}
	for _, name := range names {
		if !regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`).MatchString(name) {
			return nil, problem.Usagef("--env %s: not the name of a variable", output.Name(name)).Hintf("letters, digits and _, not a digit first")
		}
		if name == "UTHO_API_URL" {
			return nil, problem.Usagef("--env UTHO_API_URL: that variable gets the service's address")
		}
	}
	return names, nil
}

func (p *program) runWithToken(ctx context.Context, r lifecycle.LendRequest, argv []string, with lend) error {
	if err := checkName(r.Prefix+"-0123456789", r.Lifetime); err != nil {
		return err
	}
	s, err := p.env.Connect(ctx)
	if err != nil {
		return err
	}
	if s.Box != nil {
		var stop func()
		if s.BaseURL, stop, err = serveSandbox(s.Box); err != nil {
			return err
		}
		defer stop()
	}
	end, err := p.signals.Protect()
	if err != nil {
		return err
	}
	defer end()
	var status int
	var failed error
	used, err := s.Lend(ctx, p.signals.Grace, r, func(i lifecycle.Issued) {
		p.console.Hide(i.Secret)
		p.mask(i.Secret)
		status, failed = p.signals.Run(with(i.Secret, s.BaseURL))
	})
	if used && err != nil && (status != 0 || failed != nil) { // the command's own end counts
		p.report(problem.Of(problem.RunFailed, err))
	} else if err != nil {
		return err
	}
	return ended(argv[0], status, failed)
}

func serveSandbox(box *sandbox.Sandbox) (url string, stop func(), err error) {
	ctx, cancel := context.WithCancel(context.Background())
	ln, err := sandbox.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		cancel()
		return "", nil, fmt.Errorf("serve the sandbox: %w", err)
	}
	var served sync.WaitGroup
	served.Go(func() {
		_ = box.Serve(ctx, ln, func(sandbox.Request) {}) // how it stopped is nothing the command did
	})
	return addressFor(ln), func() { cancel(); served.Wait() }, nil
}

func addressFor(ln net.Listener) string { return "http://" + ln.Addr().String() + "/v2" }

func newExec(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use: "exec [flags] -- COMMAND [ARG...]", Short: "Run a command with the credential in use",
		Long: `Run a command with the credential in use in UTHO_API_KEY and UTHO_TOKEN (or the
variables that --env names) and the service's address in UTHO_API_URL. Nothing
is created, and the secret is not printed. On Unix the command takes utho's
place.`,
		Example: `  utho exec --env TF_VAR_utho_api_key -- terraform plan
  utho -p work exec -- ./deploy.sh`,
	}
	p.around(cmd, p.exec)
	return cmd
}

func (p *program) exec(ctx context.Context, argv []string, with lend) error {
	p.console.Silent = true      // exec says nothing
	s, err := p.env.Connect(ctx) // which refuses what must not leave this machine
	p.console.Silent = false
	if err == nil && s.Box != nil {
		return problem.Usagef("exec has no credential to give in the sandbox").
			Hintf("create a token for the command: %s -- %s", p.env.Route.Command("token", "run"), output.Quote(argv[0]))
	}
	if err = cmp.Or(err, context.Cause(ctx)); err != nil {
		return err
	}
	p.mask(s.Item.Secret)
	status, err := p.signals.Become(with(s.Item.Secret, s.BaseURL))
	return ended(argv[0], status, err)
}

// ended turns how a command ended into the end of utho: its status, or why it was not started.
func ended(name string, status int, err error) error {
	var path *os.PathError
	switch {
	case errors.As(err, new(terminal.Interrupted)):
		return err
	case errors.As(err, &path):
		err = path.Err
		fallthrough
	case err != nil:
		return &child.StartError{Name: name, NotFound: errors.Is(err, os.ErrNotExist), Err: err}
	case status != 0:
		return childStatus(status)
	}
	return nil
}
