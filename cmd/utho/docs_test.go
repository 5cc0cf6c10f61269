//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"go.yaml.in/yaml/v3"
)

// block is a fenced part of a page.
type block struct {
	line       int
	kind, text string
}

func blocks(page string) (all []block) {
	var b *block
	for i, line := range strings.Split(page, "\n") {
		kind, fence := strings.CutPrefix(line, "```")
		switch {
		case b == nil && fence:
			b = &block{line: i + 2, kind: kind}
		case b != nil && fence:
			all, b = append(all, *b), nil
		case b != nil:
			b.text += line + "\n"
		}
	}
	return all
}

// pages are the README and the documentation, by their paths in the repository.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := texts(t, func(file string) bool {
		return file == "README.md" || strings.HasPrefix(file, "docs/") && strings.HasSuffix(file, ".md")
	})
	if len(all) < 20 {
		t.Fatalf("%d pages only", len(all))
	}
	return all
}

// texts are files of the repository.
func texts(t *testing.T, want func(file string) bool) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, file := range sourceFiles(t) {
		if want(file) {
			text, err := os.ReadFile(filepath.Join(repoRoot(t), file))
			if err != nil {
				t.Fatal(err)
			}
			all[file] = string(text)
		}
	}
	return all
}

// A reader is somebody who follows one page, in a home folder of their own with other people's
// programs on the PATH.
type reader struct {
	*machine
	t      *testing.T
	page   string
	served *served // once the page needs somebody who is logged in
}

// loginReadsKey gives each login of a block a stdin of its own: the first would read it to its end.
const loginReadsKey = `utho() { case " $* " in *' login '*) command utho "$@" <key ;; *) command utho "$@" ;; esac; }
`

// What the fences mean: sh is run in the sandbox; sh login by somebody who is logged in, with a token
// on stdin; crontab, ini and the run lines of yaml as cron, systemd and a pipeline do. Lines that begin
// with go are left out. Everything ends with 0, the gates with 10, and no program gets a secret where
// others could see it.
func TestDocs(t *testing.T) {
	requires(t, "jq")
	for page, text := range pages(t) {
		if len(blocks(text)) == 0 {
			continue
		}
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			r := newReader(t, page)
			for _, b := range blocks(text) {
				switch b.kind {
				case "sh", "sh kubectl":
					r.run(b, r.with("UTHO_PROFILE", "sandbox"), b.text, "")
				case "sh login":
					r.run(b, r.loggedIn(), loginReadsKey+b.text, r.read("key"))
				case "crontab":
					r.cron(b)
				case "ini":
					r.unit(b)
				case "yaml":
					r.yaml(b)
				case "json":
					validate(t, "token", []byte(b.text))
				case "", "console", "text", "toml", "hcl": // shown, not to be run
				default:
					t.Errorf("%s:%d: a fence of an unknown kind: %s", page, b.line, b.kind)
				}
			}
			r.check()
		})
	}
}

// What the README shows of the first command is what it prints.
func TestReadme(t *testing.T) {
	t.Parallel()
	all := blocks(pages(t)["README.md"])
	const first = "go run ./cmd/utho "
	args := strings.Fields(strings.TrimPrefix(all[0].text, first))
	if got := newMachine(t).utho(args...).want(t, 0).stdout; !strings.HasPrefix(all[0].text, first) || got != all[1].text {
		t.Errorf("the README shows\n%s\nand utho %v prints\n%s", all[1].text, args, got)
	}
}

func newReader(t *testing.T, page string) *reader {
	t.Helper()
	m := newMachine(t).with("UTHO_CONFIG_DIR", "", "UTHO_STATE_DIR", "")
	bin := m.path("bin")
	const programs = "gh glab docker systemctl loginctl vault bao op kubeseal terraform direnv kubectl pass aws powershell.exe go"
	text, err := os.ReadFile("testdata/standin/program")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Fields(programs) {
		m.executable(string(text), "bin", name)
	}
	m.executable("#!/bin/sh\ntest -n \"$UTHO_API_KEY\"\n", "deploy.sh")
	m = m.with("PATH", bin+":"+m.env["PATH"], "STANDIN", m.home)
	return &reader{machine: m, t: t, page: page}
}

// loggedIn is the same machine after a login to a sandbox that is served.
func (r *reader) loggedIn() *machine {
	if r.served == nil {
		r.served = serveSandbox(r.machine)
		r.write(r.served.key+"\n", "key")
		r.with("UTHO_API_URL", r.served.url).login(r.served.key, "login", "--store", "file").want(r.t, 0)
	}
	return r.with("UTHO_API_URL", r.served.url)
}

