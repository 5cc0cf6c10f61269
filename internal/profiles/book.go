// Package profiles changes a secret and the profile that names it as one.
//
// They stand in two places, a store and the configuration, and a program can be killed between any two steps. So
// the configuration names a place before a secret goes there, and until it has gone from there: whatever is killed
// or fails, logout finds every secret.
package profiles

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/utho/utho-cli/internal/auth"
	"github.com/utho/utho-cli/internal/config"
	"github.com/utho/utho-cli/internal/privfile"
)

// A Book is the profiles of one configuration and the stores of their secrets.
type Book struct {
	Paths      config.Paths
	Store      func(kind string) auth.Store // config.StoreKeyring or config.StoreFile
	DefaultURL string                       // of a profile that names none
	Warn       func(text string)            // of what went wrong after all was done
}

// locked takes the lock, removes what killed runs left in utho's own folders, and reads the configuration for do.
func (b *Book) locked(ctx context.Context, do func(h *config.Held, f *config.File) error) error {
	h, err := config.Hold(ctx, b.Paths)
	if err != nil {
		return err
	}
	defer h.Release()
	privfile.Sweep(b.Paths.Config)
	privfile.Sweep(b.Paths.Credentials())
	f, err := h.Load()
	if err == nil {
		err = do(h, f)
	}
	return err
}

// Replaced is what a Save found.
type Replaced struct {
	Current string         // the profile that was the current one
	Profile config.Profile // as it was; without a name if there was none
	TokenID string         // of the token it held, if that can be known without asking anybody
}

// Use makes a profile the current one.
func (b *Book) Use(ctx context.Context, name string) error {
	return b.locked(ctx, func(h *config.Held, _ *config.File) error {
		_, err := h.Update(func(e *config.Edit) error { return e.SetCurrent(name) })
		return err
	})
}

// Check reports whether Save would work: it tries the store with a throw-away value, and rehearses the change of the
// configuration.
func (b *Book) Check(ctx context.Context, p config.Profile, ref auth.Ref) error {
	_, err := b.save(ctx, p, ref, auth.Item{}, false)
	return err
}

// Save stores a secret, over whatever was there, and writes down its profile, which becomes the current one.
func (b *Book) Save(ctx context.Context, p config.Profile, ref auth.Ref, item auth.Item) (Replaced, error) {
	return b.save(ctx, p, ref, item, false)
}

// CheckAdd is Check for Add.
func (b *Book) CheckAdd(ctx context.Context, p config.Profile, ref auth.Ref) error {
	_, err := b.save(ctx, p, ref, auth.Item{}, true)
	return err
}

// An Added is a profile that Add filled, or may have filled.
type Added struct {
	b    *Book
	was  config.Profile // without a name if there was none
	to   place
	item auth.Item
}

// Add is Save for a profile that holds no secret; *TakenError if it, or the place of its secret, holds one. It makes
// no profile current. The Added is nil if all is as it was before.
func (b *Book) Add(ctx context.Context, p config.Profile, ref auth.Ref, item auth.Item) (*Added, error) {
	was, err := b.save(ctx, p, ref, item, true)
	if err != nil && !errors.As(err, new(*StateError)) {
		return nil, err
	}
	return &Added{b, was.Profile, placeFor(p, ref), item}, err
}

// save is the four above; without a secret it is a rehearsal.
func (b *Book) save(ctx context.Context, p config.Profile, ref auth.Ref, item auth.Item, add bool) (was Replaced, err error) {
	err = b.locked(ctx, func(h *config.Held, f *config.File) error {
		was.Current = f.Current()
		was.Profile, _ = f.Profile(p.Name)
		to, write := placeFor(p, ref), write(p, !add)
		at, stores := b.placeOf(was.Profile)
		if add {
			err := b.empty(ctx, to)
			if err == nil && stores {
				err = b.empty(ctx, at)
			}
			if len(was.Profile.CredentialCommand) > 0 {
				err = &TakenError{p.Name}
			}
			if err != nil {
				return err
			}
		}
		if item.Secret == "" {
			if err := b.Store(to.kind).CheckSet(ctx, to.ref); err != nil {
				return err
			}
			return h.Check(func(e *config.Edit) error { return write(e, nil) })
		}
		if stores && !add {
			held, _ := b.Store(at.kind).Peek(ctx, at.ref) // empty after an error
			was.TokenID = held.TokenID
		}
		return b.put(ctx, h, f, move{p.Name, p.Name, to, item, write})
	})
	return was, err
}

