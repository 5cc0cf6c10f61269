package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// helpWidth is how wide help may be, in cells.
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
			return coded(exitUsage, err)
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
	p.pipe = true
	_, err := p.out.Write([]byte(text))
	return err
}

func (p *program) writeHelp(cmd *cobra.Command) error {
	var b strings.Builder
	use, root := cmd.UseLine(), cmd.Root()
	if cmd.HasSubCommands() {
		use = cmd.CommandPath() + " COMMAND"
	}
	fmt.Fprintf(&b, "%s\nUsage:\n  %s\n", paragraphs(firstOf(cmd.Long, cmd.Short+".")), use)
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

// subcommands are the commands of a group, or all of them. Those of token are listed with it on the root's page,
// since people look for them there.
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
