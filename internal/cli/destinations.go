package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/auth"
	"github.com/utho/utho-cli/internal/deliver"
	"github.com/utho/utho-cli/pkg/utho"
)

// destinations is where a new secret goes, with what only cli knows of it.
type destinations struct {
	a        *app
	targets  []deliver.Target
	profiles []*profileDestination
	own      *ownDestination
	set      *deliver.Set
}

// destinations are those of --to, and stdout where it gets anything else. Nothing
// is touched yet.
func (a *app) destinations(s *session, out *secretOutput) (*destinations, error) {
	d := &destinations{a: a}
	env := a.deliverEnv()
	for _, spec := range out.specs {
		var dest deliver.Destination
		var err error
		switch spec.Kind {
		case deliver.KindStdout:
			dest = out
		case deliver.KindProfile:
			p, err := a.profileDestination(s, spec.Arg)
			if err != nil {
				return nil, err
			}
			d.profiles = append(d.profiles, p)
			dest = p
		default:
			if spec.Kind == deliver.KindEnv && env.LockDir == "" {
				_, err := a.state()
				return nil, fmt.Errorf("--to %s takes a lock in utho's own folder: %w; nothing was created", spec, err)
			}
			if dest, err = deliver.New(spec, env); err != nil {
				return nil, specError(err)
			}
		}
		d.targets = append(d.targets, deliver.Target{Spec: spec, Destination: dest})
	}
	if out.wanted() && !d.has(deliver.KindStdout) {
		d.targets = append(d.targets, deliver.Target{Spec: deliver.Spec{Kind: deliver.KindStdout}, Destination: out})
	}
	return d, nil
}

// leaveOut forgets a profile that --to names: the rotation of the token that it
// uses updates it anyway.
func (d *destinations) leaveOut(profile string) {
	d.targets = slices.DeleteFunc(d.targets, func(t deliver.Target) bool {
		return t.Spec.Kind == deliver.KindProfile && strings.EqualFold(t.Spec.Arg, profile)
	})
}

func (a *app) deliverEnv() deliver.Env {
	env := deliver.Env{
		Environ: os.Environ(),
		Stderr:  a.errFile,
		Warn:    func(text string) { a.note("warning: %s", text) },
	}
	// A missing home folder only matters where ~/ or a lock needs one; the
	// destination says so then.
	env.Home, _ = os.UserHomeDir()
	if dir, err := a.state(); err == nil {
		env.LockDir = filepath.Join(dir, "locks")
	}
	return env
}

func specError(err error) error {
	f := usagef("--to: %w", err)
	var spec *deliver.SpecError
	if errors.As(err, &spec) && spec.Hint != "" {
		return f.with("%s", spec.Hint)
	}
	return f
}

func (d *destinations) has(kind deliver.Kind) bool {
	for _, t := range d.targets {
		if t.Spec.Kind == kind {
			return true
		}
	}
	return false
}

// prepare checks every destination, before anything is made.
func (d *destinations) prepare(ctx context.Context) (err error) {
	if d.set, err = deliver.NewSet(d.targets); err != nil {
		return specError(err)
	}
	if err := d.set.Prepare(ctx); err != nil {
		f := classify(err)
		f.msg += "; nothing was created"
		if errors.As(err, new(*auth.KeyringError)) && len(d.profiles) > 0 {
			// The store is the active profile's: no flag chooses another here.
			f.hint = "take the secret to a file with --to file:PATH, then log in with it: " + d.a.loginTo(d.profiles[0].profile.Name) + " --store file <PATH"
		}
		return f
	}
	return nil
}

// made tells the profiles which token their secret belongs to.
func (d *destinations) made(t utho.Token) {
	for _, p := range d.profiles {
		p.profile.TokenID = t.ID
	}
	if d.own != nil {
		d.own.newID = t.ID
	}
}

// deliver takes the secret to all of them, or to none. A signal leaves what is
// under way some seconds.
func (d *destinations) deliver(soft, hard context.Context, secret string) error {
	ctx, done := leaveRoom(hard, soft, lastAnswer)
	defer done()
	err := d.set.Deliver(ctx, secret)
	if err != nil {
		d.a.seeSignal()
	}
	switch {
	case err == nil:
		return nil
	case soft.Err() != nil: // a command on the terminal is sent Ctrl-C too
		f := classify(context.Cause(soft))
		f.msg += ": " + err.Error()
		return f
	}
	return &failure{exit: exitError, code: "error", msg: err.Error(), err: err}
}

func (d *destinations) close() {
	if d.set == nil {
		return
	}
	if err := d.set.Close(); err != nil {
		d.a.note("warning: %v", err)
	}
}

// arrows names where the secret goes, where that is not stdout alone.
func (d *destinations) arrows() string {
	if names := d.names(); names != "" {
		return "; to " + names
	}
	return ""
}

// went says where the secret has gone.
func (d *destinations) went() string {
	for _, t := range d.targets {
		if out, ok := t.Destination.(*secretOutput); ok && out.secret {
			return "its secret is shown this once" + d.arrows()
		}
	}
	return "its secret went to " + d.names()
}

// names are the destinations but stdout.
func (d *destinations) names() string {
	var names []string
	for _, t := range d.targets {
		if t.Spec.Kind != deliver.KindStdout {
			names = append(names, t.String())
		}
	}
	return strings.Join(names, ", ")
}

// mask hides the secret in the log of GitHub Actions before it leaves by a way
// that ends up there.
func (a *app) mask(secret string, d *destinations) {
	for _, t := range d.targets {
		if out, ok := t.Destination.(*secretOutput); ok && !out.secret {
			continue
		}
		if t.Spec.Kind == deliver.KindStdout || t.Spec.Kind == deliver.KindEnv {
			a.maskSecret(secret)
			return
		}
	}
}

func (a *app) maskSecret(secret string) {
	if a.getenv("GITHUB_ACTIONS") == "true" && a.getenv("UTHO_NO_MASK") != "1" {
		// The runner reads %25 as a percent sign in what is to be masked.
		a.stderr("::add-mask::" + strings.ReplaceAll(secret, "%", "%25"))
	}
}

// completeDestinations offers the kinds of --to, then files.
func completeDestinations(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	if strings.Contains(typed, ":") {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return []string{"stdout", "file:", "env:", "profile:", "exec:"}, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
}
