package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/utho/utho-cli/internal/deliver"
	"github.com/utho/utho-cli/pkg/utho"
)

// helpWidth is how wide help may be, in cells.
const helpWidth = 80

const docsURL = "https://github.com/utho/utho-cli/tree/main/docs"

// topic is a page of help about something that several commands have in common.
type topic struct {
	name, short string
	text        func(root *cobra.Command) string
}

func topics() []topic {
	return []topic{
		{"environment", "the variables and the configuration file", environmentTopic},
		{"exit-codes", "what each exit status means", exitTopic},
		{"formats", "the formats of -o, and the columns", formatsTopic},
		{"expiry", "how tokens end, and how long durations are written", expiryTopic},
		{"destinations", "where --to sends a secret", destinationsTopic},
		{"options", "the flags that every command has", optionsTopic},
	}
}

// newHelp is `utho help`: an unknown command or topic is a usage error.
func (p *program) newHelp(root *cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "help [COMMAND|TOPIC]",
		Short:   "Help about a command or a topic",
		Example: "  utho help token create\n  utho help environment",
		GroupID: groupTools,
	}
	cmd.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		rows := topicRows()
		if found, _, err := root.Find(args); err == nil && len(args) > 0 {
			rows = subcommands(found, "")
		} else if err == nil {
			rows = append(subcommands(root, ""), rows...)
		}
		var names []string
		for _, r := range rows {
			names = append(names, r[0]+"\t"+r[1])
		}
		return names, noFile
	}
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		for _, t := range topics() {
			if len(args) == 1 && strings.EqualFold(args[0], t.name) {
				return p.writeText(t.text(root))
			}
		}
		found, rest, err := root.Find(args)
		if err != nil {
			return &usageError{err}
		}
		if len(rest) > 0 {
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
	if err != nil && p.out.err == nil {
		p.out.err = err // a HelpFunc returns nothing; Main looks here
	}
}

func (p *program) writeText(text string) error {
	p.pipe = true
	_, err := p.out.Write([]byte(text))
	return err
}

func (p *program) writeHelp(cmd *cobra.Command) error {
	var b strings.Builder
	for paragraph := range strings.SplitSeq(firstOf(cmd.Long, cmd.Short+"."), "\n\n") {
		if !strings.HasPrefix(paragraph, " ") && !strings.Contains(paragraph, "\n ") {
			paragraph = wrap(paragraph, 0) // lines with a blank in front are commands
		}
		b.WriteString(paragraph + "\n\n")
	}
	fmt.Fprintf(&b, "Usage:\n  %s\n", useLine(cmd))
	if len(cmd.Aliases) > 0 {
		fmt.Fprintf(&b, "\nAliases: %s\n", strings.Join(cmd.Aliases, ", "))
	}
	root := cmd.Root()
	switch {
	case cmd == root:
		for _, g := range root.Groups() {
			section(&b, g.Title+"\n", subcommands(root, g.ID))
		}
	case cmd.HasSubCommands():
		section(&b, "Commands:\n", subcommands(cmd, ""))
	}
	if cmd.Example != "" {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", cmd.Example)
	}
	flags := flagRows(cmd.LocalNonPersistentFlags())
	if cmd == root {
		flags = append(flagRows(root.PersistentFlags()), flags...)
	}
	section(&b, "Flags:\n", flags)
	if formats := formatsOf(cmd.CommandPath()); formats != nil {
		fmt.Fprintf(&b, "\nFormats: -o %s\n", join(formats))
	}
	if cmd == root {
		section(&b, "Topics, for utho help TOPIC:\n", topicRows())
		b.WriteString("\n" + wrap("Environment: UTHO_API_KEY is the token, UTHO_PROFILE the profile, UTHO_API_URL the address; all are in utho help environment.", 0) +
			"\n\nDocs: " + docsURL + "\n")
	} else {
		b.WriteString("\nGlobal flags (-p, -o, --api-url, --timeout, --no-input, --color, --debug):\n  utho help options\n")
	}
	return p.writeText(b.String())
}

