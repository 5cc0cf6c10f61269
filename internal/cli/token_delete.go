package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/lifecycle"
	"github.com/utho/utho-cli/internal/output"
	"github.com/utho/utho-cli/pkg/utho"
)

// deleteRequest is what `token delete` was asked for.
type deleteRequest struct {
	selectors
	args                       []string
	yes, dryRun, ignoreMissing bool
}

func newDelete(p *program) *cobra.Command {
	var r deleteRequest
	cmd := &cobra.Command{
		Use:     "delete {ID|NAME... | SELECTORS}",
		Aliases: []string{"rm", "revoke"},
		Short:   "Delete tokens, for good",
		Long: `Delete tokens, by id or name or by selectors, which combine with AND. A deleted token
stops working at once and cannot be restored. --expired deletes every token whose
expiry has passed, in use or not.`,
		Example: `  utho token delete 10000
  utho token delete --expired --yes
  utho token delete --name 'ci-*' --older-than 90d --except 10007`,
		ValidArgsFunction: p.completeTokens(-1),
	}
	r.bind(p, cmd)
	f := cmd.Flags()
	f.BoolVarP(&r.yes, "yes", "y", false, "do not ask")
	f.BoolVar(&r.dryRun, "dry-run", false, "say what would be deleted, delete nothing")
	f.BoolVar(&r.ignoreMissing, "ignore-missing", false, "a token that is not there is no error")
	cmd.RunE = p.runE(func(ctx context.Context, args []string) error {
		r.args = args
		return p.deleteTokens(ctx, r)
	})
	return cmd
}

func (r *deleteRequest) check(p *program) error {
	switch {
	case slices.Contains(r.args, ""):
		return emptyArgument()
	case len(r.args) > 0 && r.set():
		return hintf(usagef("token delete takes ids and names, or selectors, not both"), "utho token delete --help shows both")
	case len(r.args) == 0 && !r.set():
		return hintf(usagef("token delete needs an ID or NAME, or a selector such as --expired"), "utho token delete --help shows the selectors")
	case len(r.args) > 0 && len(r.except) > 0:
		return usagef("--except goes with selectors, not with ids and names")
	case !r.yes && !r.dryRun && !p.console.canAsk():
		return hintf(usagef("token delete asks first, and %s", p.console.cannotAsk()), "add --yes to delete without a question")
	}
	return nil
}

// emptyArgument refuses an empty ID or NAME, as from a variable that is not set.
func emptyArgument() error {
	return hintf(usagef("an ID or NAME is empty; nothing was changed"), "a token without a name is named by its id")
}

func (p *program) deleteTokens(ctx context.Context, r deleteRequest) error {
	if err := r.check(p); err != nil {
		return err
	}
	format, err := p.format(documentFormats)
	if err != nil {
		return err
	}
	s, err := p.connect(ctx)
	if err != nil {
		return err
	}
	list, err := s.List(ctx)
	if err != nil {
		return err
	}
	if r.usesClock() {
		p.warnClock(list)
	}
	chosen, err := p.choose(s, list, r)
	if err != nil {
		return err
	}
	if r.dryRun {
		return p.writeDeletions(format, planned(chosen), true)
	}
	if len(chosen) == 0 {
		if p.console.terminal() { // cron mails every word
			p.console.note("no token matches; nothing was deleted")
		}
		return p.writeDeletions(format, nil, false)
	}
	if !r.yes {
		if err := p.askToDelete(ctx, s, chosen); err != nil {
			return err
		}
	}
	end, err := p.signals.protect()
	if err != nil {
		return err
	}
	defer end()
	step, done := p.console.count(len(chosen), "deleting")
	all, stopped := s.Delete(ctx, p.signals.grace, chosen, s.item.TokenID, step)
	done()
	p.afterDelete(ctx, s, all)
	unwritten := p.writeDeletions(format, all, false)
	err = p.deletionError(s, r, all, stopped)
	switch {
	case unwritten == nil:
		return err
	case err != nil:
		return &linesError{err, []string{unwritten.Error()}}
	}
	if gone := deleted(all); len(gone) > 0 {
		return fmt.Errorf("deleted %s: %w", strings.Join(gone, ", "), unwritten)
	}
	return unwritten
}

