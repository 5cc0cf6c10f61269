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

// blocks are the fenced parts of a page: the whole, the kind and the text.
func blocks(page string) [][]string {
	return regexp.MustCompile("(?ms)^```(.*?)\n(.*?)^```$").FindAllStringSubmatch(page, -1)
}

// pages are the README and the documentation, by their paths in the repository.
func pages(t *testing.T) map[string]string {
	t.Helper()
	return texts(t, func(file string) bool {
		return file == "README.md" || strings.HasPrefix(file, "docs/") && strings.HasSuffix(file, ".md")
	})
}

// A reader is somebody who follows one page, in a home folder of their own with other people's
// programs on the PATH.
type reader struct {
	*machine
	t        *testing.T
	page     string
	served   *process // a sandbox, once the page needs somebody who is logged in
	url, key string   // of it
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
			for _, block := range blocks(text) {
				switch kind, text := block[1], block[2]; kind {
				case "sh", "sh kubectl":
					r.run(r.with("UTHO_PROFILE", "sandbox"), text, "")
				case "sh login":
					r.run(r.loggedIn(), loginReadsKey+text, r.read("key"))
				case "crontab":
					r.cron(text)
				case "ini":
					r.unit(text)
				case "yaml":
					r.yaml(text)
				case "json":
					validate(t, "token", []byte(text))
				case "", "console", "text", "toml", "hcl": // shown, not to be run
				default:
					t.Errorf("%s has a fence of an unknown kind: %s", page, kind)
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
	args := strings.Fields(strings.TrimPrefix(all[0][2], first))
	if got := newMachine(t).utho(args...).want(t, 0).stdout; !strings.HasPrefix(all[0][2], first) || got != all[1][2] {
		t.Errorf("the README shows\n%s\nand utho %v prints\n%s", all[1][2], args, got)
	}
}

func newReader(t *testing.T, page string) *reader {
	t.Helper()
	m := newMachine(t).with("UTHO_CONFIG_DIR", "", "UTHO_STATE_DIR", "")
	const programs = "gh glab docker systemctl loginctl vault bao op kubeseal terraform direnv kubectl pass aws powershell.exe go"
	text, err := os.ReadFile("testdata/standin/program")
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.FieldsSeq(programs) {
		m.write(string(text), "bin", name)
	}
	m.write("#!/bin/sh\ntest -n \"$UTHO_API_KEY\"\n", "deploy.sh")
	return &reader{machine: m.with("PATH", m.path("bin")+":"+m.env["PATH"], "STANDIN", m.home), t: t, page: page}
}

// loggedIn is the same machine after a login to a sandbox that is served.
func (r *reader) loggedIn() *machine {
	r.t.Helper()
	if r.served == nil {
		r.served = r.start(nil, "sh", "-c", "exec utho sandbox serve --log >&2")
		const lines = `(?s)^UTHO_API_URL=(http://127\.0\.0\.1:[1-9]\d*/v2)\nUTHO_API_KEY=(live_sandbox_\w+)\n`
		r.served.until(lines)
		found := regexp.MustCompile(lines).FindStringSubmatch(r.served.said())
		r.url, r.key = found[1], found[2]
		r.write(r.key+"\n", "key")
		r.with("UTHO_API_URL", r.url).login(r.key, "login", "--store", "file").want(r.t, 0)
	}
	return r.with("UTHO_API_URL", r.url)
}

// run runs a part of a page as a script and gives what it printed.
func (r *reader) run(m *machine, script, stdin string) string {
	r.t.Helper()
	script = regexp.MustCompile(`(?m)^go .*`).ReplaceAllString(script, "")
	got := m.run(stdin, "sh", "-eu", "-c", script)
	if got.code != 0 && (got.code != 10 || !strings.Contains(script, "--fail-if-any")) {
		r.t.Errorf("%s has\n%s\nwhich ends with %d and says\n%s%s", r.page, script, got.code, got.stdout, got.stderr)
	}
	return got.stdout + got.stderr
}

// cron runs the jobs of a crontab as cron does: with next to no variables, in the home folder. A job
// that has nothing to do says nothing.
func (r *reader) cron(text string) {
	r.t.Helper()
	r.loggedIn()
	m := *r.machine
	m.env = map[string]string{"HOME": r.home, "LOGNAME": "asha", "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin", "GORACE": r.env["GORACE"], "STANDIN": r.home}
	job := regexp.MustCompile(`^(?:[-0-9*/,]+\s+){5}(.*)`)
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		found := job.FindStringSubmatch(line)
		switch {
		case ok && !strings.ContainsAny(name, " *"):
			m.env[name] = value
		case found == nil:
			r.t.Errorf("%s has no job and no variable: %s", r.page, line)
		default: // utho is not installed here
			if out := r.run(m.with("PATH", r.env["PATH"]+":"+m.env["PATH"]), found[1], ""); out != "" {
				r.t.Errorf("%s has %s: cron would mail %q", r.page, line, out)
			}
		}
	}
}

// unit runs what a unit of systemd starts.
func (r *reader) unit(text string) {
	r.t.Helper()
	m := r.loggedIn()
	r.write(r.key+"\n", "credentials", "utho")
	text = strings.NewReplacer("%d", r.path("credentials"), "%h", r.home, "/var/lib", r.path("var")).Replace(text)
	var script string
	for _, line := range regexp.MustCompile(`(?m)^(?:Environment=|ExecStart=\S*/)(.*)$`).FindAllStringSubmatch(text, -1) {
		if script += line[1] + "\n"; !strings.HasPrefix(line[1], "utho ") {
			script = "export " + script
		}
	}
	if strings.Contains(script, "rotate app") {
		script = "mkdir -p app; utho token create app --scope write --expires-in 3d --to env:app/.env\n" + script + "utho token delete app --yes; rm app/.env\n"
	}
	r.run(m, script, "")
}

// yaml reads a file, tries the credential commands of a configuration, and runs what a pipeline does.
func (r *reader) yaml(text string) {
	r.t.Helper()
	var doc any
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		r.t.Errorf("%s: %v\n%s", r.page, err, text)
	}
	var walk func(key string, value any)
	walk = func(key string, value any) {
		switch v := value.(type) {
		case map[string]any:
			if command, ok := v["credential_command"]; ok { // a profile whose token another program prints
				m := r.loggedIn().with("UTHO_API_URL", "", "UTHO_CONFIG_DIR", r.path("other"))
				profile, err := json.Marshal(map[string]any{"credential_command": command, "api_url": r.url})
				if err != nil {
					r.t.Fatal(err)
				}
				r.write("profiles: {"+key+": "+string(profile)+"}", "other", "config.yaml")
				r.run(m, "utho -p "+key+" token get 10000 -o id", "")
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
				r.run(r.with("UTHO_PROFILE", "sandbox", "GITHUB_RUN_ID", "42", "CI_JOB_ID", "42"), v, "")
			}
		}
	}
	walk("", doc)
}