// useLine is how a command is called.
func useLine(cmd *cobra.Command) string {
	path, use := cmd.CommandPath(), cmd.Use
	_, args, _ := strings.Cut(use, " ")
	switch {
	case cmd.HasSubCommands():
		args = "COMMAND"
	case !strings.Contains(args, "[flags]"):
		args += " [flags]"
	}
	return path + " " + strings.TrimSpace(args)
}

// subcommands are the commands of a group, or all of them. Those of token are listed
// with it on the root's page, since people look for them there.
func subcommands(cmd *cobra.Command, groupID string) [][2]string {
	var rows [][2]string
	for _, c := range cmd.Commands() {
		if !c.IsAvailableCommand() || groupID != "" && c.GroupID != groupID {
			continue
		}
		if groupID != groupTokens {
			rows = append(rows, [2]string{c.Name(), c.Short})
			continue
		}
		for _, sub := range subcommands(c, "") {
			rows = append(rows, [2]string{c.Name() + " " + sub[0], sub[1]})
		}
	}
	return rows
}

func topicRows() [][2]string {
	var rows [][2]string
	for _, t := range topics() {
		rows = append(rows, [2]string{t.name, t.short})
	}
	return rows
}

func flagRows(flags *pflag.FlagSet) [][2]string {
	var rows [][2]string
	flags.VisitAll(func(f *pflag.Flag) {
		name, usage := pflag.UnquoteUsage(f)
		left := "    --" + f.Name
		if f.Shorthand != "" {
			left = "-" + f.Shorthand + ", --" + f.Name
		}
		switch {
		case f.NoOptDefVal != "" && name != "":
			left += "[=" + name + "]"
		case name != "":
			left += " " + name
		}
		if d := f.DefValue; d != "" && d != "false" && d != "[]" {
			usage += " (default " + d + ")"
		}
		rows = append(rows, [2]string{left, usage})
	})
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
		switch {
		case i == 0:
		case at+1+len(word) > helpWidth:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			at = indent
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += len(word)
	}
	return b.String()
}

func page(intro string, rows [][2]string, more ...string) string {
	var b strings.Builder
	b.WriteString(wrap(intro, 0) + "\n")
	section(&b, "", rows)
	for _, m := range more {
		b.WriteString("\n" + m + "\n")
	}
	return b.String()
}

func environmentTopic(*cobra.Command) string {
	return page("utho reads these variables. An empty one counts as not set; a flag wins over its variable, and the variable over the configuration.", [][2]string{
		{variables[0], "the token; it wins over the stored ones"},
		{variables[1], "the same, if " + variables[0] + " is not set"},
		{keyFileVariable, "a file that holds the token in one line, if neither is set"},
		{"UTHO_PROFILE", "the profile; a token in the environment wins over it, unless it is " + sandboxName},
		{"UTHO_API_URL", "base URL of the service (default " + utho.DefaultBaseURL + ")"},
		{"UTHO_OUTPUT", "like -o, but not for token create and token rotate"},
		{"UTHO_TIMEOUT", "like --timeout"},
		{"UTHO_COLOR", "like --color"},
		{"UTHO_DEBUG", "1 is --debug"},
		{"UTHO_CONFIG_DIR", "folder of config.yaml and of secrets in files (default $XDG_CONFIG_HOME/utho, ~/.config/utho)"},
		{"UTHO_STATE_DIR", "folder of the sandbox and of unfinished rotations (default $XDG_STATE_HOME/utho, ~/.local/state/utho)"},
		{"UTHO_NO_MASK", "1: no ::add-mask:: in GitHub Actions"},
		{"HTTPS_PROXY", "the proxy; NO_PROXY names the hosts without one"},
		{"NO_COLOR", "no colour"},
	}, wrap("config.yaml holds profiles and defaults (output, color, timeout, columns, expires_in), and no secrets.", 0))
}

