package cli

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/utho/utho-cli/internal/expiry"
	"github.com/utho/utho-cli/internal/lifecycle"
	"github.com/utho/utho-cli/internal/listing"
	"github.com/utho/utho-cli/internal/output"
	"github.com/utho/utho-cli/internal/problem"
	"github.com/utho/utho-cli/internal/session"
	"github.com/utho/utho-cli/pkg/utho"
)

type listRequest struct {
	listing.Selectors
	order                func(x, y utho.Token) int // nil for the service's
	columns              string
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
	byKey := func(key string) (err error) {
		r.order, err = listing.Order(key)
		return err
	}
	bind(cmd, "sort", flagValue{what: "KEY", set: byKey},
		"order by "+strings.Join(listing.SortKeys(), ", ")+"; -KEY reverses", fixed(listing.SortKeys()...))
	bind(cmd, "columns", nonEmptyFlag(&r.columns, "KEYS", "no column is named"),
		"columns to show: "+strings.Join(listing.ColumnKeys(), ","), completeColumns)
	f.BoolVar(&r.noHeaders, "no-headers", false, "leave out the header line")
	f.BoolVar(&r.failIfAny, "fail-if-any", false, "exit with 10 if a token is listed, as a gate for pipelines")
	cmd.RunE = p.readE(func(ctx context.Context, _ []string) error { return p.listTokens(ctx, r) })
	return cmd
}

// list connects and lists the tokens. If the answer depends on what time it is, which is the service's clock, it says so
// if the local one is far from that.
func (p *program) list(ctx context.Context, byClock bool) (*session.Session, *utho.TokenList, error) {
	s, err := p.env.Connect(ctx)
	if err != nil {
		return nil, nil, err
	}
	list, err := s.List(ctx)
	if err != nil {
		return nil, nil, err
	}
	if off := time.Since(lifecycle.Now(list)).Abs(); byClock && off > 5*time.Minute {
		p.console.Warn("this machine's clock is off by %s; ages and expiries go by the service's clock", expiry.Human(off))
	}
	return s, list, nil
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
	r.columns = cmp.Or(r.columns, format.keys())
	columns, err := p.view(format, time.Time{}, nil).Columns(r.columns)
	if err != nil {
		return problem.Usagef("--columns: %w", err)
	}
	s, list, err := p.list(ctx, r.UsesClock() || format.hasColumns() && listing.UsesClock(columns))
	if err != nil {
		return err
	}
	tokens, err := r.Choose(list)
	if err != nil {
		return err
	}
	if r.order != nil {
		slices.SortStableFunc(tokens, r.order)
	}
	v := p.view(format, lifecycle.Now(list), s.Zone)
	columns, _ = v.Columns(r.columns) // it was tried
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
		docs := make([]listing.Doc, len(tokens))
		for i, t := range tokens {
			docs[i] = v.Doc(t)
		}
		return documents(p.out, f, docs)
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
	s, list, err := p.list(ctx, format.hasColumns())
	if err != nil {
		return err
	}
	t, err := lifecycle.Find(list.Tokens, arg)
	if err != nil {
		return err
	}
	v := p.view(format, lifecycle.Now(list), s.Zone)
	if format == formatTable {
		format = formatWide
	}
	columns, _ := v.Columns(format.keys()) // fails only for other keys
	switch {
	case format.isDocument():
		return document(p.out, format, v.Doc(t))
	case format != formatWide:
		return p.writeTokens(format, columns, []utho.Token{t}, v, false)
	}
	var pairs []output.Pair
	for _, c := range columns {
		if text := c.Text(t); text != "" {
			pairs = append(pairs, output.Pair{Name: c.Header, Value: text})
		}
	}
	return output.Pairs(p.out, pairs)
}
