package lifecycle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/utho/utho-cli/internal/expiry"
	"github.com/utho/utho-cli/pkg/utho"
)

// VerifyError is a --verify command that failed. Both tokens work, and nothing was undone.
type VerifyError struct {
	Old, New string // ids
	Err      error
}

func (e *VerifyError) Error() string {
	return fmt.Sprintf("both tokens work, the old %s and the new %s, whose secret was delivered: %v", e.Old, e.New, e.Err)
}

func (e *VerifyError) Unwrap() error { return e.Err }

// Run carries a planned rotation out: it creates the new token, verifies its secret by listing with it, delivers
// it, and only then deletes the old token. Whatever fails, the old secret still works, or the new one works and is
// where it was to go.
//
// *NotCreatedError, *RolledBackError, *VerifyError, *OutcomeError.
func (p *Rotation) Run(ctx, grace context.Context, to Destinations) (Issued, error) {
	if p.Resumes != nil {
		i := p.session.newIssuance(utho.CreateTokenRequest{Name: p.Resumes.Name, Scope: p.Old.Scope}, &utho.TokenList{})
		i.issued = Issued{Token: *p.Resumes, Secret: p.secret, Confirmed: true, Replaces: &p.Old, Now: time.Now()}
		return i.issued, p.complete(ctx, grace, i, true)
	}
	// A person took their time to answer, or another rotation ended between the plan's list and its lock: what
	// there was before the create is what there is now.
	list, err := p.session.List(ctx)
	if err != nil {
		return Issued{}, err
	}
	if !contains(list.Tokens, p.Old.ID) {
		return Issued{}, &NotFoundError{Arg: p.Old.ID}
	}
	if p.Drops != nil {
		if err := p.session.remove(ctx, grace, p.session.Client, p.Drops.ID, p.session.Timeout); err != nil {
			return Issued{}, fmt.Errorf("delete token %s, which an earlier rotation of %s left; nothing was created: %w", p.Drops.ID, p.Old.ID, err)
		}
	}
	if p.Name, err = p.req.newName(p.Old, Now(list)); err != nil { // its time counts from now
		return Issued{}, err
	}
	i := p.session.newIssuance(utho.CreateTokenRequest{Name: p.Name, Scope: p.Old.Scope}, list)
	i.old, i.issued.Replaces = p.Old.ID, &p.Old
	p.rec = &record{
		Version: 2, Origin: p.records.Origin, OldID: p.Old.ID, NewName: p.Name, Before: idsOf(list.Tokens),
		At: list.ServerTime, To: to.Places(), path: p.records.path(p.Old.ID),
	}
	if err := p.rec.save(stageSent); err != nil {
		return Issued{}, &NotCreatedError{Name: p.Name, Old: p.Old.ID, Err: err}
	}
	if err := p.create(ctx, grace, i, to); err != nil {
		var left *OutcomeError
		switch {
		case !errors.As(err, &left) && expiry.Has(p.Old.Name):
			_ = p.rec.save(stageFailed) // without it only the record of the create stays
		case !errors.As(err, &left):
			p.rec.discard()
		case p.rec.NewID == "" && left.New != "":
			p.rec.NewID = left.New
			_ = p.rec.save(p.rec.Stage) // without it the next rotation tells by the name
		}
		return Issued{}, err
	}
	if p.req.KeepOld {
		p.rec.discard()
		return i.issued, nil
	}
	if !i.issued.Confirmed {
		return i.issued, &OutcomeError{
			Left: fmt.Sprintf("the old token %s stays, because the id and scope of the new one are not confirmed; its secret was delivered", p.Old.ID),
			Next: NextLook, Old: p.Old.ID,
		}
	}
	return i.issued, p.complete(ctx, grace, i, false)
}

// create is the rotation from the POST to the delivery.
func (p *Rotation) create(ctx, grace context.Context, i *issuance, to Destinations) error {
	if err := i.post(ctx, grace); err != nil {
		return err
	}
	if err := i.confirm(ctx, grace); err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(i.issued.Secret))
	p.rec.NewID, p.rec.Sum = i.issued.Token.ID, hex.EncodeToString(sum[:])
	if err := p.rec.save(stageCreated); err != nil {
		return i.rollback(ctx, grace, nil, err)
	}
	if err := i.verifySecret(ctx, grace); err != nil {
		return i.rollback(ctx, grace, nil, err)
	}
	if err := p.rec.save(stageDelivering); err != nil {
		return i.rollback(ctx, grace, nil, err)
	}
	err := i.deliver(ctx, grace, to)
	if err == nil {
		return nil
	}
	var delivery *DeliveryError
	if errors.As(err, &delivery) && delivery.Own {
		return p.ownFailed(ctx, i, delivery, to)
	}
	err = i.rollback(ctx, grace, to, signalFirst(ctx, err))
	return err
}

