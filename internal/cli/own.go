package cli

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strings"

	"github.com/utho/utho-cli/internal/auth"
	"github.com/utho/utho-cli/internal/config"
	"github.com/utho/utho-cli/internal/deliver"
	"github.com/utho/utho-cli/internal/lifecycle"
	"github.com/utho/utho-cli/internal/profiles"
	"github.com/utho/utho-cli/pkg/utho"
)

// itemOf is what a store keeps of a token that utho created.
func itemOf(id, name, secret string) auth.Item {
	return auth.Item{Secret: secret, TokenID: id, TokenName: name}
}

// heldIn returns the secret of a store's item if its SHA-256 is sum.
func heldIn(ctx context.Context, store auth.Store, ref auth.Ref, sum [32]byte) (string, error) {
	item, err := store.Get(ctx, ref)
	switch {
	case errors.Is(err, auth.ErrNotFound):
		return "", nil
	case err != nil:
		return "", err
	case sha256.Sum256([]byte(item.Secret)) != sum:
		return "", nil
	}
	return item.Secret, nil
}

// ownSecret is the secret of the profile in use, in a rotation of the very token that it
// holds. It is written last of all, so it is never undone.
type ownSecret struct {
	p *program
	s *session
}

func (o *ownSecret) place() string { return "profile:" + o.s.profile.Name }

func (o *ownSecret) prepare(ctx context.Context) error {
	book, err := o.p.book()
	if err != nil {
		return err
	}
	return book.CheckSwap(ctx, o.s.ref(), o.s.kind, o.s.item)
}

// deliver leaves alone what a login has stored meanwhile.
func (o *ownSecret) deliver(ctx context.Context, i lifecycle.Issued) error {
	book, err := o.p.book()
	if err != nil {
		return err
	}
	return book.Swap(ctx, o.s.ref(), o.s.kind, o.s.item, itemOf(i.Token.ID, i.Token.Name, i.Secret))
}

func (o *ownSecret) holds(ctx context.Context, sum [32]byte) (string, error) {
	store, err := o.p.store(o.s.kind)
	if err != nil {
		return "", err
	}
	return heldIn(ctx, store, o.s.ref(), sum)
}

// profileSecret is --to profile:NAME: a new profile with the address and store of the
// active one.
type profileSecret struct {
	p       *program
	book    *profiles.Book
	profile config.Profile
	ref     auth.Ref
	added   *profiles.Added // nil until it may be there
	failed  error
}

func (p *program) newProfileSecret(s *session, name string) (*profileSecret, error) {
	profile, err := s.profileOf(name)
	if err != nil {
		return nil, err
	}
	book, err := p.book()
	if err != nil {
		return nil, err
	}
	return &profileSecret{p: p, book: book, profile: profile, ref: auth.Ref{Profile: name, Origin: s.origin}}, nil
}

func (d *profileSecret) String() string { return "profile:" + d.profile.Name }
func (d *profileSecret) Place() string  { return d.String() }
func (d *profileSecret) Close() error   { return nil }

func (d *profileSecret) Prepare(ctx context.Context) error {
	err := d.book.CheckAdd(ctx, d.profile, d.ref)
	if errors.As(err, new(*profiles.TakenError)) {
		return hintf(err, "choose another name, or first: %s", route{profile: d.profile.Name}.command("logout"))
	}
	return err
}

func (d *profileSecret) Deliver(ctx context.Context, t deliver.Token) error {
	d.added, d.failed = d.book.Add(ctx, d.profile, d.ref, itemOf(t.ID, t.Name, t.Secret))
	return d.failed
}

// Undo removes the profile again. A delivery that failed has done so itself, or says what
// the profile holds.
func (d *profileSecret) Undo(ctx context.Context) error {
	switch {
	case holdsNew(d.failed):
		return d.failed
	case d.added == nil:
		return nil
	}
	err := d.added.Undo(ctx)
	if errors.Is(err, profiles.ErrChanged) {
		return deliver.ErrChanged
	}
	return err
}

// holdsNew reports whether a change of a profile that failed may have left the new secret.
func holdsNew(err error) bool {
	var state *profiles.StateError
	return errors.As(err, &state) && state.Unknown
}

