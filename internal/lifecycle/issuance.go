package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/utho/utho-cli/internal/expiry"
	"github.com/utho/utho-cli/pkg/utho"
)

// issuance is one token between the POST and the moment its secret has arrived or the token is gone again. Create,
// Rotate and Lend share it: a secret that the service shows once is lost or leaked here or nowhere.
type issuance struct {
	*Session
	req    utho.CreateTokenRequest
	unique bool            // utho chose the name: a token of that name is this one
	before map[string]bool // the ids that there were before
	old    string          // of a rotation: the id of the token that still works

	issued Issued
}

func (s *Session) newIssuance(req utho.CreateTokenRequest, list *utho.TokenList) *issuance {
	i := &issuance{Session: s, req: req, before: map[string]bool{}, issued: Issued{Now: Now(list)}}
	for _, t := range list.Tokens {
		i.before[t.ID] = true
	}
	i.issued.Token = utho.Token{Name: req.Name, Scope: req.Scope}
	return i
}

// post creates the token, once. If the answer is lost it finds out what happened, and the error says what is left.
func (i *issuance) post(ctx, grace context.Context) error {
	if ctx.Err() != nil {
		return &NotCreatedError{Name: i.req.Name, Old: i.old, Err: context.Cause(ctx)}
	}
	defer i.Waiting("waiting for the service to create the token")()
	limited, cancel := context.WithTimeout(grace, i.Timeout)
	defer cancel()
	limited, done := withGrace(limited, ctx, answerWithin)
	defer done()
	created, err := i.Client.CreateToken(limited, i.req)
	switch {
	case err == nil:
		i.issued.Secret = created.Secret
		return nil
	case errors.Is(err, utho.ErrOutcomeUnknown):
		return i.findLost(ctx, grace, err)
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = context.Cause(ctx)
	}
	return &NotCreatedError{Name: i.req.Name, Old: i.old, Err: err}
}

// findLost lists 0, 1 and 3 s after an answer that was lost. A token that is found is deleted only if its name can
// be nobody else's.
func (i *issuance) findLost(ctx, grace context.Context, lost error) error {
	cause := errors.New(opless(lost)) // its kind is this package's to tell
	var listErr error
	for _, wait := range []time.Duration{0, time.Second, 2 * time.Second} {
		if wait > 0 {
			pause(wait, ctx, grace)
		}
		var list *utho.TokenList
		if list, listErr = i.list(grace); listErr != nil {
			continue
		}
		found := i.added(list.Tokens)
		if len(found) == 0 {
			continue
		}
		if len(found) > 1 {
			return &OutcomeError{
				Left: fmt.Sprintf("one of the new tokens %s, named %s, was just created, and its secret is lost", candidates(found), quote(i.req.Name)),
				Next: NextLook, IDs: idsOf(found), Old: i.old, Err: cause,
			}
		}
		i.issued.Token = found[0]
		left := &OutcomeError{
			Left: fmt.Sprintf("token %s %s was created, but its secret is lost", found[0].ID, quote(i.req.Name)),
			Next: NextDeleteAgain, IDs: idsOf(found), Old: i.old, New: found[0].ID, Err: cause,
		}
		if !i.unique {
			return left
		}
		if err := i.remove(ctx, grace, i.Client, found[0].ID, deleteWithin); err != nil {
			left.Left += ", and deleting it failed"
			left.Err = fmt.Errorf("%s; %w", cause, err)
			return left
		}
		return &RolledBackError{Name: i.req.Name, Err: fmt.Errorf("the answer to the create was lost: %w", cause)}
	}
	if listErr != nil {
		return &OutcomeError{
			Left: fmt.Sprintf("a token %s may have been created, and its secret is lost; the list failed too (%s)", quote(i.req.Name), listErr),
			Next: NextLook, Old: i.old, Err: cause,
		}
	}
	after := " after 3 s"
	if ctx.Err() != nil {
		after = ""
	}
	return &OutcomeError{
		Left: fmt.Sprintf("there is no new token named %s%s; it may still appear, and its secret is lost", quote(i.req.Name), after),
		Next: NextLook, Old: i.old, Err: cause,
	}
}

// list is one look at the tokens after a create.
func (i *issuance) list(ctx context.Context) (*utho.TokenList, error) {
	return listWith(ctx, i.Client, min(listWithin, i.Timeout))
}

// added are the tokens of the name that were not there before.
func (i *issuance) added(tokens []utho.Token) []utho.Token {
	return filter(tokens, func(t utho.Token) bool { return !i.before[t.ID] && t.Name == i.req.Name })
}

