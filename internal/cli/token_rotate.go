package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/expiry"
	"github.com/utho/utho-cli/pkg/utho"
)

// provedFor is how long a new secret that is refused is tried again: nothing
// says how soon a new token works.
const provedFor = 10 * time.Second

// rotateRequest is what `token rotate` was asked.
type rotateRequest struct {
	arg      string
	to       []string
	lifetime time.Duration // of --expires-in; 0 for that of the old token
	keepOld  bool
	yes      bool
}

func (a *app) rotateCommand() *cobra.Command {
	var req rotateRequest
	cmd := &cobra.Command{
		Use:   "rotate ID|NAME",
		Short: "Replace a token: new secret, same name and scope",
		Long: `Make a token of the same name and scope, prove its secret by using it, deliver
it, and only then delete the old token. Whatever fails on the way, the old secret
still works or the new one has been delivered. An expiry in the name is renewed
for the same length.

Where utho is killed on the way, the same command again finishes the rotation or
says exactly what stands.

` + notEnforced,
		Example: `  utho token rotate ci --yes --to env:.env
  TOKEN=$(utho token rotate 10000 --yes)`,
		Args:              a.one("one ID or NAME"),
		ValidArgsFunction: a.completeTokens(1),
	}
	f := cmd.Flags()
	f.StringArrayVar(&req.to, "to", nil, "take the new secret to `DEST` (repeatable): stdout, file:PATH, env:PATH#NAME, profile:NAME, exec:COMMAND")
	f.Var((*lifetimeFlag)(&req.lifetime), "expires-in", "write this expiry into the name: 90m, 36h, 30d, 12w")
	f.BoolVar(&req.keepOld, "keep-old", false, "do not delete the old token")
	f.BoolVarP(&req.yes, "yes", "y", false, "do not ask")
	_ = cmd.RegisterFlagCompletionFunc("to", completeDestinations)
	noFiles(cmd, "expires-in")
	cmd.RunE = a.body(func(ctx context.Context, args []string) error {
		req.arg = args[0]
		return a.rotateToken(ctx, req)
	})
	return cmd
}

// rotation is one rotation under way.
type rotation struct {
	*making
	req     rotateRequest
	old     utho.Token
	record  *rotationRecord
	dests   *destinations
	updates bool // the profile's own secret is replaced too
}

func (a *app) rotateToken(soft context.Context, req rotateRequest) error {
	hard := a.sig.hard
	if err := noneEmpty(req.arg); err != nil {
		return err
	}
	out, err := a.secretOutput(req.to)
	if err != nil {
		return err
	}
	if !req.yes && !req.keepOld && !a.canAsk() {
		return usagef("token rotate deletes the old token and asks first, and %s", a.cannotAsk()).
			with("to rotate without being asked, add --yes; to keep the old token, --keep-old")
	}
	s, err := a.resolve(soft)
	if err != nil {
		return err
	}
	records, err := a.rotationRecords(s)
	if err != nil {
		return err
	}
	ended := records.ended()
	list, err := s.list(soft)
	if err != nil {
		return err
	}
	old, err := a.findRotated(list.Tokens, records, req.arg)
	if err != nil {
		if classify(err).exit == exitNotFound {
			if done, err := a.gone(records, list, req, out); done {
				return err
			}
		}
		return err
	}
	records.prune(list.Tokens)
	release, err := records.lock(old.ID)
	if err != nil {
		return err
	}
	defer release()
	earlier, err := records.read(old.ID)
	if err != nil {
		return err
	}
	if earlier != nil {
		if list, err = earlier.await(soft, s, list); err != nil {
			return err
		}
		if done, err := a.resume(soft, s, earlier, old, list, req, out); done || err != nil {
			return err
		}
	}
	name, err := rotatedName(old, req.lifetime, now(list))
	if err != nil {
		return err
	}

	r := &rotation{
		making: &making{a: a, s: s, before: ids(list.Tokens), req: utho.CreateTokenRequest{Name: name, Scope: old.Scope}},
		req:    req,
		old:    old,
	}
	r.updates = s.tokenID == old.ID && s.tokenID != "" && s.store != nil
	if r.dests, err = a.destinations(s, out); err != nil {
		return err
	}
	defer r.dests.close()
	if r.updates {
		r.dests.leaveOut(s.profile)
		r.dests.addOwn(s)
	}
	if err := r.dests.prepare(soft); err != nil {
		return err
	}
	asks := !req.yes && !req.keepOld
	if asks {
		a.stderr("  " + describe(old))
		if err := a.ask(soft, "Replace its secret and delete the old token for good?"); err != nil {
			return err
		}
	}
	// A person takes their time, and another rotation may have come to its end
	// between the list and the lock: what was there before says little then.
	if asks || records.ended() != ended {
		if list, err = s.list(soft); err != nil {
			return err
		}
		if !ids(list.Tokens)[old.ID] {
			return failf(exitNotFound, "not_found", "token %s %s has gone meanwhile; nothing was created", old.ID, quoteText(old.Name)).
				with("%s", a.command("token", "list", "-o", "wide"))
		}
		r.before = ids(list.Tokens)
		// The expiry counts from now on, not from before the question.
		if r.making.req.Name, err = rotatedName(old, req.lifetime, now(list)); err != nil {
			return err
		}
	}
	if earlier != nil && earlier.mayAppear() && earlier.NewName == r.making.req.Name {
		// The service's stamps and its clock are whole seconds, and may be two clocks.
		r.since = now(list).Add(-2 * time.Second)
	}
	end, err := a.sig.shield()
	if err != nil {
		return err
	}
	defer end()
	if r.record, err = records.begin(r, list.Tokens); err != nil {
		return err
	}
	out.replaced = &old
	if err := r.run(soft, hard, out, a.views(now(list))); err != nil || req.keepOld {
		return err
	}
	end() // nothing is open any more
	a.warnOwn(soft, r)
	return nil
}

