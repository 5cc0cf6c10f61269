package cli

import (
	"fmt"
	"slices"
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
		var names []string
		if found, _, err := root.Find(args); err == nil {
			for _, c := range found.Commands() {
				if c.IsAvailableCommand() {
					names = append(names, c.Name()+"\t"+c.Short)
				}
			}
		}
		if len(args) == 0 {
			for _, t := range topics() {
				names = append(names, t.name+"\t"+t.short)
			}
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
		if err != nil || found == nil {
			found, rest = root, args
		}
		if len(rest) == 0 {
			return found.Help()
		}
		if slices.ContainsFunc(args, func(word string) bool { return !looksLikeCommand(word) }) {
			return hintf(usagef("no help for that: there is no such command or topic"), "see utho --help")
		}
		err = usagef("no help for %q: there is no such command or topic", strings.Join(args, " "))
		if hint := insteadOf(found, rest); hint != "" {
			return hintf(err, "%s", hint)
		}
		if names := found.SuggestionsFor(rest[0]); len(names) > 0 {
			return hintf(err, "did you mean: utho help %s?", names[0])
		}
		return hintf(err, "see utho --help")
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
	about := cmd.Long
	if about == "" {
		about = cmd.Short + "."
	}
	fmt.Fprintf(&b, "%s\n\nUsage:\n  %s\n", about, useLine(cmd))
	if len(cmd.Aliases) > 0 {
		fmt.Fprintf(&b, "\nAliases: %s\n", strings.Join(cmd.Aliases, ", "))
	}
	root := cmd.Root()
	switch {
	case cmd == root:
		for _, g := range root.Groups() {
			section(&b, g.Title, subcommands(root, g.ID))
		}
	case cmd.HasSubCommands():
		section(&b, "Commands:", subcommands(cmd, ""))
	}
	if cmd.Example != "" {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", cmd.Example)
	}
	var own []*pflag.Flag
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden && (cmd == root || root.PersistentFlags().Lookup(f.Name) == nil) {
			own = append(own, f)
		}
	})
	section(&b, "Flags:", flagRows(own))
	if formats := formatsOf(cmd.CommandPath()); formats != nil && cmd != root {
		fmt.Fprintf(&b, "\nFormats: -o %s\n", join(formats))
	}
	if cmd == root {
		section(&b, "Topics, for utho help TOPIC:", topicRows())
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

func flagRows(flags []*pflag.Flag) [][2]string {
	var rows [][2]string
	for _, f := range flags {
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
		if len(r[0]) <= 30 {
			left = max(left, len(r[0]))
		}
	}
	if title != "" {
		fmt.Fprintf(b, "\n%s\n", title)
	}
	for _, r := range rows {
		first := fmt.Sprintf("  %-*s  ", left, r[0])
		if len(r[0]) > left {
			first += "\n" + strings.Repeat(" ", left+4)
		}
		b.WriteString(first + wrap(r[1], left+4) + "\n")
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
	section(&b, "", slices.Insert(rows, 0, [2]string{}))
	for _, m := range more {
		b.WriteString("\n" + m + "\n")
	}
	return strings.ReplaceAll(b.String(), "\n    \n", "\n\n")
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
	}, `config.yaml holds no secrets:

  current_profile: work
  defaults:
    output: table
    columns: name,scope,created,action   # of token list
    expires_in: 90d                      # of token create
    timeout: 30s
  profiles:
    work:
      api_url: `+utho.DefaultBaseURL+`
      store: keyring                     # or file
      time_zone: "+05:30"                # of the service's time stamps
    ci:
      credential_command: [op, read, "op://infra/utho/token"]`)
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
	who := map[format][]string{}
	visit(root, func(cmd *cobra.Command) {
		for _, f := range formatsOf(cmd.CommandPath()) {
			who[f] = append(who[f], strings.TrimPrefix(cmd.CommandPath(), "utho "))
		}
	})
	about := map[format]string{
		formatTable: "the default: columns, or lines of NAME: value", formatWide: "a table with id, age and expiry",
		formatJSON: "for programs; documents only ever grow", formatYAML: "the same as YAML", formatCSV: "all columns; the first line has their keys",
		formatMarkdown: "a table for a web page", formatID: "one id a line",
	}
	var rows [][2]string
	for _, f := range allFormats {
		rows = append(rows, [2]string{string(f), about[f] + "; " + strings.Join(who[f], ", ")})
	}
	return page("-o chooses the format; UTHO_OUTPUT and defaults.output of the configuration set it for all commands but token create and token rotate, "+
		"which print the bare secret.", rows,
		wrap("Columns (--columns): "+strings.Join(columnKeys, ", ")+". csv has created_at and expired too.", 0),
		wrap("If the terminal is too narrow for a table, ACTION is shortened to delete ID.", 0))
}

// visit calls f for every command that people see.
func visit(cmd *cobra.Command, f func(*cobra.Command)) {
	f(cmd)
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			visit(c, f)
		}
	}
}

func expiryTopic(*cobra.Command) string {
	return wrap("--expires-in 30d creates ci.expires-20261223T0930Z: the moment in UTC, to the minute. Other commands take the name without it.", 0) +
		"\n\n" + notEnforced + "\n\n" + page("What reads it:", [][2]string{
		{"token list --expires-within 7d", "what ends soon; --fail-if-any makes it a gate"},
		{"token list --without-expiry", "what never ends"},
		{"token rotate NAME --if-expires-within 7d", "a new secret if it is due, with an expiry of the same length"},
		{"token create NAME --no-expiry", "none, whatever defaults.expires_in says"},
	}, wrap("Durations are one whole number and one unit: 90m, 36h, 30d, 12w. A day is 24 hours. What time it is, the service's clock says.", 0))
}

func destinationsTopic(*cobra.Command) string {
	return page("--to sends a new secret elsewhere than to stdout. It may be repeated. Everything is checked before anything is created; if one fails, "+
		"the others are restored and the token is deleted.", destinationForms(),
		wrap("~/ is expanded; the last # separates NAME. For a pipe or a variable in a command, write exec:sh -c '…'. "+
			"Order: file, env, profile and k8s, then exec, then "+deliver.KindStdout.String()+".", 0),
		"For example:\n  utho token create ci --to env:.env#UTHO_API_KEY\n  utho token rotate ci --to 'exec:gh secret set UTHO_API_KEY'")
}

func optionsTopic(root *cobra.Command) string {
	var flags []*pflag.Flag
	root.PersistentFlags().VisitAll(func(f *pflag.Flag) { flags = append(flags, f) })
	return page("Every command has these flags.", flagRows(flags))
}
