package cli

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/utho/utho-cli/internal/auth"
	"github.com/utho/utho-cli/internal/config"
	"github.com/utho/utho-cli/internal/deliver"
)

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
	return d.a.tryEdit(ctx, func(e *config.Edit) error { return e.SetProfile(d.profile) })
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
	store, ref, err := d.a.secretOf(p)
	if err != nil || store == nil {
		return err
	}
	return d.refuseHeld(ctx, store, ref)
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
	_, release, err := d.a.hold(ctx)
	if err != nil {
		return err
	}
	defer release()
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
	if !d.listed {
		return nil
	}
	_, release, err := d.a.hold(ctx)
	if err != nil {
		return err
	}
	defer release()
	if d.written != "" && replaced(ctx, d.store, d.ref, d.written) {
		return deliver.ErrChanged
	}
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
	if d.written != "" {
		if removed := d.store.Delete(ctx, d.ref); !errors.Is(removed, auth.ErrNotFound) {
			err = errors.Join(err, removed)
		}
	}
	return err
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
func (d *destinations) addOwn(s *session) {
	d.own = &ownDestination{a: d.a, s: s, oldID: s.tokenID}
	d.targets = append(d.targets, deliver.Target{
		Spec:        deliver.Spec{Kind: deliver.KindProfile, Arg: s.profile},
		Destination: d.own,
	})
}

func (d *ownDestination) String() string { return "profile:" + d.s.profile }

func (d *ownDestination) Prepare(ctx context.Context) error {
	if err := d.s.store.Probe(ctx, d.s.ref()); err != nil {
		return err
	}
	// The new token's id is not known yet, but that one can be written.
	return d.a.tryEdit(ctx, func(e *config.Edit) error {
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
	_, release, err := d.a.hold(ctx)
	if err != nil {
		return err
	}
	defer release()
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
	if d.written == "" {
		return nil
	}
	_, release, err := d.a.hold(ctx)
	if err != nil {
		return err
	}
	defer release()
	if replaced(ctx, d.s.store, d.s.ref(), d.written, d.s.secret) {
		return deliver.ErrChanged
	}
	return errors.Join(
		d.s.store.Set(ctx, d.s.ref(), d.s.secret),
		d.a.knownToken(ctx, d.s.profile, d.oldID),
	)
}

func (d *ownDestination) Close() error { return nil }

var (
	_ deliver.Destination = (*profileDestination)(nil)
	_ deliver.Destination = (*ownDestination)(nil)
)