// choose resolves every argument, or the selectors, before the first change.
func (p *program) choose(s *session, list *utho.TokenList, r deleteRequest) ([]utho.Token, error) {
	if len(r.args) > 0 {
		chosen, err := p.findAll(list, r)
		if err != nil {
			return nil, err
		}
		for _, t := range chosen {
			if t.ID == s.item.TokenID && t.ID != "" && (!r.yes || !slices.Contains(r.args, t.ID)) {
				return nil, hintf(usagef("token %s %s is the one that profile %s uses; nothing was deleted", t.ID, quoteText(t.Name), s.profile.Name),
					"deleting it needs its id and --yes: %s", p.route.about([]string{t.ID}, "token", "delete", "--yes"))
			}
		}
		return chosen, nil
	}
	chosen, err := r.choose(list)
	if err != nil {
		return nil, err
	}
	unfinished, err := p.unfinished(s, list.Tokens)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(chosen, func(t utho.Token) bool {
		switch {
		case t.ID == s.item.TokenID && t.ID != "":
			p.console.warn("token %s %s is left out: profile %s uses it", t.ID, quoteText(t.Name), s.profile.Name)
		case slices.Contains(unfinished, t.ID):
			p.console.warn("token %s %s is left out: its rotation is unfinished; go on with %s", t.ID, quoteText(t.Name), p.route.about([]string{t.ID}, "token", "rotate"))
		default:
			return false
		}
		return true
	}), nil
}

// findAll finds what each argument means, each token once.
func (p *program) findAll(list *utho.TokenList, r deleteRequest) ([]utho.Token, error) {
	var found []utho.Token
	for _, arg := range r.args {
		t, err := lifecycle.Find(list.Tokens, arg)
		if errors.As(err, new(*lifecycle.NotFoundError)) && r.ignoreMissing {
			p.console.note("%v; that is ignored", err)
			continue
		}
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(found, func(f utho.Token) bool { return f.ID == t.ID }) {
			found = append(found, t)
		}
	}
	return found, nil
}

func (p *program) askToDelete(ctx context.Context, s *session, chosen []utho.Token) error {
	for _, t := range chosen {
		p.console.plain("  " + describe(t))
	}
	if s.item.TokenID == "" && s.box == nil {
		p.console.note("utho does not know which token %s holds: it may be among these", s.from())
	}
	return p.console.ask(ctx, "Delete "+plural(len(chosen), "token")+" of "+p.whose(ctx, s)+"?")
}

func planned(tokens []utho.Token) []*lifecycle.Deletion {
	var all []*lifecycle.Deletion
	for _, t := range tokens {
		all = append(all, &lifecycle.Deletion{Token: t})
	}
	return all
}

func deleted(all []*lifecycle.Deletion) []string {
	var ids []string
	for _, d := range all {
		if d.Deleted {
			ids = append(ids, d.Token.ID)
		}
	}
	return ids
}

// deletionDoc is a deletion in JSON and YAML.
type deletionDoc struct {
	ID      string  `json:"id"`
	Name    string  `json:"name"`
	Deleted bool    `json:"deleted"`
	Error   *string `json:"error"`
}

func (p *program) writeDeletions(f format, all []*lifecycle.Deletion, dry bool) error {
	var text bytes.Buffer
	docs := []deletionDoc{}
	for _, d := range all {
		doc := deletionDoc{ID: d.Token.ID, Name: d.Token.Name, Deleted: d.Deleted}
		if !d.Deleted && !dry {
			reason := "not attempted"
			if d.Err != nil {
				reason = p.redact(d.Err.Error())
			}
			doc.Error = &reason
		}
		docs = append(docs, doc)
		if dry || d.Deleted {
			word := "deleted "
			if dry {
				word = "would delete "
			}
			text.WriteString(word + output.Safe(d.Token.ID+" "+d.Token.Name) + "\n")
		}
	}
	switch f {
	case formatJSON:
		return output.JSONList(p.out, slices.Values(docs))
	case formatYAML:
		return output.YAMLList(p.out, slices.Values(docs))
	}
	_, err := p.out.Write(text.Bytes())
	return err
}

