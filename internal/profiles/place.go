package profiles

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/utho/utho-cli/internal/auth"
	"github.com/utho/utho-cli/internal/config"
)

// A place is where one secret is kept.
type place struct {
	kind string // config.StoreKeyring or config.StoreFile
	ref  auth.Ref
}

// String is the place as the configuration names it.
func (p place) String() string { return p.kind + " " + p.ref.Profile + " " + p.ref.Origin }

func parsePlace(s string) (place, bool) {
	words := strings.Split(s, " ")
	if len(words) != 3 || words[0] != config.StoreKeyring && words[0] != config.StoreFile {
		return place{}, false
	}
	return place{words[0], auth.Ref{Profile: words[1], Origin: words[2]}}, true
}

// same reports whether what is stored at one place replaces what is stored at the other: a file is found by
// its profile alone, in any case, a keyring's item by its place too.
func (p place) same(other place) bool {
	if p.kind == config.StoreFile && other.kind == config.StoreFile {
		return strings.EqualFold(p.ref.Profile, other.ref.Profile)
	}
	return p == other
}

// placeOf is where a profile keeps its secret. There is none if a command supplies it, or the keyring, of whose
// keys the address is a part, is used with one that cannot be read.
func (b *Book) placeOf(p config.Profile) (place, bool) {
	if p.Name == "" || len(p.CredentialCommand) > 0 {
		return place{}, false
	}
	at := place{p.Store, auth.Ref{Profile: p.Name}}
	if at.kind == "" {
		at.kind = config.StoreKeyring
	}
	base := p.APIURL
	if base == "" {
		base = b.DefaultURL
	}
	u, err := url.Parse(base)
	if err == nil && u.Host != "" {
		at.ref.Origin = auth.Origin(u)
	}
	return at, at.kind == config.StoreFile || at.ref.Origin != ""
}

// stored is what a place holds, an empty item if nothing or what is damaged, and the Ref it is for.
func (b *Book) stored(ctx context.Context, at place) (auth.Item, auth.Ref, error) {
	ref := at.ref
	item, err := b.Store(at.kind).Get(ctx, ref)
	var other *auth.OriginError
	if errors.As(err, &other) {
		ref.Origin = other.Stored
		item, err = b.Store(at.kind).Get(ctx, ref)
	}
	if errors.Is(err, auth.ErrNotFound) || errors.Is(err, auth.ErrDamaged) {
		return auth.Item{}, ref, nil
	}
	return item, ref, err
}

// empty is ErrTaken if a place holds a secret.
func (b *Book) empty(ctx context.Context, at place) error {
	item, _, err := b.stored(ctx, at)
	if err == nil && item.Secret != "" {
		err = fmt.Errorf("profile %s: %w", at.ref.Profile, ErrTaken)
	}
	return err
}

// free is ErrTaken if a profile of that name has a secret, or the place that it is to have one at.
func (b *Book) free(ctx context.Context, f *config.File, to place) error {
	p, _ := f.Profile(to.ref.Profile)
	if len(p.CredentialCommand) > 0 {
		return fmt.Errorf("profile %s: %w", p.Name, ErrTaken)
	}
	if at, ok := b.placeOf(p); ok && !at.same(to) {
		if err := b.empty(ctx, at); err != nil {
			return err
		}
	}
	return b.empty(ctx, to)
}

// A move brings a secret to a place and then writes down that it is there.
type move struct {
	from  string         // the profile before, if there is one
	after config.Profile // the profile after; for a new one, what is written down first
	to    place
	item  auth.Item
	final func(e *config.Edit, others []string) error
}

