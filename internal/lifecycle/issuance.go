package lifecycle

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/utho/utho-cli/internal/expiry"
	"github.com/utho/utho-cli/pkg/utho"
)

// issuance is one token between the POST and the moment its secret has arrived or the token is gone again. Create,
// Rotate and Lend share it: a secret that the service shows once is lost or leaked here or nowhere.
type issuance struct {
	*Session
	req    utho.CreateTokenRequest
	unique bool     // utho chose the name: a token of that name is this one
	before []string // the ids that there were before
	old    string   // of a rotation: the id of the token that still works

	issued Issued
}

func (s *Session) newIssuance(req utho.CreateTokenRequest, list *utho.TokenList) *issuance {
	return &issuance{
		Session: s, req: req, before: idsOf(list.Tokens),
		issued: Issued{Now: Now(list), Token: utho.Token{Name: req.Name, Scope: req.Scope}},
	}
}

// outcome is an [OutcomeError] about the tokens with these ids.
func (i *issuance) outcome(next Next, err error, ids []string, format string, args ...any) *OutcomeError {
	return &OutcomeError{Left: fmt.Sprintf(format, args...), Next: next, IDs: ids, Old: i.old, Err: err}
}

// post creates the token, once, and finds it in the list, or finds out what became of an answer that was lost.
func (i *issuance) post(ctx, grace context.Context) error {
	if ctx.Err() != nil {
		return &NotCreatedError{Old: i.old, Err: context.Cause(ctx)}
	}
	done := i.Waiting("waiting for the service to create the token")
	limited, cancel := bounded(ctx, grace, i.Timeout, answerWithin)
	created, err := i.Client.CreateToken(limited, i.req)
	cancel()
	done()
	switch {
	case err == nil:
		i.issued.Secret = created.Secret
		return i.confirm(ctx, grace)
	case errors.Is(err, utho.ErrOutcomeUnknown):
		return i.findLost(ctx, grace, err)
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		err = context.Cause(ctx)
	}
	return &NotCreatedError{Old: i.old, Err: err}
}

// findLost looks for what a lost answer may have created, and deletes only a token whose name can be nobody else's.
func (i *issuance) findLost(ctx, grace context.Context, lost error) error {
	name, cause := quote(i.req.Name), errors.New(opless(lost)) // its kind is this package's to tell
	list, err := i.look(ctx, grace, ifLost)
	if err != nil {
		return i.outcome(NextLook, cause, nil,
			"a token %s may have been created, and its secret is lost; the list failed too (%s)", name, opless(err))
	}
	found := i.added(list.Tokens)
	switch {
	case len(found) == 0:
		after := " after 3 s"
		if ctx.Err() != nil {
			after = ""
		}
		return i.outcome(NextLook, cause, nil,
			"there is no new token named %s%s; it may still appear, and its secret is lost", name, after)
	case len(found) > 1:
		return i.outcome(NextLook, cause, idsOf(found),
			"one of the new tokens %s, named %s, was just created, and its secret is lost", candidates(found), name)
	case !i.unique:
		return i.outcome(NextDeleteAgain, cause, idsOf(found),
			"token %s %s was created, but its secret is lost", found[0].ID, name)
	}
	if err := i.remove(ctx, grace, i.Client, found[0].ID, deleteWithin); err != nil {
		return i.outcome(NextDeleteAgain, fmt.Errorf("%w; %w", cause, err), idsOf(found),
			"token %s %s was created, but its secret is lost, and deleting it failed", found[0].ID, name)
	}
	return &RolledBackError{Name: i.req.Name, Err: fmt.Errorf("the answer to the create was lost: %w", cause)}
}

// list is one look at the tokens after a create.
func (i *issuance) list(ctx context.Context) (*utho.TokenList, error) {
	return listWith(ctx, i.Client, min(listWithin, i.Timeout))
}

// added are the tokens of the name that were not there before.
func (i *issuance) added(tokens []utho.Token) []utho.Token {
	return addedTo(i.before, tokens, i.req.Name)
}

func (i *issuance) inScope(tokens []utho.Token) []utho.Token {
	return filter(tokens, func(t utho.Token) bool { return t.Scope == i.req.Scope })
}