// Undo removes secret and profile again, or brings back a profile that had none. Nil: they are as they were before
// Add. ErrChanged: somebody else has stored another secret there, which stays. Else it is not known.
func (a *Added) Undo(ctx context.Context) error {
	return a.b.locked(ctx, func(h *config.Held, f *config.File) error {
		err := a.b.expect(ctx, a.to, auth.Item{}, a.item)
		if err == nil {
			_, err = a.b.remove(ctx, a.to)
		}
		now, ok := f.Profile(a.to.ref.Profile)
		if err != nil || !ok {
			return err
		}
		_, err = h.Update(func(e *config.Edit) error {
			if a.was.Name == "" {
				return e.RemoveProfile(now.Name)
			}
			return write(a.was, false)(e, now.OtherSecrets)
		})
		return err
	})
}

// CheckSwap is Check for Swap.
func (b *Book) CheckSwap(ctx context.Context, ref auth.Ref, kind string, old auth.Item) error {
	return b.Swap(ctx, ref, kind, old, auth.Item{})
}

// Swap stores an item over another one, at a place that holds one of the two; ErrChanged if it does not. The
// configuration does not change. To undo it, swap back.
func (b *Book) Swap(ctx context.Context, ref auth.Ref, kind string, old, item auth.Item) error {
	return b.locked(ctx, func(*config.Held, *config.File) error {
		err := b.expect(ctx, place{kind, ref}, old, cmp.Or(item, old))
		switch {
		case err != nil:
		case item.Secret == "":
			err = b.Store(kind).CheckSet(ctx, ref)
		default:
			err = b.Store(kind).Set(ctx, ref, item)
		}
		return err
	})
}

// Forget removes the secret of a profile, and with removeProfile the profile too. had reports whether there was a
// secret. ErrChanged if it is another one than that of only, unless that is empty. config.ErrNoProfile if there is no
// such profile.
func (b *Book) Forget(ctx context.Context, name string, only auth.Item, removeProfile bool) (had bool, err error) {
	err = b.locked(ctx, func(h *config.Held, f *config.File) error {
		p, ok := f.Profile(name)
		if !ok {
			return fmt.Errorf("profile %s: %w", name, config.ErrNoProfile)
		}
		edit := func(e *config.Edit, others []string) error {
			if removeProfile && len(others) == 0 {
				return e.RemoveProfile(name)
			}
			return write(p, false)(e, others)
		}
		if err := h.Check(func(e *config.Edit) error { return edit(e, nil) }); err != nil {
			return err
		}
		if at, ok := b.placeOf(p); ok {
			if only.Secret != "" {
				err = b.expect(ctx, at, auth.Item{}, only)
			}
			if err == nil {
				had, err = b.remove(ctx, at)
			}
			if err != nil {
				return err
			}
		}
		if err := b.sweep(ctx, h, p.OtherSecrets, edit); err != nil {
			return fmt.Errorf("%w; profile %s holds no token now", err, p.Name)
		}
		return nil
	})
	return had, err
}

// Rename gives a profile another name, and its secret with it. config.ErrNoProfile if there is no such profile,
// *TakenError if another has that name or a secret stands under it.
func (b *Book) Rename(ctx context.Context, oldName, newName string) error {
	return b.locked(ctx, func(h *config.Held, f *config.File) error {
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
		to := place{from.kind, auth.Ref{Profile: newName}}
		var item auth.Item
		if stores && !from.same(to) {
			var err error
			item, err = b.stored(ctx, &from)
			to.ref.Origin = from.ref.Origin // if its file is for another place than the profile, it stays so
			if err == nil && item.Secret != "" {
				err = b.empty(ctx, to)
			}
			if err != nil {
				return err
			}
		}
		return b.put(ctx, h, f, move{was.Name, newName, to, item, rename})
	})
}
