package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/config"
	"github.com/utho/utho-cli/internal/deliver"
	"github.com/utho/utho-cli/internal/expiry"
	"github.com/utho/utho-cli/internal/lifecycle"
	"github.com/utho/utho-cli/pkg/utho"
)

// destinations is where a new secret goes: what --to names, stdout, and in a rotation of
// the token in use the profile's own secret. It implements lifecycle.Destinations over a
// deliver.Set.
type destinations struct {
	p       *program
	s       *session
	out     *stdoutDestination
	targets []deliver.Target
	set     *deliver.Set
	own     *ownSecret // nil if the profile in use does not change
	keepOld bool       // the old token is not to be found by a later rotation
}

// destinations are those of specs, and stdout if it gets anything. Nothing is touched.
func (p *program) destinations(s *session, specs []deliver.Spec, out *stdoutDestination, rotate bool) (*destinations, error) {
	d := &destinations{p: p, s: s, out: out}
	env := deliver.Env{
		Environ: os.Environ(), Stderr: p.console.f, Rotate: rotate,
		Warn: func(text string) { p.console.warn("%s", text) },
	}
	env.Home, _ = os.UserHomeDir() // only ~/ needs one, and says so
	toStdout := false
	for _, spec := range specs {
		target := deliver.Target{Spec: spec}
		var err error
		switch spec.Kind {
		case deliver.KindStdout:
			target.Destination, toStdout = out, true
		case deliver.KindProfile:
			target.Destination, err = p.newProfileSecret(s, spec.Arg)
		default:
			target.Destination, err = deliver.New(spec, env)
		}
		if err != nil {
			return nil, specError(err)
		}
		d.targets = append(d.targets, target)
	}
	if out.wanted() && !toStdout {
		d.targets = append(d.targets, deliver.Target{Spec: deliver.Spec{Kind: deliver.KindStdout}, Destination: out})
	}
	return d, nil
}

func (d *destinations) close() {
	if d.set != nil {
		if err := d.set.Close(); err != nil {
			d.p.console.warn("%v", err)
		}
	}
}

func (d *destinations) Prepare(ctx context.Context) (err error) {
	if d.set, err = deliver.NewSet(d.targets); err != nil {
		return specError(err)
	}
	if err := d.set.Prepare(ctx); err != nil {
		return fmt.Errorf("%w; nothing was created", err)
	}
	return nil
}

func (d *destinations) Rotates(ctx context.Context, old utho.Token) error {
	if d.s.item.TokenID == "" || d.s.item.TokenID != old.ID {
		return nil
	}
	d.own = &ownSecret{p: d.p, s: d.s}
	if err := d.own.prepare(ctx); err != nil {
		return fmt.Errorf("%w; nothing was created", err)
	}
	return nil
}

func (d *destinations) Deliver(ctx context.Context, i lifecycle.Issued) error {
	d.p.secrets = append(d.p.secrets, i.Secret)
	d.mask(i.Secret)
	d.out.issued = i
	t := deliver.Token{ID: i.Token.ID, Name: i.Token.Name, Secret: i.Secret}
	_, t.Expires, _ = expiry.Split(i.Token.Name)
	if i.Replaces != nil && !d.keepOld {
		t.PreviousID = i.Replaces.ID
	}
	if err := d.set.Deliver(ctx, t); err != nil {
		var failed *deliver.Failure
		if errors.As(err, &failed) {
			return &lifecycle.DeliveryError{Place: failed.Destination, Err: err}
		}
		return err
	}
	if d.own == nil {
		return nil
	}
	if err := d.own.deliver(ctx, i); err != nil {
		return &lifecycle.DeliveryError{Place: d.own.place(), Own: true, Err: err}
	}
	return nil
}

func (d *destinations) Undo(ctx context.Context) lifecycle.Undone {
	u := d.set.Undo(ctx)
	undone := lifecycle.Undone{Restored: u.Restored, Kept: u.Kept, Doubtful: u.Doubtful}
	for _, place := range u.Unknown {
		undone.Unknown = append(undone.Unknown, lifecycle.PlaceError(place))
	}
	return undone
}

