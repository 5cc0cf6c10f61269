package cli

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/deliver"
	"github.com/utho/utho-cli/internal/listing"
	"github.com/utho/utho-cli/internal/problem"
	"github.com/utho/utho-cli/internal/session"
	"github.com/utho/utho-cli/pkg/utho"
)

const helpWidth = 80

const docsURL = "https://github.com/utho/utho-cli/tree/main/docs"

// newHelp is `utho help`: an unknown command or topic is a usage error.
func (p *program) newHelp(root *cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: "help [COMMAND|TOPIC]", Short: "Help about a command or a topic",
		Example: "  utho help token create\n  utho help environment", GroupID: groupTools,
	}
	cmd.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		found, _, err := root.Find(args)
		if err != nil {
			return nil, noFile
		}
		rows := subcommands(found, "")
		if found == root {
			rows = append(rows, topicRows(root)...)
		}
		var names []string
		for _, r := range rows {
			names = append(names, r[0]+"\t"+r[1])
		}
		return names, noFile
	}
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		for _, t := range topics(root) {
			if len(args) == 1 && strings.EqualFold(args[0], t.name) {
				return p.writeText(t.text())
			}
		}
		found, rest, err := root.Find(args)
		switch {
		case err != nil:
			return problem.Of(problem.Usage, err)
		case len(rest) > 0:
			return noSuchCommand(found, rest)
		}
		return found.Help()
	}
	return cmd
}

// help is cobra's HelpFunc, for --help and for commands that show their help.
func (p *program) help(cmd *cobra.Command, _ []string) {
	err := error(nil)
	if cmd.HasSubCommands() {
		err = noSuchCommand(cmd, cmd.Flags().Args()) // utho nosuch --help
	}
	if err == nil {
		err = p.writeHelp(cmd)
	}
	if p.out.err == nil {
		p.out.err = err // a HelpFunc returns nothing; Main looks here
	}
}

func (p *program) writeText(text string) error {
	p.reads()
	_, err := p.out.Write([]byte(text))
	return err
}

func (p *program) writeHelp(cmd *cobra.Command) error {
	var b strings.Builder
	use, root := cmd.UseLine(), cmd.Root()
	if cmd.HasSubCommands() {
		use = cmd.CommandPath() + " COMMAND"
	}
	fmt.Fprintf(&b, "%s\nUsage:\n  %s\n", paragraphs(cmp.Or(cmd.Long, cmd.Short+".")), use)
	if len(cmd.Aliases) > 0 {
		fmt.Fprintf(&b, "\nAliases: %s\n", strings.Join(cmd.Aliases, ", "))
	}
	flags := cmd.LocalNonPersistentFlags()
	if cmd == root {
		flags = cmd.LocalFlags()
		for _, g := range root.Groups() {
			section(&b, g.Title+"\n", subcommands(root, g.ID))
		}
	} else {
		section(&b, "Commands:\n", subcommands(cmd, ""))
	}
	if cmd.Example != "" {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", cmd.Example)
	}
	if usages := flags.FlagUsagesWrapped(helpWidth); usages != "" {
		b.WriteString("\nFlags:\n" + usages)
	}
	if formats := formatsOf(cmd.CommandPath()); formats != nil {
		fmt.Fprintf(&b, "\nFormats: -o %s\n", join(formats))
	}
	if cmd == root {
		section(&b, "Topics, for utho help TOPIC:\n", topicRows(root))
		b.WriteString("\n" + paragraphs(`Environment: UTHO_API_KEY is the token, UTHO_PROFILE the profile, UTHO_API_URL the
address; all are in utho help environment.`) + "\nDocs: " + docsURL + "\n")
	} else {
		b.WriteString("\nGlobal flags (-p, -o, --api-url, --timeout, --color, --no-input, --debug):\n  utho help options\n")
	}
	return p.writeText(b.String())
}

// subcommands are the commands of a group, or all of them. On the root's page those of token stand for it.
func subcommands(cmd *cobra.Command, groupID string) [][2]string {
	var rows [][2]string
	for _, c := range cmd.Commands() {
		switch {
		case !c.IsAvailableCommand() || groupID != "" && c.GroupID != groupID:
		case groupID == groupTokens:
			for _, sub := range subcommands(c, "") {
				rows = append(rows, [2]string{c.Name() + " " + sub[0], sub[1]})
			}
		default:
			rows = append(rows, [2]string{c.Name(), c.Short})
		}
	}
	return rows
}

