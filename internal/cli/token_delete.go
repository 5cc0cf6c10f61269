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
	"github.com/utho/utho-cli/internal/listing"
	"github.com/utho/utho-cli/internal/output"
	"github.com/utho/utho-cli/internal/problem"
	"github.com/utho/utho-cli/internal/session"
	"github.com/utho/utho-cli/pkg/utho"
)

type deleteRequest struct {
	listing.Selectors
	args                       []string
	yes, dryRun, ignoreMissing bool
}

func newDelete(p *program) *cobra.Command {
	var r deleteRequest
	cmd := &cobra.Command{
		Use: "delete {ID|NAME... | SELECTORS}", Aliases: []string{"rm", "revoke"}, Short: "Delete tokens, for good",
		Long: `Delete tokens, by id or name or by selectors, which combine with AND. A deleted
token stops working at once and cannot be restored. --expired deletes every
token whose expiry has passed, in use or not.`,
		Example: `  utho token delete 10000
  utho token delete --expired --yes
  utho token delete --name 'ci-*' --older-than 90d --except 10007`,
		ValidArgsFunction: p.completeTokens(-1),
	}
	p.bindSelectors(cmd, &r.Selectors)
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
	case len(r.args) > 0 && r.Any():
		return problem.Usagef("token delete takes ids and names, or selectors, not both").Hintf("utho token delete --help shows both")
	case len(r.args) == 0 && !r.Any() && len(r.Except) > 0:
		return problem.Usagef("--except goes with selectors").Hintf("choose all others with: --name '*' --except NAME")
	case len(r.args) == 0 && !r.Any():
		return problem.Usagef("token delete needs an ID or NAME, or a selector such as --expired").
			Hintf("utho token delete --help shows the selectors")
	case len(r.args) > 0 && len(r.Except) > 0:
		return problem.Usagef("--except goes with selectors, not with ids and names")
	case !r.yes && !r.dryRun && !p.console.CanAsk():
		return problem.Usagef("token delete asks first, and %s", p.console.CannotAsk()).Hintf("add --yes to delete without a question")
	}
	return nil
}

// emptyArgument refuses an empty ID or NAME, as from a variable that is not set.
func emptyArgument() error {
	return problem.Usagef("an ID or NAME is empty; nothing was changed").Hintf("a token without a name is named by its id")
}

func (p *program) deleteTokens(ctx context.Context, format format, r deleteRequest) error {
	if err := r.check(p); err != nil {
		return err
	}
	s, list, err := p.list(ctx, r.UsesClock())
	if err != nil {
		return err
	}
	choose := p.findAll
	if r.Any() {
		choose = p.selectAll
	}
	chosen, err := choose(s, list, r)
	if err != nil {
		return err
	}
	if len(chosen) == 0 && p.console.Terminal() { // cron mails every word
		p.console.Note("no token matches; nothing was deleted")
	}
	if r.dryRun || len(chosen) == 0 {
		var all []*lifecycle.Deletion
		for _, t := range chosen {
			all = append(all, &lifecycle.Deletion{Token: t})
		}
		return p.writeDeletions(format, all, true)
	}
	if !r.yes {
		if err := p.confirm(ctx, s, chosen, "Delete "+plural(len(chosen), "token")); err != nil {
			return err
		}
	}
	end, err := p.signals.Protect()
	if err != nil {
		return err
	}
	defer end()
	all, stopped := s.Delete(ctx, p.signals.Grace, chosen, s.Item.TokenID, p.console.Count(len(chosen), "deleting"))
	p.console.EndCount()
	var gone []string
	for _, d := range all {
		if d.Deleted {
			gone = append(gone, d.Token.ID)
		}
	}
	if slices.Contains(gone, s.Item.TokenID) {
		p.console.Note("profile %s used token %s; log in again: %s", s.Profile.Name, s.Item.TokenID, p.env.Route.Command("login"))
	}
	unwritten := p.writeDeletions(format, all, false)
	err = p.deletionError(s, all, gone, stopped)
	switch {
	case unwritten == nil:
		return err
	case err == nil:
		return fmt.Errorf("deleted %s: %w", strings.Join(gone, ", "), unwritten)
	}
	return problem.WithLines(err, append(linesOf(err), unwritten.Error()))
}

