package profiles

import (
	"context"
	"errors"
	"net/url"
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

// placeFor is the store of a profile, for a Ref.
func placeFor(p config.Profile, ref auth.Ref) place {
	if p.Store == "" {
		return place{config.StoreKeyring, ref}
	}
	return place{p.Store, ref}
}

// placeOf is where a profile keeps its secret. There is none if a command supplies it, or the keyring, of whose
// keys the address is a part, is used with one that cannot be read.
func (b *Book) placeOf(p config.Profile) (place, bool) {
	if p.Name == "" || len(p.CredentialCommand) > 0 {
		return place{}, false
	}
	at := placeFor(p, auth.Ref{Profile: p.Name})
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

// empty is a *TakenError if a place holds a secret.
func (b *Book) empty(ctx context.Context, at place) error {
	item, _, err := b.stored(ctx, at)
	if err == nil && item.Secret != "" {
		err = &TakenError{at.ref.Profile}
	}
	return err
}

// free is a *TakenError if a profile of that name has a secret, or the place that it is to have one at.
func (b *Book) free(ctx context.Context, f *config.File, to place) error {
	p, _ := f.Profile(to.ref.Profile)
	if len(p.CredentialCommand) > 0 {
		return &TakenError{p.Name}
	}
	if at, ok := b.placeOf(p); ok && !at.same(to) {
		if err := b.empty(ctx, at); err != nil {
			return err
		}
	}
	return b.empty(ctx, to)
}

// remove deletes what a place holds; nil if there is nothing.
func (b *Book) remove(ctx context.Context, at place) error {
	err := b.Store(at.kind).Delete(ctx, at.ref)
	if errors.Is(err, auth.ErrNotFound) {
		return nil
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
