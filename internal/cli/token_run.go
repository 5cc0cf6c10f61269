package cli

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/expiry"
	"github.com/utho/utho-cli/internal/sandbox"
	"github.com/utho/utho-cli/pkg/utho"
)

// runRequest is what `token run` was asked.
type runRequest struct {
	scope  utho.Scope
	prefix string
	ttl    time.Duration
	env    []string
	argv   []string
}

func (a *app) runCommand() *cobra.Command {
	req := runRequest{scope: utho.ScopeReadOnly, ttl: 24 * time.Hour}
	cmd := &cobra.Command{
		Use:   "run [flags] -- COMMAND [ARG...]",
		Short: "Run a command with a token that lives as long as it does",
		Long: `Make a token, run the command with its secret in UTHO_API_KEY and UTHO_TOKEN (or
in the variables that --env names) and the service's address in UTHO_API_URL,
and delete the token when the command has ended, never before.

utho exits with the command's status: 126 where it cannot be executed, 127 where
it is not found, 128+n where a signal ended it, and 125 where utho itself failed.

The name carries an expiry, which only matters where utho was killed: then
utho token delete --expired finds the token.`,
		Example: `  utho token run -- terraform plan
  utho token run --scope write --env UTHO_KEY -- ./deploy.sh production`,
		ValidArgsFunction: func(_ *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveDefault
		},
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usagef("utho token run needs a command").with("utho token run -- COMMAND [ARG...]")
		}
		if cmd.ArgsLenAtDash() != 0 {
			return usagef("utho token run needs -- before the command").with("utho token run -- COMMAND [ARG...]")
		}
		return nil
	}
	f := cmd.Flags()
	f.Var(&req.scope, "scope", "what the token may do; `SCOPE` is read-only or write")
	f.StringVar(&req.prefix, "name", "utho-run", "`PREFIX` of the token's name")
	f.Var((*lifetimeFlag)(&req.ttl), "ttl", "expiry in the token's name: 90m, 36h, 30d, 12w")
	f.Lookup("ttl").DefValue = "24h"
	f.StringArrayVar(&req.env, "env", nil, "`NAME` of a variable that gets the secret (repeatable; default UTHO_API_KEY and UTHO_TOKEN)")
	_ = cmd.RegisterFlagCompletionFunc("scope", fixed("read-only", "write"))
	noFiles(cmd, "name", "ttl", "env")
	cmd.RunE = a.plain(func(ctx context.Context, args []string) error {
		req.argv = args
		return a.runWithToken(ctx, req)
	})
	return cmd
}

// runFailed is a failure of utho itself around a command. Usage stays usage.
func runFailed(err error) error {
	f := classify(err)
	if f.exit != exitUsage && f.code != "interrupted" {
		f.exit = exitRunFailed
	}
	return f
}

func (a *app) runWithToken(soft context.Context, req runRequest) error {
	if err := checkName(req.prefix); err != nil {
		return err
	}
	if _, err := expiry.Append(req.prefix+"-0123456789", time.Now().Add(req.ttl)); err != nil {
		return usagef("--name: %w", err)
	}
	if len(req.env) == 0 {
		req.env = []string{"UTHO_API_KEY", "UTHO_TOKEN"}
	}
	for _, name := range req.env {
		if !isVariable(name) {
			return usagef("--env %s: not the name of a variable", quoteText(name)).with("letters, digits and _, not a digit first")
		}
		if name == "UTHO_API_URL" {
			return usagef("--env UTHO_API_URL: that variable gets the service's address")
		}
	}
	path, err := lookCommand(req.argv[0])
	if err != nil {
		return err
	}
	s, err := a.resolve(soft)
	if err != nil {
		return runFailed(err)
	}
	list, err := s.list(soft)
	if soft.Err() != nil {
		return context.Cause(soft) // nothing has been changed yet
	}
	if err != nil {
		return runFailed(err)
	}
	end, err := a.sig.shield()
	if err != nil {
		return err
	}
	defer end()
	sent := make(chan os.Signal, 16)
	notifyPassed(sent)
	m, err := a.makeForRun(soft, s, list, req)
	if err != nil {
		return runFailed(err)
	}
	return a.runCommandWith(soft, s, m, sent, path, req)
}

// makeForRun makes the token, uniquely named, so that what is left of it can be
// told from everything else.
func (a *app) makeForRun(soft context.Context, s *session, list *utho.TokenList, req runRequest) (*making, error) {
	base := req.prefix + "-" + randomWord()
	name, err := expiry.Append(base, now(list).Add(req.ttl))
	if err != nil {
		return nil, usagef("--name: %w", err)
	}
	m := &making{a: a, s: s, unique: true, before: ids(list.Tokens), req: utho.CreateTokenRequest{Name: name, Scope: req.scope}}
	if err := m.post(soft, a.sig.hard); err != nil {
		return nil, err
	}
	if err := m.confirm(soft, a.sig.hard); err != nil {
		return nil, err
	}
	if soft.Err() != nil {
		return nil, m.takeBack(a.sig.hard, context.Cause(soft))
	}
	if m.token.ID == "" {
		return nil, m.takeBack(a.sig.hard, fmt.Errorf("create %s: its id cannot be learned, so it could not be deleted later; the command was not started", quoteText(name)))
	}
	return m, nil
}

// randomWord is 40 random bits, for a name that nobody else makes up.
func randomWord() string {
	b := make([]byte, 5)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the program instead
	return hex.EncodeToString(b)
}

