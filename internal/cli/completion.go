package cli

import (
	"context"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/expiry"
	"github.com/utho/utho-cli/internal/output"
	"github.com/utho/utho-cli/pkg/utho"
)

// completeWithin bounds a completion that asks the service: a person waits.
const completeWithin = 2 * time.Second

func (a *app) completionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print the completion script of a shell",
		Long: `Print the completion script of a shell.

  bash        utho completion bash > ~/.local/share/bash-completion/completions/utho
              (needs the bash-completion package)
  zsh         utho completion zsh > "${fpath[1]}/_utho"
  fish        utho completion fish > ~/.config/fish/completions/utho.fish
  powershell  utho completion powershell | Out-String | Invoke-Expression`,
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
	}
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if len(args) != 1 || !slices.Contains(cmd.ValidArgs, args[0]) {
			return usagef("utho completion needs one of bash, zsh, fish, powershell").with("utho completion --help")
		}
		return nil
	}
	cmd.RunE = a.plain(func(_ context.Context, args []string) error {
		root := cmd.Root()
		switch args[0] {
		case "bash":
			return root.GenBashCompletionV2(a.out, true)
		case "zsh":
			return root.GenZshCompletion(a.out)
		case "fish":
			return root.GenFishCompletion(a.out, true)
		}
		return root.GenPowerShellCompletionWithDesc(a.out)
	})
	return cmd
}

// fixed completes from a list that never changes.
func fixed(values ...string) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return values, cobra.ShellCompDirectiveNoFileComp
	}
}

// noFiles has flags that take anything but the name of a file.
func noFiles(cmd *cobra.Command, flags ...string) {
	for _, flag := range flags {
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.NoFileCompletions) // fails only for a flag that is not there
	}
}

func (a *app) completeGlobals(root *cobra.Command) {
	for flag, f := range map[string]cobra.CompletionFunc{
		"output":  fixed("table", "wide", "json", "yaml", "csv", "markdown", "id"),
		"color":   fixed("auto", "always", "never"),
		"profile": a.completeProfilesAndSandbox,
		"api-url": fixed(utho.DefaultBaseURL),
		"timeout": fixed("10s", "30s", "1m"),
	} {
		_ = root.RegisterFlagCompletionFunc(flag, f) // fails only for a flag that is not there
	}
}

func (a *app) completeProfiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	file, err := a.config()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, p := range file.Profiles() {
		names = append(names, p.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (a *app) completeProfilesAndSandbox(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	names, d := a.completeProfiles(c, args, typed)
	return append(names, sandboxName+"\tbuilt in, needs no account"), d
}

// completeTokens offers ids and names from a live list, with scope and age. It
// takes at most n arguments; -1 takes any number. Whatever fails, it is silent.
func (a *app) completeTokens(n int) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if n >= 0 && len(args) >= n {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		a.silence()
		ctx, cancel := context.WithTimeout(a.sig.soft, completeWithin)
		defer cancel()
		offers, err := await(ctx, func() ([]string, error) { return a.offers(ctx, args, typed) })
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return offers, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	}
}

// silence drops stderr: a note in the middle of a command line helps nobody.
func (a *app) silence() {
	if null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil {
		a.errFile = null
	}
}

func (a *app) offers(ctx context.Context, args []string, typed string) ([]string, error) {
	s, err := a.prepare()
	if err != nil {
		return nil, err
	}
	// Completion never runs a credential command and never raises a dialog.
	if s.kind == "command" || s.kind == "keyring" && !a.keyring().Unlocked(ctx, s.ref()) {
		return nil, nil
	}
	if err := a.readSecret(ctx, s); err != nil {
		return nil, err
	}
	s.once = true
	if err := s.connect(); err != nil {
		return nil, err
	}
	list, err := s.list(ctx)
	if err != nil {
		return nil, err
	}
	at := now(list)
	count := map[string]int{}
	for _, t := range list.Tokens {
		count[t.Name]++
	}
	var offers []string
	for _, t := range list.Tokens {
		if slices.Contains(args, t.ID) || count[t.Name] == 1 && slices.Contains(args, t.Name) {
			continue // it is on the line already
		}
		about := t.Scope.Label()
		if !t.CreatedAt.IsZero() {
			about += ", " + expiry.Age(at.Sub(t.CreatedAt))
		}
		if !strings.HasPrefix(t.ID, "-") && offerable(t.ID) && strings.HasPrefix(t.ID, typed) {
			offers = append(offers, t.ID+"\t"+output.Safe(t.Name)+" ("+about+")")
		}
		// A name is offered where it means this token and nothing else, and
		// where a shell takes it as it stands.
		if offerable(t.Name) && !isDigits(t.Name) && count[t.Name] == 1 && strings.HasPrefix(t.Name, typed) &&
			!strings.HasPrefix(t.Name, "-") {
			offers = append(offers, t.Name+"\t"+t.ID+" ("+about+")")
		}
	}
	return offers, nil
}

// offerable tells whether every shell takes s as one word without quotes.
func offerable(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '.' && c != '_' && c != '-' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return s != ""
}
