package cli

import (
	"context"
	"errors"
	"os"
	"os/exec"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/child"
)

func newExec(p *program) *cobra.Command {
	var env []string
	cmd := &cobra.Command{
		Use: "exec [flags] -- COMMAND [ARG...]", Short: "Run a command with the credential in use",
		Long: `Run a command with the credential in use in UTHO_API_KEY and UTHO_TOKEN (or the
variables that --env names) and the service's address in UTHO_API_URL. Nothing is
created, and the secret is not printed. On Unix the command takes utho's place.`,
		Example: `  utho exec --env TF_VAR_utho_api_key -- terraform plan
  utho -p work exec -- ./deploy.sh`,
		Args: commandArgs, ValidArgsFunction: completeCommand,
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
		return coded(exitRunFailed, err)
	}
	s, err := p.locate()
	if err == nil && s.box != nil {
		return hintf(usagef("exec has no credential to give in the sandbox"),
			"create a token for the command: %s -- %s", p.route.command("token", "run"), quote(argv[0]))
	}
	if err == nil {
		err = p.readSecret(ctx, s)
	}
	if err == nil {
		err = p.use(s) // which refuses what must not leave this machine
	}
	if err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return coded(exitRunFailed, err)
	}
	p.mask(s.item.Secret)
	status, err := p.signals.become(p.command(path, argv, names, s.item.Secret, s.baseURL))
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
		Stdin: p.in, Stdout: p.out.f, Stderr: p.console.f,
	}
}

// ended turns how a command ended into the end of utho: its status, or why it was not started.
func ended(name string, status int, err error) error {
	var path *os.PathError
	switch {
	case errors.As(err, new(interrupted)):
		return coded(exitRunFailed, err)
	case errors.As(err, &path):
		err = path.Err
		fallthrough
	case err != nil:
		return coded(exitRunFailed, &child.StartError{Name: name, NotFound: errors.Is(err, os.ErrNotExist), Err: err})
	case status != 0:
		return childStatus(status)
	}
	return nil
}