// inScope are those of the tokens that have the scope that was asked for.
func (i *issuance) inScope(tokens []utho.Token) []utho.Token {
	return filter(tokens, func(t utho.Token) bool { return t.Scope == i.req.Scope })
}

// look lists until enough of the added tokens are there, or ctx or the time that a signal leaves ends. It returns
// the last list that came, or why none did.
func (i *issuance) look(ctx, grace context.Context, enough func(added []utho.Token) bool) (*utho.TokenList, error) {
	defer i.Waiting("waiting for the new token to show in the list")()
	limited, cancel := context.WithTimeout(grace, confirmWithin)
	defer cancel()
	limited, done := withGrace(limited, ctx, confirmInGrace)
	defer done()
	var last *utho.TokenList
	var failed error
	for wait := 250 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		list, err := i.list(limited)
		switch {
		case err == nil:
			last = list
			if enough(i.added(list.Tokens)) || ctx.Err() != nil && len(i.added(list.Tokens)) == 0 {
				return last, nil
			}
		case ctx.Err() != nil || permanent(limited, err):
			return last, err
		case failed == nil || limited.Err() == nil: // that the time has ended says less
			failed = err
		}
		pause(wait, limited)
		if limited.Err() != nil {
			return last, failed
		}
	}
}

// permanent reports whether a list that failed would fail again.
func permanent(ctx context.Context, err error) bool {
	var e *utho.Error
	until, limited := ctx.Deadline()
	return errors.Is(err, utho.ErrUnauthorized) || errors.Is(err, utho.ErrForbidden) ||
		limited && errors.As(err, &e) && e.RetryAfter > time.Until(until)
}

// confirm finds the new token in the list, for its id and its scope, which nothing else tells. What cannot be told
// is a warning and leaves issued unconfirmed; a scope that is not the one asked for is rolled back and an error.
func (i *issuance) confirm(ctx, grace context.Context) error {
	var until time.Time
	list, err := i.look(ctx, grace, func(added []utho.Token) bool {
		switch {
		case len(added) == 0:
			return false
		case i.unique || len(i.inScope(added)) > 0:
			return true
		case until.IsZero(): // it may be somebody else's that shows before this one does
			until = time.Now().Add(min(inScopeWithin, confirmWithin))
		}
		return !time.Now().Before(until)
	})
	if list == nil {
		if ctx.Err() == nil {
			i.Warn("the id and scope of %s are not confirmed, because the list failed: %v", quote(i.req.Name), err)
		}
		return nil
	}
	added := i.added(list.Tokens)
	switch inScope := i.inScope(added); {
	case len(added) == 0:
		i.Warn("the id and scope of %s are not confirmed, because the list does not show it yet", quote(i.req.Name))
	case len(added) == 1 && len(inScope) == 1:
		i.issued.Token, i.issued.Confirmed = added[0], true
		i.checkStamp(list)
	case len(added) == 1:
		i.issued.Token = added[0]
		wrong := fmt.Errorf("the service created it with the scope %s instead of %s", added[0].Scope, i.req.Scope)
		return i.rollback(ctx, grace, nil, wrong)
	case len(inScope) == 0:
		return &OutcomeError{
			Left: fmt.Sprintf("one of the new tokens %s, named %s, was just created, and none has the scope %s; its secret was not given out",
				candidates(added), quote(i.req.Name), i.req.Scope),
			Next: NextLook, IDs: idsOf(added), Old: i.old,
		}
	default:
		i.Warn("the id and scope of this token are not confirmed, because %d new tokens are named %s: %s", len(added), quote(i.req.Name), candidates(added))
	}
	return nil
}

// checkStamp warns if the service stamps another zone than the profile's: ages would be off by hours, and
// --older-than would match a new token.
func (i *issuance) checkStamp(list *utho.TokenList) {
	at := i.issued.Token.CreatedAt
	off := at.Sub(list.ServerTime)
	if at.IsZero() || list.ServerTime.IsZero() || off.Abs() <= 5*time.Minute {
		return
	}
	_, now := at.Zone()
	fits := (time.Duration(now)*time.Second + off.Round(15*time.Minute)).Round(time.Minute)
	zone := time.Unix(0, 0).In(time.FixedZone("", int(fits.Seconds()))).Format("-07:00")
	i.Warn("ages are off by %s: the service's time stamps fit time_zone: %q in the profile", expiry.Human(off.Abs()), zone)
}
