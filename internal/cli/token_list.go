package cli

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/utho/utho-cli/internal/expiry"
	"github.com/utho/utho-cli/internal/lifecycle"
	"github.com/utho/utho-cli/internal/output"
	"github.com/utho/utho-cli/pkg/utho"
)

type listRequest struct {
	selectors
	sort, columns        string
	noHeaders, failIfAny bool
}

// The words of --columns and --sort.
var (
	columnKeys = []string{"name", "scope", "created", "action", "id", "age", "expires"}
	wideKeys   = []string{"id", "name", "scope", "created", "age", "expires", "action"}
	sortKeys   = []string{"name", "scope", "created", "id", "age", "expires"}
)

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
	r.bind(p, cmd)
	f := cmd.Flags()
	f.Var(nonEmptyFlag(&r.sort, "KEY", "no key is named"), "sort", "order by "+strings.Join(sortKeys, ", ")+"; -KEY reverses")
	f.Var(nonEmptyFlag(&r.columns, "KEYS", "no column is named"), "columns", "columns to show: "+strings.Join(columnKeys, ","))
	f.BoolVar(&r.noHeaders, "no-headers", false, "leave out the header line")
	f.BoolVar(&r.failIfAny, "fail-if-any", false, "exit with 10 if a token is listed, as a gate for pipelines")
	_ = cmd.RegisterFlagCompletionFunc("sort", fixed(sortKeys...))
	_ = cmd.RegisterFlagCompletionFunc("columns", completeColumns)
	cmd.RunE = p.runE(func(ctx context.Context, _ []string) error { return p.listTokens(ctx, r) })
	return cmd
}

func (p *program) listTokens(ctx context.Context, r listRequest) error {
	p.pipe = true
	format, err := p.format(allFormats)
	if err != nil {
		return err
	}
	if (r.columns != "" || r.noHeaders) && !format.hasColumns() {
		return hintf(usagef("--columns and --no-headers do not go with -o %s, which has no columns", format),
			"use -o csv for columns that programs read")
	}
	st, err := p.settings()
	if err != nil {
		return err
	}
	if r.columns == "" && (format == formatTable || format == formatMarkdown) {
		r.columns = st.Columns
	}
	compare, err := order(r.sort)
	if err == nil {
		_, err = pick(views{}, format, r.columns)
	}
	if err != nil {
		return err
	}
	s, list, err := p.list(ctx)
	if err != nil {
		return err
	}
	tokens, err := r.choose(list)
	if err != nil {
		return err
	}
	slices.SortStableFunc(tokens, compare)
	v := p.views(lifecycle.Now(list), s.zone)
	columns, _ := pick(v, format, r.columns) // it was tried
	if r.usesClock() || format.hasColumns() && usesClock(columns) {
		p.warnClock(list)
	}
	err = p.writeTokens(format, columns, tokens, v, r.noHeaders)
	if err == nil && len(tokens) == 0 && len(list.Tokens) > 0 && p.console.Terminal() {
		p.console.Note("no token matches")
	}
	// A gate stays shut if head has seen enough.
	if r.failIfAny && len(tokens) > 0 && (err == nil || errors.Is(err, syscall.EPIPE)) {
		return codef(exitMatched, "%s matched", plural(len(tokens), "token"))
	}
	return err
}