// run runs a part of a page as a script and gives what it printed.
func (r *reader) run(b block, m *machine, script, stdin string) string {
	r.t.Helper()
	lines := slices.DeleteFunc(strings.SplitAfter(script, "\n"), func(line string) bool { return strings.HasPrefix(line, "go ") })
	got := m.run(stdin, "sh", "-eu", "-c", strings.Join(lines, ""))
	if got.code != 0 && (got.code != 10 || !strings.Contains(script, "--fail-if-any")) {
		r.t.Errorf("%s:%d: %d\n%s\nit says:\n%s%s", r.page, b.line, got.code, script, got.stdout, got.stderr)
	}
	return got.stdout + got.stderr
}

// cron runs the jobs of a crontab as cron does: with next to no variables, in the home folder. A job
// that has nothing to do says nothing.
func (r *reader) cron(b block) {
	r.t.Helper()
	r.loggedIn()
	env := map[string]string{"HOME": r.home, "LOGNAME": "asha", "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"}
	job := regexp.MustCompile(`^(?:[-0-9*/,]+\s+){5}(.*)`)
	for line := range strings.Lines(b.text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.ContainsAny(name, " *") {
			env[name] = value
		} else if found := job.FindStringSubmatch(line); found != nil {
			m := *r.machine
			m.env = map[string]string{"GORACE": goRace, "STANDIN": r.home}
			for name, value := range env {
				m.env[name] = value
			}
			m.env["PATH"] = r.env["PATH"] + ":" + env["PATH"] // utho is not installed here
			if out := r.run(b, &m, found[1], ""); out != "" {
				r.t.Errorf("%s:%d: cron would mail %q", r.page, b.line, out)
			}
		} else {
			r.t.Errorf("%s:%d: no job and no variable: %s", r.page, b.line, line)
		}
	}
}

// unit runs what a unit of systemd starts.
func (r *reader) unit(b block) {
	r.t.Helper()
	start := regexp.MustCompile(`(?m)^ExecStart=\S*/utho (.*)$`).FindStringSubmatch(b.text)
	if start == nil {
		return
	}
	m := r.loggedIn()
	r.write(r.served.key+"\n", "credentials", "utho")
	variables := strings.NewReplacer("%d", r.path("credentials"), "/var/lib", r.path("var"))
	if found := regexp.MustCompile(`(?m)^Environment=(.*)$`).FindStringSubmatch(b.text); found != nil {
		for pair := range strings.FieldsSeq(variables.Replace(found[1])) {
			name, value, _ := strings.Cut(pair, "=")
			m = m.with(name, value)
		}
	}
	if strings.Contains(start[1], "rotate app") {
		r.run(b, m, "mkdir -p app; utho token create app --scope write --expires-in 3d --to env:app/.env", "")
	}
	r.run(b, m, "utho "+strings.ReplaceAll(start[1], "%h", r.home), "")
	if strings.Contains(start[1], "rotate app") {
		r.run(b, m, "utho token delete app --yes; rm app/.env", "")
	}
}

// yaml reads a file, tries the credential commands of a configuration, and runs what a pipeline does.
func (r *reader) yaml(b block) {
	r.t.Helper()
	var doc any
	if err := yaml.Unmarshal([]byte(b.text), &doc); err != nil {
		r.t.Errorf("%s:%d: %v", r.page, b.line, err)
		return
	}
	m := r.with("UTHO_PROFILE", "sandbox", "GITHUB_RUN_ID", "42", "CI_JOB_ID", "42")
	var walk func(key string, value any)
	walk = func(key string, value any) {
		switch v := value.(type) {
		case map[string]any:
			if command, ok := v["credential_command"]; ok {
				r.credential(b, key, command)
			}
			for k, item := range v {
				walk(k, item)
			}
		case []any:
			for _, item := range v {
				walk(key, item)
			}
		case string:
			if slices.Contains([]string{"run", "script", "after_script", "before_script"}, key) {
				r.run(b, m, v, "")
			}
		}
	}
	walk("", doc)
}

// credential uses a profile whose token another program prints.
func (r *reader) credential(b block, name string, command any) {
	r.t.Helper()
	m := r.loggedIn().with("UTHO_API_URL", "", "UTHO_CONFIG_DIR", r.path("other"))
	profile := map[string]any{"credential_command": command, "api_url": r.served.url}
	text, err := json.Marshal(map[string]any{"profiles": map[string]any{name: profile}})
	if err != nil {
		r.t.Fatal(err)
	}
	r.write(string(text), "other", "config.yaml")
	if got := m.utho("-p", name, "token", "get", "10000", "-o", "id"); got.code != 0 {
		r.t.Errorf("%s:%d: profile %s: %+v", r.page, b.line, name, got)
	}
}

