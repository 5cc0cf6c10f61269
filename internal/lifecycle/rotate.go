package lifecycle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/utho/utho-cli/internal/expiry"
	"github.com/utho/utho-cli/pkg/utho"
)

// Run carries a planned rotation out: it creates the new token, verifies its secret by listing with it, delivers
// it, and only then deletes the old token. Whatever fails, the old secret still works, or the new one works and is
// where it was to go.
//
// *NotCreatedError, *RolledBackError, *VerifyError, *OutcomeError.
func (p *Rotation) Run(ctx, grace context.Context, to Destinations) (Issued, error) {
	if p.Resumes != nil {
		i := p.session.newIssuance(utho.CreateTokenRequest{Name: p.Resumes.Name, Scope: p.Old.Scope}, &utho.TokenList{})
		i.issued = Issued{Token: *p.Resumes, Secret: p.secret, Replaces: &p.Old, Now: time.Now()}
		i.old = p.Old.ID
		return i.issued, p.complete(ctx, grace, i)
	}
	// A person took their time to answer, another rotation ended between the plan's list and its lock, or the create
	// of a killed one arrived: what there was before the create is what there is now.
	list, err := p.look(ctx, to)
	switch {
	case err != nil:
		return Issued{}, err
	case p.Resumes != nil:
		return p.Run(ctx, grace, to)
	case p.Drops != nil:
		if err := p.session.remove(ctx, grace, p.session.Client, p.Drops.ID, p.session.Timeout); err != nil {
			return Issued{}, fmt.Errorf("delete %s, which an earlier rotation of %s left; nothing was created: %w",
				p.Drops.ID, p.Old.ID, err)
		}
	}
	if p.Name, err = p.req.newName(p.Old, Now(list)); err != nil { // its time counts from now
		return Issued{}, err
	}
	i := p.session.newIssuance(utho.CreateTokenRequest{Name: p.Name, Scope: p.Old.Scope}, list)
	i.old, i.issued.Replaces = p.Old.ID, &p.Old
	if !p.req.KeepOld {
		i.issued.Deletes = p.Old.ID
	}
	p.rec = &record{
		Version: 2, Origin: p.records.Origin, OldID: p.Old.ID, NewName: p.Name, Before: i.before,
		At: list.ServerTime, To: to.Places(), path: p.records.path(p.Old.ID, ".json"),
	}
	if err := p.rec.save(stageSent); err != nil {
		return Issued{}, &NotCreatedError{Old: p.Old.ID, Err: err}
	}
	if err := p.create(ctx, grace, i, to); err != nil {
		var left *OutcomeError
		switch {
		case errors.As(err, &left):
			if p.rec.NewID == "" && len(left.IDs) == 1 && left.Next != NextLook {
				p.rec.NewID = left.IDs[0]
				_ = p.rec.save(p.rec.Stage) // without it the next rotation tells by name, scope and stamp
			}
		case expiry.Has(p.Old.Name):
			_ = p.rec.save(stageFailed) // without it only the record of the create stays
		default:
			p.rec.discard()
		}
		return Issued{}, err
	}
	return i.issued, p.complete(ctx, grace, i)
}

// create is the rotation from the POST to the delivery.
func (p *Rotation) create(ctx, grace context.Context, i *issuance, to Destinations) error {
	if err := i.post(ctx, grace); err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(i.issued.Secret))
	p.rec.NewID, p.rec.Sum = i.issued.Token.ID, hex.EncodeToString(sum[:])
	err := p.rec.save(stageCreated)
	if err == nil {
		err = i.verifySecret(ctx)
	}
	if err == nil {
		err = p.rec.save(stageDelivering)
	}
	if err != nil {
		return i.rollback(ctx, grace, nil, err)
	}
	own, err := i.deliver(ctx, grace, to)
	switch {
	case err == nil:
		return nil
	case own != "":
		return i.ownFailed(ctx, own, err, to)
	}
	return i.rollback(ctx, grace, to, err)
}

// ownFailed is the last delivery, to the profile's own secret, that failed: every other place has the new secret,
// and the profile the old one, unless its store says otherwise. Both tokens stay.
func (i *issuance) ownFailed(ctx context.Context, own string, failed error, to Destinations) error {
	others := slices.DeleteFunc(slices.Clone(to.Places()), func(place string) bool { return place == own })
	_, holders, err := to.Holds(context.WithoutCancel(ctx), sha256.Sum256([]byte(i.issued.Secret)))
	switch {
	case slices.Contains(holders, own):
		return i.bothStay(Undone{Kept: append(others, own)}, failed)
	case err == nil:
		return i.bothStay(Undone{Kept: others, Restored: []string{own}}, failed)
	}
	return i.bothStay(Undone{Kept: others, Unknown: []string{own}}, failed)
}

// complete verifies what uses the secret and deletes the old token.
func (p *Rotation) complete(ctx, grace context.Context, i *issuance) error {
	id := i.issued.Token.ID
	if p.req.KeepOld {
		p.rec.discard()
	}
	if id == "" {
		return i.outcome(NextLook, nil, nil,
			"the old token %s stays, because the id and scope of the new one are not confirmed; its secret was delivered", i.old)
	}
	if p.req.Verify != nil {
		if err := p.req.Verify(ctx, i.issued); err != nil {
			return &VerifyError{Old: i.old, New: id, Err: err}
		}
	}
	if p.req.KeepOld {
		return nil
	}
	if p.req.Verify != nil || p.Resumes != nil {
		if err := i.verifySecret(grace); err != nil {
			return i.outcome(NextRepeat, err, []string{id},
				"the old token %s stays, because the new secret of %s could not be verified once more", i.old, id)
		}
	}
	defer i.Waiting("waiting for the service to delete the old token")()
	client, err := p.session.Client, error(nil)
	if p.Old.Scope == utho.ScopeWrite { // the credential in use may be the old token itself
		client, err = i.Client.WithSecret(i.issued.Secret)
	}
	if err == nil {
		err = p.session.remove(ctx, grace, client, i.old, p.session.Timeout)
	}
	if err != nil {
		still := "still works"
		if errors.Is(err, errUnseen) {
			still = "may still work"
		}
		return i.outcome(NextFinish, err, []string{id},
			"the new token %s works and its secret was delivered, but the old token %s %s: deleting it failed",
			named(id, i.req.Name), i.old, still)
	}
	p.rec.discard()
	return nil
}