// confirm shows tokens and asks, at the point of no return.
func (p *program) confirm(ctx context.Context, s *session.Session, tokens []utho.Token, question string) error {
	for _, line := range describeAll(tokens) {
		p.console.Note("  %s", line)
	}
	if s.Item.TokenID == "" && s.Box == nil {
		p.console.Note("utho does not know which token %s holds: it may be among these", s.From())
	}
	return p.console.Ask(ctx, question+" of "+p.whose(ctx, s)+"?")
}

// findAll finds what each argument means, each token once. The credential's own token goes only by its id.
func (p *program) findAll(s *session.Session, list *utho.TokenList, r deleteRequest) ([]utho.Token, error) {
	var found []utho.Token
	for _, arg := range r.args {
		t, err := lifecycle.Find(list.Tokens, arg)
		switch {
		case errors.As(err, new(*lifecycle.NotFoundError)) && r.ignoreMissing:
			p.console.Note("%v; that is ignored", err)
		case err != nil:
			return nil, err
		case t.ID == s.Item.TokenID && (!r.yes || !slices.Contains(r.args, t.ID)):
			return nil, problem.Usagef("token %s %s is the one that profile %s uses; nothing was deleted",
				t.ID, output.Name(t.Name), s.Profile.Name).
				Hintf("deleting it needs its id and --yes: %s", p.env.Route.About([]string{t.ID}, "token", "delete", "--yes"))
		case !slices.ContainsFunc(found, func(f utho.Token) bool { return f.ID == t.ID }):
			found = append(found, t)
		}
	}
	return found, nil
}

// selectAll are the tokens that the selectors choose, but for those that are in use.
func (p *program) selectAll(s *session.Session, list *utho.TokenList, r deleteRequest) ([]utho.Token, error) {
	chosen, err := r.Choose(list)
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
		case t.ID == s.Item.TokenID:
			p.console.Warn("token %s %s is left out: profile %s uses it", t.ID, output.Name(t.Name), s.Profile.Name)
		case slices.Contains(unfinished, t.ID):
			p.console.Warn("token %s %s is left out: its rotation is unfinished; go on with: %s", t.ID, output.Name(t.Name),
				p.env.Route.About([]string{t.ID}, "token", "rotate"))
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
			reason := p.console.Redact(reasonOf(d))
			doc.Error = &reason
		}
		docs = append(docs, doc)
	}
	if f != formatTable {
		return documents(p.out, f, docs)
	}
	_, err := io.WriteString(p.out, text.String())
	return err
}

// deletionError is nil if all went, the one error if all failed the same way, else a partial failure that names each.
func (p *program) deletionError(s *session.Session, all []*lifecycle.Deletion, gone []string, stopped error) error {
	var first error // why one was not deleted
	mixed, sent := len(gone) > 0, gone
	var ids, lines []string
	for _, d := range all {
		if d.Deleted {
			continue
		}
		ids, lines = append(ids, d.Token.ID), append(lines, d.Token.ID+" "+output.Name(d.Token.Name)+": "+reasonOf(d))
		if d.Err != nil {
			sent, first = append(sent, d.Token.ID), cmp.Or(first, d.Err)
			mixed = mixed || exitOf(d.Err) != exitOf(first)
		}
	}
	var err error
	var hint string
	switch {
	case len(ids) == 0:
		return nil
	case len(all) == 1:
		return cmp.Or(first, stopped)
	case errors.Is(stopped, utho.ErrUnauthorized):
		text := "the credential of " + s.From() + " was rejected, and the rest was not attempted"
		if s.Item.TokenID == "" {
			text += "; it may have been one of the tokens whose deletion was just sent: " + strings.Join(sent, ", ")
		}
		err, mixed = problem.Reworded(stopped, text), len(gone) > 0
		hint = "use another token, then try the rest again: " + s.Replace(p.env.Route)
	case first == nil: // a signal stopped them
		return problem.WithLines(fmt.Errorf("%w; %s not attempted", stopped, plural(len(ids), "deletion")), lines)
	default:
		err = problem.Reworded(first, fmt.Sprintf("%d of %s not deleted", len(ids), plural(len(all), "token")))
		hint = "try the rest again: " + p.env.Route.About(ids, "token", "delete")
	}
	if mixed {
		err = problem.New(problem.Partial, "%v", err)
	}
	return problem.Hintf(problem.WithLines(err, lines), "%s", hint)
}
