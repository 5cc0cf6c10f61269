package cli

import (
	"context"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/pkg/utho"
)

// The groups of the root's help, in their order.
const (
	groupStart   = "start"
	groupTokens  = "tokens"
	groupAccount = "account"
	groupTrying  = "trying"
	groupTools   = "tools"
)

// newRoot is the whole tree of commands.
func newRoot(p *program) *cobra.Command {
	root := &cobra.Command{
		Use:   "utho",
		Short: "Manage the API tokens of Utho Cloud",
		Long: `utho lists, creates, rotates and deletes the API tokens of Utho Cloud.

  utho -p sandbox token list   try it without an account
  utho login                   log in`,
		Args:              noSuchCommand,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	version := root.Flags().Bool("version", false, "print the version")
	root.RunE = func(cmd *cobra.Command, args []string) error {
		if *version {
			return p.runE(func(context.Context, []string) error { return p.printVersion() })(cmd, args)
		}
		return cmd.Help()
	}
	p.bindGlobals(root)
	root.SetFlagErrorFunc(p.flagError)
	root.SetHelpFunc(p.help)
	root.SetUsageFunc(func(cmd *cobra.Command) error { return p.writeHelp(cmd) })
	root.SetHelpCommand(p.newHelp(root))

	root.AddGroup(
		&cobra.Group{ID: groupStart, Title: "Log in:"},
		&cobra.Group{ID: groupTokens, Title: "Tokens:"},
		&cobra.Group{ID: groupAccount, Title: "More, account:"},
		&cobra.Group{ID: groupTrying, Title: "More, trying it:"},
		&cobra.Group{ID: groupTools, Title: "More, tools:"},
	)
	add := func(group string, commands ...*cobra.Command) {
		for _, cmd := range commands {
			cmd.GroupID = group
		}
		root.AddCommand(commands...)
	}
	add(groupStart, newLogin(p), newStatus(p))
	add(groupTokens, newToken(p))
	add(groupAccount, newLogout(p), newProfile(p))
	add(groupTrying, newSandbox(p))
	add(groupTools, newExec(p), newCompletion(p), newVersion(p))
	// For the habits of people who come from other tools.
	auth := newGroup("auth", "Log in, log out, status", "", newLogin(p), newLogout(p), newStatus(p))
	auth.Hidden = true
	root.AddCommand(auth)
	return root
}

// newGroup is a command that only holds others: it shows its help.
func newGroup(use, short, long string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Long: long,
		Args: noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(commands...)
	return cmd
}

// outputFlag is -o. Errors are JSON from the moment that it is read.
type outputFlag struct {
	enumFlag
	json *bool
}

func (f outputFlag) Set(text string) error {
	err := f.enumFlag.Set(text)
	if err == nil {
		*f.json = *f.to == string(formatJSON)
	}
	return err
}

// bindGlobals binds the flags that every command has.
func (p *program) bindGlobals(root *cobra.Command) {
	f := root.PersistentFlags()
	f.SortFlags = false
	p.flags.set = f // its flags are those of the command that runs
	p.flags.timeout = timeoutFlag(30 * time.Second)
	p.console.json = strings.EqualFold(strings.TrimSpace(os.Getenv("UTHO_OUTPUT")), string(formatJSON))
	colors := []string{"auto", "always", "never"}
	f.VarP(nonEmptyFlag{&p.flags.profile, "NAME", "the name is empty"}, "profile", "p", "profile to use; sandbox needs no account")
	format := outputFlag{enumFlag{&p.flags.output, "FORMAT", words(allFormats)}, &p.console.json}
	f.VarP(format, "output", "o", "format of the answer; see utho help formats")
	f.Var(nonEmptyFlag{&p.flags.apiURL, "URL", "the address is empty"}, "api-url", "base URL of the service (default "+utho.DefaultBaseURL+")")
	f.Var(&p.flags.timeout, "timeout", "limit for one exchange with the service, its retries included")
	f.BoolVar(&p.console.noInput, "no-input", false, "never ask")
	f.Var(enumFlag{&p.console.color, "WHEN", colors}, "color", "auto, always or never; auto is a terminal without NO_COLOR")
	f.BoolVar(&p.flags.debug, "debug", false, "show requests and answers on stderr, without secrets")
	f.BoolP("help", "h", false, "help for the command")
	for flag, complete := range map[string]cobra.CompletionFunc{
		"output":  completeFormats,
		"color":   fixed(colors...),
		"profile": p.completeProfilesAndSandbox,
		"api-url": fixed(utho.DefaultBaseURL),
		"timeout": fixed("10s", "30s", "1m"),
	} {
		_ = root.RegisterFlagCompletionFunc(flag, complete) // fails only for a flag that is not there
	}
}
