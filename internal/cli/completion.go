package cli

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/listing"
	"github.com/utho/utho-cli/internal/problem"
	"github.com/utho/utho-cli/internal/session"
	"github.com/utho/utho-cli/internal/terminal"
	"github.com/utho/utho-cli/pkg/utho"
)

// completeWithin bounds a completion that asks the service: a person waits.
const completeWithin = 2 * time.Second

// The directives of most completions.
const (
	noFile  = cobra.ShellCompDirectiveNoFileComp
	anyFile = cobra.ShellCompDirectiveDefault
)

func newCompletion(p *program) *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	cmd := &cobra.Command{
		Use: "completion bash|zsh|fish|powershell", Short: "Print the completion script of a shell",
		Long: `Print the completion script of a shell. For good, in new shells:

bash (needs the bash-completion package):
  mkdir -p ~/.local/share/bash-completion/completions
  utho completion bash > ~/.local/share/bash-completion/completions/utho

zsh:
  echo 'autoload -U compinit; compinit' >> ~/.zshrc
  echo 'source <(utho completion zsh)' >> ~/.zshrc

fish:
  mkdir -p ~/.config/fish/completions
  utho completion fish > ~/.config/fish/completions/utho.fish

powershell, in the file that $PROFILE names:
  utho completion powershell | Out-String | Invoke-Expression`,
		Example: "  source <(utho completion bash)", ValidArgs: shells,
	}
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if len(args) != 1 || !slices.Contains(shells, args[0]) {
			return problem.Usagef("utho completion needs one of %s", strings.Join(shells, ", ")).Hintf("see utho completion --help")
		}
		return nil
	}
	cmd.RunE = p.readE(func(_ context.Context, args []string) error {
		if p.output != "" {
			return problem.Usagef("-o %s: a completion script has one form", p.output).Hintf("leave -o out")
		}
		root := cmd.Root()
		switch args[0] {
		case "bash":
			return root.GenBashCompletionV2(p.out, true)
		case "zsh":
			return root.GenZshCompletion(p.out)
		case "fish":
			return root.GenFishCompletion(p.out, true)
		}
		return root.GenPowerShellCompletionWithDesc(p.out)
	})
	return cmd
}

func fixed(values ...string) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) { return values, noFile }
}

func completeFormats(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	formats := formatsOf(cmd.CommandPath())
	if formats == nil {
		formats = documentFormats
	}
	return words(formats), noFile
}

func completeColumns(_ *cobra.Command, _ []string, typed string) (offers []string, _ cobra.ShellCompDirective) {
	before := typed[:strings.LastIndex(typed, ",")+1]
	for _, key := range listing.ColumnKeys() {
		if !slices.Contains(strings.Split(before, ","), key) {
			offers = append(offers, before+key)
		}
	}
	return offers, noFile | cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveKeepOrder
}

func (p *program) completeProfiles(_ *cobra.Command, args []string, _ string) (names []string, _ cobra.ShellCompDirective) {
	p.console.Silent = true
	if file, err := p.env.Config(); err == nil && len(args) == 0 {
		for _, profile := range file.Profiles() {
			names = append(names, profile.Name)
		}
	}
	return names, noFile
}

func (p *program) completeProfilesAndSandbox(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	names, directive := p.completeProfiles(cmd, nil, typed)
	return append(names, session.SandboxName+"\tbuilt in, needs no account"), directive
}

// completeCommand offers the programs on the PATH, then files, behind run -- and exec --.
func completeCommand(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 || typed == "" || strings.ContainsAny(typed, `/\`) || runtime.GOOS == "windows" {
		return nil, anyFile
	}
	var names []string
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		entries, _ := os.ReadDir(dir) // of a folder that cannot be read nothing can be run
		for _, e := range entries {
			if !strings.HasPrefix(e.Name(), typed) || e.IsDir() {
				continue
			}
			if info, err := os.Stat(filepath.Join(dir, e.Name())); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
				names = append(names, e.Name())
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), noFile
}

// completeTokens offers ids and names from a live list, with scope and age, to at most n arguments; -1 is any number.
func (p *program) completeTokens(n int) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if n >= 0 && len(args) >= n {
			return nil, noFile
		}
		p.console.Silent, p.env.Silent = true, true
		ctx, cancel := context.WithTimeout(p.signals.Ctx, completeWithin)
		defer cancel()
		list, err := terminal.Await(ctx, func() (*utho.TokenList, error) {
			_, list, err := p.list(ctx)
			return list, err
		})
		if err != nil {
			return nil, noFile
		}
		return listing.Offers(list, args, typed), noFile | cobra.ShellCompDirectiveKeepOrder
	}
}