func (p *program) writeTokens(f format, columns []column, tokens []utho.Token, v views, noHeaders bool) error {
	options := output.TableOptions{NoHeaders: noHeaders}
	switch f {
	case formatJSON, formatYAML:
		return documents(p, f, v.docs(tokens))
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
	w := io.Writer(p.out)
	if !noHeaders {
		w = p.console.Bold(p.out.f, p.out)
	}
	options.Width, _, _ = term.GetSize(int(p.out.f.Fd())) // 0 if it is no terminal
	return output.Table(w, columns, tokens, options)
}

// pick chooses the columns of a format: those asked for, else all for wide and csv, else the four of the console.
func pick(v views, f format, keys string) ([]column, error) {
	all, names := v.columns(), wideKeys
	if f == formatCSV {
		all = v.csvColumns()
	}
	switch {
	case keys != "":
		names = nil
		for key := range strings.SplitSeq(keys, ",") {
			names = append(names, plainKey(key, f == formatCSV))
		}
	case f == formatCSV:
		return all, nil
	case f != formatWide:
		return output.Narrow(all), nil
	}
	picked, err := output.Select(all, names)
	if err != nil {
		return nil, usagef("--columns: %w", err)
	}
	return picked, nil
}

// plainKey is the key that a word means, as people copy it from JSON, csv or the table.
func plainKey(word string, csv bool) string {
	key := strings.ToLower(strings.ReplaceAll(strings.TrimSpace(word), " ", "_"))
	if key == "created_at" && csv {
		return key
	}
	same := map[string]string{"created_at": "created", "expires_at": "expires", "access_scope": "scope", "api_name": "name"}
	return cmp.Or(same[key], key)
}

// order is the comparison for --sort. A minus reverses it; what has no value comes last either way.
func order(word string) (func(x, y utho.Token) int, error) {
	key, reverse := strings.CutPrefix(plainKey(word, false), "-")
	compare, when := strings.Compare, func(t utho.Token) time.Time { return t.CreatedAt }
	of := func(t utho.Token) string { return t.Name }
	switch key = plainKey(key, false); key {
	case "":
		return func(_, _ utho.Token) int { return 0 }, nil
	case "name":
		when = nil
	case "scope":
		when, of = nil, func(t utho.Token) string { return t.Scope.String() }
	case "id":
		when, of, compare = nil, func(t utho.Token) string { return t.ID }, compareIDs
	case "created":
	case "age":
		reverse = !reverse
	case "expires":
		when = func(t utho.Token) time.Time {
			_, at, _ := expiry.Split(t.Name)
			return at
		}
	default:
		return nil, hintf(usagef("--sort: there is no order by %s", quoteText(word)), "order by %s; -KEY reverses", strings.Join(sortKeys, ", "))
	}
	return func(x, y utho.Token) int {
		a, b := x, y
		if reverse {
			a, b = y, x
		}
		if when == nil {
			return compare(of(a), of(b))
		}
		if none := when(x).IsZero(); none != when(y).IsZero() {
			return map[bool]int{true: 1, false: -1}[none]
		}
		return when(a).Compare(when(b))
	}, nil
}

// compareIDs orders numbers as numbers, of any length.
func compareIDs(x, y string) int {
	if lifecycle.IsID(x) && lifecycle.IsID(y) {
		x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
		return cmp.Or(len(x)-len(y), strings.Compare(x, y))
	}
	return strings.Compare(x, y)
}

func newTokenGet(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use: "get ID|NAME", Short: "Show one token",
		Long: `Show one token: its id, name, scope, age and expiry, and the command that deletes
it. The service never shows a secret again.`,
		Example: "  utho token get 10000\n  utho token get ci -o json", Args: exactArg("one ID or NAME"),
		ValidArgsFunction: p.completeTokens(1),
	}
	cmd.RunE = p.runE(func(ctx context.Context, args []string) error { return p.getToken(ctx, args[0]) })
	return cmd
}

func (p *program) getToken(ctx context.Context, arg string) error {
	p.pipe = true
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
	v := p.views(lifecycle.Now(list), s.zone)
	if format.isDocument() {
		return p.document(format, v.doc(t))
	}
	if format != formatTable && format != formatWide {
		columns, _ := pick(v, format, "") // fails only for keys
		return p.writeTokens(format, columns, []utho.Token{t}, v, false)
	}
	columns, _ := pick(v, formatWide, "")
	var pairs []output.Pair
	for _, c := range columns {
		if text := c.Text(t); text != "" {
			pairs = append(pairs, output.Pair{Name: c.Header, Value: text})
		}
	}
	return output.Pairs(p.out, pairs)
}
