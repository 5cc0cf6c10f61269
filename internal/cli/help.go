package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// helpWidth is how wide help may be, in cells.
const helpWidth = 80

const docsURL = "https://github.com/utho/utho-cli/tree/main/docs"

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
	fmt.Fprintf(&b, "%s\nUsage:\n  %s\n", paragraphs(firstOf(cmd.Long, cmd.Short+".")), useLine(cmd))
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
		b.WriteString("\n" + paragraphs(`Environment: UTHO_API_KEY is the token, UTHO_PROFILE the profile, UTHO_API_URL the
address; all are in utho help environment.`) + "\nDocs: " + docsURL + "\n")
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

// flagRows are flags and what they do, for section.
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

// paragraphs wraps the paragraphs of a text, but those of lines that are to be pasted,
// which start with a blank.
func paragraphs(text string) string {
	var b strings.Builder
	for p := range strings.SplitSeq(text, "\n\n") {
		if !strings.HasPrefix(p, " ") && !strings.Contains(p, "\n ") {
			p = wrap(p, 0)
		}
		b.WriteString(p + "\n\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}