func (d *destinations) Holds(ctx context.Context, sum [32]byte) (secret string, holders []string, err error) {
	all := true
	for _, t := range d.set.Targets() {
		if t.Destination == deliver.Destination(d.out) && !d.out.secret {
			continue // a document about a token whose secret goes elsewhere
		}
		held, readErr := t.Destination.Holds(ctx, sum)
		switch {
		case readErr != nil:
			err = errors.Join(err, fmt.Errorf("%s: %w", t.Destination.Place(), readErr))
		case held != "":
			secret, holders = held, append(holders, t.Destination.Place())
		}
		all = all && held != ""
	}
	if d.own != nil {
		held, readErr := d.own.holds(ctx, sum)
		switch {
		case readErr != nil:
			err = errors.Join(err, fmt.Errorf("%s: %w", d.own.place(), readErr))
		case held != "":
			secret, holders = held, append(holders, d.own.place())
		}
		all = all && held != ""
	}
	if !all {
		secret = ""
	}
	return secret, holders, err
}

func (d *destinations) Places() []string {
	var places []string
	for _, place := range d.set.Places() {
		if place != "stdout" || d.out.secret {
			places = append(places, place)
		}
	}
	if d.own != nil {
		places = append(places, d.own.place())
	}
	return places
}

func (d *destinations) Recorded(ctx context.Context) (lifecycle.Recorded, bool, error) {
	r, ok, err := d.set.Recorded(ctx)
	return lifecycle.Recorded(r), ok, err
}

// names are the destinations but stdout, as they were typed.
func (d *destinations) names() string {
	var names []string
	for _, t := range d.targets {
		if t.Spec.Kind != deliver.KindStdout {
			names = append(names, t.Destination.String())
		}
	}
	if d.own != nil {
		names = append(names, d.own.place())
	}
	return strings.Join(names, ", ")
}

// went says where the secret has gone.
func (d *destinations) went() string {
	names := d.names()
	switch {
	case !d.out.secret:
		return "its secret went to " + names
	case names != "":
		return "its secret is shown this once and went to " + names
	}
	return "its secret is shown this once"
}

// mask hides the secret in the log of GitHub Actions before it leaves by a way that ends
// up there.
func (d *destinations) mask(secret string) {
	for _, t := range d.targets {
		if t.Spec.Kind == deliver.KindEnv || t.Spec.Kind == deliver.KindStdout && d.out.secret {
			d.p.mask(secret)
			return
		}
	}
}

// mask tells the runner of GitHub Actions to hide a secret in its log.
func (p *program) mask(secret string) {
	if os.Getenv("GITHUB_ACTIONS") == "true" && os.Getenv("UTHO_NO_MASK") != "1" {
		// The runner reads %25 as a percent sign.
		p.console.write("::add-mask::" + strings.ReplaceAll(secret, "%", "%25") + "\n")
	}
}

// completeDestinations offers the kinds of --to, then files.
func completeDestinations(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	if strings.Contains(typed, ":") {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return []string{"stdout", "file:", "env:", "profile:", "k8s:", "exec:"}, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
}

// destinationFlag binds --to.
func destinationFlag(cmd *cobra.Command, to *[]string) {
	cmd.Flags().Var(listFlag(to, "DEST"), "to", "send the secret there (repeatable); see utho help destinations")
	_ = cmd.RegisterFlagCompletionFunc("to", completeDestinations)
}

// profileOf is the new profile of --to profile:NAME: the active one's address and store.
func (s *session) profileOf(name string) (config.Profile, error) {
	p := config.Profile{Name: name, APIURL: s.baseURL, TimeZone: s.profile.TimeZone, Store: s.kind}
	switch s.kind {
	case config.StoreKeyring, config.StoreFile:
		return p, nil
	case sandboxName:
		return p, hintf(usagef("--to profile:%s: a token of the sandbox is kept by no profile", name), "send it to a file: --to file:PATH")
	}
	p.Store = config.StoreKeyring
	return p, nil
}
