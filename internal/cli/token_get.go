package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/lifecycle"
	"github.com/utho/utho-cli/internal/output"
	"github.com/utho/utho-cli/pkg/utho"
)

func newTokenGet(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use: "get ID|NAME", Short: "Show one token",
		Long: `Show one token: its id, name, scope, age and expiry, and the command that deletes
it. The service never shows a secret again.`,
		Example: "  utho token get 10000\n  utho token get ci -o json", Args: exactArg("one ID or NAME"),
		ValidArgsFunction: p.completeTokens(1),
	}
	cmd.RunE = p.runE(func(ctx context.Context, args []string) error {
		p.pipe = true
		return p.getToken(ctx, args[0])
	})
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
	s, err := p.connect(ctx)
	if err != nil {
		return err
	}
	list, err := s.List(ctx)
	if err != nil {
		return err
	}
	t, err := lifecycle.Find(list.Tokens, arg)
	var ambiguous *lifecycle.AmbiguousError
	if errors.As(err, &ambiguous) {
		return hintf(&linesError{err, describeAll(ambiguous.Tokens)}, "name one by its id: %s",
			p.route.about([]string{newestOf(ambiguous.Tokens).ID}, "token", "get"))
	}
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
