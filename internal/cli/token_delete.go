package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/lifecycle"
	"github.com/utho/utho-cli/internal/output"
	"github.com/utho/utho-cli/pkg/utho"
)

type deleteRequest struct {
	selectors
	args                       []string
	yes, dryRun, ignoreMissing bool
}

func newDelete(p *program) *cobra.Command {
	var r deleteRequest
	cmd := &cobra.Command{
		Use: "delete {ID|NAME... | SELECTORS}", Aliases: []string{"rm", "revoke"}, Short: "Delete tokens, for good",
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
	cmd.RunE = p.documentE(func(ctx context.Context, f format, args []string) error {
		r.args = args
		return p.deleteTokens(ctx, f, r)
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

func (p *program) deleteTokens(ctx context.Context, format format, r deleteRequest) error {
	if err := r.check(p); err != nil {
		return err
	}
	s, list, err := p.list(ctx)
	if err != nil {
		return err
	}
	if r.usesClock() {
		if err := p.checkClock(list); err != nil {
			return err
		}
		p.warnClock(list)
	}
	choose := p.findAll
	if r.set() {
		choose = p.selectAll
	}
	chosen, err := choose(s, list, r)
	if err != nil {
		return err
	}
	if r.dryRun {
		var all []*lifecycle.Deletion
		for _, t := range chosen {
			all = append(all, &lifecycle.Deletion{Token: t})
		}
		return p.writeDeletions(format, all, true)
	}
	if len(chosen) == 0 {
		if p.console.terminal() { // cron mails every word
			p.console.note("no token matches; nothing was deleted")
		}
		return p.writeDeletions(format, nil, false)
	}
	if !r.yes {
		for _, line := range describeAll(chosen) {
			p.console.plain("  " + line)
		}
		if s.item.TokenID == "" && s.box == nil {
			p.console.note("utho does not know which token %s holds: it may be among these", s.from())
		}
		if err := p.console.ask(ctx, "Delete "+plural(len(chosen), "token")+" of "+p.whose(ctx, s)+"?"); err != nil {
			return err
		}
	}
	end, err := p.signals.protect()
	if err != nil {
		return err
	}
	defer end()
	all, stopped := s.Delete(ctx, p.signals.grace, chosen, s.item.TokenID, p.console.count(len(chosen), "deleting"))
	p.console.endWaiting()
	var gone []string
	for _, d := range all {
		if d.Deleted {
			gone = append(gone, d.Token.ID)
		}
	}
	if s.item.TokenID != "" && slices.Contains(gone, s.item.TokenID) {
		p.console.note("profile %s used token %s; log in again: %s", s.profile.Name, s.item.TokenID, p.route.loginTo(s.profile.Name))
	}
	unwritten := p.writeDeletions(format, all, false)
	err = p.deletionError(s, r, all, gone, stopped)
	switch {
	case err != nil && unwritten != nil:
		return &told{error: err, lines: append(linesOf(err), unwritten.Error())}
	case unwritten != nil && len(gone) > 0:
		return fmt.Errorf("deleted %s: %w", strings.Join(gone, ", "), unwritten)
	}
	return cmp.Or(err, unwritten)
}

// findAll finds what each argument means, each token once. The credential's own token goes only by its id.
func (p *program) findAll(s *session, list *utho.TokenList, r deleteRequest) ([]utho.Token, error) {
	var found []utho.Token
	for _, arg := range r.args {
		t, err := lifecycle.Find(list.Tokens, arg)
		switch {
		case errors.As(err, new(*lifecycle.NotFoundError)) && r.ignoreMissing:
			p.console.note("%v; that is ignored", err)
		case err != nil:
			return nil, err
		case t.ID == s.item.TokenID && (!r.yes || !slices.Contains(r.args, t.ID)):
			return nil, hintf(usagef("token %s %s is the one that profile %s uses; nothing was deleted", t.ID, quoteText(t.Name), s.profile.Name),
				"deleting it needs its id and --yes: %s", p.route.about([]string{t.ID}, "token", "delete", "--yes"))
		case !slices.ContainsFunc(found, func(f utho.Token) bool { return f.ID == t.ID }):
			found = append(found, t)
		}
	}
	return found, nil
}

// selectAll are the tokens that the selectors choose, but for those that are in use.
func (p *program) selectAll(s *session, list *utho.TokenList, r deleteRequest) ([]utho.Token, error) {
	chosen, err := r.choose(list)
	if err != nil {
		return nil, err
	}
	var unfinished []string
	if records, err := p.records(s); err == nil { // without a folder there is no record
		if unfinished, err = records.Unfinished(list.Tokens); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(chosen, func(t utho.Token) bool {
		switch {
		case t.ID == s.item.TokenID:
			p.console.warn("token %s %s is left out: profile %s uses it", t.ID, quoteText(t.Name), s.profile.Name)
		case slices.Contains(unfinished, t.ID):
			p.console.warn("token %s %s is left out: its rotation is unfinished; go on with: %s", t.ID, quoteText(t.Name),
				p.route.about([]string{t.ID}, "token", "rotate"))
		default:
			return false
		}
		return true
	}), nil
}

type deletionDoc struct {
	ID      string  `json:"id"`
	Name    string  `json:"name"`
	Deleted bool    `json:"deleted"`
	Error   *string `json:"error"`
}

// reasonOf is why a token was not deleted, behind its id.
func reasonOf(d *lifecycle.Deletion) string {
	if d.Err == nil {
		return "not attempted"
	}
	return strings.TrimPrefix(d.Err.Error(), "delete token "+d.Token.ID+": ")
}

func (p *program) writeDeletions(f format, all []*lifecycle.Deletion, dry bool) error {
	var text strings.Builder
	word, docs := "deleted ", []deletionDoc{}
	if dry {
		word = "would delete "
	}
	for _, d := range all {
		doc := deletionDoc{ID: d.Token.ID, Name: d.Token.Name, Deleted: d.Deleted}
		if dry || d.Deleted {
			text.WriteString(word + output.Safe(d.Token.ID+" "+d.Token.Name) + "\n")
		} else {
			reason := p.redact(reasonOf(d))
			doc.Error = &reason
		}
		docs = append(docs, doc)
	}
	if f != formatTable {
		return documents(p, f, slices.Values(docs))
	}
	_, err := io.WriteString(p.out, text.String())
	return err
}

// textError is a cause in other words.
type textError struct {
	text string
	err  error
}

func (e *textError) Error() string { return e.text }
func (e *textError) Unwrap() error { return e.err }

// deletionError is nil if all went, the one error if all failed the same way, else a partial failure that names each.
func (p *program) deletionError(s *session, r deleteRequest, all []*lifecycle.Deletion, gone []string, stopped error) error {
	var first error // why one was not deleted
	mixed, suspects := len(gone) > 0, gone
	var ids, lines []string
	for _, d := range all {
		if d.Deleted {
			continue
		}
		ids, lines = append(ids, d.Token.ID), append(lines, d.Token.ID+" "+quoteText(d.Token.Name)+": "+reasonOf(d))
		if d.Tried {
			suspects = append(suspects, d.Token.ID)
		}
		first = cmp.Or(first, d.Err)
		mixed = mixed || d.Err != nil && exitOf(d.Err) != exitOf(first)
	}
	rejected := errors.Is(stopped, utho.ErrUnauthorized)
	var err error
	var hint string
	switch {
	case len(ids) == 0:
		return nil
	case rejected && (len(all) == 1 || len(gone) == 0 && s.item.TokenID != ""):
		return stopped
	case rejected: // one of the tokens may have been the credential itself
		err = &textError{"the credential of " + s.from() + " was rejected, and the rest was not attempted; " +
			"it may have been one of the tokens whose deletion was just sent: " + strings.Join(suspects, ", "), stopped}
		hint, mixed = "use another token, then try the rest again: "+s.replaceCredential(p.route), len(gone) > 0
	case len(all) == 1:
		return cmp.Or(first, stopped)
	case first == nil: // a signal stopped them
		return &told{error: fmt.Errorf("%w; %s not attempted", stopped, plural(len(ids), "deletion")), lines: lines}
	default:
		err = &textError{fmt.Sprintf("%d of %s not deleted", len(ids), plural(len(all), "token")), first}
		hint = "run the same command again to try the rest"
		if len(r.args) > 0 { // the same command would miss those that are gone
			hint = "try the rest again: " + p.route.about(ids, "token", "delete")
		}
	}
	if mixed {
		err = codef(exitPartial, "%v", err)
	}
	return &told{error: err, lines: lines, hint: hint}
}
