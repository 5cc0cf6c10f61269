package lifecycle

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/utho/utho-cli/internal/expiry"
	"github.com/utho/utho-cli/pkg/utho"
)

// RotateRequest is what a rotation is asked for.
type RotateRequest struct {
	Arg             string        // ID or NAME
	Lifetime        time.Duration // of the new token; 0 for the length of the old one
	IfExpiresWithin time.Duration // rotate only a token that ends this soon; 0 to rotate always
	KeepOld         bool          // do not delete the old token
	// Verify restarts and checks what uses the secret, before the old token is deleted. It may be nil.
	Verify func(ctx context.Context, issued Issued) error
}

// Rotation is a rotation that was planned: nothing was created yet. Close it.
type Rotation struct {
	Old     utho.Token
	Name    string      // of the new token
	Due     bool        // false if the token does not end soon enough: there is nothing to do
	Resumes *utho.Token // the new token of an unfinished rotation, which Run goes on with
	Drops   *utho.Token // what an unfinished rotation created and never delivered, which Run deletes first

	Close func() // releases the lock

	session    *Session
	req        RotateRequest
	records    Records
	rec        *record // of the unfinished rotation
	secret     string  // of Resumes
	unprepared error   // why the destinations cannot be used
}

// NoExpiryError is a token without an expiry where one is needed, or one whose length cannot be told.
type NoExpiryError struct {
	Token  utho.Token
	Reason string
}

func (e *NoExpiryError) Error() string {
	return "token " + named(e.Token.ID, e.Token.Name) + " " + e.Reason
}

