package lifecycle

import (
	"context"
	"time"

	"github.com/utho/utho-cli/internal/expiry"
	"github.com/utho/utho-cli/pkg/utho"
)

// CreateRequest is what Create is asked for.
type CreateRequest struct {
	Name           string // without an expiry
	Scope          utho.Scope
	Lifetime       time.Duration // 0 for no expiry
	AllowDuplicate bool
	DryRun         bool // check everything, create nothing
	Verify         bool // have the service accept the new secret before it is delivered
}

// Create creates a token and delivers its secret to every destination, or leaves nothing behind. *TakenError,
// *NotCreatedError, *RolledBackError, *OutcomeError.
func (s *Session) Create(ctx, grace context.Context, r CreateRequest, to Destinations) (Issued, error) {
	if err := to.Prepare(ctx); err != nil {
		return Issued{}, err
	}
	list, err := s.List(ctx)
	if err != nil {
		return Issued{}, err
	}
	name := r.Name
	if r.Lifetime > 0 { // by the service's clock, which `delete --expired` reads
		if name, err = expiry.Append(r.Name, Now(list).Add(r.Lifetime)); err != nil {
			return Issued{}, err
		}
	}
	if found := taken(list.Tokens, r.Name, Now(list)); len(found) > 0 && !r.AllowDuplicate {
		return Issued{}, &TakenError{Name: r.Name, Tokens: found}
	}
	i := s.newIssuance(utho.CreateTokenRequest{Name: name, Scope: r.Scope}, list)
	if r.DryRun {
		return i.issued, nil
	}
	if err := i.post(ctx, grace); err != nil {
		return Issued{}, err
	}
	if r.Verify {
		err = i.verifySecret(ctx, grace)
	}
	if err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return Issued{}, i.rollback(ctx, grace, nil, err)
	}
	if err := i.deliver(ctx, grace, to); err != nil {
		return Issued{}, i.rollback(ctx, grace, to, err)
	}
	return i.issued, nil
}
