// Package profiles changes a secret and the profile that names it as one.
//
// They stand in two places, a store and the configuration, and a program can be killed between any two steps.
// So the configuration names a place before a secret goes there, and until it has gone from there: whatever is
// killed or fails, logout finds every secret. If a step fails, the ones before it are rolled back; if that
// fails too, the error says what is stored.
package profiles

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/utho/utho-cli/internal/auth"
	"github.com/utho/utho-cli/internal/config"
	"github.com/utho/utho-cli/internal/privfile"
)

// A Book is the profiles of one configuration and the stores of their secrets.
type Book struct {
	Paths      config.Paths
	Store      func(kind string) auth.Store // config.StoreKeyring or config.StoreFile
	DefaultURL string                       // of a profile that names none
	Waiting    func()                       // called once if another utho holds the lock for 2 s; may be nil
	Warn       func(text string)            // of what went wrong after all was done; may be nil
	Replaces   func(was config.Profile)     // called by Save with the profile before, if no other utho can change it; may be nil
	Forgets    func(now auth.Item) error    // called by Forget with what the profile holds, which an error keeps; may be nil

	seen map[string]config.Profile // what CheckAdd saw, by name
}

// hold takes the lock, removes what killed runs left in utho's own folders, and reads the configuration.
func (b *Book) hold(ctx context.Context) (*config.Held, *config.File, error) {
	if b.Waiting != nil {
		defer time.AfterFunc(2*time.Second, b.Waiting).Stop()
	}
	h, err := config.Hold(ctx, b.Paths)
	if err != nil {
		return nil, nil, err
	}
	privfile.Sweep(b.Paths.Config)
	privfile.Sweep(b.Paths.Credentials())
	f, err := h.Load()
	if err != nil {
		h.Release()
	}
	return h, f, err
}

// Check reports whether Save would work, as far as that can be known before: it tries the store with a
// throw-away value, reads what is stored there, and rehearses the change of the configuration.
func (b *Book) Check(ctx context.Context, p config.Profile, ref auth.Ref) error {
	h, _, err := b.hold(ctx)
	if err != nil {
		return err
	}
	defer h.Release()
	return b.check(ctx, h, p, placeFor(p, ref))
}

func (b *Book) check(ctx context.Context, h *config.Held, p config.Profile, to place) error {
	if err := b.Store(to.kind).CheckSet(ctx, to.ref); err != nil {
		return err
	}
	if _, _, err := b.stored(ctx, to); err != nil {
		return err
	}
	return h.Check(func(e *config.Edit) error { return write(p, true)(e, nil) })
}

// Save stores a secret, over whatever was there, and writes down its profile; with makeCurrent that becomes the
// current one. previous is the one that was current before.
func (b *Book) Save(ctx context.Context, p config.Profile, ref auth.Ref, item auth.Item, makeCurrent bool) (previous string, err error) {
	h, f, err := b.hold(ctx)
	if err != nil {
		return "", err
	}
	defer h.Release()
	if was, _ := f.Profile(p.Name); b.Replaces != nil {
		b.Replaces(was)
	}
	return f.Current(), b.put(ctx, h, f, move{p.Name, p, placeFor(p, ref), item, write(p, makeCurrent)})
}

// CheckAdd is Check for Add. *TakenError if the profile, or the place of its secret, holds one.
func (b *Book) CheckAdd(ctx context.Context, p config.Profile, ref auth.Ref) error {
	h, f, err := b.hold(ctx)
	if err != nil {
		return err
	}
	defer h.Release()
	to := placeFor(p, ref)
	if err := b.free(ctx, f, to); err != nil {
		return err
	}
	if b.seen == nil {
		b.seen = make(map[string]config.Profile)
	}
	b.seen[p.Name], _ = f.Profile(p.Name)
	return b.check(ctx, h, p, to)
}

// An Added is a profile that Add filled, or may have filled.
type Added struct {
	b       *Book
	was     config.Profile // without a name if there was none
	to      place
	item    auth.Item
	profile string
}

// Add is Save for a profile that holds no secret and did not change since CheckAdd: *TakenError, ErrChanged. It
// makes no profile current. The Added is nil if all is as it was before.
func (b *Book) Add(ctx context.Context, p config.Profile, ref auth.Ref, item auth.Item) (*Added, error) {
	h, f, err := b.hold(ctx)
	if err != nil {
		return nil, err
	}
	defer h.Release()
	a := &Added{b: b, to: placeFor(p, ref), item: item, profile: p.Name}
	if a.was, _ = f.Profile(p.Name); !reflect.DeepEqual(a.was, b.seen[p.Name]) {
		return nil, fmt.Errorf("profile %s: %w", p.Name, ErrChanged)
	}
	if err := b.free(ctx, f, a.to); err != nil {
		return nil, err
	}
	err = b.put(ctx, h, f, move{p.Name, p, a.to, item, write(p, false)})
	if err != nil && !errors.As(err, new(*StateError)) {
		return nil, err
	}
	return a, err
}

