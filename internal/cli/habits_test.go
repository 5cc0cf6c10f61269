package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/utho/utho-cli/internal/child"
	"github.com/utho/utho-cli/internal/listing"
	"github.com/utho/utho-cli/internal/problem"
	"github.com/utho/utho-cli/internal/terminal"
)

// home is a machine that utho has not been used on, with the sandbox as its profile.
func home(t *testing.T) {
	t.Helper()
	for _, name := range []string{"UTHO_API_KEY", "UTHO_TOKEN", "UTHO_API_KEY_FILE", "UTHO_API_URL",
		"UTHO_OUTPUT", "UTHO_TIMEOUT", "UTHO_COLOR", "UTHO_DEBUG"} {
		t.Setenv(name, "")
	}
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("UTHO_CONFIG_DIR", filepath.Join(dir, "config"))
	t.Setenv("UTHO_STATE_DIR", filepath.Join(dir, "state"))
	t.Setenv("UTHO_PROFILE", "sandbox")
}

// utho runs the program in this process, without a terminal.
func uthoIn(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	open := func(name string) *os.File {
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		return f
	}
	dir := t.TempDir()
	out, errFile := open(filepath.Join(dir, "out")), open(filepath.Join(dir, "err"))
	status = Main(Build{}, args, open(os.DevNull), out, errFile)
	read := func(f *os.File) string {
		text, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	return status, read(out), read(errFile)
}

// What people type from habit is a usage error, before any request, and names the right
// thing; a command that it names works.
func TestHabits(t *testing.T) {
	home(t)
	for _, row := range []struct {
		typed, hint string
		runs        int // the status of the command that the hint ends with; -1: it ends with none, or needs more
	}{
		{"list", "utho token list", 0},
		{"get ci-deploy", "utho token get ci-deploy", 0},
		{"create ci", "utho token create ci", 0},
		{"create ci2 --scope write", "utho token create ci2", 0},
		{"new ci3", "utho token create ci3", 0},
		{"delete 10000", "utho token delete 10000", 2}, // asks first
		{"rotate ci-deploy", "utho token rotate ci-deploy", 2},
		{"run ls", "utho token run -- COMMAND", 127},
		{"config", "utho help environment", 0},
		{"account", "utho status", 0},
		{"init", "utho login", -1},
		{"env", "utho help environment", 0},
		{"formats", "utho help formats", 0},
		{"secret", "utho exec -- COMMAND", 127},
		{"serve", "utho sandbox serve", -1},
		{"token show grafana", "utho token get grafana", 0},
		{"token new deploy", "utho token create deploy", 0},
		{"token add deploy2", "utho token create deploy2", 0},
		{"token remove 10000", "utho token delete 10000", 2},
		{"token edit 10000", "utho token create OTHER", 0},
		{"token rename a b", "utho token create OTHER", 6},
		{"token renew grafana", "utho token rotate grafana", 2},
		{"token lsit", "utho token list", -1},
		{"delete token 10000", "utho token delete 10000", 2},
		{"get tokens", "utho token list", 0},
		{"token prune", "utho token delete --expired", 2},
		{"token delete --except ci --yes", "--name '*' --except NAME", -1},
		{"token lst", "utho token list?", -1}, // and not get, which differs more
		{"tokn", "utho token?", -1},
		{"profile add work", "utho -p work login", -1},
		{"profile create work", "utho -p work login", -1},
		{"profile current", "utho profile list", 0},
		{"profile show sandbox", "utho -p sandbox status", 0},
		{"auth token", "utho exec -- COMMAND", 127},
		{"sandbox list", "utho -p sandbox token list", 0},
		{"sandbox clear", "utho sandbox reset", 0},
		{"help create", "utho token create NAME", 0},
		{"bogus --help", "utho --help", 0},
		{"token bogus -h", "utho token --help", 0},
		{"token list ci", "--name '*ci*'", 0},
		{"logout work", "utho -p work logout", -1},
		{"token list --json", "-o json", -1},
		{"token list -json", "-o json", -1},
		{"token list -q", "-o id", -1},
		{"token create ci -q", "2>/dev/null", -1},
		{"token delete 10000 --force", "--yes", -1},
		{"logout --force", "--yes", -1},
		{"status --force", "utho status --help", 0},
		{"token create ci --read-only", "--scope read-only", -1},
		{"token create ci --write=live_0123456789", "--scope write", -1},
		{"token list --token live_0123456789", "UTHO_API_KEY, or pipe it: utho login --with-token", -1},
		{"login --token=live_0123456789", "utho login --with-token", -1},
		{"login -tlive_0123456789", "utho login --with-token", -1},
		{"login live_0123456789live_0123456789", "utho login", -1},
		{"token list live_0123456789", "history", -1},
		{"live_0123456789", "history", -1},
		{"login work", "utho -p work login", -1},
		{"token list --filter ci", "--name 'ci-*'", -1},
		{"token delete --search ci", "--name 'ci-*'", -1},
		{"token list --limit 5", "utho token list | head", -1},
		{"token list --all", "utho token list", 0},
		{"token delete --all", "--name '*'", -1},
		{"token list --watch", "watch utho token list", -1},
		{"token list --ouput json", "--output", -1}, //nolint:misspell // as people type it
		{"token create ci --ttl 1h", "--expires-in", -1},
		{"token run --expires-in 1h -- true", "--ttl", -1},
		{"token get --name ci", "utho token get NAME", 0}, // which help create created,
		{"token create my token", "utho token create 'my token'", 0},
		{"token get", "utho token get 10000", 0},
		{"token create ci --expires-in 30", "utho token create --help", 0},
		{"token create ci --to .env", "env:", -1},
		{"--timeout 30 token list", "utho token list --help", 0},
		{"token list -o xml", "utho token list --help", 0},
		{"token run ls", "utho token run -- COMMAND", -1},
	} {
		status, stdout, stderr := uthoIn(t, strings.Fields(row.typed)...)
		said, hint, _ := strings.Cut(stderr, "\nhint: ")
		here := strings.NewReplacer("utho -p sandbox ", "utho ") // the profile in use is repeated
		if status != exitUsage || stdout != "" || !strings.Contains(here.Replace(hint), here.Replace(row.hint)) {
			t.Errorf("utho %s: status %d, stdout %q, stderr %q; the hint must name %s", row.typed, status, stdout, stderr, row.hint)
		}
		if strings.Contains(stderr, "0123456789") || strings.HasPrefix(said, "utho: utho: ") {
			t.Errorf("utho %s repeats a secret or itself: %s", row.typed, stderr)
		}
		if row.runs < 0 {
			continue
		}
		line := regexp.MustCompile(`.*\b(utho .*?)\.?\n`).FindStringSubmatch(hint)
		if line == nil {
			t.Errorf("utho %s: no command in the hint %q", row.typed, hint)
			continue
		}
		argv, err := child.Words(line[1])
		if err != nil {
			t.Fatal(err)
		}
		if status, _, stderr := uthoIn(t, argv[1:]...); status != row.runs {
			t.Errorf("utho %s: %s ends with %d, want %d: %s", row.typed, line[1], status, row.runs, stderr)
		}
	}
}

// What chose the account is repeated in a hint, or it would lead to another.
func TestHabitsRepeatTheRoute(t *testing.T) {
	home(t)
	for args, hint := range map[string]string{
		"-p sandbox list":                              "utho -p sandbox token list",
		"-p sandbox token new x":                       "utho -p sandbox token create x",
		"-p sandbox token list --token x":              "UTHO_API_KEY, or pipe it: utho login --with-token",
		"-p work signin":                               "utho -p work login",
		"-p work --api-url http://localhost:1/v2 list": "utho -p work --api-url http://localhost:1/v2 token list",
		"--api-url https://u:hunter2@x/v2 -p a list":   "utho -p a token list",
	} {
		if _, _, stderr := uthoIn(t, strings.Fields(args)...); !strings.Contains(stderr, hint) || strings.Contains(stderr, "hunter2") {
			t.Errorf("utho %s: %s", args, stderr)
		}
	}
}

// Durations that people write in other ways are answered with the right spelling.
func TestDurationHabits(t *testing.T) {
	home(t)
	if _, _, stderr := uthoIn(t, "--timeout", "30", "token", "list"); !strings.Contains(stderr, "30s") {
		t.Errorf("--timeout 30: %s", stderr)
	}
	for typed, want := range map[string]string{"30": "30d", "1y": "365d", "1h30m": "90m", "": "bad duration"} {
		status, _, stderr := uthoIn(t, "token", "create", "ci", "--expires-in", typed)
		if status != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("--expires-in %q: status %d, %s; want %s", typed, status, stderr, want)
		}
	}
}

