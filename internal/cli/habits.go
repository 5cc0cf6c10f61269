package cli

import (
	"cmp"
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/utho/utho-cli/internal/output"
	"github.com/utho/utho-cli/internal/problem"
	"github.com/utho/utho-cli/internal/session"
)

// commandHabits are what people type who come from other tools, or who expect a command that is not there: under
// which command, the words, and what to type instead. NAME is what followed it.
var commandHabits = [...][3]string{
	{"utho", "list ls key keys apikeys api-keys", "list tokens with: utho token list"},
	{"utho", "create", "create a token with: utho token create NAME"},
	{"utho", "get", "show a token with: utho token get NAME"},
	{"utho", "delete rm revoke", "delete a token with: utho token delete NAME"},
	{"utho", "rotate", "rotate a token with: utho token rotate NAME"},
	{"utho", "run", "run a command with a token of its own: utho token run -- COMMAND"},
	{"utho", "account me user who doctor ping test check", "check the token, and see whose it is: utho status"},
	{"utho", "config configuration settings", "see profiles with utho profile list, and settings with: utho help environment"},
	{"utho", "configure init setup signin connect", "log in with: utho login"},
	{"utho", "signout logoff", "log out with: utho logout"},
	{"utho", "context contexts", "a profile is what other tools call a context: utho profile list"},
	{"utho", "switch use", "choose a profile with: utho profile use NAME"},
	{"utho", "secret secrets", "utho prints no stored secret; run a program with it: utho exec -- COMMAND"},
	{"utho", "env environ", "see what utho reads with: utho help environment"},
	{"utho", "serve mock", "offer the sandbox with: utho sandbox serve"},
	{"utho", "docs man", "see the commands and topics with: utho help"},
	{"token", "show view info describe inspect", "show a token with: utho token get NAME"},
	{"token", "new add generate", "create a token with: utho token create NAME"},
	{"token", "remove del destroy drop", "delete a token with: utho token delete NAME"},
	{"token", "edit rename update modify set", "a token cannot be changed; create another with: utho token create OTHER"},
	{"token", "renew refresh regenerate roll", "give a token a new secret with: utho token rotate NAME"},
	{"token", "exec", "run a command with a token of its own: utho token run -- COMMAND"},
	{"token", "prune purge cleanup", "delete expired tokens with: utho token delete --expired"},
	{"token", "search find filter", "choose by name with: utho token list --name NAME"},
	{"profile", "add create new", "a login creates the profile: utho -p NAME login"},
	{"profile", "current", "see the one in use with utho status; the list marks it: utho profile list"},
	{"profile", "show get info view", "see a profile with: utho -p NAME status"},
	{"profile", "switch set select", "choose a profile with: utho profile use NAME"},
	{"profile", "delete del", "remove a profile with: utho profile remove NAME"},
	{"auth", "token secret", "utho prints no stored secret; run a program with it: utho exec -- COMMAND"},
	{"auth", "list ls", "list the profiles with: utho profile list"},
	{"auth", "switch", "choose a profile with: utho profile use NAME"},
	{"auth", "refresh", "give the token in use a new secret with: utho token rotate --self"},
	{"sandbox", "start run up", "offer the sandbox with: utho sandbox serve"},
	{"sandbox", "list ls token tokens", "list its tokens with: utho -p sandbox token list"},
	{"sandbox", "clear clean delete", "start it afresh with: utho sandbox reset"},
}

