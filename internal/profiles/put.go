package profiles

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/utho/utho-cli/internal/auth"
	"github.com/utho/utho-cli/internal/config"
)

// A move brings a secret to a place and then writes down that it is there.
type move struct {
	from  string         // the profile before, if there is one
	after config.Profile // the profile after; a new one is written down like that first
	to    place
	item  auth.Item
	final func(e *config.Edit, others []string) error
}

// write is what Save and Add write down of a profile.
func write(p config.Profile, makeCurrent bool) func(*config.Edit, []string) error {
	return func(e *config.Edit, others []string) error {
		p.OtherSecrets = others
		err := e.SetProfile(p)
		if err == nil && makeCurrent {
			err = e.SetCurrent(p.Name)
		}
		return err
	}
}

// put makes a move in four steps. At each moment the configuration names every place that holds a secret.
func (b *Book) put(ctx context.Context, h *config.Held, f *config.File, m move) error {
	was, listed := f.Profile(m.from)
	from, stores := b.placeOf(was)
	others := slices.DeleteFunc(slices.Clone(was.OtherSecrets), func(s string) bool { return s == m.to.String() })
	if stores && !from.same(m.to) {
		others = append(others, from.String())
	}
	final := func(e *config.Edit) error { return m.final(e, others) }
	if err := h.Check(final); err != nil {
		return err
	}
	old, oldRef, err := b.stored(ctx, m.to)
	if err != nil {
		return err
	}
	// 1. The configuration names the place.
	undo, err := h.Update(func(e *config.Edit) error {
		p := was
		if !listed {
			p = m.after
		} else if !stores || !from.same(m.to) {
			p.OtherSecrets = append(slices.Clone(was.OtherSecrets), m.to.String())
		}
		return e.SetProfile(p)
	})
	if err != nil {
		return err
	}
	state := func(holds Holds, err error) error {
		if listed && !(stores && from.same(m.to)) {
			holds = HoldsOld // whatever stands at the new place, the profile is not there yet
		}
		return &StateError{m.after.Name, holds, err}
	}
	rollback := func(err error) error { // the secret is what it was
		if undoErr := undo(); undoErr != nil {
			return state(holdsBefore(old), errors.Join(err, undoErr))
		}
		return err
	}
	// 2. The secret goes there.
	if err := b.set(ctx, m.to, old, m.item); err != nil {
		var stuck *StateError
		if errors.As(err, &stuck) {
			return state(stuck.Holds, stuck.Err)
		}
		return rollback(err)
	}
	ctx = context.WithoutCancel(ctx) // to complete it is the quickest way to a state that is whole
	// 3. The configuration says so, and still names the place before.
	if _, err := h.Update(final); err != nil {
		before := place{m.to.kind, oldRef}
		var back error
		if old.Secret == "" {
			back = b.remove(ctx, m.to)
		} else {
			back = b.Store(before.kind).Set(ctx, before.ref, old)
		}
		err = errors.Join(err, back)
		switch holds := b.look(ctx, before, m.item, old); {
		case late(ctx, back):
			return state(HoldsUnknown, err)
		case holds != holdsBefore(old) && old.Secret != m.item.Secret:
			return state(holds, err)
		}
		return rollback(err)
	}
	// 4. What was at the place before goes.
	if len(others) == 0 {
		return nil
	}
	remain, err := b.sweep(ctx, others)
	_, updateErr := h.Update(func(e *config.Edit) error {
		p, _ := e.Profile(m.after.Name)
		p.OtherSecrets = remain
		return e.SetProfile(p)
	})
	if err = errors.Join(err, updateErr); err != nil && b.Warn != nil {
		b.Warn(fmt.Sprintf("the token that profile %s had before could not be removed; logout tries again: %v", m.after.Name, err))
	}
	return nil
}

// set stores an item over old, and finds out what is stored if the store does not say. After an error that is
// no *StateError it is old.
func (b *Book) set(ctx context.Context, at place, old, item auth.Item) error {
	err := b.Store(at.kind).Set(ctx, at.ref, item)
	var notKnown *auth.NotKnownError
	if !errors.As(err, &notKnown) {
		return err
	}
	switch holds := b.look(ctx, at, item, old); {
	case holds == HoldsNew && at.kind == config.StoreKeyring:
		return nil // a file may be there and not yet be durable
	case late(ctx, err):
		return &StateError{at.ref.Profile, HoldsUnknown, err}
	case holds == holdsBefore(old):
		return notKnown.Err
	default:
		return &StateError{at.ref.Profile, holds, err}
	}
}

// late reports whether a store did not answer in time, and may still do what it was asked to.
func late(ctx context.Context, err error) bool {
	var keyring *auth.KeyringError
	return errors.As(err, new(*auth.NotKnownError)) && (ctx.Err() != nil || errors.As(err, &keyring) && keyring.After > 0)
}

// look is what a place holds, without asking anybody.
func (b *Book) look(ctx context.Context, at place, item, old auth.Item) Holds {
	ctx = context.WithoutCancel(ctx)
	now, err := b.Store(at.kind).Peek(ctx, at.ref)
	var other *auth.OriginError
	if errors.As(err, &other) { // a file that Set replaces
		now, err = b.Store(at.kind).Peek(ctx, auth.Ref{Profile: at.ref.Profile, Origin: other.Stored})
	}
	switch {
	case errors.Is(err, auth.ErrNotFound):
		return HoldsNone
	case err == nil && now.Secret == item.Secret:
		return HoldsNew
	case err == nil && now.Secret == old.Secret:
		return HoldsOld
	}
	return HoldsUnknown
}