func exitTopic(*cobra.Command) string {
	return page("What each exit status means, and the code that an error has with -o json.", [][2]string{
		{"0", "done"},
		{number(exitError), "error: the service says no, a destination or the keyring cannot be used"},
		{number(exitUsage), "usage: wrong flags or arguments, a refused address, or a question and no terminal"},
		{number(exitCancelled), "cancelled: you said no"},
		{number(exitAuth), "auth: not logged in, or the credential is rejected; forbidden: it lacks write scope"},
		{number(exitNotFound), "not_found: no such token or profile"},
		{number(exitAmbiguous), "ambiguous: several tokens match; exists: the name is taken"},
		{number(exitPartial), "partial: some of several failed"},
		{number(exitUnknown), "unknown_outcome: the outcome is not known, or a secret is lost; the error names what to clean up"},
		{number(exitUnavailable), "unavailable: the service cannot be reached or is overloaded; try again later"},
		{number(exitMatched), "matched: --fail-if-any matched"},
		{"129, 130, 143", "interrupted: by HUP, Ctrl-C, TERM; 131 by QUIT"},
	}, wrap("token run and exec end with the status of their command: 128+n if signal n ended it, 126 if it cannot be executed, 127 if it is not found, and "+
		number(exitRunFailed)+" if utho itself failed.", 0))
}

func number(n int) string { return fmt.Sprint(n) }

func formatsTopic(root *cobra.Command) string {
	var b strings.Builder
	section(&b, "Commands:\n", commandFormats(root))
	return page("-o chooses the format; UTHO_OUTPUT and defaults.output of the configuration set it for all commands but token create and token rotate, "+
		"which print the bare secret.", [][2]string{
		{string(formatTable), "the default: columns, or lines of NAME: value"},
		{string(formatWide), "a table with id, age and expiry"},
		{string(formatJSON), "for programs; documents only ever grow"},
		{string(formatYAML), "the same as YAML"},
		{string(formatCSV), "all columns, created_at and expired too; the first line has their keys"},
		{string(formatMarkdown), "a table for a web page"},
		{string(formatID), "one id a line"},
	}, strings.Trim(b.String(), "\n"), wrap("Columns (--columns): "+strings.Join(columnKeys, ", ")+
		". If the terminal is too narrow for a table, ACTION is shortened to delete ID.", 0))
}

// commandFormats are the commands that people see and have an answer, with its formats.
func commandFormats(cmd *cobra.Command) [][2]string {
	var rows [][2]string
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

func expiryTopic(*cobra.Command) string {
	return wrap("--expires-in 30d creates ci.expires-20261223T0930Z: the moment in UTC, to the minute. Other commands take the name without it.", 0) +
		"\n\n" + notEnforced + "\n\n" + page("What reads it:", [][2]string{
		{"token list --expires-within 7d", "what ends soon; --fail-if-any makes it a gate"},
		{"token list --without-expiry", "what never ends"},
		{"token rotate NAME", "with --if-expires-within 7d: a new secret if it is due, with an expiry of the same length"},
		{"token create NAME --no-expiry", "none, whatever defaults.expires_in says"},
	}, wrap("Durations are one whole number and one unit: 90m, 36h, 30d, 12w. A day is 24 hours. What time it is, the service's clock says.", 0))
}

func destinationsTopic(*cobra.Command) string {
	return page("--to sends a new secret elsewhere than to stdout. It may be repeated. Everything is checked before anything is created; if one fails, "+
		"the others are restored and the token is deleted.", [][2]string{
		{deliver.KindFile.String() + ":PATH", "a new file that only you can read (0600); rotate replaces a regular file and keeps its owner, group and mode"},
		{deliver.KindEnv.String() + ":PATH#NAME", "a line of a dotenv file; NAME is " + deliver.DefaultVariable + " if left out"},
		{deliver.KindProfile.String() + ":NAME", "a new profile of utho, with the active one's URL and store"},
		{deliver.KindKubernetes.String() + ":[NAMESPACE/]SECRET#KEY", "a key of a Kubernetes Secret, through kubectl and its current context"},
		{deliver.KindExec.String() + ":COMMAND", "the stdin of a command, without a newline; no shell runs it"},
		{deliver.KindStdout.String(), "printed; the default"},
	}, wrap("They are served in this order. ~/ is expanded; the last # separates NAME. For a pipe or a variable in a command, write exec:sh -c '…'.", 0),
		"For example:\n  utho token create ci --to env:.env#UTHO_API_KEY\n  utho token rotate ci --to 'exec:gh secret set UTHO_API_KEY'")
}

func optionsTopic(root *cobra.Command) string {
	return page("Every command has these flags.", flagRows(root.PersistentFlags()))
}
