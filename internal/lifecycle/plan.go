package lifecycle

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
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

	session *Session
	req     RotateRequest
	records Records
	rec     *record // of the unfinished rotation
	secret  string  // of Resumes
	release func()
}

// NoExpiryError is a token without an expiry where one is needed.
type NoExpiryError struct {
	Token utho.Token
	Err   error // why its length cannot be told; nil if the name has no expiry
}

func (e *NoExpiryError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("rotate %s %s: %v", e.Token.ID, quote(e.Token.Name), e.Err)
	}
	return fmt.Sprintf("token %s %s never expires", e.Token.ID, quote(e.Token.Name))
}

func (e *NoExpiryError) Unwrap() error { return e.Err }

// PlanRotation finds the token, locks its rotation on this machine, prepares the destinations, and looks at what an
// earlier rotation of it left. The errors are those of Find and Prepare, *NoExpiryError, and an *OutcomeError if an
// earlier rotation has to be settled by hand.
func (s *Session) PlanRotation(ctx context.Context, r RotateRequest, records Records, to Destinations) (*Rotation, error) {
	unfinished, err := records.all()
	if err != nil {
		return nil, err
	}
	unprepared := to.Prepare(ctx)
	if unprepared != nil && len(unfinished) == 0 {
		return nil, unprepared
	}
	list, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	var kept *record // by the place itself
	var held string  // the id of the token whose secret it holds
	if unprepared == nil {
		if kept, held, err = records.fromPlace(ctx, to, list.Tokens); err != nil {
			return nil, err
		}
	}
	if kept != nil {
		unfinished = append(unfinished, kept)
	}
	old, err := findRotated(list, r.Arg, unfinished, held)
	if err != nil {
		return nil, err
	}
	p := &Rotation{Old: old, session: s, req: r, records: records}
	if p.release, err = records.lock(old.ID); err != nil {
		return nil, err
	}
	if err := p.plan(ctx, list, kept, to, unprepared); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

func (p *Rotation) plan(ctx context.Context, list *utho.TokenList, kept *record, to Destinations, unprepared error) (err error) {
	if unprepared == nil {
		unprepared = to.Rotates(ctx, p.Old)
	}
	unfinished, err := p.records.all() // under the lock
	if err != nil {
		return err
	}
	if kept != nil {
		unfinished = append(unfinished, kept)
	}
	if p.rec = of(unfinished, p.Old.ID); p.rec != nil {
		if err := p.recover(ctx, list.Tokens, to, unprepared); err != nil {
			return err
		}
	}
	if unprepared != nil {
		return unprepared
	}
	if p.Resumes != nil {
		p.Due, p.Name = true, p.Resumes.Name
		return nil
	}
	if p.Due, err = p.req.due(p.Old, Now(list)); err != nil || !p.Due {
		return err
	}
	p.Name, err = p.req.newName(p.Old, Now(list))
	return err
}

// Close releases the lock.
func (p *Rotation) Close() {
	if p.release != nil {
		p.release()
	}
	p.release = nil
}

// findRotated is Find for a rotation: a name means first the token whose rotation is unfinished, and expired tokens
// do not count, unless the place says that it holds one.
func findRotated(list *utho.TokenList, arg string, unfinished []*record, held string) (utho.Token, error) {
	found := matches(list.Tokens, arg)
	open := map[string]bool{}
	for _, rec := range unfinished {
		for _, t := range found {
			if t.ID == rec.OldID || t.ID == rec.NewID && contains(list.Tokens, rec.OldID) {
				open[rec.OldID] = true
			}
		}
	}
	if len(open) == 1 {
		for _, t := range list.Tokens {
			if open[t.ID] {
				return t, nil
			}
		}
	}
	if len(found) > 1 && len(open) == 0 {
		now := Now(list)
		if alive := filter(found, func(t utho.Token) bool { return t.ID == held || !expiry.Expired(t.Name, now) }); len(alive) > 0 {
			found = alive
		}
	}
	switch len(found) {
	case 0:
		return Find(list.Tokens, arg) // the error with its hints
	case 1:
		return found[0], nil
	}
	if !contains(found, held) {
		held = ""
	}
	return utho.Token{}, &AmbiguousError{Arg: arg, Tokens: found, Held: held}
}

// due reports whether the token is to be rotated now.
func (r RotateRequest) due(old utho.Token, now time.Time) (bool, error) {
	if r.IfExpiresWithin <= 0 {
		return true, nil
	}
	_, at, ok := expiry.Split(old.Name)
	if !ok {
		if r.Lifetime > 0 {
			return true, nil
		}
		return false, &NoExpiryError{Token: old}
	}
	return !at.After(now.Add(r.IfExpiresWithin)), nil
}

// newName is the name of the new token: the old one's, with its expiry renewed.
func (r RotateRequest) newName(old utho.Token, now time.Time) (string, error) {
	if r.Lifetime > 0 {
		return expiry.Append(BaseName(old.Name), now.Add(r.Lifetime))
	}
	name, err := expiry.Renew(old.Name, old.CreatedAt, now)
	if err != nil {
		return "", &NoExpiryError{Token: old, Err: err}
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
func (p *Rotation) recover(ctx context.Context, tokens []utho.Token, to Destinations, unprepared error) error {
	found := p.rec.candidates(tokens)
	if len(found) == 0 { // it was never created, or somebody dropped it
		p.rec.discard()
		p.rec = nil
		return nil
	}
	if p.rec.Stage != stageDelivering {
		if len(found) == 1 && (p.rec.NewID != "" || p.rec.stampedThen(found[0])) {
			p.Drops = &found[0]
			return nil
		}
		return &OutcomeError{
			Left: fmt.Sprintf("an earlier rotation of %s was cut short: %s, named %s, may be what it created, with a secret that is lost; the old token still works",
				p.Old.ID, candidates(found), quote(found[0].Name)),
			Next: NextLook, IDs: idsOf(found), Old: p.Old.ID,
		}
	}
	secret, holders, err := "", []string(nil), unprepared
	if err == nil {
		secret, holders, err = p.readBack(ctx, to)
	}
	if errors.Is(err, utho.ErrUnavailable) || ctx.Err() != nil {
		return err
	}
	if secret != "" && len(found) == 1 && found[0].Scope == p.Old.Scope {
		p.Resumes, p.secret = &found[0], secret
		return nil
	}
	left := &OutcomeError{
		Left: fmt.Sprintf("an earlier rotation of %s was cut short while it delivered the secret of %s to %s; both tokens stay",
			p.Old.ID, candidates(found), strings.Join(p.rec.To, ", ")),
		Next: NextFinishOrDrop, IDs: idsOf(found), Old: p.Old.ID, Err: err,
	}
	if len(found) > 1 {
		left.Next = NextLook
		return left
	}
	left.New = found[0].ID
	if len(holders) > 0 {
		left.Left += "; " + strings.Join(holders, ", ") + " holds the new secret"
	}
	return left
}

// readBack returns the new secret if this command has the places of the record, all of them hold it and the service
// accepts it; else "", which places hold it, and why.
func (p *Rotation) readBack(ctx context.Context, to Destinations) (secret string, holders []string, err error) {
	var sum [32]byte
	if n, err := hex.Decode(sum[:], []byte(p.rec.Sum)); err != nil || n != len(sum) {
		return "", nil, errors.New("its record has no fingerprint of the secret")
	}
	secret, holders, err = to.Holds(ctx, sum)
	switch {
	case err == nil && len(holders) == 0:
		err = errors.New("no place holds it")
	case err == nil && secret == "":
		err = errors.New("not every place holds it")
	}
	if err != nil {
		return "", holders, err
	}
	if !p.rec.sameTo(to.Places()) {
		return "", holders, errors.New("this command has other destinations")
	}
	client, err := p.session.As(secret)
	if err == nil {
		_, err = listWith(ctx, client, p.session.Timeout)
	}
	if err != nil {
		return "", holders, fmt.Errorf("the new secret: %w", err)
	}
	return secret, holders, nil
}
