package cli

import (
	"context"
	"errors"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/utho/utho-cli/internal/lifecycle"
	"github.com/utho/utho-cli/internal/listing"
	"github.com/utho/utho-cli/internal/output"
	"github.com/utho/utho-cli/internal/problem"
	"github.com/utho/utho-cli/internal/session"
	"github.com/utho/utho-cli/pkg/utho"
)

type listRequest struct {
	listing.Selectors
	sort, columns        string
	noHeaders, failIfAny bool
}

func newTokenList(p *program) *cobra.Command {
	var r listRequest
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the tokens of the account",
		Long: `List the tokens of the account: name, access scope, when each was created, and
the command that deletes it. Selectors combine with AND.`,
		Example: `  utho token list
  utho token list -o wide --sort age
  utho token list --scope write --older-than 90d
  utho token list --expires-within 7d --fail-if-any`,
		Args: noArgs,
	}
	p.bindSelectors(cmd, &r.Selectors)
	f := cmd.Flags()
	f.Var(nonEmptyFlag(&r.sort, "KEY", "no key is named"), "sort", "order by "+strings.Join(listing.SortKeys(), ", ")+"; -KEY reverses")
	f.Var(nonEmptyFlag(&r.columns, "KEYS", "no column is named"), "columns", "columns to show: "+strings.Join(listing.ColumnKeys(), ","))
	f.BoolVar(&r.noHeaders, "no-headers", false, "leave out the header line")
	f.BoolVar(&r.failIfAny, "fail-if-any", false, "exit with 10 if a token is listed, as a gate for pipelines")
	_ = cmd.RegisterFlagCompletionFunc("sort", fixed(listing.SortKeys()...))
	_ = cmd.RegisterFlagCompletionFunc("columns", completeColumns)
	cmd.RunE = p.readE(func(ctx context.Context, _ []string) error { return p.listTokens(ctx, r) })
	return cmd
}

// list connects and lists the tokens.
func (p *program) list(ctx context.Context) (*session.Session, *utho.TokenList, error) {
	s, err := p.env.Connect(ctx)
	if err != nil {
		return nil, nil, err
	}
	list, err := s.List(ctx)
	return s, list, err
}

func (p *program) listTokens(ctx context.Context, r listRequest) error {
	format, err := p.format(allFormats)
	if err != nil {
		return err
	}
	if (r.columns != "" || r.noHeaders) && !format.hasColumns() {
		return problem.Usagef("--columns and --no-headers do not go with -o %s, which has no columns", format).
			Hintf("use -o csv for columns that programs read")
	}
	st, err := p.env.Settings()
	if err != nil {
		return err
	}
	if r.columns == "" && (format == formatTable || format == formatMarkdown) {
		r.columns = st.Columns
	}
	compare, err := listing.Order(r.sort)
	if err != nil {
		return problem.Usagef("--sort: %w", err).Hintf("order by %s; -KEY reverses", strings.Join(listing.SortKeys(), ", "))
	}
	if _, err := (listing.View{}).Columns(format.layout(), r.columns); err != nil {
		return problem.Usagef("--columns: %w", err)
	}
	s, list, err := p.list(ctx)
	if err != nil {
		return err
	}
	tokens, err := r.Choose(list)
	if err != nil {
		return err
	}
	if r.sort != "" {
		slices.SortStableFunc(tokens, compare)
	}
	v := p.view(lifecycle.Now(list), s.Zone)
	columns, _ := v.Columns(format.layout(), r.columns) // it was tried
	if r.UsesClock() || format.hasColumns() && listing.UsesClock(columns) {
		p.warnClock(list)
	}
	err = p.writeTokens(format, columns, tokens, v, r.noHeaders)
	if err == nil && len(tokens) == 0 && len(list.Tokens) > 0 && p.console.Terminal() {
		p.console.Note("no token matches")
	}
	// A gate stays shut if head has seen enough.
	if r.failIfAny && len(tokens) > 0 && (err == nil || errors.Is(err, syscall.EPIPE)) {
		return problem.New(problem.Matched, "%s matched", plural(len(tokens), "token"))
	}
	return err
}

func (p *program) writeTokens(f format, columns []listing.Column, tokens []utho.Token, v listing.View, noHeaders bool) error {
	options := output.TableOptions{NoHeaders: noHeaders}
	switch f {
	case formatJSON, formatYAML:
		return documents(p, f, docs(v, tokens))
	case formatCSV:
		return output.CSV(p.out, columns, tokens, options)
	case formatMarkdown:
		return output.Markdown(p.out, columns, tokens, options)
	case formatID:
		var ids strings.Builder
		for _, t := range tokens {
			ids.WriteString(output.Safe(t.ID) + "\n")
		}
		return p.writeText(ids.String())
	}
	options.Bold = p.console.Colored(p.out.f)
	options.Width, _, _ = term.GetSize(int(p.out.f.Fd())) // 0 if it is no terminal
	return output.Table(p.out, columns, tokens, options)
}

func newTokenGet(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use: "get ID|NAME", Short: "Show one token",
		Long: `Show one token: its id, name, scope, age and expiry, and the command that
deletes it. The service never shows a secret again.`,
		Example: "  utho token get 10000\n  utho token get ci -o json", Args: exactArg("one ID or NAME"),
		ValidArgsFunction: p.completeTokens(1),
	}
	cmd.RunE = p.readE(func(ctx context.Context, args []string) error { return p.getToken(ctx, args[0]) })
	return cmd
}

func (p *program) getToken(ctx context.Context, arg string) error {
	format, err := p.format(allFormats)
	if err != nil {
		return err
	}
	if arg == "" {
		return emptyArgument()
	}
	s, list, err := p.list(ctx)
	if err != nil {
		return err
	}
	t, err := lifecycle.Find(list.Tokens, arg)
	if err != nil {
		return err
	}
	if format.hasColumns() {
		p.warnClock(list)
	}
	v := p.view(lifecycle.Now(list), s.Zone)
	if format.isDocument() {
		return p.document(format, v.Doc(t))
	}
	if format != formatTable && format != formatWide {
		columns, _ := v.Columns(format.layout(), "") // fails only for keys
		return p.writeTokens(format, columns, []utho.Token{t}, v, false)
	}
	columns, _ := v.Columns(listing.Wide, "")
	var pairs []output.Pair
	for _, c := range columns {
		if text := c.Text(t); text != "" {
			pairs = append(pairs, output.Pair{Name: c.Header, Value: text})
		}
	}
	return output.Pairs(p.out, pairs)
}
