package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/output"
	"github.com/utho/utho-cli/pkg/utho"
)

// deleteRequest is what `token delete` was asked.
type deleteRequest struct {
	selectors
	args, except               []string
	yes, dryRun, ignoreMissing bool
}

func (a *app) deleteTokenCommand() *cobra.Command {
	var req deleteRequest
	cmd := &cobra.Command{
		Use:     "delete {ID|NAME... | SELECTORS}",
		Aliases: []string{"rm", "revoke"},
		Short:   "Delete API tokens, for good",
		Long: `Delete API tokens, by id or name or by selectors, which combine with AND. A
deleted token stops working at once and cannot be brought back.`,
		Example: `  utho token delete 10000
  utho token delete --expired --yes
  utho token delete --name 'ci-*' --older-than 90d --except 10007`,
		ValidArgsFunction: a.completeTokens(-1),
	}
	req.bind(cmd)
	f := cmd.Flags()
	f.StringArrayVar(&req.except, "except", nil, "with selectors: not this `ID|NAME` (repeatable)")
	f.BoolVarP(&req.yes, "yes", "y", false, "do not ask")
	f.BoolVar(&req.dryRun, "dry-run", false, "say what would be deleted, delete nothing")
	f.BoolVar(&req.ignoreMissing, "ignore-missing", false, "a token that is not there is no error")
	_ = cmd.RegisterFlagCompletionFunc("except", a.completeTokens(-1))
	cmd.RunE = a.body(func(ctx context.Context, args []string) error {
		req.args = args
		return a.deleteTokens(ctx, req)
	})
	return cmd
}

func (a *app) deleteTokens(soft context.Context, req deleteRequest) error {
	if err := noneEmpty(slices.Concat(req.args, req.except)...); err != nil {
		return err
	}
	switch {
	case len(req.args) > 0 && req.set:
		return usagef("token delete takes ids and names, or selectors, not both").with("utho token delete --help")
	case len(req.args) == 0 && !req.set:
		return usagef("token delete needs an ID or NAME, or a selector such as --expired").with("utho token delete --help")
	case len(req.args) > 0 && len(req.except) > 0:
		return usagef("--except goes with selectors, not with ids and names")
	case !req.yes && !req.dryRun && !a.canAsk():
		return usagef("token delete asks first, and %s", a.cannotAsk()).with("to delete without being asked, add --yes")
	}
	format, err := a.format(docFormats)
	if err != nil {
		return err
	}
	s, err := a.resolve(soft)
	if err != nil {
		return err
	}
	list, err := s.list(soft)
	if err != nil {
		return err
	}
	if req.usesClock() {
		a.mentionClock(list)
	}
	chosen, err := a.choose(list, req)
	if err != nil {
		return err
	}
	if err := a.refuseOwn(s, chosen, req); err != nil {
		return err
	}
	work := make([]*deletion, len(chosen))
	for i, t := range chosen {
		work[i] = &deletion{ID: t.ID, Name: t.Name}
	}
	if req.dryRun {
		return a.writeDeletions(format, work, true)
	}
	if len(work) == 0 {
		if a.terminal() { // cron mails every word
			a.note("no token matches; nothing was deleted")
		}
		return a.writeDeletions(format, work, false)
	}
	if !req.yes {
		if err := a.askToDelete(soft, chosen); err != nil {
			return err
		}
	}
	end, err := a.sig.shield()
	if err != nil {
		return err
	}
	defer end()
	stopped := a.runDeletions(soft, s, work)
	a.settle(soft, s, work)
	a.mentionOwn(s, work)
	unwritten := a.writeDeletions(format, work, false)
	err = a.deletionError(soft, req, work, stopped)
	if err == nil {
		return unwritten
	}
	if unwritten != nil {
		f := classify(err)
		f.msg += "\n" + unwritten.Error()
		return f
	}
	return err
}

// choose resolves every argument, or the selectors, before the first change.
func (a *app) choose(list *utho.TokenList, req deleteRequest) ([]utho.Token, error) {
	if len(req.args) > 0 {
		return a.findAll(list.Tokens, req.args, req.ignoreMissing)
	}
	except, err := a.findAll(list.Tokens, req.except, req.ignoreMissing)
	if err != nil {
		return nil, fmt.Errorf("--except: %w", err)
	}
	spare := ids(except)
	at := now(list)
	return matching(list.Tokens, func(t utho.Token) bool { return !spare[t.ID] && req.match(t, at) }), nil
}

// findAll finds what each argument means, each token once.
func (a *app) findAll(tokens []utho.Token, args []string, ignoreMissing bool) ([]utho.Token, error) {
	var found []utho.Token
	seen := map[string]bool{}
	for _, arg := range args {
		t, err := a.find(tokens, arg)
		var f *failure
		if ignoreMissing && errors.As(err, &f) && f.exit == exitNotFound {
			a.note("%s; that is ignored", f.msg)
			continue
		}
		if err != nil {
			return nil, err
		}
		if !seen[t.ID] {
			found = append(found, t)
		}
		seen[t.ID] = true
	}
	return found, nil
}

// refuseOwn keeps the token that the profile is known to use from going by
// accident: it needs --yes and its id. Where it goes with others it goes last,
// since nothing can be deleted after it.
func (a *app) refuseOwn(s *session, chosen []utho.Token, req deleteRequest) error {
	if s.tokenID == "" {
		return nil
	}
	i := slices.IndexFunc(chosen, func(t utho.Token) bool { return t.ID == s.tokenID })
	if i < 0 {
		return nil
	}
	own := chosen[i]
	if !req.dryRun && (!req.yes || !slices.Contains(req.args, own.ID)) {
		f := usagef("token %s %s is the one that the profile %s uses; nothing was deleted", own.ID, quoteText(own.Name), s.profile)
		if req.set {
			return f.with("leave it out with --except %s; deleting it needs its id and --yes", quote(own.ID))
		}
		return f.with("deleting it needs its id and --yes: %s", a.about([]string{own.ID}, "token", "delete", "--yes"))
	}
	copy(chosen[i:], chosen[i+1:])
	chosen[len(chosen)-1] = own
	return nil
}

// mentionOwn says what follows where the profile's own token has gone.
func (a *app) mentionOwn(s *session, work []*deletion) {
	var gone []string
	for _, d := range work {
		if d.Deleted {
			gone = append(gone, d.ID)
		}
	}
	a.mentionUsers(s, gone...)
	last := work[len(work)-1]
	if s.tokenID == "" || last.ID != s.tokenID || !last.Deleted {
		return
	}
	a.note("profile %s used this token; log in again with: utho -p %s login", s.profile, quote(s.profile))
	if err := a.knownToken(a.sig.hard, s.profile, ""); err != nil {
		a.note("warning: %v", err)
	}
}

// mentionUsers names the other profiles of this machine that are known to use
// tokens that have gone.
func (a *app) mentionUsers(s *session, gone ...string) {
	file, err := a.config()
	if err != nil {
		return // the tokens have gone whatever the file is like
	}
	for _, p := range file.Profiles() {
		origin, err := utho.Origin(addressOf(p))
		if err == nil && origin == s.origin && p.Name != s.profile && p.TokenID != "" && slices.Contains(gone, p.TokenID) {
			a.note("warning: profile %s used token %s, which has gone; log in again with: utho -p %s login", p.Name, p.TokenID, quote(p.Name))
		}
	}
}

func (a *app) askToDelete(soft context.Context, chosen []utho.Token) error {
	for _, t := range chosen {
		a.stderr("  " + output.Safe(describe(t)))
	}
	return a.ask(soft, "Delete "+plural(len(chosen), "token")+" for good?")
}
