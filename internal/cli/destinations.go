package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/auth"
	"github.com/utho/utho-cli/internal/config"
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

// destinations reads --to. Nothing is touched yet.
func (a *app) destinations(s *session, to []string, out *secretOutput) (*destinations, error) {
	d := &destinations{a: a}
	env := a.deliverEnv()
	for _, text := range to {
		spec, err := deliver.ParseSpec(text)
		if err != nil {
			return nil, specError(err)
		}
		var dest deliver.Destination
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
				return nil, fmt.Errorf("--to %s takes a lock in utho's own folder: %w; nothing was created", text, err)
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

// arrows names where the secret went, where that is not stdout alone.
func (d *destinations) arrows() string {
	var names []string
	for _, t := range d.targets {
		if t.Spec.Kind != deliver.KindStdout {
			names = append(names, t.String())
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "; to " + strings.Join(names, ", ")
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

// profileDestination makes a new profile that holds the new secret.
type profileDestination struct {
	a       *app
	profile config.Profile
	ref     auth.Ref
	store   auth.Store
	before  *config.Profile // the profile of that name, without a secret
	written string          // the secret, once it may be in the store
	listed  bool            // the profile
}

func (a *app) profileDestination(s *session, name string) (*profileDestination, error) {
	if err := config.ValidName(name); err != nil {
		return nil, usagef("--to profile:%s: %w", name, err)
	}
	if s.sandbox {
		return nil, usagef("--to profile:%s: a token of the sandbox has no use in a profile", name)
	}
	kind := s.kind
	if kind != config.StoreFile {
		kind = config.StoreKeyring
	}
	store, err := a.store(kind)
	if err != nil {
		return nil, err
	}
	p := config.Profile{Name: name, APIURL: s.baseURL, Store: kind}
	if file, err := a.config(); err == nil && s.profile != "" {
		active, _ := file.Profile(s.profile)
		p.TimeZone = active.TimeZone
	}
	return &profileDestination{a: a, profile: p, ref: auth.Ref{Profile: name, Origin: s.origin}, store: store}, nil
}

func (d *profileDestination) String() string { return "profile:" + d.profile.Name }

// Prepare refuses a profile that holds a secret, and tries the store.
func (d *profileDestination) Prepare(ctx context.Context) error {
	file, err := d.a.config()
	if err != nil {
		return err
	}
	if p, ok := file.Profile(d.profile.Name); ok {
		d.before = &p
		if err := d.refuseTaken(ctx, p); err != nil {
			return err
		}
	}
	if err := d.refuseHeld(ctx, d.store, d.ref); err != nil {
		return err
	}
	if err := d.store.Probe(ctx, d.ref); err != nil {
		return err
	}
	paths, err := d.a.paths()
	if err != nil {
		return err
	}
	return config.Try(ctx, paths, func(e *config.Edit) error { return e.SetProfile(d.profile) })
}

func (d *profileDestination) taken() error {
	f := failf(exitAmbiguous, "exists", "the profile %s holds a secret already", d.profile.Name)
	if d.before == nil {
		return f.with("the configuration does not list it any more; choose another name, or log in under this one: utho -p %s login", quote(d.profile.Name))
	}
	return f.with("choose another name, or first: utho -p %s logout", quote(d.profile.Name))
}

func (d *profileDestination) refuseTaken(ctx context.Context, p config.Profile) error {
	if len(p.CredentialCommand) > 0 {
		return d.taken()
	}
	origin, err := utho.Origin(firstOf(p.APIURL, utho.DefaultBaseURL))
	if err != nil {
		return nil //nolint:nilerr // such an address never had a secret
	}
	store, err := d.a.store(profileStore(p))
	if err != nil {
		return err
	}
	return d.refuseHeld(ctx, store, auth.Ref{Profile: p.Name, Origin: origin})
}

// refuseHeld refuses where the store holds a secret.
func (d *profileDestination) refuseHeld(ctx context.Context, store auth.Store, ref auth.Ref) error {
	switch _, err := store.Get(ctx, ref); {
	case err == nil, errors.As(err, new(*auth.OriginError)):
		return d.taken()
	case errors.Is(err, auth.ErrNotFound):
		return nil
	default:
		return err
	}
}

// Deliver lists the profile before it stores the secret: one that is killed
// between the two leaves a profile without a secret, which the next may fill.
// What others made of that name meanwhile stays theirs.
func (d *profileDestination) Deliver(ctx context.Context, secret string) error {
	paths, err := d.a.paths()
	if err != nil {
		return err
	}
	if err := d.refuseHeld(ctx, d.store, d.ref); err != nil {
		return err
	}
	err = config.Update(ctx, paths, func(e *config.Edit) error {
		p, ok := e.Profile(d.profile.Name)
		if ok != (d.before != nil) || ok && !reflect.DeepEqual(p, *d.before) {
			return fmt.Errorf("the profile %s was made or changed meanwhile", d.profile.Name)
		}
		d.listed = true
		return e.SetProfile(d.profile)
	})
	if err != nil {
		return err
	}
	d.written = secret
	return d.store.Set(ctx, d.ref, secret)
}

func (d *profileDestination) Undo(ctx context.Context) error {
	if d.written != "" && replaced(ctx, d.store, d.ref, d.written) {
		return deliver.ErrChanged
	}
	var errs []error
	if d.listed {
		paths, err := d.a.paths()
		if err == nil {
			err = config.Update(ctx, paths, func(e *config.Edit) error {
				if d.before != nil {
					return e.SetProfile(*d.before)
				}
				if err := e.RemoveProfile(d.profile.Name); !errors.Is(err, config.ErrNoProfile) {
					return err
				}
				return nil // it could not be written either
			})
		}
		errs = append(errs, err)
	}
	if d.written != "" {
		err := d.store.Delete(ctx, d.ref)
		if errors.Is(err, auth.ErrNotFound) {
			err = nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (d *profileDestination) Close() error { return nil }

// replaced tells whether a store holds another secret than those that a delivery
// can have left there: somebody logged in meanwhile.
func replaced(ctx context.Context, store auth.Store, ref auth.Ref, ours ...string) bool {
	now, err := store.Get(ctx, ref)
	return err == nil && !slices.Contains(ours, now) || errors.As(err, new(*auth.OriginError))
}

// ownDestination replaces the secret of the profile in use, for a rotation of
// the very token it uses.
type ownDestination struct {
	a            *app
	s            *session
	oldID, newID string
	written      string // the new secret, once it may be in the store
}

// addOwn has the rotation update the profile it runs with.
func (d *destinations) addOwn(s *session) error {
	d.own = &ownDestination{a: d.a, s: s, oldID: s.tokenID}
	d.targets = append(d.targets, deliver.Target{
		Spec:        deliver.Spec{Kind: deliver.KindProfile, Arg: s.profile},
		Destination: d.own,
	})
	return nil
}

func (d *ownDestination) String() string { return "profile:" + d.s.profile }

func (d *ownDestination) Prepare(ctx context.Context) error {
	if err := d.s.store.Probe(ctx, d.s.ref()); err != nil {
		return err
	}
	paths, err := d.a.paths()
	if err != nil {
		return err
	}
	// The new token's id is not known yet, but that one can be written.
	return config.Try(ctx, paths, func(e *config.Edit) error {
		p, ok := e.Profile(d.s.profile)
		if !ok {
			return fmt.Errorf("profile %s: %w", d.s.profile, config.ErrNoProfile)
		}
		p.TokenID = "0" // any other than the old one's
		return e.SetProfile(p)
	})
}

// Deliver leaves alone what a login has put there meanwhile.
func (d *ownDestination) Deliver(ctx context.Context, secret string) error {
	switch now, err := d.s.store.Get(ctx, d.s.ref()); {
	case err != nil:
		return err
	case now != d.s.secret:
		return errors.New("its token was replaced meanwhile")
	}
	d.written = secret
	if err := d.s.store.Set(ctx, d.s.ref(), secret); err != nil {
		return err
	}
	return d.a.knownToken(ctx, d.s.profile, d.newID)
}

// Undo puts the old secret back, which has worked all the time.
func (d *ownDestination) Undo(ctx context.Context) error {
	switch {
	case d.written == "":
		return nil
	case replaced(ctx, d.s.store, d.s.ref(), d.written, d.s.secret):
		return deliver.ErrChanged
	}
	return errors.Join(
		d.s.store.Set(ctx, d.s.ref(), d.s.secret),
		d.a.knownToken(ctx, d.s.profile, d.oldID),
	)
}

func (d *ownDestination) Close() error { return nil }

// completeDestinations offers the kinds of --to, then files.
func completeDestinations(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	if strings.Contains(typed, ":") {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return []string{"stdout", "file:", "env:", "profile:", "exec:"}, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
}

var (
	_ deliver.Destination = (*profileDestination)(nil)
	_ deliver.Destination = (*ownDestination)(nil)
	_ deliver.Destination = (*secretOutput)(nil)
)
