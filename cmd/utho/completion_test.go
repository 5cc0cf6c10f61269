//go:build unix

package main

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/utho/utho-cli/internal/sandbox/sandboxtest"
)

// completions are the generated scripts, as .ci/generate writes them.
var completions = map[string]string{
	"bash":       "utho.bash",
	"zsh":        "_utho",
	"fish":       "utho.fish",
	"powershell": "utho.ps1",
}

// The committed scripts are what the program prints; -update rewrites them.
func TestCompletionScripts(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	for shell, name := range completions {
		path := filepath.Join("..", "..", "completions", name)
		want := m.utho("completion", shell).want(t, 0).stdout
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("%s is stale: run .ci/generate and commit what it wrote", path)
		}
	}
}

// oddNames is a list with what must not reach a command line as it stands.
const oddNames = `{"status":"success","api":[
{"id":"55501","name":"terraform","write":"1","created_at":"2024-04-22 01:12:36"},
{"id":"55502","name":"two words","write":"0","created_at":""},
{"id":"55503","name":"$(id)","write":"0","created_at":""},
{"id":"55504","name":"-rf","write":"0","created_at":""},
{"id":"55505","name":"twin","write":"0","created_at":""},
{"id":"55506","name":"twin","write":"0","created_at":""},
{"id":"55507","name":"777","write":"0","created_at":""},
{"id":"55508","name":"red\u001b[31m\u000aline\u0009tab","write":"0","created_at":""},
{"id":"-1","name":"odd.id","write":"0","created_at":""},
{"id":"a b","name":"spaced.id","write":"0","created_at":""}]}`

// complete gives what the program offers for the last of these words, without
// descriptions.
func (m *machine) complete(words ...string) []string {
	m.t.Helper()
	r := m.utho(append([]string{"__complete"}, words...)...)
	lines := strings.Split(strings.TrimSuffix(r.stdout, "\n"), "\n")
	if r.code != 0 || !strings.HasPrefix(lines[len(lines)-1], ":") {
		m.t.Errorf("complete %q: exit status %d, %q", words, r.code, r.stdout)
		return nil
	}
	var offers []string
	for _, line := range lines[:len(lines)-1] {
		word, _, _ := strings.Cut(line, "\t")
		offers = append(offers, word)
	}
	return offers
}