// put makes a move in four steps. At each moment the configuration names every place that holds a secret.
func (b *Book) put(ctx context.Context, h *config.Held, f *config.File, m move) error {
	was, listed := f.Profile(m.from)
	from, had := b.placeOf(was)
	had = had && !from.same(m.to)
	others := slices.DeleteFunc(slices.Clone(was.OtherSecrets), func(s string) bool { return s == m.to.String() })
	if had {
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
		} else if at, ok := b.placeOf(was); !ok || !at.same(m.to) {
			p.OtherSecrets = append(slices.Clone(was.OtherSecrets), m.to.String())
		}
		return e.SetProfile(p)
	})
	if err != nil {
		return err
	}
	// 2. The secret goes there.
	restored := place{m.to.kind, oldRef}
	if known, err := b.set(ctx, m.to, old, m.item); err != nil {
		if !known {
			return err
		}
		return b.undone(m.after.Name, old, err, undo())
	}
	ctx = context.WithoutCancel(ctx) // to complete it is the quickest way to a state that is whole
	// 3. The configuration says so, and still names the place before.
	if _, err := h.Update(final); err != nil {
		if old.Secret == "" {
			err = errors.Join(err, b.remove(ctx, m.to))
		} else if _, setErr := b.set(ctx, restored, m.item, old); setErr != nil {
			err = errors.Join(err, setErr)
		}
		if holds := b.look(ctx, restored, m.item, old); holds != holdsBefore(old) {
			return &StateError{m.after.Name, holds, err}
		}
		return b.undone(m.after.Name, old, err, undo())
	}
	// 4. What was at the place before goes.
	if len(others) == 0 {
		return nil
	}
	remain, err := b.sweep(ctx, others)
	_, updateErr := h.Update(func(e *config.Edit) error {
		p, ok := e.Profile(m.after.Name)
		if !ok {
			return nil
		}
		p.OtherSecrets = remain
		return e.SetProfile(p)
	})
	if err = errors.Join(err, updateErr); err != nil && b.Warn != nil {
		b.Warn(fmt.Sprintf("the token that profile %s had before could not be removed; logout tries again: %v", m.after.Name, err))
	}
	return nil
}

// undone is err, after the secret is what it was and the configuration is or is not.
func (b *Book) undone(profile string, old auth.Item, err, undoErr error) error {
	if undoErr == nil {
		return err
	}
	return &StateError{profile, holdsBefore(old), errors.Join(err, undoErr)}
}

func holdsBefore(old auth.Item) Holds {
	if old.Secret == "" {
		return HoldsNone
	}
	return HoldsOld
}

// set stores an item over old, and finds out what is stored if that fails. known reports whether that is old,
// and will stay so; else the error is a *StateError.
func (b *Book) set(ctx context.Context, at place, old, item auth.Item) (known bool, err error) {
	err = b.Store(at.kind).Set(ctx, at.ref, item)
	var notKnown *auth.NotKnownError
	if err == nil || !errors.As(err, &notKnown) {
		return true, err
	}
	holds := b.look(ctx, at, item, old)
	var late *auth.KeyringError
	pending := ctx.Err() != nil || errors.As(err, &late) && late.After > 0 // it may still land
	switch {
	case holds == HoldsNew:
		return true, nil
	case !pending && holds == holdsBefore(old):
		return true, notKnown.Err
	case pending:
		holds = HoldsUnknown
	}
	return false, &StateError{at.ref.Profile, holds, err}
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

// remove deletes what a place holds; nil if there is nothing.
func (b *Book) remove(ctx context.Context, at place) error {
	err := b.Store(at.kind).Delete(ctx, at.ref)
	if errors.Is(err, auth.ErrNotFound) {
		return nil
	}
	if errors.As(err, new(*auth.NotKnownError)) {
		return &StateError{at.ref.Profile, HoldsUnknown, err}
	}
	return err
}

// sweep deletes what stands at places that the configuration names besides a profile's own, and returns those
// where that failed.
func (b *Book) sweep(ctx context.Context, others []string) (remain []string, err error) {
	for _, other := range others {
		at, ok := parsePlace(other)
		if !ok {
			continue
		}
		if removed := b.remove(ctx, at); removed != nil {
			remain, err = append(remain, other), errors.Join(err, removed)
		}
	}
	return remain, err
}