// runCommandWith starts the command, waits for it whatever comes, and deletes
// the token after it.
func (a *app) runCommandWith(soft context.Context, s *session, m *making, sent chan os.Signal, path string, req runRequest) error {
	apiURL := s.baseURL
	if s.sandbox {
		url, stop, err := a.serveForRun(s)
		if err != nil {
			return runFailed(m.takeBack(a.sig.hard, err))
		}
		defer stop()
		apiURL = url
	}
	a.maskSecret(m.secret)
	cmd := exec.Command(path, req.argv[1:]...) //nolint:noctx // nothing of utho's may end the command
	cmd.Args[0] = req.argv[0]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = a.in, a.out.f, a.errFile
	cmd.Env = childEnv(os.Environ(), req.env, m.secret, apiURL)

	var status int
	var failed error
	waiting := a.relay(cmd, sent)
	if soft.Err() != nil { // nobody waits for the command any more
		waiting.ended()
		return runFailed(m.takeBack(a.sig.hard, context.Cause(soft)))
	}
	switch err := cmd.Start(); {
	case err != nil:
		status, failed = startStatus(err), fmt.Errorf("start %s: %w", quoteText(req.argv[0]), err)
	default:
		waiting.started()
		status = waitStatus(cmd)
	}
	waiting.ended()

	if err := m.undo(a.sig.hard); err != nil {
		what := "the command has ended"
		if failed != nil {
			what = failed.Error()
		}
		f := m.standing(what, err)
		if status == 0 {
			f.exit = exitRunFailed
			return f
		}
		f.exit = status // what the JSON of it says too
		a.report(f)
		return childStatus(status)
	}
	if failed != nil {
		f := classify(failed)
		f.exit = exitRunFailed
		if status != 0 {
			f.exit = status
		}
		return f
	}
	if status != 0 {
		return childStatus(status)
	}
	return nil
}

// waitStatus waits for the command and gives its status as a shell would.
func waitStatus(cmd *exec.Cmd) int {
	err := cmd.Wait()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exitStatus(exit.ProcessState)
	}
	return exitRunFailed
}

// startStatus is 127 where the command is not there, else 126.
func startStatus(err error) int {
	if errors.Is(err, fs.ErrNotExist) {
		return 127
	}
	return 126
}

// lookCommand finds the command before anything is made.
func lookCommand(name string) (string, error) {
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
		return path, nil
	case errors.Is(err, exec.ErrDot):
		return "", failf(127, "not_found", "run %s: it is found only in the current folder; nothing was created", quoteText(name)).with("name it as ./%s", name)
	case errors.Is(err, fs.ErrPermission):
		return "", failf(126, "error", "run %s: it cannot be executed; nothing was created", quoteText(name))
	}
	if strings.ContainsRune(name, os.PathSeparator) {
		if info, statErr := os.Stat(name); statErr == nil && !info.IsDir() {
			return "", failf(126, "error", "run %s: it cannot be executed; nothing was created", quoteText(name))
		} else if statErr == nil {
			return "", failf(126, "error", "run %s: it is a folder; nothing was created", quoteText(name))
		}
	}
	return "", failf(127, "not_found", "run %s: there is no such command; nothing was created", quoteText(name))
}

// childEnv is the environment of the command: the parent's without its
// credentials and profile, with the new secret and the address it is for.
func childEnv(parent, names []string, secret, apiURL string) []string {
	drop := append([]string{"UTHO_API_KEY", "UTHO_TOKEN", "UTHO_PROFILE", "UTHO_API_URL"}, names...)
	var env []string
	for _, entry := range parent {
		name, _, _ := strings.Cut(entry, "=")
		keep := true
		for _, d := range drop {
			if name == d || runtime.GOOS == "windows" && strings.EqualFold(name, d) {
				keep = false
			}
		}
		if keep {
			env = append(env, entry)
		}
	}
	for _, name := range names {
		env = append(env, name+"="+secret)
	}
	return append(env, "UTHO_API_URL="+apiURL)
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

// serveForRun offers the sandbox on loopback while the command runs.
func (a *app) serveForRun(s *session) (url string, stop func(), err error) {
	ln, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("serve the sandbox: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.box.Serve(ctx, ln, sandbox.Options{}) }()
	return "http://" + ln.Addr().String() + "/v2", func() {
		cancel()
		_ = <-done // a served sandbox that did not stop cleanly is nothing the command did
	}, nil
}

// relay passes the signals that utho gets on to the command.
type relay struct {
	cmd  *exec.Cmd
	sent chan os.Signal
	quit chan struct{}
	end  func()
}

// relay takes over utho's signals before the command starts, so that none is
// lost; those that come before it has started are passed on then, as are those
// that wait in sent.
func (a *app) relay(cmd *exec.Cmd, sent chan os.Signal) *relay {
	r := &relay{cmd: cmd, sent: sent, quit: make(chan struct{})}
	r.end = a.sig.passTo(func(sig os.Signal) {
		select {
		case r.sent <- sig:
		default: // a command that is sent sixteen signals at once needs no more
		}
	})
	return r
}

func (r *relay) started() {
	go func() {
		for {
			select {
			case sig := <-r.sent:
				if !reachedByTerminal(sig) {
					_ = r.cmd.Process.Signal(sig) // it may have ended meanwhile
				}
			case <-r.quit:
				return
			}
		}
	}()
}

// ended gives the signals back to utho. The command has ended, or never began.
func (r *relay) ended() {
	close(r.quit)
	r.end()
}
