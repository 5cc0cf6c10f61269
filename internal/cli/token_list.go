package cli

import (
	"context"
	"errors"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/expiry"
	"github.com/utho/utho-cli/internal/output"
	"github.com/utho/utho-cli/pkg/utho"
)

func (a *app) tokenCommand() *cobra.Command {
	cmd := a.group("token", "List, make, replace and delete API tokens", "",
		a.listCommand(), a.getCommand(), a.createCommand(), a.deleteTokenCommand(), a.rotateCommand(), a.runCommand())
	cmd.Aliases = []string{"tokens"}
	return cmd
}

// listRequest is what `token list` was asked.
type listRequest struct {
	selectors
	sort, columns string
	noHeaders     bool
	failIfAny     bool
}

func (a *app) listCommand() *cobra.Command {
	var req listRequest
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the API tokens of the account",
		Long: `List the API tokens of the account: name, access scope, when it was created,
and the command that deletes it. Selectors combine with AND.`,
		Example: `  utho token list
  utho token list -o json
  utho token list --scope write --older-than 90d
  utho token list --expired --fail-if-any`,
		Args:              a.none,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	req.bind(cmd)
	f := cmd.Flags()
	f.Var(filledFlag{&req.sort, "KEY", "no key is named"}, "sort", "order by name, scope, created, id, age or expires; -KEY reverses")
	f.Var(filledFlag{&req.columns, "KEYS", "no column is named"}, "columns", "columns to show: name,scope,created,action,id,age,expires")
	f.BoolVar(&req.noHeaders, "no-headers", false, "leave out the header line")
	f.BoolVar(&req.failIfAny, "fail-if-any", false, "exit with 10 when a token is listed, as a gate for pipelines")
	_ = cmd.RegisterFlagCompletionFunc("sort", fixed("name", "scope", "created", "id", "age", "expires"))
	_ = cmd.RegisterFlagCompletionFunc("columns", fixed("name", "scope", "created", "action", "id", "age", "expires"))
	cmd.RunE = a.body(func(ctx context.Context, _ []string) error {
		a.pipeQuiet = true
		return a.listTokens(ctx, req)
	})
	return cmd
}

func (a *app) listTokens(ctx context.Context, req listRequest) error {
	format, err := a.format(allFormats)
	if err != nil {
		return err
	}
	if _, err := pick(views{}.columns(), format, req.columns); err != nil {
		return err
	}
	if (req.columns != "" || req.noHeaders) && !format.hasColumns() {
		return usagef("--columns and --no-headers do not go with -o %s, which has no columns", format)
	}
	less, err := order(req.sort)
	if err != nil {
		return err
	}
	s, err := a.resolve(ctx)
	if err != nil {
		return err
	}
	list, err := s.list(ctx)
	if err != nil {
		return err
	}
	at := now(list)
	tokens := list.Tokens
	if req.set {
		tokens = matching(tokens, func(t utho.Token) bool { return req.match(t, at) })
	}
	if less != nil {
		slices.SortStableFunc(tokens, less)
	}
	v := a.views(at)
	v.plain = format == formatCSV
	columns, err := pick(v.columns(), format, req.columns)
	if err != nil {
		return err
	}
	if req.usesClock() || format.hasColumns() && v.useClock(columns) {
		a.mentionClock(list)
	}
	err = a.writeTokens(format, columns, tokens, v, req.noHeaders)
	// A gate stays shut where head has seen enough.
	if req.failIfAny && len(tokens) > 0 && (err == nil || errors.Is(err, syscall.EPIPE)) {
		return failf(exitMatched, "matched", "%s matched", plural(len(tokens), "token"))
	}
	return err
}

// writeTokens is the list in any format.
func (a *app) writeTokens(format format, columns []output.Column[utho.Token], tokens []utho.Token, v views, noHeaders bool) error {
	options := output.TableOptions{NoHeaders: noHeaders}
	switch format {
	case formatJSON:
		return output.JSONList(a.out, v.docs(tokens))
	case formatYAML:
		return output.YAMLList(a.out, v.docs(tokens))
	case formatCSV:
		return output.CSV(a.out, columns, tokens, options)
	case formatMarkdown:
		return output.Markdown(a.out, columns, tokens, options)
	case formatID:
		return a.writeIDs(tokens)
	}
	return output.Table(a.boldFirstLine(!noHeaders), columns, tokens, options)
}

func (a *app) writeIDs(tokens []utho.Token) error {
	var b strings.Builder
	for _, t := range tokens {
		b.WriteString(output.Safe(t.ID))
		b.WriteByte('\n')
	}
	_, err := a.out.Write([]byte(b.String()))
	return err
}

