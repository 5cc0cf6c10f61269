package profiles

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/utho/utho-cli/internal/auth"
	"github.com/utho/utho-cli/internal/config"
)

// ErrChanged says that somebody else changed a secret meanwhile, which is left alone.
var ErrChanged = errors.New("it was changed meanwhile")

// A TakenError says that a profile has a secret already: in a store, or by its credential_command.
type TakenError struct{ Profile string }

func (e *TakenError) Error() string {
	return fmt.Sprintf("the profile %s holds a token already", e.Profile)
}

// A StateError says that a change failed and could not be rolled back. After any other error, but a
// *auth.NotKnownError, secret and profile are what they were.
type StateError struct {
	error
	Unknown bool // the profile may hold the new token; else it holds what it held before
}

// Unwrap returns why.
func (e *StateError) Unwrap() error { return e.error }

// A move brings a secret, if there is one, to a place and has the configuration say so.
type move struct {
	from, name string // of the profile, before and after
	to         place
	item       auth.Item
	write      func(e *config.Edit, others []string) error
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

// put makes a move. At each moment the configuration names every place that holds a secret, and a profile that had
// one has that or the new one.
func (b *Book) put(ctx context.Context, h *config.Held, f *config.File, m move) error {
	was, listed := f.Profile(m.from)
	from, stores := b.placeOf(was)
	others := slices.DeleteFunc(slices.Clone(was.OtherSecrets), func(s string) bool { return placeNamed(s).same(m.to) })
	moves := listed && m.item.Secret != "" && !(stores && from.same(m.to))
	if moves && stores {
		others = append(others, from.String())
	}
	last := func(e *config.Edit) error { return m.write(e, others) }
	first := last
	if moves { // until the secret is there, the profile stays what it is
		if err := h.Check(last); err != nil {
			return err
		}
		first = func(e *config.Edit) error { return write(was, false)(e, append(others, m.to.String())) }
	}
	undo, err := h.Update(first)
	if err != nil || m.item.Secret == "" {
		return err
	}
	err = b.Store(m.to.kind).Set(ctx, m.to.ref, m.item)
	switch {
	case unknown(err) && !moves:
		return &StateError{fmt.Errorf("%w; profile %s may hold the new one, or none", err, m.name), true}
	case err != nil && !unknown(err):
		undoErr := undo()
		if undoErr == nil {
			return err
		}
		err = errors.Join(err, undoErr)
	case err == nil && moves:
		_, err = h.Update(last)
	}
	if err != nil {
		return &StateError{fmt.Errorf("%w; profile %s still holds what it held before", err, m.from), false}
	}
	if len(others) == 0 {
		return nil
	}
	err = b.sweep(ctx, h, others, func(e *config.Edit, remain []string) error {
		p, _ := e.Profile(m.name)
		return write(p, false)(e, remain)
	})
	if err != nil {
		b.Warn(fmt.Sprintf("the token that profile %s had before could not be removed; logout tries again: %v", m.name, err))
	}
	return nil
}

// unknown reports whether a store may have done, or may still do, what failed.
func unknown(err error) bool { return errors.As(err, new(*auth.NotKnownError)) }
