package lifecycle

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/utho/utho-cli/pkg/utho"
)

// rollback restores the places and deletes the new token after something went wrong; to is nil if nothing was
// delivered yet. The token is deleted only if every place that utho wrote is known to be as it was: else somebody
// may hold the new secret, and both tokens stay.
func (i *issuance) rollback(ctx, grace context.Context, to Destinations, cause error) error {
	var undone Undone
	if i.old != "" {
		// What the places held before works no longer if somebody deleted the old token meanwhile.
		if list, err := i.list(grace); err == nil && !contains(list.Tokens, i.old) {
			cause = fmt.Errorf("%w; the old token %s has gone meanwhile", cause, i.old)
			i.old = ""
			if holders := i.holders(grace, to); len(holders) > 0 {
				return i.bothStay(Undone{Kept: holders}, cause)
			}
		}
	}
	if to != nil {
		undone = to.Undo(grace)
	}
	if len(undone.Unknown) > 0 || i.old != "" && len(undone.Kept) > 0 {
		return i.bothStay(undone, cause)
	}
	id := i.issued.Token.ID
	if id == "" {
		var err error
		if id, err = i.identify(grace); err != nil {
			return i.outcome(NextLook, cause, nil, "a token %s is left, and its secret is lost; it was not deleted, because"+
				" it cannot be told which it is: %v", quote(i.req.Name), err)
		}
	}
	if err := i.remove(ctx, grace, i.Client, id, deleteWithin); err != nil {
		return i.outcome(NextDelete, cause, []string{id},
			"the new token %s may still exist, and its secret is lost; deleting it failed (%v)", named(id, i.req.Name), err)
	}
	if err := i.revoked(grace, id); err != nil {
		return err
	}
	return &RolledBackError{Name: i.req.Name, Old: i.old, Kept: undone.Kept, Doubtful: undone.Doubtful, Err: cause}
}

// holders are the places that hold the new secret.
func (i *issuance) holders(ctx context.Context, to Destinations) (holders []string) {
	if to != nil {
		_, holders, _ = to.Holds(ctx, sha256.Sum256([]byte(i.issued.Secret))) // those that can be read
	}
	return holders
}

// bothStay is a delivery that failed and could not be undone everywhere.
func (i *issuance) bothStay(undone Undone, cause error) error {
	where := said(undone.Unknown, "may hold the new secret") + said(undone.Kept, "has the new secret") +
		said(undone.Restored, "does not have it")
	id, next, stay := i.issued.Token.ID, NextDelete, "the new token %s stays"
	if i.old != "" {
		next, stay = NextFinishOrDrop, "both tokens stay, the old "+i.old+" and the new %s"
	}
	ids := []string{id}
	if id == "" {
		next, ids = NextLook, nil
	}
	return i.outcome(next, cause, ids, stay+": "+strings.TrimPrefix(where, "; "), named(id, i.req.Name))
}

// identify finds the one added token of the name.
func (i *issuance) identify(grace context.Context) (string, error) {
	list, err := i.look(grace, grace, func(added []utho.Token) bool { return len(added) > 0 })
	switch {
	case list == nil && grace.Err() != nil:
		return "", errors.New("no time was left to list the tokens")
	case list == nil:
		return "", err
	}
	switch added := i.added(list.Tokens); len(added) {
	case 0:
		return "", errors.New("the list does not show it")
	case 1:
		return added[0].ID, nil
	default:
		return "", fmt.Errorf("%s are new and have that name", candidates(added))
	}
}

// revoked waits until the secret of the token that was deleted is refused: only that shows that it was this token.
func (i *issuance) revoked(grace context.Context, id string) error {
	defer i.Waiting("waiting for the secret to be revoked")()
	limited, cancel := context.WithTimeout(grace, probeWithin)
	defer cancel()
	err := i.probe(limited, grace, false)
	if rejected(err) || errors.Is(err, utho.ErrInvalidSecret) { // what no client takes was accepted by none
		return nil
	}
	if err == nil {
		return i.outcome(NextLook, nil, []string{id}, "token %s was deleted, but the secret that was just created still works:"+
			" another new token named %s is its own", id, quote(i.req.Name))
	}
	if list, listErr := i.list(grace); listErr == nil && !contains(list.Tokens, id) {
		// The service answers, but not to this secret: the list has to do.
		i.Warn("token %s is deleted; could not verify that its secret was revoked: %v", id, err)
		return nil
	}
	return i.outcome(NextLook, err, []string{id}, "token %s was deleted, but could not verify that its secret was revoked", id)
}
