package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/child"
)

func newExec(p *program) *cobra.Command {
	var env []string
	cmd := &cobra.Command{
		Use:   "exec [flags] -- COMMAND [ARG...]",
		Short: "Run a command with the credential in use",
		Long: `Run a command with the credential in use in UTHO_API_KEY and UTHO_TOKEN (or the
variables that --env names) and the service's address in UTHO_API_URL. Nothing is
created, and the secret is not printed. On Unix the command takes utho's place.`,
		Example: `  utho exec --env TF_VAR_utho_api_key -- terraform plan
  utho -p work exec -- ./deploy.sh`,
		Args:              commandArgs,
		ValidArgsFunction: completeCommand,
	}
	envFlag(cmd, &env)
	cmd.RunE = p.runE(func(ctx context.Context, args []string) error { return p.exec(ctx, env, args) })
	return cmd
}

func (p *program) exec(ctx context.Context, env, argv []string) error {
	if _, err := p.format(documentFormats); err != nil {
		return err
	}
	names, err := checkEnv(env)
	if err != nil {
		return err
	}
	path, err := child.LookPath(argv[0])
	if err != nil {
		return &runError{err}
	}
	s, err := p.locate()
	if err == nil && s.kind == sandboxName {
		return hintf(usagef("exec has no credential to give in the sandbox"), "create a token for the command: %s", "utho -p sandbox token run -- "+quote(argv[0]))
	}
	if err == nil {
		err = p.readSecret(ctx, s)
	}
	if err == nil {
		err = p.use(s) // which refuses what must not leave this machine
	}
	if err != nil {
		return &runError{err}
	}
	p.mask(s.item.Secret)
	cmd := &exec.Cmd{Path: path, Args: argv, Env: commandEnv(names, s.item.Secret, s.baseURL), Stdin: p.in, Stdout: p.out.f, Stderr: p.console.f}
	var status childStatus
	if err := become(cmd); !errors.As(err, &status) && err != nil {
		return &runError{&child.StartError{Name: argv[0], NotFound: errors.Is(err, os.ErrNotExist), Err: fmt.Errorf("%w", err)}}
	} else if err != nil {
		return status
	}
	return nil
}