// check looks at what the other programs were given, and at what stays behind.
func (r *reader) check() {
	r.t.Helper()
	for call := range strings.Lines(r.read("calls")) {
		name, _, _ := strings.Cut(call, " ")
		if strings.Contains(call, "live_") {
			r.t.Errorf("%s: a secret in an argument: %s", r.page, call)
		}
		started := slices.Contains([]string{"docker", "terraform", "go"}, name) // by token run and exec
		if strings.Contains(call, "[secret in the environment]") && !started {
			r.t.Errorf("%s: a secret in the environment of %s", r.page, call)
		}
		stores := regexp.MustCompile(`secret set|variable |kv p|insert|item create|create secret generic`).MatchString(call)
		if stores != strings.Contains(call, "[secret on stdin]") && name != "kubectl" {
			r.t.Errorf("%s: stdin of %s", r.page, call)
		}
	}
	if found, err := leaks(r.path(".config"), r.path(".local")); err != nil || len(found) > 0 {
		r.t.Errorf("%s: secrets in %q, %v", r.page, found, err)
	}
	if r.served != nil {
		r.served.signal(syscall.SIGTERM)
		r.served.exits(0)
	}
}

// Links lead to a file, and to a heading in it.
func TestLinks(t *testing.T) {
	t.Parallel()
	all := pages(t)
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading := regexp.MustCompile(`(?m)^#+ (.*)$`)
	for page, text := range all {
		for _, found := range link.FindAllStringSubmatch(text, -1) {
			to, anchor, _ := strings.Cut(found[1], "#")
			if strings.Contains(to, "://") {
				continue
			}
			target := page
			if to != "" {
				target = filepath.ToSlash(filepath.Join(filepath.Dir(page), to))
			}
			if _, err := os.Stat(filepath.Join(repoRoot(t), target)); err != nil {
				t.Errorf("%s links to %s: %v", page, found[1], err)
			}
			there := anchor == ""
			for _, h := range heading.FindAllStringSubmatch(all[target], -1) {
				slug := regexp.MustCompile(`[^\pL\pN -]`).ReplaceAllString(strings.ToLower(h[1]), "")
				there = there || anchor == strings.ReplaceAll(slug, " ", "-")
			}
			if !there {
				t.Errorf("%s links to %s, which has no such heading", page, found[1])
			}
		}
	}
}

// The reference names what the program's own help does, and tests that the pages name are there.
func TestReference(t *testing.T) {
	t.Parallel()
	m, all := newMachine(t), pages(t)
	for _, topic := range []string{"environment", "exit-codes", "options"} {
		first := regexp.MustCompile(`(?m)^  (?:-\w, |    )?([-\w]+)`)
		for _, found := range first.FindAllStringSubmatch(m.utho("help", topic).want(t, 0).stdout, -1) {
			if word := found[1]; !strings.Contains(all["docs/reference.md"], word) {
				t.Errorf("docs/reference.md does not name %s of utho help %s", word, topic)
			}
		}
	}
	tests := fmt.Sprint(texts(t, func(file string) bool { return strings.HasSuffix(file, "_test.go") }))
	for page, text := range all {
		for _, found := range regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Z]\\w+)(?:/[^`]*)?`").FindAllStringSubmatch(text, -1) {
			if !strings.Contains(tests, "func "+found[1]+"(") {
				t.Errorf("%s names %s, which is not there", page, found[1])
			}
		}
	}
}

// The words of a message by which people look for help are words of the program.
func TestTroubleshooting(t *testing.T) {
	t.Parallel()
	source := fmt.Sprint(texts(t, func(file string) bool { return strings.HasSuffix(file, ".go") && !strings.HasSuffix(file, "_test.go") }))
	lines := regexp.MustCompile("(?m)^(?:## |\\| )`.*").FindAllString(pages(t)["docs/troubleshooting.md"], -1)
	for _, line := range lines {
		line, _, _ = strings.Cut(strings.TrimPrefix(line, "| "), " | ")
		for _, words := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(line, -1) {
			if !strings.Contains(source, words[1]) {
				t.Errorf("no message of the program says %q", words[1])
			}
		}
	}
	if len(lines) < 15 {
		t.Errorf("%d messages only", len(lines))
	}
}

// A test that runs no block would pass.
func TestBlocks(t *testing.T) {
	got := blocks("a\n```sh\nx\ny\n```\n```text\nz\n```\n```sh login\nq\n```\n")
	want := []block{{3, "sh", "x\ny\n"}, {7, "text", "z\n"}, {10, "sh login", "q\n"}}
	if !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}