// run is the rotation from the POST on. The record says at each moment how far
// it came.
func (r *rotation) run(soft, hard context.Context, out *secretOutput, v views) error {
	a := r.a
	if err := r.post(soft, hard); err != nil {
		if r.token.ID != "" { // its answer was lost; a record that cannot be written says less
			_ = r.record.reach(stageMade, r.token.ID)
		}
		r.record.endUnless(exitUnknown, err)
		return r.oldWorks(err)
	}
	if err := r.record.reach(stageMade, ""); err != nil {
		return r.giveUp(hard, err)
	}
	if err := r.confirm(soft, hard); err != nil {
		r.record.endUnless(exitUnknown, err)
		return r.oldWorks(err)
	}
	if err := r.record.reach(stageMade, r.token.ID); err != nil {
		return r.giveUp(hard, err)
	}
	if err := r.prove(soft); err != nil {
		return r.giveUp(hard, fmt.Errorf("rotate %s: %w", r.old.ID, err))
	}
	if soft.Err() != nil {
		return r.giveUp(hard, fmt.Errorf("rotate %s: %w", r.old.ID, context.Cause(soft)))
	}
	if err := r.record.reach(stageDelivering, r.token.ID); err != nil {
		return r.giveUp(hard, err)
	}
	a.mask(r.secret, r.dests)
	out.show(r.token, v)
	r.dests.made(r.token)
	if err := r.dests.deliver(soft, hard, r.secret); err != nil {
		return r.giveUp(hard, fmt.Errorf("rotate %s: %w", r.old.ID, err))
	}
	if r.req.keepOld {
		r.record.end()
		a.created(r.making, r.s, r.dests)
		a.note("the old token %s %s is kept; delete it with: %s", r.old.ID, quoteText(r.old.Name), a.deleteCommand(r.old.ID))
		return nil
	}
	recordErr := r.record.reach(stageDelivered, r.token.ID)
	a.created(r.making, r.s, r.dests)
	if err := r.retire(hard); err != nil {
		return err
	}
	if recordErr != nil {
		a.note("warning: %v", recordErr)
	}
	r.record.over()
	a.note("deleted the old token %s", r.old.ID)
	a.mentionUsers(r.s, r.old.ID)
	return nil
}

// oldWorks adds what matters most in a rotation that failed.
func (r *rotation) oldWorks(err error) error {
	f := classify(err)
	f.msg += fmt.Sprintf("; the old token %s still works", r.old.ID)
	return f
}

// giveUp takes the new token back; the old one has not been touched.
func (r *rotation) giveUp(hard context.Context, cause error) error {
	err := r.takeBack(hard, cause)
	r.record.endUnless(exitUnknown, err)
	return r.oldWorks(err)
}