func TestCompletionOffers(t *testing.T) {
	t.Parallel()
	m := newServed(t)
	m.Fault(sandboxtest.Fault{On: sandboxtest.List, Body: oddNames})
	ids := []string{"55501", "55502", "55503", "55504", "55505", "55506", "55507", "55508"}
	all := slices.Concat([]string{"55501", "terraform"}, ids[1:], []string{"odd.id", "spaced.id"})
	for _, test := range []struct {
		words []string
		want  []string
	}{
		{[]string{"token", "get", ""}, all},
		{[]string{"token", "rotate", ""}, all},
		{[]string{"token", "delete", "555"}, ids},
		{[]string{"token", "delete", "55501", ""}, all[2:]},
		{[]string{"token", "delete", "terraform", "odd.id", "55508", ""}, slices.Concat(ids[1:7], []string{"spaced.id"})},
		{[]string{"token", "delete", "--expired", "--except", ""}, all},
		{[]string{"token", "get", "t"}, []string{"terraform"}},
		{[]string{"token", "get", "o"}, []string{"odd.id"}},
		{[]string{"token", "get", "s"}, []string{"spaced.id"}},
		{[]string{"token", "get", "$"}, nil},
		{[]string{"token", "get", "7"}, nil},
		{[]string{"token", "get", "55501", ""}, nil},
		{[]string{"token", "create", ""}, nil},
		{[]string{"token", "list", ""}, nil},
		{[]string{"token", "list", "--no-h"}, []string{"--no-headers"}},
		{[]string{"token", "list", "--scope", ""}, []string{"read-only", "write"}},
		{[]string{"token", "list", "--sort", "na"}, []string{"name"}},
		{[]string{"token", "list", "-o", "j"}, []string{"json"}},
		{[]string{"--color", ""}, []string{"auto", "always", "never"}},
		{[]string{"-p", "s"}, []string{"sandbox"}},
		{[]string{"tok"}, []string{"token"}},
		{[]string{"token", "r"}, []string{"rotate", "run"}},
		{[]string{"tokens", "li"}, []string{"list"}},
		{[]string{"completion", "b"}, []string{"bash"}},
		{[]string{"help", "tok"}, []string{"token"}},
		{[]string{"help", "token", "cr"}, []string{"create"}},
		{[]string{"login", ""}, nil},
	} {
		var got []string
		for _, offer := range m.complete(test.words...) {
			// The shells choose from a fixed list by what was typed.
			if strings.HasPrefix(offer, test.words[len(test.words)-1]) {
				got = append(got, offer)
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("complete %q: %q, want %q", test.words, got, test.want)
		}
	}
	// Scope and age stand beside them, and nothing that a terminal acts on.
	out := m.utho("__complete", "token", "get", "").stdout
	for _, line := range []string{"55501\tterraform (Write, ", "55508\tred\\x1b[31m\\nline\\ttab (Read-Only)\n"} {
		if !strings.Contains(out, line) {
			t.Errorf("it offers %q, without %q", out, line)
		}
	}
}

// Whatever is in its way, completion offers nothing and says nothing.
func TestCompletionSilent(t *testing.T) {
	t.Parallel()
	m := newServed(t)
	silent := func(m *machine, words ...string) {
		t.Helper()
		// 4 is 'no file names', 32 'in this order'.
		r := m.utho(append([]string{"__complete"}, words...)...)
		if r.code != 0 || r.stdout != ":4\n" && r.stdout != ":36\n" || strings.Contains(r.stderr, "utho:") {
			t.Errorf("complete %q: exit status %d, %q, %q", words, r.code, r.stdout, r.stderr)
		}
	}
	get := []string{"token", "get", ""}
	if got := m.complete(get...); len(got) != 8 {
		t.Errorf("it offers %q", got)
	}
	silent(m.with("UTHO_API_URL", "http://127.0.0.1:1/v2"), get...)
	silent(m.with("UTHO_API_URL", "http://example.com/v2"), get...)
	silent(m.with("UTHO_API_KEY", ""), get...)
	silent(m.with("UTHO_API_KEY", "live_test_wrong"), get...)
	silent(m.with("UTHO_PROFILE", "nosuch", "UTHO_API_KEY", ""), get...)
	silent(m.with("UTHO_DEBUG", "1", "UTHO_API_KEY", "live_test_wrong"), get...)
	silent(m.with("UTHO_TOKEN", "other", "UTHO_API_URL", "http://127.0.0.1:1/v2"), get...)
	silent(m, "-p", "nosuch", "token", "get", "")
	silent(m, "-p", "../x", "token", "get", "")

	m.Fault(sandboxtest.Fault{Times: 1, Body: "<html>"})
	silent(m, get...)
	m.Clear()
	m.Fault(sandboxtest.Fault{Status: http.StatusServiceUnavailable})
	before := m.Count(sandboxtest.Any)
	silent(m, get...)
	m.Clear()
	if n := m.Count(sandboxtest.Any) - before; n != 1 {
		t.Errorf("an overloaded service was asked %d times while a person waits", n)
	}

	// A profile in the keyring, where there is no keyring.
	m.write("current_profile: work\nprofiles:\n  work:\n    api_url: "+m.url+"\n", "config", "config.yaml")
	silent(m.with("UTHO_API_KEY", "", "UTHO_API_URL", ""), get...)
	// A credential command is never run.
	m.write("current_profile: work\nprofiles:\n  work:\n    api_url: "+m.url+"\n    credential_command: [touch, "+m.path("ran")+"]\n", "config", "config.yaml")
	silent(m.with("UTHO_API_KEY", "", "UTHO_API_URL", ""), get...)
	if _, err := os.Stat(m.path("ran")); err == nil {
		t.Error("completion ran the credential command")
	}
	// A configuration that cannot be read.
	m.write("profiles: [\n", "config", "config.yaml")
	silent(m.with("UTHO_API_KEY", ""), get...)
	silent(m, get...)
	silent(newMachine(t).with("HOME", "", "UTHO_CONFIG_DIR", "", "UTHO_STATE_DIR", ""), get...)
}

// A service that does not answer is given up, and one that is overloaded is not
// waited for.
func TestCompletionSlowService(t *testing.T) {
	t.Parallel()
	m := newServed(t)
	m.stopAt("for good", sandboxtest.Any, beforeEffect, 0)
	if got := m.complete("token", "get", ""); got != nil {
		t.Errorf("it offers %q", got)
	}
	m.Clear()
	m.Fault(sandboxtest.Fault{RetryAfter: "3600"})
	if got := m.complete("token", "get", ""); got != nil {
		t.Errorf("it offers %q", got)
	}
}

// A file store serves completion too.
func TestCompletionFromFileStore(t *testing.T) {
	t.Parallel()
	m := newServed(t)
	m.login(m.env["UTHO_API_KEY"], "-p", "filed", "login", "--store", "file").want(t, 0)
	m = m.with("UTHO_API_KEY", "", "UTHO_API_URL", "")
	for _, words := range [][]string{{"token", "get", ""}, {"-p", "filed", "token", "get", ""}, {"-p", "sandbox", "token", "get", ""}} {
		if got := m.complete(words...); !slices.Equal(got, []string{"10000", "ci-deploy", "10001", "grafana", "10002", "backup.expires-20250101T0000Z", "10003", "terraform"}) {
			t.Errorf("complete %q: %q", words, got)
		}
	}
	if got := m.complete("-p", ""); !slices.Equal(got, []string{"filed", "sandbox"}) {
		t.Errorf("profiles: %q", got)
	}
}

// script gives the path of a committed completion script.
func script(t testing.TB, shell string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "completions", completions[shell]))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// shellCases are lines and what a shell that completes them makes of their end.
var shellCases = []struct {
	line string
	want []string
}{
	{"utho tok", []string{"token"}},
	{"utho token de", []string{"delete"}},
	{"utho token list --no-h", []string{"--no-headers"}},
	{"utho token list --scope w", []string{"write"}},
	{"utho token get 1000", []string{"10000", "10001", "10002", "10003"}},
	{"utho token get terr", []string{"terraform"}},
	{"utho token get graf", []string{"grafana"}},
	{"utho -p sandbox token delete 10000 10001 1000", []string{"10002", "10003"}},
	{"utho token get 10000 ", nil},
	{"utho token create ", nil},
	{"utho -p nosuch token get ", nil},
	{"utho --api-url http://127.0.0.1:1/v2 token get ", nil},
}