// section writes a heading and two columns, the right one wrapped.
func section(b *strings.Builder, title string, rows [][2]string) {
	if len(rows) == 0 {
		return
	}
	left := 0
	for _, r := range rows {
		left = max(left, len(r[0]))
	}
	b.WriteString("\n" + title)
	for _, r := range rows {
		fmt.Fprintf(b, "  %-*s  %s\n", left, r[0], wrap(r[1], left+4))
	}
}

// wrap breaks text into lines that fit beside so many blanks.
func wrap(text string, indent int) string {
	var b strings.Builder
	at := indent
	for i, word := range strings.Fields(text) {
		if at += len(word); i > 0 {
			if at++; at > helpWidth {
				b.WriteString("\n" + strings.Repeat(" ", indent))
				at = indent + len(word)
			} else {
				b.WriteByte(' ')
			}
		}
		b.WriteString(word)
	}
	return b.String()
}

// paragraphs wraps the paragraphs of a text, but those of lines that are to be pasted, which start with a blank.
func paragraphs(text string) string {
	all := strings.Split(strings.Trim(text, "\n"), "\n\n")
	for i, p := range all {
		if !strings.HasPrefix(p, " ") && !strings.Contains(p, "\n ") {
			all[i] = wrap(p, 0)
		}
	}
	return strings.Join(all, "\n\n") + "\n"
}

// topic is a page of help: a text, two columns, and a text behind them.
type topic struct {
	name, short, before string
	rows                [][2]string
	behind              string
}

func (t topic) text() string {
	var b strings.Builder
	b.WriteString(paragraphs(t.before))
	section(&b, "", t.rows)
	if t.behind != "" {
		b.WriteString("\n" + paragraphs(t.behind))
	}
	return b.String()
}

func topicRows(root *cobra.Command) (rows [][2]string) {
	for _, t := range topics(root) {
		rows = append(rows, [2]string{t.name, t.short})
	}
	return rows
}

