package cli

import (
	"cmp"
	"context"
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
	"github.com/utho/utho-cli/internal/output"
	"github.com/utho/utho-cli/internal/problem"
	"github.com/utho/utho-cli/internal/profiles"
	"github.com/utho/utho-cli/internal/session"
	"github.com/utho/utho-cli/pkg/utho"
)

func itemOf(i lifecycle.Issued) auth.Item {
	return auth.Item{Secret: i.Secret, TokenID: i.Token.ID, TokenName: i.Token.Name}
}

// ownSecret is the secret of the profile in use, in a rotation of its own token. It is the last one: nothing undoes it.
type ownSecret struct {
	p *program
	s *session.Session
}

func (o *ownSecret) Place() string              { return "profile:" + o.s.Profile.Name }
func (o *ownSecret) Undo(context.Context) error { return nil }

func (o *ownSecret) Prepare(ctx context.Context) error {
	b, err := o.p.env.Book()
	if err != nil {
		return err
	}
	return b.CheckSwap(ctx, o.s.Ref(), o.s.Kind, o.s.Item)
}

// Deliver leaves alone what a login has stored meanwhile.
func (o *ownSecret) Deliver(ctx context.Context, t deliver.Token) error {
	item := auth.Item{Secret: t.Secret, TokenID: t.ID, TokenName: t.Name}
	b, err := o.p.env.Book()
	if err != nil {
		return err
	}
	return b.Swap(ctx, o.s.Ref(), o.s.Kind, o.s.Item, item)
}

func (o *ownSecret) Holds(ctx context.Context, sum [32]byte) (string, error) {
	return o.p.env.Holds(ctx, o.s.Kind, o.s.Ref(), sum)
}

// profileSecret is --to profile:NAME: a new profile with the address and store of the active one.
type profileSecret struct {
	p       *program
	book    *profiles.Book
	profile config.Profile
	ref     auth.Ref
	added   *profiles.Added // nil until it may be there
	failed  error
}

func (p *program) newProfileSecret(s *session.Session, name string) (*profileSecret, error) {
	profile, err := profileOf(s, name)
	if err != nil {
		return nil, err
	}
	b, err := p.env.Book()
	return &profileSecret{p: p, book: b, profile: profile, ref: auth.Ref{Profile: name, Origin: s.Origin}}, err
}

func (d *profileSecret) Place() string { return "profile:" + d.profile.Name }

func (d *profileSecret) Prepare(ctx context.Context) error {
	err := d.book.CheckAdd(ctx, d.profile, d.ref)
	there := session.Route{Profile: d.profile.Name}
	switch {
	case errors.As(err, new(*profiles.TakenError)):
		return problem.Hintf(err, "choose another name, or first: %s", there.Command("logout"))
	case errors.As(err, new(*auth.KeyringError)):
		return problem.Hintf(err, "take the secret to a file with --to file:PATH, then log in with it: %s <PATH",
			there.Command("login", "--store", "file"))
	}
	return err
}

func (d *profileSecret) Deliver(ctx context.Context, t deliver.Token) error {
	d.added, d.failed = d.book.Add(ctx, d.profile, d.ref, auth.Item{Secret: t.Secret, TokenID: t.ID, TokenName: t.Name})
	return d.failed
}

// Undo removes the profile again. A delivery that failed has done so itself, or says what the profile holds.
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
	return d.p.env.Holds(ctx, d.profile.Store, d.ref, sum)
}

// loginOwn creates a token for this machine with the one that was pasted: create's protocol into the profile.
func (p *program) loginOwn(ctx context.Context, s *session.Session, r loginRequest, tokens []utho.Token) error {
	name, err := p.ownName(tokens, r.name)
	if err != nil {
		return err
	}
	return p.change(func(b *profiles.Book) error {
		to := &loginSecret{p: p, s: s, book: b}
		issued, err := s.Create(ctx, p.signals.Grace, lifecycle.CreateRequest{
			Name: name, Scope: utho.ScopeWrite, Lifetime: r.lifetime, Verify: true,
		}, to)
		if err != nil {
			return p.withLogin(err)
		}
		s.Item = itemOf(issued)
		p.console.Note("created %s (write, id %s) for this machine", output.Name(s.Item.TokenName), cmp.Or(s.Item.TokenID, "not known"))
		p.console.Note("the token that was pasted still works and is not kept; find it with: %s, and delete it with: %s",
			p.env.Route.Command("token", "list", "-o", "wide"), p.env.Route.Command("token", "delete", "ID"))
		return p.env.Use(s)
	})
}

// withLogin adds that deleting the token that is left takes a login first: the profile may hold nothing.
func (p *program) withLogin(err error) error {
	var left *lifecycle.OutcomeError
	if !errors.As(err, &left) {
		return err
	}
	if left.Next == lifecycle.NextDeleteAgain {
		left.Next = lifecycle.NextDelete
	}
	return problem.Hintf(err, "log in, then %s", p.outcomeHint(left))
}

// ownName is the name of a token for this machine: one that is free.
func (p *program) ownName(tokens []utho.Token, asked string) (string, error) {
	if asked != "" {
		return asked, checkName(asked)
	}
	who, host := "unknown", "unknown"
	if u, err := user.Current(); err == nil {
		who = u.Username[strings.LastIndexByte(u.Username, '\\')+1:]
	}
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	base := "utho-" + who + "@" + host
	name := base
	for n := 2; slices.ContainsFunc(tokens, func(t utho.Token) bool { return lifecycle.BaseName(t.Name) == name }); n++ {
		name = fmt.Sprintf("%s-%d", base, n)
	}
	if name != base {
		p.console.Note("a token named %s is there already; if a login that was cut short left it, delete it: %s",
			output.Name(base), p.env.Route.Command("token", "delete", base))
	}
	return name, checkName(name)
}

// loginSecret is the profile that logs in, as the one destination of its own token. A create asks for no more.
type loginSecret struct {
	lifecycle.Destinations
	p      *program
	s      *session.Session
	book   *profiles.Book
	failed error // how a delivery failed
}

func (l *loginSecret) Prepare(context.Context) error { return nil } // login did

func (l *loginSecret) Deliver(ctx context.Context, i lifecycle.Issued) error {
	l.p.console.Hide(i.Secret)
	if l.failed = l.p.save(ctx, l.book, l.s, itemOf(i)); l.failed != nil {
		return &lifecycle.DeliveryError{Place: "profile:" + l.s.Profile.Name, Err: l.failed}
	}
	return nil
}

// Undo has nothing to do: a save that failed has restored the profile, or says that it is not known to have.
func (l *loginSecret) Undo(context.Context) (u lifecycle.Undone) {
	if place := "profile:" + l.s.Profile.Name; holdsNew(l.failed) {
		u.Unknown = []string{fmt.Sprintf("%s (%v)", place, l.failed)}
	} else {
		u.Restored = []string{place}
	}
	return u
}