// pick chooses the columns of a format: those asked for, else all for wide and
// csv, else the four of the console.
func pick(all []output.Column[utho.Token], f format, keys string) ([]output.Column[utho.Token], error) {
	switch {
	case keys != "":
		var names []string
		for key := range strings.SplitSeq(keys, ",") {
			names = append(names, strings.ToLower(strings.TrimSpace(key)))
		}
		picked, err := output.Select(all, names)
		if err != nil {
			return nil, usagef("--columns: %w", err)
		}
		return picked, nil
	case f == formatWide || f == formatCSV:
		return all, nil
	}
	return output.Narrow(all), nil
}

// order is the comparison for --sort. What has no value comes last.
func order(key string) (func(x, y utho.Token) int, error) {
	if key == "" {
		return nil, nil
	}
	name, reverse := strings.CutPrefix(key, "-")
	var less func(x, y utho.Token) int
	switch name {
	case "name":
		less = func(x, y utho.Token) int { return strings.Compare(x.Name, y.Name) }
	case "scope":
		less = func(x, y utho.Token) int { return int(x.Scope) - int(y.Scope) }
	case "id":
		less = func(x, y utho.Token) int { return compareIDs(x.ID, y.ID) }
	case "created", "age":
		reverse = reverse != (name == "age")
		less = func(x, y utho.Token) int {
			return lastWhere(x.CreatedAt.IsZero(), y.CreatedAt.IsZero(), reverse, x.CreatedAt.Compare(y.CreatedAt))
		}
	case "expires":
		less = func(x, y utho.Token) int {
			_, tx, okx := expiry.Split(x.Name)
			_, ty, oky := expiry.Split(y.Name)
			return lastWhere(!okx, !oky, reverse, tx.Compare(ty))
		}
	default:
		return nil, usagef("--sort: there is no order by %s", quoteText(key)).with("order by name, scope, created, id, age or expires; -KEY reverses")
	}
	if !reverse {
		return less, nil
	}
	return func(x, y utho.Token) int { return -less(x, y) }, nil
}

// lastWhere puts what has no value last, whichever way the order runs.
func lastWhere(xNone, yNone, reversed bool, otherwise int) int {
	last := 1
	if reversed {
		last = -1
	}
	switch {
	case xNone && yNone:
		return 0
	case xNone:
		return last
	case yNone:
		return -last
	}
	return otherwise
}

// compareIDs orders numbers as numbers, of any length.
func compareIDs(x, y string) int {
	if isDigits(x) && isDigits(y) {
		x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
		if len(x) != len(y) {
			return len(x) - len(y)
		}
	}
	return strings.Compare(x, y)
}

func (a *app) getCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:               "get ID|NAME",
		Short:             "Show one API token",
		Example:           "  utho token get 10000\n  utho token get ci -o json",
		Args:              a.one("one ID or NAME"),
		ValidArgsFunction: a.completeTokens(1),
	}
	cmd.RunE = a.body(func(ctx context.Context, args []string) error {
		a.pipeQuiet = true
		format, err := a.format(allFormats)
		if err != nil {
			return err
		}
		if err := noneEmpty(args[0]); err != nil {
			return err
		}
		s, err := a.resolve(ctx)
		if err != nil {
			return err
		}
		list, err := s.list(ctx)
		if err != nil {
			return err
		}
		t, err := a.find(list.Tokens, args[0])
		if err != nil {
			return err
		}
		v := a.views(now(list))
		v.plain = format == formatCSV
		if format.hasColumns() {
			a.mentionClock(list)
		}
		return a.writeToken(format, t, v, nil)
	})
	return cmd
}

// writeToken is one token in any format. extend completes the document.
func (a *app) writeToken(f format, t utho.Token, v views, extend func(*tokenDoc)) error {
	switch f {
	case formatJSON, formatYAML:
		doc := v.doc(t)
		if extend != nil {
			extend(&doc)
		}
		if f == formatYAML {
			return output.YAML(a.out, doc)
		}
		return output.JSON(a.out, doc)
	case formatTable, formatWide:
		columns, err := pick(v.columns(), formatWide, "")
		if err != nil {
			return err
		}
		var pairs []output.Pair
		for _, c := range columns {
			if text := c.Text(t); text != "" {
				pairs = append(pairs, output.Pair{Name: c.Header, Value: text})
			}
		}
		return output.Pairs(a.out, pairs)
	default:
		columns, err := pick(v.columns(), f, "")
		if err != nil {
			return err
		}
		return a.writeTokens(f, columns, []utho.Token{t}, v, false)
	}
}
