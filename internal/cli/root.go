package cli

import (
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// root is the whole tree of commands.
func (a *app) root() *cobra.Command {
	var version bool
	cmd := &cobra.Command{
		Use:   "utho",
		Short: "Manage the API tokens of Utho Cloud",
		Long: `utho lists, makes, replaces and deletes the API tokens of Utho Cloud.

Try it without an account, on a built-in sandbox:

  utho -p sandbox token list

Log in with a token made at ` + consoleURL + `:

  utho login`,
		Args:              a.noSuchCommand,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if version {
			return a.printVersion()
		}
		return cmd.Help()
	}
	cmd.Flags().BoolVar(&version, "version", false, "print the version")
	cmd.SetFlagErrorFunc(a.flagError)
	cmd.SetHelpCommand(a.helpCommand(cmd))
	help := cmd.HelpFunc()
	cmd.SetHelpFunc(func(c *cobra.Command, args []string) {
		if c.HasSubCommands() {
			if a.failed = a.noSuchCommand(c, c.Flags().Args()); a.failed != nil {
				return // utho nosuch --help
			}
		}
		a.pipeQuiet = true
		help(c, args)
	})

	f := cmd.PersistentFlags()
	f.VarP(filledFlag{&a.flags.profile, "NAME", "the name is empty"}, "profile", "p", "profile to use; sandbox needs no account")
	f.VarP(wordFlag{&a.flags.output, "FORMAT", strings.Split(join(allFormats), ", ")}, "output", "o", "format of the answer: table, wide, json, yaml, csv, markdown or id")
	f.Var(filledFlag{&a.flags.apiURL, "URL", "the address is empty"}, "api-url", "base URL of the service (default https://api.utho.com/v2)")
	a.flags.timeout, a.flags.color = timeoutFlag(30*time.Second), "auto"
	f.Var(&a.flags.timeout, "timeout", "limit for one exchange with the service, its retries included")
	f.BoolVar(&a.flags.noInput, "no-input", false, "never ask")
	f.Var(wordFlag{&a.flags.color, "WHEN", []string{"auto", "always", "never"}}, "color", "colour: auto, always or never")
	f.BoolVar(&a.flags.debug, "debug", false, "show requests and answers on stderr, without secrets")
	a.flags.changed = f.Changed
	cmd.PersistentFlags().BoolP("help", "h", false, "help for the command")

	cmd.AddCommand(
		a.loginCommand(), a.logoutCommand(), a.statusCommand(),
		a.profileCommand(), a.tokenCommand(), a.sandboxCommand(),
		a.completionCommand(), a.versionCommand(), a.authCommand(),
	)
	a.completeGlobals(cmd)
	return cmd
}

// group is a command that only holds others: it shows its help.
func (a *app) group(use, short, long string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Long: long,
		Args: a.noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(commands...)
	return cmd
}

// authCommand answers the habits of people who come from other tools.
func (a *app) authCommand() *cobra.Command {
	cmd := a.group("auth", "Log in, log out, status", "", a.loginCommand(), a.logoutCommand(), a.statusCommand())
	cmd.Hidden = true
	return cmd
}

// noSuchCommand refuses what follows a group that is no command of it.
func (a *app) noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if cmd.SuggestionsMinimumDistance <= 0 {
		cmd.SuggestionsMinimumDistance = 2
	}
	if !looksLikeCommand(args[0]) {
		return usagef("%s has no such command", cmd.CommandPath()).with("%s --help", cmd.CommandPath())
	}
	f := usagef("%s has no command %q", cmd.CommandPath(), args[0])
	if s := cmd.SuggestionsFor(args[0]); len(s) > 0 {
		return f.with("did you mean %s %s?", cmd.CommandPath(), strings.Join(s, " or "))
	}
	return f.with("%s --help", cmd.CommandPath())
}

// looksLikeCommand tells whether a word can be repeated in an error: anything
// else may be a secret in the wrong place.
func looksLikeCommand(word string) bool {
	return len(word) <= 16 && strings.Trim(word, "abcdefghijklmnopqrstuvwxyz-") == ""
}

// helpCommand is cobra's, but for an unknown topic, which is a usage error.
func (a *app) helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Help about any command",
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			cmd, _, err := root.Find(args)
			if err != nil || cmd == nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var names []string
			for _, c := range cmd.Commands() {
				if c.IsAvailableCommand() {
					names = append(names, c.Name()+"\t"+c.Short)
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err != nil || cmd == nil || len(rest) > 0 {
				if slices.ContainsFunc(args, func(word string) bool { return !looksLikeCommand(word) }) {
					return usagef("no help for that: there is no such command").with("utho --help")
				}
				return usagef("no help for %q: there is no such command", strings.Join(args, " ")).with("utho --help")
			}
			cmd.InitDefaultHelpFlag()
			return cmd.Help()
		},
	}
}

// one and none check the number of arguments; what was typed is
// not repeated, since it may be a secret in the wrong place.
func (a *app) one(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < 1:
			return usagef("%s needs %s", cmd.CommandPath(), what).with("%s", cmd.UseLine())
		case len(args) > 1:
			return usagef("%s takes %s and no more", cmd.CommandPath(), what).with("%s", cmd.UseLine())
		}
		return nil
	}
}

func (a *app) none(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%s takes no arguments", cmd.CommandPath()).with("%s --help", cmd.CommandPath())
	}
	return nil
}