// check looks at what the other programs were given, and at what stays behind.
func (r *reader) check() {
	r.t.Helper()
	stores := regexp.MustCompile(`secret set|variable |kv p|insert|item create|create secret generic`)
	for call := range strings.Lines(r.read("calls")) {
		name, _, _ := strings.Cut(call, " ")
		if strings.Contains(call, "live_") {
			r.t.Errorf("%s: a secret in an argument: %s", r.page, call)
		}
		started := slices.Contains([]string{"docker", "terraform", "go"}, name) // by token run and exec
		if strings.Contains(call, "[secret in the environment]") && !started {
			r.t.Errorf("%s: a secret in the environment of %s", r.page, call)
		}
		if stores.MatchString(call) != strings.Contains(call, "[secret on stdin]") && name != "kubectl" {
			r.t.Errorf("%s: stdin of %s", r.page, call)
		}
	}
	if found, err := leaks(r.path(".config"), r.path(".local")); err != nil || len(found) > 0 {
		r.t.Errorf("%s: secrets in %q, %v", r.page, found, err)
	}
	if r.served == nil {
		return
	}
	r.served.signal(syscall.SIGTERM)
	_, said, _ := strings.Cut(r.served.exits(0), r.key)
	if strings.Contains(said, "live_") || !strings.Contains(said, `"method":"GET"`) {
		r.t.Errorf("the log of the sandbox is\n%s", said)
	}
	for line := range strings.Lines(said) {
		if strings.HasPrefix(line, "{") { // the rest is what utho itself says
			validate(r.t, "request", []byte(line))
		}
	}
}

// What the pages name is there: what links lead to, tests, and the words of a message by which people look for
// help. And the reference names what the program's own help does.
func TestPages(t *testing.T) {
	t.Parallel()
	all := pages(t)
	source := fmt.Sprint(texts(t, func(file string) bool { return strings.HasSuffix(file, ".go") && !strings.HasSuffix(file, "_test.go") }))
	tests := fmt.Sprint(texts(t, func(file string) bool { return strings.HasSuffix(file, "_test.go") }))
	noLetters, heading := regexp.MustCompile(`[^\pL\pN -]`), regexp.MustCompile(`(?m)^#+ (.*)$`)
	leads := func(page, link string) bool {
		to, anchor, _ := strings.Cut(link, "#")
		if strings.Contains(to, "://") {
			return true
		}
		if to != "" {
			page = filepath.ToSlash(filepath.Join(filepath.Dir(page), to))
		}
		_, err := os.Stat(filepath.Join(root, page))
		return err == nil && (anchor == "" || slices.ContainsFunc(heading.FindAllStringSubmatch(all[page], -1), func(h []string) bool {
			return anchor == strings.ReplaceAll(noLetters.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-")
		}))
	}
	for _, row := range []struct {
		pages, names string
		there        func(page, name string) bool
		least        int // how many there are
	}{
		{"", `\]\(([^)\s]+)\)`, leads, 50},
		{"", "`((?:Test|Fuzz|Benchmark)[A-Z]\\w+)(?:/[^`]*)?`", func(_, name string) bool { return strings.Contains(tests, "func "+name+"(") }, 5},
		{"docs/troubleshooting.md", "(?m)^(?:## |\\| )`(.*?)`(?: \\| .*)?$", func(_, words string) bool {
			return !slices.ContainsFunc(strings.Split(words, "`, `"), func(word string) bool { return !strings.Contains(source, word) })
		}, 15},
	} {
		n := 0
		for page, text := range all {
			if row.pages != "" && row.pages != page {
				continue
			}
			for _, found := range regexp.MustCompile(row.names).FindAllStringSubmatch(text, -1) {
				if n++; !row.there(page, found[1]) {
					t.Errorf("%s names %s, which is not there", page, found[1])
				}
			}
		}
		if n < row.least {
			t.Errorf("%d of %s only", n, row.names)
		}
	}
	first := regexp.MustCompile(`(?m)^  (?:-\w, |    )?([-\w]+)`)
	for _, topic := range []string{"environment", "exit-codes", "options"} {
		for _, found := range first.FindAllStringSubmatch(newMachine(t).utho("help", topic).want(t, 0).stdout, -1) {
			if !strings.Contains(all["docs/reference.md"], found[1]) {
				t.Errorf("docs/reference.md does not name %s of utho help %s", found[1], topic)
			}
		}
	}
}
