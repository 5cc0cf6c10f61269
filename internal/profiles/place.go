package profiles

import (
	"cmp"
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

// placeNamed is the place of a String, and one of no kind for other text.
func placeNamed(s string) place {
	words := strings.Split(s, " ")
	if len(words) != 3 || config.ValidName(words[1]) != nil {
		return place{}
	}
	return place{words[0], auth.Ref{Profile: words[1], Origin: words[2]}}
}

// same reports whether what is stored at one place replaces what is stored at the other: a file is found by its
// profile alone, in any case, a keyring's item by its place too.
func (p place) same(other place) bool {
	if p.kind == config.StoreFile && other.kind == config.StoreFile {
		return strings.EqualFold(p.ref.Profile, other.ref.Profile)
	}
	return p == other
}

// placeFor is the store of a profile, for a Ref.
func placeFor(p config.Profile, ref auth.Ref) place {
	return place{cmp.Or(p.Store, config.StoreKeyring), ref}
}

// placeOf is where a profile keeps its secret. There is none if a command supplies it, or the keyring, of whose keys
// the address is a part, is used with one that cannot be read.
func (b *Book) placeOf(p config.Profile) (place, bool) {
	at := placeFor(p, auth.Ref{Profile: p.Name})
	if u, err := url.Parse(cmp.Or(p.APIURL, b.DefaultURL)); err == nil && u.Host != "" {
		at.ref.Origin = auth.Origin(u)
	}
	return at, p.Name != "" && len(p.CredentialCommand) == 0 && (at.kind == config.StoreFile || at.ref.Origin != "")
}

// stored is what a place holds, an empty item if nothing. A file may be for another origin,
// which at then has.
func (b *Book) stored(ctx context.Context, at *place) (auth.Item, error) {
	item, err := b.Store(at.kind).Get(ctx, at.ref)
	var other *auth.OriginError
	if errors.As(err, &other) {
		at.ref.Origin = other.Stored
		item, err = b.Store(at.kind).Get(ctx, at.ref)
	}
	if errors.Is(err, auth.ErrNotFound) {
		return auth.Item{}, nil
	}
	return item, err
}

// expect is ErrChanged if a place holds the secret of none of the items.
func (b *Book) expect(ctx context.Context, at place, items ...auth.Item) error {
	now, err := b.stored(ctx, &at)
	if err != nil || slices.ContainsFunc(items, func(i auth.Item) bool { return i.Secret == now.Secret }) {
		return err
	}
	return fmt.Errorf("the token of profile %s: %w", at.ref.Profile, ErrChanged)
}

// empty is a *TakenError if a place holds a secret.
func (b *Book) empty(ctx context.Context, at place) error {
	err := b.expect(ctx, at, auth.Item{})
	if errors.Is(err, ErrChanged) {
		err = &TakenError{at.ref.Profile}
	}
	return err
}

// remove deletes what a place holds, if there is something.
func (b *Book) remove(ctx context.Context, at place) (had bool, err error) {
	err = b.Store(at.kind).Delete(ctx, at.ref)
	if errors.Is(err, auth.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// sweep deletes what stands at places besides a profile's own, and has edit write down those where that failed.
func (b *Book) sweep(ctx context.Context, h *config.Held, others []string, edit func(*config.Edit, []string) error) (err error) {
	ctx = context.WithoutCancel(ctx) // no signal keeps half of it
	remain := slices.DeleteFunc(slices.Clone(others), func(other string) bool {
		at := placeNamed(other)
		if at.kind == "" {
			return true
		}
		_, failed := b.remove(ctx, at)
		err = errors.Join(err, failed)
		return failed == nil
	})
	_, updateErr := h.Update(func(e *config.Edit) error { return edit(e, remain) })
	return errors.Join(err, updateErr)
}