// schedule is when the tokens are listed after a create: after each of the waits, in so much time.
type schedule struct {
	within, last time.Duration // last after a signal
	waits        []time.Duration
}

var (
	toConfirm = schedule{5 * time.Second, confirmInGrace, []time.Duration{
		0, 250 * time.Millisecond, 500 * time.Millisecond, time.Second, time.Second, time.Second, time.Second,
	}}
	ifLost = schedule{3*time.Second + 3*listWithin, 2 * listWithin, []time.Duration{0, time.Second, 2 * time.Second}}
)

// look lists until an added token of the scope is there, since one of another may be somebody else's that shows first,
// or the time of the schedule or that a signal leaves ends. It returns the last list, or one that showed an added token,
// or why there is none.
func (i *issuance) look(ctx, grace context.Context, when schedule) (*utho.TokenList, error) {
	defer i.Waiting("waiting for the new token to show in the list")()
	limited, cancel := bounded(ctx, grace, when.within, when.last)
	defer cancel()
	var last *utho.TokenList
	var failed error
	for _, wait := range when.waits {
		if pause(limited, wait); limited.Err() != nil {
			break
		}
		list, err := i.list(limited)
		if err == nil && len(i.inScope(i.added(list.Tokens))) > 0 {
			return list, nil
		}
		if err == nil || last == nil || len(i.added(last.Tokens)) == 0 {
			last, failed = list, err
		}
	}
	if last == nil {
		return nil, cmp.Or(failed, errors.New("no time was left to list the tokens"))
	}
	return last, nil
}

// rejected reports whether the service does not know the secret that was used.
func rejected(err error) bool {
	return errors.Is(err, utho.ErrUnauthorized) || errors.Is(err, utho.ErrForbidden)
}

// confirm finds the new token in the list, for its id and its scope, which nothing else tells. What cannot be told
// is a warning and leaves issued without an id; a scope that is not the one asked for is rolled back and an error.
func (i *issuance) confirm(ctx, grace context.Context) error {
	list, err := i.look(ctx, grace, toConfirm)
	name := quote(i.req.Name)
	if err != nil {
		if ctx.Err() == nil {
			i.Warn("the id and scope of %s are not confirmed, because the list failed: %v", name, err)
		}
		return nil
	}
	added := i.added(list.Tokens)
	switch inScope := i.inScope(added); {
	case len(added) == 0:
		i.Warn("the id and scope of %s are not confirmed, because the list does not show it yet", name)
	case len(added) == 1:
		i.issued.Token = added[0]
		if len(inScope) == 0 {
			return i.rollback(ctx, grace, nil,
				fmt.Errorf("the service created it with the scope %s instead of %s", added[0].Scope, i.req.Scope))
		}
		i.checkStamp(list)
	case len(inScope) == 0:
		return i.outcome(NextLook, nil, idsOf(added), "one of the new tokens %s, named %s, was just created, and none has the scope %s;"+
			" its secret was not given out", candidates(added), name, i.req.Scope)
	default:
		i.Warn("the id and scope of this token are not confirmed, because %d new tokens are named %s: %s", len(added), name, candidates(added))
	}
	return nil
}

// checkStamp warns if the service stamps another zone than the profile's: ages would be off by hours.
func (i *issuance) checkStamp(list *utho.TokenList) {
	at := i.issued.Token.CreatedAt
	off := at.Sub(list.ServerTime)
	if at.IsZero() || list.ServerTime.IsZero() || off.Abs() <= 5*time.Minute {
		return
	}
	_, now := at.Zone()
	fits := (time.Duration(now)*time.Second + off.Round(15*time.Minute)).Round(time.Minute)
	if fits.Abs() > 14*time.Hour { // no zone is as far as that
		i.Warn("the service stamped the new token %s off its own clock, so ages may be wrong", expiry.Human(off.Abs()))
		return
	}
	zone := time.Unix(0, 0).In(time.FixedZone("", int(fits.Seconds()))).Format("-07:00")
	i.Warn("ages are off by %s: the service's time stamps fit time_zone: %q in the profile", expiry.Human(off.Abs()), zone)
}

