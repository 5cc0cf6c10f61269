package cli

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/pkg/utho"
)

// The groups of the root's help that something else names.
const (
	groupTokens = "Tokens"
	groupTools  = "More, tools"
)

func newRoot(p *program) *cobra.Command {
	root := &cobra.Command{
		Use: "utho", Short: "Manage the API tokens of Utho Cloud",
		Long: `utho lists, creates, rotates and deletes the API tokens of Utho Cloud.

  utho -p sandbox token list   try it without an account
  utho login                   log in`,
		Args: noSuchCommand, SilenceErrors: true, SilenceUsage: true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.CompletionOptions.SetDefaultShellCompDirective(noFile) // unless a flag or a command says otherwise
	version := root.Flags().Bool("version", false, "print the version")
	root.RunE = func(cmd *cobra.Command, args []string) error {
		if *version {
			return p.readE(p.printVersion)(cmd, args)
		}
		return cmd.Help()
	}
	p.bindGlobals(root)
	root.SetFlagErrorFunc(p.flagError)
	root.SetHelpFunc(p.help)
	root.SetUsageFunc(p.writeHelp)
	root.SetHelpCommand(p.newHelp(root))

	for _, g := range []struct {
		title    string
		commands []*cobra.Command
	}{
		{"Log in", []*cobra.Command{newLogin(p), newStatus(p)}},
		{groupTokens, []*cobra.Command{newToken(p)}},
		{"More, account", []*cobra.Command{newLogout(p), newProfile(p)}},
		{"More, trying it", []*cobra.Command{newSandbox(p)}},
		{groupTools, []*cobra.Command{newExec(p), newCompletion(p), newVersion(p)}},
	} {
		root.AddGroup(&cobra.Group{ID: g.title, Title: g.title})
		for _, cmd := range g.commands {
			cmd.GroupID = g.title
			root.AddCommand(cmd)
		}
	}
	// For the habits of people who come from other tools.
	auth := newGroup("auth", "Log in, log out, status", "", newLogin(p), newLogout(p), newStatus(p))
	auth.Hidden = true
	root.AddCommand(auth)
	return root
}

func newGroup(use, short, long string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Long: long, Args: noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(commands...)
	return cmd
}

func (p *program) bindGlobals(root *cobra.Command) {
	f := root.PersistentFlags()
	p.env.Flags.Set = f         // its flags are those of the command that runs
	timeout := 30 * time.Second // read as a setting
	colors := []string{"auto", "always", "never"}
	bind := func(name, short string, v flagValue, usage string, complete cobra.CompletionFunc) {
		f.VarP(v, name, short, usage)
		_ = root.RegisterFlagCompletionFunc(name, complete) // fails only for a flag that is not there
	}
	bind("profile", "p", nonEmptyFlag(&p.env.Flags.Profile, "NAME", "the name is empty"), "profile to use; sandbox needs no account",
		p.completeProfilesAndSandbox)
	bind("output", "o", enumFlag(&p.output, "FORMAT", words(allFormats)), "format of the answer; see utho help formats", completeFormats)
	bind("api-url", "", nonEmptyFlag(&p.env.Flags.APIURL, "URL", "the address is empty"),
		"base URL of the service (default "+utho.DefaultBaseURL+")", fixed(utho.DefaultBaseURL))
	bind("timeout", "", timeoutFlag(&timeout), "limit for one exchange with the service, its retries included",
		fixed("10s", "30s", "1m"))
	bind("color", "", enumFlag(&p.console.Color, "WHEN", colors),
		"auto, always or never; auto is a terminal without NO_COLOR", fixed(colors...))
	f.BoolVar(&p.console.NoInput, "no-input", false, "never ask")
	f.BoolVar(&p.env.Flags.Debug, "debug", false, "show requests and answers on stderr, without secrets")
	f.BoolP("help", "h", false, "help for the command")
}

func newToken(p *program) *cobra.Command {
	cmd := newGroup("token", "List, create, rotate and delete tokens",
		`A token is what a program logs in to Utho Cloud with. It has a name, and it may
read, or read and write. Its secret is shown once, when it is created.`,
		newTokenList(p), newTokenGet(p), newCreate(p), newRotate(p), newDelete(p), newRun(p))
	cmd.Aliases = []string{"tokens"}
	return cmd
}

type versionDoc struct {
	Version string  `json:"version"`
	Commit  *string `json:"commit"`
	Date    *string `json:"date"` // of the commit, RFC 3339
	Go      string  `json:"go"`
	OS      string  `json:"os"`
	Arch    string  `json:"arch"`
}

// version is the release, or what the Go toolchain knows of another build.
func (p *program) version() string { return p.versionDoc().Version }

func (p *program) versionDoc() versionDoc {
	version, commit, date := p.build.Version, p.build.Commit, p.build.Date
	if info, ok := debug.ReadBuildInfo(); ok && version == "" {
		version = strings.Trim(info.Main.Version, "()")
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				commit = cmp.Or(commit, s.Value)
			case "vcs.time":
				date = cmp.Or(date, s.Value)
			}
		}
	}
	return versionDoc{cmp.Or(version, "devel"), orNull(commit), orNull(date), runtime.Version(), runtime.GOOS, runtime.GOARCH}
}

func newVersion(p *program) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version",
		Long:    "Print the version of utho, its commit and date, Go's version and the platform.",
		Example: "  utho version\n  utho version -o json", Args: noArgs,
		RunE: p.readE(p.printVersion),
	}
}

// printVersion must always answer: settings that cannot be read are passed over.
func (p *program) printVersion(context.Context, []string) error {
	f, err := p.format(documentFormats)
	if err != nil && p.output != "" {
		return err
	}
	d := p.versionDoc()
	if f.isDocument() {
		return p.document(f, d)
	}
	about := ""
	if d.Commit != nil && d.Date != nil {
		about = fmt.Sprintf(" (%.12s, %.10s)", *d.Commit, *d.Date)
	}
	_, err = fmt.Fprintf(p.out, "utho %s%s %s %s/%s\n", d.Version, about, d.Go, d.OS, d.Arch)
	return err
}