// flagHabits are flags of other tools, a flag that the command must have for the hint to help, and the hint.
var flagHabits = [...][3]string{
	{"format fmt", "", "use -o FORMAT"},
	{"q quiet silent", "", "notes are on stderr: drop them with 2>/dev/null; for ids only use -o id, where it is offered"},
	{"force f assume-yes", "yes", "use --yes"},
	{"read-only readonly ro", "scope", "use --scope read-only"},
	{"write w rw", "scope", "use --scope write"},
	{"permission permissions access access-scope role", "scope", "use --scope read-only or --scope write"},
	{"token t api-key apikey key secret password", "", "a secret on the command line can be seen by others and stays in the " +
		"shell's history; set UTHO_API_KEY, or pipe it: utho login --with-token"},
	{"filter search query grep match", "older-than", "use --name with a pattern, such as --name 'ci-*'"},
	{"limit page per-page max head n", "columns", "the list is always whole; cut it with: utho token list | head"},
	{"all a", "columns", "the list is always whole: utho token list"},
	{"all a", "older-than", "choose all with --name '*'"},
	{"watch w", "columns", "repeat it with: watch utho token list"},
	{"expires expiry expire expires-at ttl lifetime", "expires-in", "use --expires-in, such as --expires-in 30d"},
	{"expires expiry expire expires-in lifetime", "ttl", "use --ttl, such as --ttl 1h"},
	{"out output-file file save", "to", "use --to file:PATH"},
	{"sort-by order order-by", "sort", "use --sort"},
	{"reverse r desc", "sort", "use --sort -KEY"},
	{"verbose trace", "", "use --debug"},
	{"no-color no-colour", "", "use --color never"},
	{"v V", "", "use --version, or --debug"},
	{"url endpoint base-url host", "", "use --api-url URL"},
	{"account user context", "", "choose the account by its profile: -p NAME"},
	{"sandbox mock", "", "use -p sandbox"},
}

func noSuchCommand(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case !looksLikeCommand(args[0]):
		return helped(cmd, problem.Usagef("%s has no such command", cmd.CommandPath()), argumentHint(cmd, args[0]))
	}
	hint := insteadOf(cmd, args)
	for cmd.SuggestionsMinimumDistance = 1; hint == "" && cmd.SuggestionsMinimumDistance <= 2; cmd.SuggestionsMinimumDistance++ {
		if names := cmd.SuggestionsFor(args[0]); len(names) > 0 {
			hint = "did you mean " + cmd.CommandPath() + " " + strings.Join(names, " or ") + "?"
		}
	}
	return helped(cmd, problem.Usagef("%s has no command %q", cmd.CommandPath(), args[0]), hint)
}

// helped adds a hint with the profile and the address that were chosen, or the way to the command's help.
func helped(cmd *cobra.Command, err error, hint string) error {
	if hint == "" {
		return problem.Hintf(err, "see %s --help", cmd.CommandPath())
	}
	typed := func(flag string) string { return cmd.Flag(flag).Value.String() }
	way := session.Route{Profile: cmp.Or(typed("profile"), os.Getenv("UTHO_PROFILE")), APIURL: typed("api-url")}
	if !repeatable(way.Profile) {
		way.Profile = ""
	}
	var repeat []string
	for _, command := range []string{"token ", "status", "login", "logout", "exec "} {
		if command[:3] != "log" || !strings.EqualFold(way.Profile, session.SandboxName) { // which has no login
			repeat = append(repeat, "utho "+command, way.Command()+" "+command)
		}
	}
	return problem.Hintf(err, "%s", strings.NewReplacer(repeat...).Replace(hint))
}

// looksLikeCommand reports whether a word can be repeated in an error: others may be secrets in the wrong place.
func looksLikeCommand(word string) bool {
	return len(word) <= 16 && strings.Trim(word, "abcdefghijklmnopqrstuvwxyz-") == ""
}

func insteadOf(cmd *cobra.Command, args []string) string {
	if root := !cmd.HasParent(); root && len(args) > 1 && (args[1] == "token" || args[1] == "tokens") { // as kubectl has it
		if args = slices.Delete(slices.Clone(args), 1, 2); len(args) == 1 && args[0] == "get" {
			args[0] = "list"
		}
	}
	for _, h := range commandHabits {
		under := h[0] == cmd.Name() || h[0] == "token" && !cmd.HasParent()
		if !under || !slices.Contains(strings.Fields(h[1]), args[0]) {
			continue
		}
		var quoted strings.Builder // what was typed in the place of NAME
		for _, arg := range args[1:] {
			quoted.WriteString(" " + output.Quote(arg))
		}
		if len(args) == 1 || !repeatable(args[1:]...) {
			return h[2]
		}
		return strings.Replace(h[2], " NAME", quoted.String(), 1)
	}
	if !cmd.HasParent() && slices.ContainsFunc(topics(cmd), func(t topic) bool { return t.name == args[0] }) {
		return "read about it with: utho help " + args[0]
	}
	return ""
}