func topics(root *cobra.Command) []topic {
	n := strconv.Itoa
	var commands strings.Builder
	section(&commands, "Commands:\n", commandFormats(root))
	return []topic{
		{
			"environment", "the variables and the configuration file",
			`utho reads these variables. An empty one counts as not set; a flag wins over its
variable, and the variable over the configuration.`, [][2]string{
				{session.Variables[0], "the token; it wins over the stored ones"},
				{session.Variables[1], "the same, if " + session.Variables[0] + " is not set"},
				{session.KeyFileVariable, "a file that holds the token in one line, if neither is set"},
				{"UTHO_PROFILE", "the profile; a token in the environment wins over it, unless it is " + session.SandboxName},
				{"UTHO_API_URL", "base URL of the service (default " + utho.DefaultBaseURL + ")"},
				{"UTHO_OUTPUT", "like -o, but not for token create and token rotate"},
				{"UTHO_TIMEOUT", "like --timeout"},
				{"UTHO_COLOR", "like --color"},
				{"UTHO_DEBUG", "1 is --debug"},
				{"UTHO_CONFIG_DIR", "config.yaml and secrets in files (default $XDG_CONFIG_HOME/utho, ~/.config/utho)"},
				{"UTHO_STATE_DIR", "the sandbox and unfinished rotations (default $XDG_STATE_HOME/utho, ~/.local/state/utho)"},
				{"UTHO_NO_MASK", "1: no ::add-mask:: in GitHub Actions"},
				{"HTTPS_PROXY", "the proxy; NO_PROXY names the hosts without one"},
				{"SSL_CERT_FILE", "the certificates to trust, in place of the system's"},
				{"NO_COLOR", "no colour"},
			}, `config.yaml holds profiles and defaults (output, color, timeout, columns, expires_in),
and no secrets.`,
		}, {
			"exit-codes", "what each exit status means",
			"What each exit status means, and the code that an error has with -o json.", [][2]string{
				{"0", "done"},
				{n(exitError), "error: the service says no, a destination or the keyring cannot be used"},
				{n(exitUsage), "usage: wrong flags or arguments, a refused address, or a question and no terminal"},
				{n(exitCancelled), "cancelled: you said no"},
				{n(exitAuth), "auth: not logged in, or the credential is rejected; forbidden: it lacks write scope"},
				{n(exitNotFound), "not_found: no such token or profile"},
				{n(exitAmbiguous), "ambiguous: several tokens match; exists: the name is taken"},
				{n(exitPartial), "partial: some of several failed"},
				{n(exitUnknown), "unknown_outcome: not known, or a secret is lost; the error names what to clean up"},
				{n(exitUnavailable), "unavailable: the service cannot be reached or is overloaded; try again later"},
				{n(exitMatched), "matched: --fail-if-any matched"},
				{"129, 130, 143", "interrupted: by HUP, Ctrl-C, TERM; 131 by QUIT"},
			}, `token run and exec end with the status of their command: 128+n if signal n ended it,
126 if it cannot be executed, 127 if it is not found, and ` + n(exitRunFailed) + ` if utho itself failed.`,
		}, {
			"formats", "the formats of -o, and the columns",
			`-o chooses the format; UTHO_OUTPUT and defaults.output of the configuration set it
for all commands but token create and token rotate, which print the bare secret.`, [][2]string{
				{string(formatTable), "the default: columns, or lines of NAME: value"},
				{string(formatWide), "a table with id, age and expiry"},
				{string(formatJSON), "for programs; documents only ever grow"},
				{string(formatYAML), "the same as YAML"},
				{string(formatCSV), "all columns, created_at and expired too; the first line has their keys"},
				{string(formatMarkdown), "a table for a web page"},
				{string(formatID), "one id a line"},
			}, strings.TrimSpace(commands.String()) + "\n\nColumns (--columns): " + strings.Join(listing.ColumnKeys(), ", ") +
				".\nIf the terminal is too narrow for a table, ACTION is shortened to delete ID.",
		}, {
			"expiry", "how tokens end, and how durations are written",
			`--expires-in 30d creates ci.expires-20261223T0930Z: the moment in UTC, to the minute.
Other commands take the name without it.

` + notEnforced + `

What reads it:`, [][2]string{
				{"token list --expires-within 7d", "what ends soon; --fail-if-any makes it a gate"},
				{"token list --without-expiry", "what never ends"},
				{"token rotate NAME", "with --if-expires-within 7d: a new secret if it is due, for as long again"},
				{"token create NAME --no-expiry", "none, whatever defaults.expires_in says"},
			}, `Durations are one whole number and one unit: 90m, 36h, 30d, 12w. A day is 24 hours.
Ages and expiries use the service's clock.`,
		}, {
			"destinations", "where --to sends a secret",
			`--to sends a new secret elsewhere than to stdout. It may be repeated. Everything is
checked before anything is created; if one fails, the others are restored and the
token is deleted.`, [][2]string{
				{deliver.KindFile.String() + ":PATH", "a new file that only you can read (0600); rotate replaces one and keeps its owner and mode"},
				{deliver.KindEnv.String() + ":PATH#NAME", "a line of a dotenv file; NAME is " + deliver.DefaultVariable + " if left out"},
				{deliver.KindProfile.String() + ":NAME", "a new profile of utho, with the active one's URL and store"},
				{deliver.KindKubernetes.String() + ":[NAMESPACE/]SECRET#KEY", "a key of a Kubernetes Secret, through kubectl and its current context"},
				{deliver.KindExec.String() + ":COMMAND", "the stdin of a command, without a newline; no shell runs it"},
				{deliver.KindStdout.String(), "printed; the default"},
			}, `They are served in this order. ~/ is expanded; the last # separates NAME. For a pipe
or a variable in a command, write exec:sh -c '…'.`,
		},
		{"options", "the flags that every command has", "Every command has these flags.", nil,
			root.PersistentFlags().FlagUsagesWrapped(helpWidth)},
	}
}

// commandFormats are the commands that people see and have an answer, with its formats.
func commandFormats(cmd *cobra.Command) (rows [][2]string) {
	if formats := formatsOf(cmd.CommandPath()); formats != nil {
		rows = append(rows, [2]string{strings.TrimPrefix(cmd.CommandPath(), "utho "), join(formats)})
	}
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			rows = append(rows, commandFormats(c)...)
		}
	}
	return rows
}