// Values are read as people copy them.
func TestCopiedValues(t *testing.T) {
	home(t)
	for _, args := range []string{
		"token list -o JSON", "token list --scope Read-Only --scope Read-Only", "token list --sort created_at", "token list --sort -EXPIRES_AT",
		"token list --columns name,created_at,access_scope", "token create copied --scope Write --color Never -o Json",
	} {
		if status, _, stderr := uthoIn(t, strings.Fields(args)...); status != 0 {
			t.Errorf("utho %s: status %d: %s", args, status, stderr)
		}
	}
}

// The format of errors is known from -o on, and from UTHO_OUTPUT.
func TestJSONErrors(t *testing.T) {
	home(t)
	for args, json := range map[string]bool{
		"-o json bogus": true, "bogus -o=json": true, "-ojson token list --bogus": true, "--output JSON token get a b": true,
		"bogus": false, "-o table bogus": false, "token list --bogus -o json": false, "token run -- true -o json --bogus": false,
	} {
		if _, _, stderr := uthoIn(t, strings.Fields(args)...); strings.HasPrefix(stderr, `{"error":{"code":"usage"`) != json && stderr != "" {
			t.Errorf("utho %s: %s", args, stderr)
		}
	}
	t.Setenv("UTHO_OUTPUT", "json")
	if _, _, stderr := uthoIn(t, "bogus"); !strings.HasPrefix(stderr, `{"error":`) {
		t.Errorf("with UTHO_OUTPUT=json: %s", stderr)
	}
	if _, _, stderr := uthoIn(t, "-o", "table", "bogus"); strings.HasPrefix(stderr, `{"error":`) {
		t.Errorf("with UTHO_OUTPUT=json and -o table: %s", stderr)
	}
}