// repeatable reports whether arguments can be repeated in a hint: no secret of the service is so short.
func repeatable(args ...string) bool {
	return !slices.ContainsFunc(args, func(arg string) bool {
		return len(arg) > 24 || strings.HasPrefix(arg, "live_") || strings.HasPrefix(arg, "-") || output.Name(arg) != `"`+arg+`"`
	})
}

func argumentHint(cmd *cobra.Command, arg string) string {
	switch login := cmd.Name() == "login"; {
	case login && cmd.Flags().Changed("import"):
		return "the file to import from goes behind an equals sign: utho login --import=PATH"
	case strings.HasPrefix(arg, "live_"), strings.HasPrefix(arg, "Bearer "), login && len(arg) > 16:
		return "if that was a secret, it is in the history of your shell now: delete it there; a token is pasted at the prompt of: utho login"
	case slices.Contains([]string{"login", "logout", "status"}, cmd.Name()) && looksLikeCommand(arg):
		return "name a profile with -p: utho -p " + arg + " " + cmd.Name()
	case cmd.Flags().Lookup("columns") != nil && repeatable(arg):
		return "choose by name with: utho token list --name " + output.Quote("*"+arg+"*")
	}
	return ""
}

// flagError is what a flag that cannot be read says, without the value of a flag that takes none: it may be a secret.
func (p *program) flagError(cmd *cobra.Command, err error) error {
	if args := cmd.Flags().Args(); cmd.HasSubCommands() && len(args) > 0 {
		return noSuchCommand(cmd, args) // utho create ci --scope write
	}
	var unknown *pflag.NotExistError
	var bad *pflag.InvalidValueError
	var bare *pflag.ValueRequiredError
	hint := ""
	switch {
	case errors.As(err, &unknown):
		return unknownFlag(cmd, unknown)
	case errors.As(err, &bad) && bad.GetFlag().Value.Type() == "bool":
		err = problem.Usagef("--%s takes no value", bad.GetFlag().Name)
		if bad.GetFlag().Name == "with-token" {
			hint = "pipe the token: utho login --with-token < FILE"
		}
	case errors.As(err, &bad):
		err = problem.Usagef("--%s: %w", bad.GetFlag().Name, bad.Unwrap())
	case errors.As(err, &bare):
		err = problem.Usagef("--%s needs a value", bare.GetFlag().Name)
	case errors.As(err, new(*pflag.InvalidSyntaxError)):
		err = problem.Usagef("there is a flag without a name")
	}
	return helped(cmd, problem.Of(problem.Usage, err), hint)
}

func unknownFlag(cmd *cobra.Command, unknown *pflag.NotExistError) error {
	name, shown := unknown.GetSpecifiedName(), "--"+unknown.GetSpecifiedName()
	if short := unknown.GetSpecifiedShortnames(); short != "" {
		shown = "-" + name
		if len(short) > 1 && flagHint(cmd, short) != "" { // -json
			name, shown = short, "-"+short
		}
	}
	hint := flagHint(cmd, name)
	if hint == "" && len(name) > 2 {
		// cobra knows what differs little from the name of a command.
		c := cobra.Command{SuggestionsMinimumDistance: 2}
		cmd.Flags().VisitAll(func(f *pflag.Flag) { c.AddCommand(&cobra.Command{Use: f.Name, Run: func(*cobra.Command, []string) {}}) })
		if names := c.SuggestionsFor(name); len(names) > 0 {
			hint = "did you mean --" + names[0] + "?"
		}
	}
	return helped(cmd, problem.Usagef("%s has no flag %s", cmd.CommandPath(), shown), hint)
}

// flagHint is what to type on this command in the place of a flag of other tools.
func flagHint(cmd *cobra.Command, name string) string {
	if name == "json" || slices.Contains(formatsOf(cmd.CommandPath()), format(name)) {
		return "use -o " + name
	}
	for _, h := range flagHabits {
		if slices.Contains(strings.Fields(h[0]), name) && (h[1] == "" || cmd.Flags().Lookup(h[1]) != nil) {
			return h[2]
		}
	}
	if slices.Contains([]string{"n", "name", "id"}, name) && strings.Contains(cmd.Use, "NAME") {
		return "it is an argument: " + cmd.CommandPath() + " NAME"
	}
	return ""
}