// deletionError is the end of a delete: nil if all went, the one error if all failed the
// same way, else a partial failure that names each.
func (p *program) deletionError(s *session, r deleteRequest, all []*lifecycle.Deletion, stopped error) error {
	var failed, remaining []*lifecycle.Deletion
	for _, d := range all {
		if !d.Deleted {
			remaining = append(remaining, d)
		}
		if !d.Deleted && d.Err != nil {
			failed = append(failed, d)
		}
	}
	gone := deleted(all)
	switch {
	case len(remaining) == 0:
		return nil
	case errors.Is(stopped, utho.ErrUnauthorized):
		return p.rejectedMidway(s, all, remaining, gone, stopped)
	case len(all) == 1 && len(failed) == 1:
		return failed[0].Err
	case len(failed) == 0: // a signal stopped them
		return &linesError{fmt.Errorf("%w; %s not attempted", stopped, plural(len(remaining), "deletion")), remainingLines(remaining)}
	}
	same := len(gone) == 0
	for _, d := range failed[1:] {
		same = same && exitOf(d.Err) == exitOf(failed[0].Err)
	}
	var ids []string
	for _, d := range remaining {
		ids = append(ids, d.Token.ID)
	}
	err := error(&textError{fmt.Sprintf("%d of %s not deleted", len(remaining), plural(len(all), "token")), failed[0].Err})
	if !same {
		err = &partialError{errors.New(err.Error())}
	}
	err = &linesError{err, remainingLines(remaining)}
	if len(r.args) > 0 { // the same command would miss those that are gone
		return hintf(err, "try the rest again: %s", p.route.about(ids, "token", "delete"))
	}
	return hintf(err, "run the same command again to try the rest")
}

// textError is a cause in other words.
type textError struct {
	text string
	err  error
}

func (e *textError) Error() string { return e.text }
func (e *textError) Unwrap() error { return e.err }

func remainingLines(remaining []*lifecycle.Deletion) []string {
	var lines []string
	for _, d := range remaining {
		reason := "not attempted"
		if d.Err != nil {
			reason = d.Err.Error()
		}
		lines = append(lines, d.Token.ID+" "+quoteText(d.Token.Name)+": "+reason)
	}
	return lines
}

// rejectedMidway is a credential that was rejected after a deletion: one of the tokens
// may have been the credential itself.
func (p *program) rejectedMidway(s *session, all, remaining []*lifecycle.Deletion, gone []string, stopped error) error {
	if len(all) == 1 || len(gone) == 0 && s.item.TokenID != "" {
		return stopped
	}
	suspects := gone
	for _, d := range remaining {
		if d.Tried {
			suspects = append(suspects, d.Token.ID)
		}
	}
	err := error(&textError{fmt.Sprintf("the credential of %s was rejected, and the rest was not attempted; it may have been one of the tokens that were just deleted: %s",
		s.from(), strings.Join(suspects, ", ")), stopped})
	if len(gone) > 0 {
		err = &partialError{errors.New(err.Error())}
	}
	return hintf(&linesError{err, remainingLines(remaining)}, "use another token, then try the rest again: %s", s.replaceCredential(p.route))
}

// afterDelete says what follows if a token that this machine uses has gone.
func (p *program) afterDelete(ctx context.Context, s *session, all []*lifecycle.Deletion) {
	gone := deleted(all)
	if s.item.TokenID != "" && slices.Contains(gone, s.item.TokenID) {
		p.console.note("profile %s used token %s; log in again: %s", s.profile.Name, s.item.TokenID, p.route.loginTo(s.profile.Name))
	}
	p.warnUsers(ctx, s, gone...)
}