// PlanRotation finds the token, locks its rotation on this machine, prepares the destinations, and looks at what an
// earlier rotation of it left. The errors are those of Find and Prepare, *NoExpiryError, and an *OutcomeError if an
// earlier rotation has to be settled by hand.
func (s *Session) PlanRotation(ctx context.Context, r RotateRequest, records Records, to Destinations) (*Rotation, error) {
	unfinished, err := records.all()
	if err != nil {
		return nil, err
	}
	p := &Rotation{session: s, req: r, records: records, unprepared: to.Prepare(ctx)}
	if p.unprepared != nil && len(unfinished) == 0 {
		return nil, p.unprepared
	}
	list, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	var kept []*record // by the place itself
	var held string    // the id of the token whose secret the place says it holds
	if p.unprepared == nil {
		if kept, held, err = records.fromPlace(ctx, to, list.Tokens); err != nil {
			return nil, err
		}
	}
	if p.Old, err = findRotated(list, r.Arg, append(unfinished, kept...), held); err != nil {
		return nil, err
	}
	if p.Close, err = records.lock(p.Old.ID); err != nil {
		return nil, err
	}
	if err := p.plan(ctx, list, kept, to); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// plan decides, under the lock, what there is to do.
func (p *Rotation) plan(ctx context.Context, list *utho.TokenList, kept []*record, to Destinations) error {
	unfinished, err := p.records.all()
	if err != nil {
		return err
	}
	about := []string{p.Old.ID}
	for _, rec := range append(unfinished, kept...) {
		if rec.OldID == p.Old.ID && rec.Stage != stageFailed && p.rec == nil {
			p.rec = rec
			about = append(about, rec.NewID)
		}
	}
	if p.unprepared == nil {
		p.unprepared = to.Rotates(ctx, about...)
	}
	if p.rec != nil { // it may have ended since the first list
		if list, err = p.look(ctx, to); err != nil {
			return err
		}
	}
	switch {
	case p.unprepared != nil:
		return p.unprepared
	case p.Resumes != nil:
		p.Due, p.Name = true, p.Resumes.Name
		return nil
	}
	p.Due, err = p.req.due(p.Old, Now(list))
	switch {
	case err != nil:
	case p.Due:
		p.Name, err = p.req.newName(p.Old, Now(list))
	case p.rec != nil && p.Drops == nil: // nothing is left of an earlier one, and no new one will say so
		p.rec.discard()
	}
	return err
}

// look lists the tokens and decides what becomes of an unfinished rotation.
func (p *Rotation) look(ctx context.Context, to Destinations) (*utho.TokenList, error) {
	list, err := p.session.List(ctx)
	switch {
	case err != nil:
		return nil, err
	case !contains(list.Tokens, p.Old.ID):
		return nil, &NotFoundError{Arg: p.Old.ID, Gone: true}
	case p.rec != nil:
		err = p.recover(ctx, list.Tokens, to)
	}
	return list, err
}

// findRotated is Find for a rotation: a name means first the token whose rotation is unfinished, and expired tokens
// do not count, unless the place says that it holds one.
func findRotated(list *utho.TokenList, arg string, unfinished []*record, held string) (utho.Token, error) {
	found := matches(list.Tokens, arg)
	open := filter(list.Tokens, func(old utho.Token) bool {
		return slices.ContainsFunc(unfinished, func(rec *record) bool {
			return rec.OldID == old.ID && (contains(found, old.ID) || contains(found, rec.NewID))
		})
	})
	alive := filter(found, func(t utho.Token) bool { return t.ID == held || !expiry.Expired(t.Name, Now(list)) })
	switch {
	case len(open) == 1:
		return open[0], nil
	case len(open) == 0 && len(alive) > 0:
		found = alive
	}
	old, err := only(list.Tokens, found, arg)
	var ambiguous *AmbiguousError
	if errors.As(err, &ambiguous) && contains(found, held) {
		ambiguous.Held = held
	}
	return old, err
}

func (r RotateRequest) due(old utho.Token, now time.Time) (bool, error) {
	_, at, ok := expiry.Split(old.Name)
	switch {
	case r.IfExpiresWithin <= 0, !ok && r.Lifetime > 0:
		return true, nil
	case !ok:
		return false, &NoExpiryError{old, "never expires"}
	}
	return !at.After(now.Add(r.IfExpiresWithin)), nil
}

func (r RotateRequest) newName(old utho.Token, now time.Time) (string, error) {
	if r.Lifetime > 0 {
		return expiry.Append(BaseName(old.Name), now.Add(r.Lifetime))
	}
	name, err := expiry.Renew(old.Name, old.CreatedAt, now)
	if err != nil {
		return "", &NoExpiryError{old, "has an expiry of unknown length, because its creation time is not usable"}
	}
	return name, nil
}

// recover decides what becomes of an unfinished rotation. What can be read back and still works is believed,
// nothing else.
//
//  1. Every place of the record is a place of this command, can be read back and holds
//     the new secret, and the service accepts it: Run goes on from there.
//  2. The secret never left utho: Run deletes the half-done token and starts over.
//  3. Else nothing is created, and the error names both tokens.
func (p *Rotation) recover(ctx context.Context, tokens []utho.Token, to Destinations) error {
	found := p.rec.candidates(tokens)
	left := &OutcomeError{Next: NextLook, IDs: idsOf(found), Old: p.Old.ID}
	switch {
	case len(found) == 0: // it was never created, or somebody dropped it
		return nil
	case p.rec.Stage != stageDelivering && len(found) == 1 &&
		(p.rec.NewID != "" || p.rec.stampedThen(found[0]) && found[0].Scope == p.Old.Scope):
		p.Drops = &found[0]
		return nil
	case p.rec.Stage != stageDelivering:
		left.Left = fmt.Sprintf("an earlier rotation of %s did not come to its end: "+
			"%s, named %s, may be what it created, with a secret that is lost; the old token still works",
			p.Old.ID, candidates(found), quote(found[0].Name))
		return left
	}
	secret, holders, err := p.readBack(ctx, to)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, utho.ErrUnavailable):
		return err
	case secret != "" && len(found) == 1 && found[0].Scope == p.Old.Scope:
		p.Resumes, p.secret = &found[0], secret
		return nil
	}
	left.Left = fmt.Sprintf("an earlier rotation of %s is unfinished: the secret of %s went, or was on its way, to %s; both tokens stay%s",
		p.Old.ID, candidates(found), strings.Join(p.rec.To, ", "), said(holders, "holds the new secret"))
	if left.Err = err; len(found) == 1 {
		left.Next = NextFinishOrDrop
	}
	return left
}

// readBack returns the new secret if every place of the record holds it and it works; else which hold it, and why.
func (p *Rotation) readBack(ctx context.Context, to Destinations) (secret string, holders []string, err error) {
	if p.unprepared != nil {
		return "", nil, p.unprepared
	}
	var sum [32]byte
	known, _ := hex.DecodeString(p.rec.Sum) // a broken one is held by no place
	copy(sum[:], known)
	secret, holders, err = to.Holds(ctx, sum)
	switch {
	case err != nil:
		return "", holders, err
	case !p.rec.sameTo(to.Places()):
		return "", holders, errors.New("this command has other destinations")
	case secret == "":
		return "", holders, errors.New("not every place holds it")
	}
	client, err := p.session.Client.WithSecret(secret)
	if err == nil {
		_, err = listWith(ctx, client, p.session.Timeout)
	}
	if err != nil {
		return "", holders, fmt.Errorf("the new secret: %w", err)
	}
	return secret, holders, nil
}
