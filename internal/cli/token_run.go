package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/child"
	"github.com/utho/utho-cli/internal/expiry"
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
	var env []string
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
		Args: commandArgs, ValidArgsFunction: completeCommand,
	}
	f := cmd.Flags()
	f.Var(scopeFlag(&r.Scope), "scope", "what the token may do: read-only or write")
	f.Var(nonEmptyFlag(&r.Prefix, "PREFIX", "the prefix is empty"), "name", "beginning of the token's name")
	f.Var(durationFlag(&r.Lifetime), "ttl", "expiry in the token's name: 90m, 36h, 30d, 12w")
	f.Lookup("ttl").DefValue = "24h"
	envFlag(cmd, &env)
	_ = cmd.RegisterFlagCompletionFunc("scope", fixed("read-only", "write"))
	cmd.RunE = p.documentE(func(ctx context.Context, _ format, args []string) error { return p.runWithToken(ctx, r, env, args) })
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

func envFlag(cmd *cobra.Command, env *[]string) {
	cmd.Flags().Var(listFlag(env, "NAME"), "env", "variable that gets the secret (repeatable; default UTHO_API_KEY and UTHO_TOKEN)")
}

// checkEnv checks the names of --env, and gives the default ones.
func checkEnv(names []string) ([]string, error) {
	if len(names) == 0 {
		return session.Variables[:], nil
	}
	const digits = "0123456789"
	for _, name := range names {
		if strings.IndexAny(name, digits) == 0 || strings.Trim(name, digits+"_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") != "" {
			return nil, problem.Usagef("--env %s: not the name of a variable", output.Name(name)).Hintf("letters, digits and _, not a digit first")
		}
		if name == "UTHO_API_URL" {
			return nil, problem.Usagef("--env UTHO_API_URL: that variable gets the service's address")
		}
	}
	return names, nil
}

func (p *program) runWithToken(ctx context.Context, r lifecycle.LendRequest, env, argv []string) error {
	if err := checkName(r.Prefix); err != nil {
		return err
	}
	if _, err := expiry.Append(r.Prefix+"-0123456789", time.Now().Add(r.Lifetime)); err != nil {
		return problem.Usagef("--name: %w", err)
	}
	names, err := checkEnv(env)
	if err != nil {
		return err
	}
	path, err := child.LookPath(argv[0])
	if err != nil {
		return problem.Of(problem.RunFailed, fmt.Errorf("%w; nothing was created", err))
	}
	s, err := p.env.Connect(ctx)
	if err != nil {
		return problem.Of(problem.RunFailed, err)
	}
	apiURL := s.BaseURL
	if s.Box != nil {
		url, stop, err := serveSandbox(s.Box)
		if err != nil {
			return problem.Of(problem.RunFailed, err)
		}
		defer stop()
		apiURL = url
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
		status, failed = p.signals.Run(p.command(path, argv, names, i.Secret, apiURL))
	})
	if err != nil {
		err = problem.Of(problem.RunFailed, err)
	}
	if used && err != nil && (status != 0 || failed != nil) { // the command's own end counts
		p.report(err)
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
	done := make(chan struct{})
	go func() {
		_ = box.Serve(ctx, ln, func(sandbox.Request) {}) // how it stopped is nothing the command did
		close(done)
	}()
	return addressFor(ln), func() { cancel(); <-done }, nil
}

func addressFor(ln net.Listener) string { return "http://" + ln.Addr().String() + "/v2" }

func newExec(p *program) *cobra.Command {
	var env []string
	cmd := &cobra.Command{
		Use: "exec [flags] -- COMMAND [ARG...]", Short: "Run a command with the credential in use",
		Long: `Run a command with the credential in use in UTHO_API_KEY and UTHO_TOKEN (or the
variables that --env names) and the service's address in UTHO_API_URL. Nothing
is created, and the secret is not printed. On Unix the command takes utho's
place.`,
		Example: `  utho exec --env TF_VAR_utho_api_key -- terraform plan
  utho -p work exec -- ./deploy.sh`,
		Args: commandArgs, ValidArgsFunction: completeCommand,
	}
	envFlag(cmd, &env)
	cmd.RunE = p.documentE(func(ctx context.Context, _ format, args []string) error { return p.exec(ctx, env, args) })
	return cmd
}

func (p *program) exec(ctx context.Context, env, argv []string) error {
	names, err := checkEnv(env)
	if err != nil {
		return err
	}
	path, err := child.LookPath(argv[0])
	if err != nil {
		return problem.Of(problem.RunFailed, err)
	}
	p.console.Silent = true      // exec says nothing
	s, err := p.env.Connect(ctx) // which refuses what must not leave this machine
	p.console.Silent = false
	if err == nil && s.Box != nil {
		return problem.Usagef("exec has no credential to give in the sandbox").
			Hintf("create a token for the command: %s -- %s", p.env.Route.Command("token", "run"), output.Quote(argv[0]))
	}
	if err = cmp.Or(err, context.Cause(ctx)); err != nil {
		return problem.Of(problem.RunFailed, err)
	}
	p.mask(s.Item.Secret)
	status, err := p.signals.Become(p.command(path, argv, names, s.Item.Secret, s.BaseURL))
	return ended(argv[0], status, err)
}

// command is a command of the user that gets a secret and the service's address, and none of utho's own credentials.
func (p *program) command(path string, argv, names []string, secret, apiURL string) *exec.Cmd {
	set := []string{"UTHO_API_URL=" + apiURL}
	for _, name := range names {
		set = append(set, name+"="+secret)
	}
	return &exec.Cmd{
		Path: path, Args: argv, Env: child.WithoutCredentials(os.Environ(), set...),
		Stdin: p.console.In, Stdout: p.out.f, Stderr: p.console.Err,
	}
}

// ended turns how a command ended into the end of utho: its status, or why it was not started.
func ended(name string, status int, err error) error {
	var path *os.PathError
	switch {
	case errors.As(err, new(terminal.Interrupted)):
		return problem.Of(problem.RunFailed, err)
	case errors.As(err, &path):
		err = path.Err
		fallthrough
	case err != nil:
		return problem.Of(problem.RunFailed, &child.StartError{Name: name, NotFound: errors.Is(err, os.ErrNotExist), Err: err})
	case status != 0:
		return childStatus(status)
	}
	return nil
}