// prove lists with the new secret. A rejection is tried again for a while;
// without any answer nothing is proved.
func (r *rotation) prove(soft context.Context) error {
	probe, err := r.s.with(r.secret)
	if err != nil {
		return said("prove the new secret", err)
	}
	deadline := time.Now().Add(provedFor)
	for wait := 200 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		_, err = listWith(soft, probe, r.s.timeout)
		rejected := errors.Is(err, utho.ErrUnauthorized) || errors.Is(err, utho.ErrForbidden)
		switch {
		case err == nil:
			return nil
		case soft.Err() != nil:
			return context.Cause(soft)
		case !rejected && errors.Is(err, utho.ErrUnavailable):
			r.mute = true
			return said("prove the new secret", err)
		case !rejected:
			return failf(exitError, "error", "%w", said("prove the new secret", err))
		case time.Now().Add(wait).After(deadline):
			return failf(exitError, "error", "%w", said("prove the new secret: the service rejects it", err))
		}
		pause(soft, wait)
	}
}

// retire deletes the old token, with the new secret where it may, and says what
// stands where that fails. The new secret has been delivered.
func (r *rotation) retire(hard context.Context) error {
	client := r.s.client
	if r.old.Scope == utho.ScopeWrite {
		var err error
		if client, err = r.s.with(r.secret); err != nil {
			client = r.s.client
		}
	}
	soft := r.a.sig.soft
	err := removeToken(soft, hard, client, r.old.ID, r.s.timeout)
	if err != nil && client != r.s.client && hard.Err() == nil {
		err = removeToken(soft, hard, r.s.client, r.old.ID, r.s.timeout)
	}
	if err == nil {
		return nil
	}
	return stillBoth(r.a, r.old.ID, r.token.ID, err)
}

// stillBoth is the error of a rotation whose new secret was delivered and whose
// old token is still there.
func stillBoth(a *app, oldID, newID string, err error) error {
	what := "the new token"
	if newID != "" {
		what += " " + newID
	}
	and := "still works too"
	if errors.As(err, new(unseenError)) {
		and = "may still work too"
	}
	return failf(exitUnknown, "unknown_outcome", "%w; %s works and its secret was delivered, and the old token %s %s", said("delete the old token "+oldID, err), what, oldID, and).
		with("%s", a.deleteCommand(oldID))
}

// rotatedName is the name of the new token: the old one's, with its expiry
// renewed for the same length, or the one asked for.
func rotatedName(old utho.Token, lifetime time.Duration, at time.Time) (string, error) {
	base, until, ok := expiry.Split(old.Name)
	if !ok {
		base = old.Name
	}
	switch {
	case lifetime > 0:
		return withExpiry(base, at.Add(lifetime))
	case !ok:
		return old.Name, nil
	case old.CreatedAt.IsZero() || !until.After(old.CreatedAt):
		return "", usagef("rotate %s: how long %s was to live cannot be told from %q and its creation time %q", old.ID, quoteText(base), until.Format(time.RFC3339), old.CreatedRaw).
			with("say it with --expires-in")
	}
	// The suffix is in whole minutes, rounded up, and the creation is stamped a
	// moment after: without this a token would live longer by every rotation.
	left := until.Sub(old.CreatedAt)
	lifetime = (left + 2*time.Second).Truncate(time.Minute)
	// A token made in the first seconds of a minute looks a minute longer: people
	// type round numbers.
	if shorter := lifetime - time.Minute; left <= lifetime && shorter > 0 && shorter%(5*time.Minute) == 0 {
		lifetime = shorter
	}
	return withExpiry(base, at.Add(max(lifetime, time.Minute)))
}

func withExpiry(base string, at time.Time) (string, error) {
	name, err := expiry.Append(base, at)
	if err != nil {
		return "", usagef("%w", err)
	}
	return name, nil
}

// warnOwn says so where the credential in use has stopped working, which means
// that it was the token that was rotated, and utho could not know.
func (a *app) warnOwn(soft context.Context, r *rotation) {
	if r.updates {
		return
	}
	if _, err := listWith(soft, r.s.client, min(lastLook, r.s.timeout)); !errors.Is(err, utho.ErrUnauthorized) {
		return
	}
	where := "profile " + r.s.profile
	if r.s.profile == "" {
		where = r.s.source
	}
	a.note("warning: the credential in %s no longer works: it was the token that was rotated; put the new secret there", where)
}