// deliver takes the secret to every place. A signal leaves some seconds, and is named if it cut the delivery short.
func (i *issuance) deliver(ctx, grace context.Context, to Destinations) (own string, err error) {
	limited, done := bounded(ctx, grace, deliverWithin, answerWithin)
	defer done()
	own, err = to.Deliver(limited, i.issued)
	if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(err, cause) {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	return own, err
}

// verifySecret lists with the new secret. Without an answer nothing is verified.
func (i *issuance) verifySecret(ctx context.Context) error {
	defer i.Waiting("waiting for the new secret to be accepted")()
	err := i.probe(ctx, true)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, utho.ErrUnavailable):
		return fmt.Errorf("the new secret could not be verified: %w", err)
	}
	// Without its kind: it is not the credential in use that is rejected.
	return errors.New("the new secret could not be verified: " + opless(err))
}

// probe lists with the new secret until it is accepted, or refused if accepted is false, or the service does not
// say: nothing tells how soon a new token works, and a deleted one no longer does. It returns the last answer.
func (i *issuance) probe(ctx context.Context, accepted bool) error {
	client, err := i.Client.WithSecret(i.issued.Secret)
	if err != nil {
		return err
	}
	until := time.Now().Add(probeWithin)
	for wait := 200 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		_, err = listWith(ctx, client, i.Timeout)
		if (err == nil) == accepted || err != nil && !rejected(err) || time.Now().Add(wait).After(until) {
			return err
		}
		pause(ctx, wait)
		if ctx.Err() != nil {
			return err
		}
	}
}

// rollback restores the places and deletes the new token after something went wrong; to is nil if nothing was
// delivered yet. The token is deleted only if every place that utho wrote is known to be as it was: else somebody
// may hold the new secret, and both tokens stay.
func (i *issuance) rollback(ctx, grace context.Context, to Destinations, cause error) error {
	if i.old != "" {
		// What the places held before works no longer if somebody deleted the old token meanwhile.
		if list, err := i.list(grace); err == nil && !contains(list.Tokens, i.old) {
			cause = fmt.Errorf("%w; the old token %s has gone meanwhile", cause, i.old)
			i.old = ""
			if to != nil {
				_, holders, _ := to.Holds(grace, sha256.Sum256([]byte(i.issued.Secret))) // those that can be read
				if len(holders) > 0 {
					return i.bothStay(Undone{Kept: holders}, cause)
				}
			}
		}
	}
	var undone Undone
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

// bothStay is a delivery that failed and could not be undone everywhere.
func (i *issuance) bothStay(undone Undone, cause error) error {
	where := said(undone.Unknown, "may hold the new secret") + said(undone.Kept, "has the new secret") +
		said(undone.Restored, "does not have it")
	id, next, stay := i.issued.Token.ID, NextDelete, "the new token %s stays"
	if i.old != "" {
		next, stay = NextFinishOrDrop, "both tokens stay, the old "+i.old+" and the new %s"
	}
	ids := []string{id}
	switch {
	case id == "":
		next, ids = NextLook, nil
	case i.old != "" && len(undone.Unknown)+len(undone.Kept) == 0: // nobody has the new secret
		next = NextDeleteAgain
	}
	return i.outcome(next, cause, ids, stay+": "+strings.TrimPrefix(where, "; "), named(id, i.req.Name))
}

// identify finds the one added token of the name.
func (i *issuance) identify(grace context.Context) (string, error) {
	list, err := i.look(grace, grace, toConfirm)
	if err != nil {
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
	err := i.probe(limited, false)
	switch {
	case rejected(err):
		return nil
	case err == nil:
		return i.outcome(NextLook, nil, []string{id}, "token %s was deleted, but the secret that was just created still works:"+
			" another new token named %s is its own", id, quote(i.req.Name))
	}
	list, listErr := i.list(grace)
	if listErr != nil || contains(list.Tokens, id) {
		return i.outcome(NextLook, err, []string{id},
			"token %s was deleted, but could not verify that its secret was revoked", id)
	}
	// The service answers, but not to this secret: the list has to do.
	i.Warn("token %s is deleted; could not verify that its secret was revoked: %v", id, err)
	return nil
}