func TestCompletionInBash(t *testing.T) {
	t.Parallel()
	m := newServed(t)
	requires(t, "bash")
	const package_ = "/usr/share/bash-completion/bash_completion"
	if _, err := os.Stat(package_); err != nil {
		if os.Getenv("UTHO_TEST_TOOLS") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	// What bash does on Tab: it calls the function that is registered.
	const program = `
source ` + package_ + `
source "$1"
COMP_LINE=$2 COMP_POINT=${#2} COMP_TYPE=9 COMP_KEY=9
read -ra COMP_WORDS <<<"$2"
[[ $2 != *' ' ]] || COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
compopt() { :; }
[[ $(complete -p utho) == *' -F '* ]] || exit 9
f=$(complete -p utho); f=${f##* -F }; f=${f%% *}
"$f" utho "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
((${#COMPREPLY[@]} == 0)) || printf '%s\n' "${COMPREPLY[@]}"
`
	for _, test := range shellCases {
		r := m.run("", "bash", "--norc", "--noprofile", "-c", program, "bash", script(t, "bash"), test.line).want(t, 0)
		var got []string
		for line := range strings.Lines(r.stdout) {
			got = append(got, strings.Fields(line)[0])
		}
		if !slices.Equal(got, test.want) || r.stderr != "" {
			t.Errorf("bash completes %q: %q, want %q; stderr %q", test.line, got, test.want, r.stderr)
		}
	}

	// And with a real Tab.
	p := m.with("TERM", "dumb", "PS1", "ready> ", "INPUTRC", "/dev/null").onTerminal(nil, "bash", "--norc", "--noprofile", "-i")
	p.until("ready> ")
	p.types("source " + package_ + "; source '" + script(t, "bash") + "'; echo so''urced\r")
	p.until("sourced")
	p.types("utho token get terr\t")
	p.until("utho token get terraform")
	p.types("-o id\r")
	p.until("10003")
	p.types("exit\r")
	p.ends(0)
}

func TestCompletionInFish(t *testing.T) {
	t.Parallel()
	m := newServed(t)
	requires(t, "fish")
	m = m.with("XDG_CONFIG_HOME", m.path("xdg"), "XDG_DATA_HOME", m.path("xdg"), "XDG_CACHE_HOME", m.path("xdg"))
	for _, test := range shellCases {
		r := m.run("", "fish", "--no-config", "-c", "source $argv[1]; complete -C $argv[2]", script(t, "fish"), test.line).want(t, 0)
		var got []string
		for line := range strings.Lines(r.stdout) {
			word, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
			got = append(got, word)
		}
		if !slices.Equal(got, test.want) || r.stderr != "" {
			t.Errorf("fish completes %q: %q, want %q; stderr %q", test.line, got, test.want, r.stderr)
		}
	}
}

func TestCompletionInZsh(t *testing.T) {
	t.Parallel()
	m := newServed(t)
	requires(t, "zsh")
	m = m.with("TERM", "dumb", "PS1", "ready> ", "ZDOTDIR", m.home)
	// zsh completes only in its line editor: a key completes there and writes
	// down what the line has become, or what there is to choose from.
	setup := m.write(`
autoload -Uz compinit && compinit -u -D
source $1
unsetopt zle_bracketed_paste; setopt no_beep no_list_beep
zstyle ':completion:*' list-prompt ''
typeset -ga hits
compadd() {
	if [[ " $* " != *" -O "* && " $* " != *" -A "* && " $* " != *" -D "* ]]; then
		local -a some
		builtin compadd -O some "$@"
		hits+=($some)
	fi
	builtin compadd "$@"
}
take() { hits=(); zle list-choices; print -rl -- $hits > answer.new; mv -f answer.new answer; BUFFER= }
zle -N take; bindkey '^T' take
print so''urced
`, "setup.zsh")
	answer := m.path("answer")
	p := m.onTerminal(nil, "zsh", "-f", "-i")
	p.until("ready> ")
	p.types("set -- '" + script(t, "zsh") + "'; source '" + setup + "'\r")
	p.until("sourced")
	for _, test := range shellCases {
		if err := os.RemoveAll(answer); err != nil {
			t.Fatal(err)
		}
		p.types(test.line + "\x14")
		got := strings.Fields(string(appears(t, p, answer)))
		slices.Sort(got)
		if got = slices.Compact(got); !slices.Equal(got, test.want) {
			t.Errorf("zsh completes %q: %q, want %q", test.line, got, test.want)
		}
	}
	p.types("utho token get terr\t")
	p.until("utho token get terraform")
	p.types("-o id\r")
	p.until("10003")
	p.types("exit\r")
	p.ends(0)
}

// appears waits until a file is there, and reads it.
func appears(t *testing.T, p *process, path string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if text, err := os.ReadFile(path); err == nil {
			return bytes.TrimSpace(text)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s never appeared; the terminal shows:\n%s", path, p.said())
		}
	}
}
