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

// profileSecret is the secret of a profile as a destination: of a new profile, or of the one in use.
type profileSecret struct {
	p     *program
	store string // keyring or file
	ref   auth.Ref
	check func(ctx context.Context) error
	put   func(ctx context.Context, item auth.Item) error
	undo  func(ctx context.Context) error

	failed error // why put did
}

func (d *profileSecret) Place() string                     { return "profile:" + d.ref.Profile }
func (d *profileSecret) Prepare(ctx context.Context) error { return d.check(ctx) }

func (d *profileSecret) Deliver(ctx context.Context, t deliver.Token) error {
	d.failed = d.put(ctx, auth.Item{Secret: t.Secret, TokenID: t.ID, TokenName: t.Name})
	return d.failed
}

// Undo has nothing to do after a put that failed: it has restored the profile, or says what that may hold.
func (d *profileSecret) Undo(ctx context.Context) error {
	if state, ok := errors.AsType[*profiles.StateError](d.failed); ok && state.Unknown {
		return d.failed
	}
	return d.undo(ctx)
}

func (d *profileSecret) Holds(ctx context.Context, sum [32]byte) (string, error) {
	return d.p.env.Holds(ctx, d.store, d.ref, sum)
}

func nothing(context.Context) error { return nil }

// newProfile is --to profile:NAME: a new profile with the address and the store of the active one.
func (p *program) newProfile(s *session.Session, name string) (*profileSecret, error) {
	if err := config.ValidName(name); err != nil {
		return nil, problem.Usagef("--to profile:%s: %w", name, err)
	}
	profile := config.Profile{Name: name, APIURL: s.BaseURL, TimeZone: s.Profile.TimeZone, Store: s.Kind}
	switch s.Kind {
	case session.SandboxName:
		return nil, problem.Usagef("--to profile:%s: a token of the sandbox is kept by no profile", name).
			Hintf("send it to a file: --to file:PATH")
	case session.KindEnvironment, session.KindCommand:
		profile.Store = config.StoreKeyring
	}
	b, err := p.env.Book()
	d := &profileSecret{p: p, store: profile.Store, ref: auth.Ref{Profile: name, Origin: s.Origin}, undo: nothing}
	d.check = func(ctx context.Context) error {
		err := b.CheckAdd(ctx, profile, d.ref)
		there := session.Route{Profile: name}
		switch {
		case errors.As(err, new(*profiles.TakenError)):
			return problem.Hintf(err, "choose another name, or first: %s", there.Command("logout"))
		case errors.As(err, new(*auth.KeyringError)):
			return problem.Hintf(err, "take the secret to a file with --to file:PATH, then log in with it: %s <PATH",
				there.Command("login", "--store", "file"))
		}
		return err
	}
	d.put = func(ctx context.Context, item auth.Item) error {
		added, err := b.Add(ctx, profile, d.ref, item)
		if added != nil {
			d.undo = added.Undo
		}
		return err
	}
	return d, err
}

// ownProfile is the profile in use, in a rotation of its own token. It is the last one: nothing undoes it. What a login
// has stored meanwhile is left alone.
func (p *program) ownProfile(s *session.Session) (*profileSecret, error) {
	b, err := p.env.Book()
	d := &profileSecret{p: p, store: s.Kind, ref: s.Ref(), undo: nothing}
	d.check = func(ctx context.Context) error { return b.CheckSwap(ctx, d.ref, s.Kind, s.Item) }
	d.put = func(ctx context.Context, item auth.Item) error { return b.Swap(ctx, d.ref, s.Kind, s.Item, item) }
	return d, err
}

// loginOwn creates a token for this machine with the one that was pasted: create's protocol into the profile.
func (p *program) loginOwn(ctx context.Context, s *session.Session, r loginRequest, tokens []utho.Token) error {
	name, err := p.ownName(tokens, r)
	if err != nil {
		return err
	}
	return p.change(func(b *profiles.Book) error {
		own := &profileSecret{p: p, store: s.Kind, ref: s.Ref(), check: nothing, undo: nothing} // login has checked
		own.put = func(ctx context.Context, item auth.Item) (err error) {
			err = p.save(ctx, b, s, item)
			s.Item = item
			return err
		}
		spec := deliver.Spec{Kind: deliver.KindProfile, Arg: s.Profile.Name}
		to := &destinations{p: p, s: s, out: &stdoutDestination{}, Set: deliver.NewSet([]deliver.Target{{Spec: spec, Destination: own}})}
		_, err := s.Create(ctx, p.signals.Grace, lifecycle.CreateRequest{
			Name: name, Scope: utho.ScopeWrite, Lifetime: r.lifetime, Verify: true,
		}, to)
		if err != nil {
			if left, ok := errors.AsType[*lifecycle.OutcomeError](err); ok { // the profile may hold nothing
				err = problem.Hintf(err, "log in, then %s", p.outcomeHint(left))
			} else if errors.As(err, new(*lifecycle.TakenError)) {
				err = problem.Hintf(err, "choose another --name, or leave --name out for one that is free")
			}
			return err
		}
		p.console.Note("created %s (write, id %s) for this machine", output.Name(s.Item.TokenName), cmp.Or(s.Item.TokenID, "not known"))
		p.console.Note("the token that was pasted still works and is not kept; find it with: %s, and delete it with: %s",
			p.env.Route.Command("token", "list", "-o", "wide"), p.env.Route.Command("token", "delete", "ID"))
		return p.env.Use(s)
	})
}

// ownName is the name of a token for this machine: one that is free.
func (p *program) ownName(tokens []utho.Token, r loginRequest) (string, error) {
	if r.name != "" {
		return r.name, nil // login has checked it
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
		p.console.Note("a token named %s is there already, of another profile or machine, or left by a login that was cut short; see which: %s",
			output.Name(base), p.env.Route.Command("token", "get", base))
	}
	return name, checkName(name, r.lifetime)
}