func (d *profileSecret) Holds(ctx context.Context, sum [32]byte) (string, error) {
	store, err := d.p.store(d.profile.Store)
	if err != nil {
		return "", err
	}
	return heldIn(ctx, store, d.ref, sum)
}

// loginOwn creates a token for this machine with the one that was pasted, verifies it and
// keeps it: create's protocol with the profile as its destination.
func (p *program) loginOwn(ctx context.Context, s *session, r loginRequest) error {
	list, err := s.List(ctx)
	if err != nil {
		return err
	}
	name, err := ownName(list.Tokens, r.name)
	if err != nil {
		return err
	}
	to := &loginSecret{p: p, s: s}
	end, err := p.signals.protect()
	if err != nil {
		return err
	}
	defer end()
	issued, err := s.Create(ctx, p.signals.grace, lifecycle.CreateRequest{
		Name: name, Scope: utho.ScopeWrite, Lifetime: r.lifetime, Verify: true,
	}, to)
	if err != nil {
		return err
	}
	s.item = itemOf(issued.Token.ID, issued.Token.Name, issued.Secret)
	p.saidCurrent(to.before, s.profile.Name)
	p.console.note("created %s (write, id %s) for this machine", quoteText(issued.Token.Name), issued.Token.ID)
	if to.replaced != "" {
		p.console.note("it replaces token %s, which still works; delete it with: %s", to.replaced, p.route.about([]string{to.replaced}, "token", "delete"))
	}
	p.console.note("the token that was pasted still works and is not kept; find it with: %s, and delete it with: %s",
		p.route.command("token", "list", "-o", "wide"), p.route.command("token", "delete", "ID"))
	return p.use(s)
}

// ownName is the name of a token for this machine: one that is free.
func ownName(tokens []utho.Token, asked string) (string, error) {
	name := asked
	if name == "" {
		who, host := "unknown", "unknown"
		if u, err := user.Current(); err == nil {
			who = u.Username[strings.LastIndexByte(u.Username, '\\')+1:]
		}
		if h, err := os.Hostname(); err == nil {
			host = h
		}
		name = "utho-" + who + "@" + host
	}
	free := func(name string) bool {
		return !slices.ContainsFunc(tokens, func(t utho.Token) bool { return lifecycle.BaseName(t.Name) == name })
	}
	if asked != "" || free(name) {
		return name, checkName(name)
	}
	for n := 2; ; n++ {
		if next := fmt.Sprintf("%s-%d", name, n); free(next) {
			return next, checkName(next)
		}
	}
}

// loginSecret is the profile that logs in, as the one destination of its own token.
type loginSecret struct {
	p        *program
	s        *session
	before   string // the profile that was current
	replaced string // the id of the own token that the profile had
	failed   error  // how a delivery failed
}

func (l *loginSecret) Prepare(context.Context) error             { return nil } // login did
func (l *loginSecret) Rotates(context.Context, utho.Token) error { return nil }
func (l *loginSecret) Places() []string                          { return []string{"profile:" + l.s.profile.Name} }
func (l *loginSecret) Holds(context.Context, [32]byte) (string, []string, error) {
	return "", nil, deliver.ErrUnreadable
}
func (l *loginSecret) Recorded(context.Context) (r lifecycle.Recorded, ok bool, err error) {
	return r, false, nil
}

func (l *loginSecret) Deliver(ctx context.Context, i lifecycle.Issued) error {
	l.p.secrets = append(l.p.secrets, i.Secret)
	book, err := l.p.book()
	if err != nil {
		return err
	}
	if store, err := l.p.store(l.s.kind); err == nil {
		if old, err := store.Get(ctx, l.s.ref()); err == nil {
			l.replaced = old.TokenID
		}
	}
	l.before, l.failed = book.Save(ctx, l.s.profile, l.s.ref(), itemOf(i.Token.ID, i.Token.Name, i.Secret), true)
	if l.failed != nil {
		return &lifecycle.DeliveryError{Place: l.Places()[0], Err: l.failed}
	}
	return nil
}

// Undo has nothing to do: a save that failed has restored the profile, or says that it is
// not known to have.
func (l *loginSecret) Undo(context.Context) lifecycle.Undone {
	if holdsNew(l.failed) {
		return lifecycle.Undone{Unknown: []lifecycle.PlaceError{{Place: l.Places()[0], Err: l.failed}}}
	}
	return lifecycle.Undone{Restored: l.Places()}
}
