package cli

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/problem"
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
		found, rest, err := root.Find(args)
		for _, t := range topics(root) { // a name, or the beginning of one
			if found == root && len(args) == 1 && len(args[0]) > 2 && strings.HasPrefix(t.name, strings.ToLower(args[0])) {
				return p.writeText(t.text)
			}
		}
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
	fmt.Fprintf(&b, "%s\n\nUsage:\n  %s\n", cmp.Or(cmd.Long, cmd.Short+"."), use)
	if len(cmd.Aliases) > 0 {
		fmt.Fprintf(&b, "\nAliases: %s\n", strings.Join(cmd.Aliases, ", "))
	}
	flags := cmd.LocalNonPersistentFlags()
	if cmd == root {
		flags = cmd.LocalFlags()
		for _, g := range root.Groups() {
			section(&b, g.Title, subcommands(root, g.ID))
		}
	} else {
		section(&b, "Commands", subcommands(cmd, ""))
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
		section(&b, "Topics, for utho help TOPIC", topicRows(root))
		b.WriteString(`
Environment: UTHO_API_KEY is the token, UTHO_PROFILE the profile, UTHO_API_URL
the address; all are in utho help environment.

Docs: ` + docsURL + "\n")
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

// section writes a heading and two columns.
func section(b *strings.Builder, title string, rows [][2]string) {
	if len(rows) == 0 {
		return
	}
	left := 0
	for _, r := range rows {
		left = max(left, len(r[0]))
	}
	b.WriteString("\n" + title + ":\n")
	for _, r := range rows {
		fmt.Fprintf(b, "  %-*s  %s\n", left, r[0], r[1])
	}
}

// topic is a page of help.
type topic struct{ name, short, text string }

func topicRows(root *cobra.Command) (rows [][2]string) {
	for _, t := range topics(root) {
		rows = append(rows, [2]string{t.name, t.short})
	}
	return rows
}

func topics(root *cobra.Command) []topic {
	var commands strings.Builder
	section(&commands, "Commands", commandFormats(root))
	return []topic{
		{
			"environment", "the variables and the configuration file",
			`utho reads these variables. An empty one counts as not set; a flag wins over its
variable, and the variable over the configuration.

  UTHO_API_KEY       the token; it wins over the stored ones
  UTHO_TOKEN         the same, if UTHO_API_KEY is not set
  UTHO_API_KEY_FILE  a file that holds the token in one line, if neither is set
  UTHO_PROFILE       the profile; a token in the environment wins over it,
                     unless it is sandbox
  UTHO_API_URL       base URL of the service (default ` + utho.DefaultBaseURL + `)
  UTHO_OUTPUT        like -o, but not for token create and token rotate
  UTHO_TIMEOUT       like --timeout
  UTHO_COLOR         like --color
  UTHO_DEBUG         1 is --debug
  UTHO_CONFIG_DIR    config.yaml and secrets in files (default
                     $XDG_CONFIG_HOME/utho, ~/.config/utho)
  UTHO_STATE_DIR     the sandbox and unfinished rotations (default
                     $XDG_STATE_HOME/utho, ~/.local/state/utho)
  UTHO_NO_MASK       1: no ::add-mask:: in GitHub Actions
  HTTPS_PROXY        the proxy; NO_PROXY names the hosts without one
  SSL_CERT_FILE      the certificates to trust, in place of the system's
  NO_COLOR           no colour

config.yaml holds profiles and defaults (output, color, timeout, columns,
expires_in), and no secrets.
`,
		}, {
			"exit-codes", "what each exit status means",
			`What each exit status means, and the code that an error has with -o json.

  0              done
  1              error: the service says no, a destination or the keyring cannot
                 be used
  2              usage: wrong flags or arguments, a refused address, or a
                 question and no terminal
  3              cancelled: you said no
  4              auth: not logged in, or the credential is rejected; forbidden:
                 it lacks write scope
  5              not_found: no such token or profile
  6              ambiguous: several tokens match; exists: the name is taken
  7              partial: some of several failed
  8              unknown_outcome: not known, or a secret is lost; the error
                 names what to clean up
  9              unavailable: the service cannot be reached or is overloaded;
                 try again later
  10             matched: --fail-if-any matched
  129, 130, 143  interrupted: by HUP, Ctrl-C, TERM; 131 by QUIT

token run and exec end with the status of their command: 128+n if signal n ended
it, 126 if it cannot be executed, 127 if it is not found, and 125 if utho itself
failed.
`,
		}, {
			"formats", "the formats of -o, and the columns",
			`-o chooses the format; UTHO_OUTPUT and defaults.output of the configuration set
it for all commands but token create and token rotate, which print the bare
secret.

  table     the default: columns, or lines of NAME: value
  wide      a table with id, age and expiry
  json      for programs; documents only ever grow
  yaml      the same as YAML
  csv       all columns, created_at and expired too; the first line has their
            keys
  markdown  a table for a web page
  id        one id a line
` + commands.String() + `
Columns (--columns): name, scope, created, action, id, age, expires. If the
terminal is too narrow for a table, ACTION is shortened to delete ID.
`,
		}, {
			"expiry", "how tokens end, and how durations are written",
			`--expires-in 30d creates ci.expires-20261223T0930Z: the moment in UTC, to the
minute. Other commands take the name without it.

` + notEnforced + `

What reads it:

  token list --expires-within 7d  what ends soon; --fail-if-any makes it a gate
  token list --without-expiry     what never ends
  token rotate NAME               with --if-expires-within 7d: a new secret if
                                  it is due, for as long again
  token create NAME --no-expiry   none, whatever defaults.expires_in says

Durations are one whole number and one unit: 90m, 36h, 30d, 12w. A day is 24
hours. Ages and expiries use the service's clock.
`,
		}, {
			"destinations", "where --to sends a secret",
			`--to sends a new secret elsewhere than to stdout. It may be repeated. Everything
is checked before anything is created; if one fails, the others are restored and
the token is deleted.

  file:PATH                   a new file that only you can read (0600); rotate
                              replaces one and keeps its owner and mode
  env:PATH#NAME               a line of a dotenv file; NAME is UTHO_API_KEY if
                              left out
  profile:NAME                a new profile of utho, with the active one's URL
                              and store
  k8s:[NAMESPACE/]SECRET#KEY  a key of a Kubernetes Secret, through kubectl and
                              its current context
  exec:COMMAND                the stdin of a command, without a newline; no
                              shell runs it
  stdout                      printed; the default

They are served in this order. ~/ is expanded; the last # separates NAME. For a
pipe or a variable in a command, write exec:sh -c '…'.
`,
		}, {
			"options", "the flags that every command has",
			"Every command has these flags.\n\n" + root.PersistentFlags().FlagUsagesWrapped(helpWidth),
		},
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