// commands are all commands that people see.
func commands(cmd *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{cmd}
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			all = append(all, commands(c)...)
		}
	}
	return all
}

// Help fits a terminal, has an example of every command, and descriptions of flags that
// completion can show as they are.
func TestHelp(t *testing.T) {
	home(t)
	root := Command(Build{})
	var pages [][]string
	for _, cmd := range commands(root) {
		pages = append(pages, append(strings.Fields(cmd.CommandPath())[1:], "--help"))
		if !cmd.HasSubCommands() && cmd.Example == "" {
			t.Errorf("%s has no example", cmd.CommandPath())
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if strings.Contains(f.Usage, "`") {
				t.Errorf("%s --%s: a backquote in %q", cmd.CommandPath(), f.Name, f.Usage)
			}
		})
	}
	for _, topic := range topics(root) {
		pages = append(pages, []string{"help", topic.name})
	}
	for _, page := range pages {
		status, text, stderr := uthoIn(t, page...)
		if status != 0 || stderr != "" || text == "" {
			t.Errorf("utho %v: status %d, %s", page, status, stderr)
		}
		if strings.Contains(text, `\\`) {
			t.Errorf("utho %s: a doubled backslash cannot be pasted", strings.Join(page, " "))
		}
		for line := range strings.Lines(text) {
			if len([]rune(line)) > helpWidth+1 {
				t.Errorf("utho %s: more than %d columns: %s", strings.Join(page, " "), helpWidth, line)
			}
		}
	}
}

// The topics name every variable that utho reads, every exit code and every format.
func TestTopics(t *testing.T) {
	home(t)
	files, err := filepath.Glob("../*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	_, environment, _ := uthoIn(t, "help", "environment")
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") || strings.Contains(file, "child") { // which takes variables away
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, read := range regexp.MustCompile(`"(UTHO_[A-Z_]+)"`).FindAllStringSubmatch(string(text), -1) {
			if name := read[1]; !strings.Contains(environment, name) {
				t.Errorf("utho help environment does not name %s, which %s reads", name, file)
			}
		}
	}
	_, codes, _ := uthoIn(t, "help", "exit-codes")
	for _, err := range []error{
		problem.Usagef("x"), terminal.CancelledError("x"), problem.New(problem.Auth, "x"), problem.Of(problem.NotFound, nil),
		problem.Of(problem.Partial, nil), problem.Of(problem.Matched, nil), os.ErrInvalid,
	} {
		o := exitOf(err)
		if !regexp.MustCompile(`(?m)^  ` + strconv.Itoa(o.status) + ` .*\b` + o.code + `:`).MatchString(codes) {
			t.Errorf("utho help exit-codes does not say that %d is %s", o.status, o.code)
		}
	}
	_, formats, _ := uthoIn(t, "help", "formats")
	for _, want := range append(words(allFormats), listing.ColumnKeys()...) {
		if !slices.Contains(strings.FieldsFunc(formats, func(r rune) bool { return strings.ContainsRune(" ,.\n", r) }), want) {
			t.Errorf("utho help formats does not name %s", want)
		}
	}
}

// --columns offers what is not there yet.
func TestColumnsOffered(t *testing.T) {
	t.Parallel()
	want := "name,id,scope name,id,created name,id,action name,id,age name,id,expires"
	if got, _ := completeColumns(nil, nil, "name,id,"); strings.Join(got, " ") != want {
		t.Errorf("--columns name,id, offers %q", got)
	}
}
