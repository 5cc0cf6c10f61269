package lifecycle

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
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
		err = i.verifySecret(ctx)
	}
	if err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return Issued{}, i.rollback(ctx, grace, nil, err)
	}
	if _, err := i.deliver(ctx, grace, to); err != nil {
		return Issued{}, i.rollback(ctx, grace, to, err)
	}
	return i.issued, nil
}

// LendRequest is what Lend is asked for.
type LendRequest struct {
	Prefix   string // of the token's name
	Scope    utho.Scope
	Lifetime time.Duration // the expiry in its name, for what a SIGKILL leaves behind
}

// Lend creates a token of a unique name, hands it to use, and deletes it when use has returned, never before. used
// reports whether use was called at all. The error is about the token only: *NotCreatedError, *RolledBackError
// before use, *OutcomeError if it may still exist.
func (s *Session) Lend(ctx, grace context.Context, r LendRequest, use func(Issued)) (used bool, err error) {
	list, err := s.List(ctx)
	if err != nil {
		return false, err
	}
	word := make([]byte, 5) // nobody else makes up a name with 40 random bits
	_, _ = rand.Read(word)  // never fails: crypto/rand ends the program instead
	name, err := expiry.Append(fmt.Sprintf("%s-%x", r.Prefix, word), Now(list).Add(r.Lifetime))
	if err != nil {
		return false, err
	}
	i := s.newIssuance(utho.CreateTokenRequest{Name: name, Scope: r.Scope}, list)
	i.unique = true
	if err := i.post(ctx, grace); err != nil {
		return false, err
	}
	if err = context.Cause(ctx); err == nil && i.issued.Token.ID == "" {
		err = errors.New("its id cannot be told, so it could not be deleted later")
	}
	if err != nil {
		return false, i.rollback(ctx, grace, nil, err)
	}
	use(i.issued)
	id := i.issued.Token.ID
	if err := i.remove(context.WithoutCancel(ctx), grace, i.Client, id, deleteWithin); err != nil {
		return true, i.outcome(NextDelete, err, []string{id},
			"the command has ended, but its token %s may still work: deleting it failed", named(id, name))
	}
	return true, i.revoked(grace, id)
}