// Undo removes secret and profile again, or brings back a profile that had none. Nil: they are as they were
// before Add. ErrChanged: somebody else has stored another secret there, which stays. Else it is not known.
func (a *Added) Undo(ctx context.Context) error {
	h, _, err := a.b.hold(ctx)
	if err != nil {
		return err
	}
	defer h.Release()
	switch now, _, err := a.b.stored(ctx, a.to); {
	case err != nil:
		return err
	case now.Secret != "" && now.Secret != a.item.Secret:
		return fmt.Errorf("profile %s: %w", a.profile, ErrChanged)
	}
	if err := a.b.remove(ctx, a.to); err != nil {
		return err
	}
	_, err = h.Update(func(e *config.Edit) error {
		switch now, ok := e.Profile(a.profile); {
		case !ok:
			return nil
		case a.was.Name != "":
			a.was.OtherSecrets = now.OtherSecrets
			return e.SetProfile(a.was)
		}
		return e.RemoveProfile(a.profile)
	})
	return err
}

// CheckSwap is Check for Swap: the store would take another item, and holds the old one. ErrChanged if not.
func (b *Book) CheckSwap(ctx context.Context, ref auth.Ref, kind string, old auth.Item) error {
	h, _, err := b.hold(ctx)
	if err != nil {
		return err
	}
	defer h.Release()
	at := place{kind, ref}
	if err := b.Store(kind).CheckSet(ctx, ref); err != nil {
		return err
	}
	now, _, err := b.stored(ctx, at)
	if err == nil && now.Secret != old.Secret {
		err = fmt.Errorf("the token of profile %s: %w", ref.Profile, ErrChanged)
	}
	return err
}

// Swap stores an item over another one, at a place that still holds that one; ErrChanged if it holds neither.
// The configuration does not change. To undo it, swap back.
func (b *Book) Swap(ctx context.Context, ref auth.Ref, kind string, old, item auth.Item) error {
	h, _, err := b.hold(ctx)
	if err != nil {
		return err
	}
	defer h.Release()
	at := place{kind, ref}
	switch now, _, err := b.stored(ctx, at); {
	case err != nil:
		return err
	case now == item:
		return nil
	case now.Secret != old.Secret && now.Secret != item.Secret:
		return fmt.Errorf("the token of profile %s: %w", ref.Profile, ErrChanged)
	}
	return b.set(ctx, at, old, item)
}

// Forget removes the secret of a profile, and with removeProfile the profile too. had reports whether there
// was a secret. config.ErrNoProfile if there is no such profile.
func (b *Book) Forget(ctx context.Context, name string, removeProfile bool) (had bool, err error) {
	h, f, err := b.hold(ctx)
	if err != nil {
		return false, err
	}
	defer h.Release()
	p, ok := f.Profile(name)
	if !ok {
		return false, fmt.Errorf("profile %s: %w", name, config.ErrNoProfile)
	}
	others := p.OtherSecrets
	p.OtherSecrets = nil
	edit := func(e *config.Edit) error {
		if removeProfile && len(p.OtherSecrets) == 0 {
			return e.RemoveProfile(name)
		}
		return e.SetProfile(p)
	}
	if err := h.Check(edit); err != nil {
		return false, err
	}
	if at, ok := b.placeOf(p); ok {
		if b.Forgets != nil {
			now, _, err := b.stored(ctx, at)
			if err == nil {
				err = b.Forgets(now)
			}
			if err != nil {
				return false, err
			}
		}
		err := b.Store(at.kind).Delete(ctx, at.ref)
		if errors.As(err, new(*auth.NotKnownError)) {
			err = &StateError{p.Name, HoldsUnknown, err}
		}
		if had = err == nil; err != nil && !errors.Is(err, auth.ErrNotFound) {
			return false, err
		}
	}
	ctx = context.WithoutCancel(ctx) // no signal keeps half of it
	p.OtherSecrets, err = b.sweep(ctx, others)
	if _, updateErr := h.Update(edit); updateErr != nil || err != nil {
		return had, &StateError{p.Name, HoldsNone, errors.Join(err, updateErr)}
	}
	return had, nil
}

// Rename gives a profile another name, and its secret with it. config.ErrNoProfile if there is no such profile,
// *TakenError if another has that name or a secret stands under it.
func (b *Book) Rename(ctx context.Context, oldName, newName string) error {
	h, f, err := b.hold(ctx)
	if err != nil {
		return err
	}
	defer h.Release()
	was, ok := f.Profile(oldName)
	if !ok {
		return fmt.Errorf("profile %s: %w", oldName, config.ErrNoProfile)
	}
	if other, ok := f.Profile(newName); ok && other.Name != was.Name {
		return &TakenError{other.Name}
	}
	rename := func(e *config.Edit, others []string) error {
		if err := write(was, false)(e, others); err != nil {
			return err
		}
		return e.RenameProfile(was.Name, newName)
	}
	from, stores := b.placeOf(was)
	to := place{from.kind, auth.Ref{Profile: newName, Origin: from.ref.Origin}}
	var item auth.Item
	if stores && !from.same(to) {
		var ref auth.Ref
		if item, ref, err = b.stored(ctx, from); err != nil {
			return err
		}
		to.ref.Origin = ref.Origin
	}
	if item.Secret == "" {
		_, err := h.Update(func(e *config.Edit) error { return rename(e, was.OtherSecrets) })
		return err
	}
	if err := b.empty(ctx, to); err != nil {
		return err
	}
	return b.put(ctx, h, f, move{was.Name, config.Profile{Name: newName}, to, item, rename})
}