// ownFailed is the last delivery, to the profile's own secret, that failed: every other place has the new secret,
// and the profile the old one, unless its store says otherwise. Both tokens stay.
func (p *Rotation) ownFailed(ctx context.Context, i *issuance, failed *DeliveryError, to Destinations) error {
	var others []string
	for _, place := range to.Places() {
		if place != failed.Place {
			others = append(others, place)
		}
	}
	left := fmt.Sprintf("both tokens stay, the old %s and the new %s: %s could not be written", p.Old.ID,
		named(i.issued.Token.ID, i.req.Name), failed.Place)
	sum := sha256.Sum256([]byte(i.issued.Secret))
	_, holders, _ := to.Holds(context.WithoutCancel(ctx), sum)
	switch held := strings.Join(holders, ", "); {
	case held != "":
		left += "; the new secret is in " + held
	case len(others) > 0:
		left += "; the new secret went to " + strings.Join(others, ", ")
	default:
		left += " with the new secret, which is nowhere else"
	}
	next := NextFinishOrDrop
	if i.issued.Token.ID == "" {
		next = NextLook
	}
	return &OutcomeError{Left: left, Next: next, IDs: []string{i.issued.Token.ID}, Old: p.Old.ID, New: i.issued.Token.ID, Err: failed.Err}
}

// complete verifies what uses the secret and deletes the old token. recovered says that another run delivered the
// secret.
func (p *Rotation) complete(ctx, grace context.Context, i *issuance, recovered bool) error {
	if p.req.Verify != nil && !p.req.KeepOld {
		if err := p.req.Verify(ctx, i.issued); err != nil {
			return &VerifyError{Old: p.Old.ID, New: i.issued.Token.ID, Err: err}
		}
	}
	if p.req.KeepOld {
		p.rec.discard()
		return nil
	}
	if p.req.Verify != nil || recovered {
		if err := i.verifySecret(grace, grace); err != nil {
			return &OutcomeError{
				Left: fmt.Sprintf("the old token %s stays, because the new secret of %s could not be verified once more", p.Old.ID, i.issued.Token.ID),
				Next: NextRepeat, Old: p.Old.ID, New: i.issued.Token.ID, Err: err,
			}
		}
	}
	client := p.session.Client
	if p.Old.Scope == utho.ScopeWrite { // the credential in use may be the old token itself
		var err error
		if client, err = p.session.As(i.issued.Secret); err != nil {
			return p.oldStays(i, err)
		}
	}
	defer i.Waiting("waiting for the service to delete the old token")()
	if err := p.session.remove(ctx, grace, client, p.Old.ID, p.session.Timeout); err != nil {
		return p.oldStays(i, err)
	}
	p.rec.discard()
	return nil
}

// oldStays is a rotation whose new secret was delivered and whose old token could not be deleted.
func (p *Rotation) oldStays(i *issuance, err error) error {
	still := "still works"
	if errors.As(err, new(*unseenError)) {
		still = "may still work"
	}
	return &OutcomeError{
		Left: fmt.Sprintf("the new token %s works and its secret was delivered, but the old token %s %s: deleting it failed",
			named(i.issued.Token.ID, i.req.Name), p.Old.ID, still),
		Next: NextFinish, IDs: []string{p.Old.ID}, Old: p.Old.ID, New: i.issued.Token.ID, Err: err,
	}
}

// verifySecret lists with the new secret. A rejection is tried again for a while, since nothing says how soon a new
// token works; without an answer nothing is verified.
func (i *issuance) verifySecret(ctx, grace context.Context) error {
	defer i.Waiting("waiting for the new secret to be accepted")()
	probe, err := i.As(i.issued.Secret)
	if err != nil {
		return fmt.Errorf("the new secret cannot be used: %w", err)
	}
	until := time.Now().Add(verifyWithin)
	for wait := 200 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		_, err = listWith(ctx, probe, i.Timeout)
		rejected := errors.Is(err, utho.ErrUnauthorized) || errors.Is(err, utho.ErrForbidden)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, utho.ErrUnavailable) && !rejected:
			return fmt.Errorf("the new secret could not be verified: %w", err)
		case !rejected, time.Now().Add(wait).After(until):
			// Without its kind: it is not the credential in use that is rejected.
			return errors.New("the new secret could not be verified: " + opless(err))
		}
		pause(wait, ctx, grace)
	}
}
