//go:build unix

package main

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/utho/utho-cli/internal/sandbox/sandboxtest"
)

// complete gives what the program offers for the last of these words, without descriptions.
func (m *machine) complete(words ...string) (offers []string) {
	m.t.Helper()
	r := m.utho(append([]string{"__complete"}, words...)...)
	lines := strings.Split(strings.TrimSuffix(r.stdout, "\n"), "\n")
	if r.code != 0 || !strings.HasPrefix(lines[len(lines)-1], ":") || strings.Contains(r.stderr, "utho:") {
		m.t.Errorf("complete %q: %+v", words, r)
	}
	for _, line := range lines[:len(lines)-1] {
		word, _, _ := strings.Cut(line, "\t")
		// The shells choose from a fixed list by what was typed.
		if strings.HasPrefix(word, words[len(words)-1]) {
			offers = append(offers, word)
		}
	}
	return offers
}

// What each place of a command line offers; which word of a token is offered is in package cli.
func TestCompletionOffers(t *testing.T) {
	t.Parallel()
	m := newServed(t)
	m.write("", "bin", "utho-docs") // cannot be run
	m.write("#!/bin/sh\n", "bin", "utho-deploy")
	m = m.with("PATH", m.path("bin")+":"+m.env["PATH"])
	const all = "ci-deploy grafana backup.expires-20250101T0000Z terraform"
	for line, want := range map[string]string{
		"token get ":                       all,
		"token delete --expired --except ": all,
		"token delete 1000":                "10000 10001 10002 10003",
		"token delete terraform 10001 ":    "ci-deploy backup.expires-20250101T0000Z",
		"token get 7":                      "",
		"token list --no-h":                "--no-headers",
		"token list --scope ":              "read-only write",
		"token list --columns name,i":      "name,id",
		"token r":                          "rotate run",
		"-p s":                             "sandbox",
		"login ":                           "",
		"exec -- utho-d":                   "utho-deploy",
	} {
		if got := strings.Join(m.complete(strings.Split(line, " ")...), " "); got != want {
			t.Errorf("complete %q: %s, want %s", line, got, want)
		}
	}
}

// Whatever is in its way, completion offers nothing, says nothing and starts nothing; it asks an
// overloaded service once, and gives up one that does not answer.
func TestCompletionSilent(t *testing.T) {
	t.Parallel()
	m := newServed(t)
	m.login(m.key, "-p", "filed", "login", "--store", "file").want(t, 0)
	none := m.with("UTHO_API_KEY", "", "UTHO_API_URL", "")
	for line, want := range map[string]string{"token get t": "terraform", "-p filed token get t": "terraform", "-p sandbox token get t": "terraform", "-p f": "filed"} {
		if got := strings.Join(none.complete(strings.Fields(line)...), " "); got != want {
			t.Errorf("complete %q: %s, want %s", line, got, want)
		}
	}
	silent := func(requests int, m *machine, words ...string) {
		t.Helper()
		before := m.Count(sandboxtest.Any)
		if got := m.complete(append(words, "token", "get", "")...); got != nil || m.Count(sandboxtest.Any)-before != requests {
			t.Errorf("it offers %q, with %d requests", got, m.Count(sandboxtest.Any)-before)
		}
	}
	silent(0, m.with("UTHO_API_URL", "http://127.0.0.1:1/v2"))
	silent(0, m.with("UTHO_API_URL", "http://example.com/v2"))
	silent(1, m.with("UTHO_API_KEY", "live_test_wrong", "UTHO_DEBUG", "1"))
	silent(0, m.with("UTHO_TOKEN", "other", "UTHO_API_URL", "http://127.0.0.1:1/v2"))
	silent(0, m, "-p", "nosuch")
	silent(0, none.with("HOME", "", "UTHO_CONFIG_DIR", "", "UTHO_STATE_DIR", ""))
	m.Fault(sandboxtest.Fault{Status: http.StatusServiceUnavailable})
	silent(1, m)
	m.Clear()
	m.stopAt("for good", sandboxtest.Any, beforeEffect, 0)
	silent(1, m)
	for _, config := range []string{"{api_url: " + m.url + "}", "{credential_command: [touch, " + m.path("ran") + "]}", "["} { // there is no keyring
		m.write("current_profile: work\nprofiles:\n  work: "+config+"\n", "config", "config.yaml")
		silent(0, none)
	}
	if _, err := os.Stat(m.path("ran")); err == nil {
		t.Error("completion ran the credential command")
	}
}

// The lines that `utho completion --help` gives for a shell work in a fresh home.
func TestCompletionInstalled(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			requires(t, shell)
			m := newServed(t).with("TERM", "dumb", "PS1", "ready> ", "INPUTRC", "/dev/null")
			const library = "/usr/share/bash-completion/bash_completion"
			if _, err := os.Stat(library); shell == "bash" && err != nil && os.Getenv("UTHO_TEST_TOOLS") == "" {
				t.Skip("bash-completion is not installed")
			}
			m.write("PS1='ready> '\n. "+library+"\n", ".bashrc") // as /etc/skel has it
			_, lines, _ := strings.Cut(m.utho("completion", "--help").stdout, "\n"+shell)
			_, lines, _ = strings.Cut(lines, "\n")
			lines, _, _ = strings.Cut(lines, "\n\n")
			if r := m.run("", "sh", "-eu", "-c", lines); r.code != 0 || !strings.Contains(lines, "utho completion "+shell) {
				t.Fatalf("%s: %+v", lines, r)
			}
			cases := [][2]string{
				{"utho tok", "utho token"}, {"utho token get terr", "utho token get terraform"},
				{"utho token list --no-h", "utho token list --no-headers"}, {"utho token list --scope w", "utho token list --scope write"},
				{"utho token run -- mkfif", "utho token run -- mkfifo"},
			}
			if shell == "fish" { // which asks its terminal what it can
				for _, c := range cases {
					r := m.run("", "fish", "-c", "complete -C $argv[1]", c[0]).want(t, 0)
					word, _, _ := strings.Cut(strings.TrimSpace(r.stdout), "\t")
					if !strings.HasSuffix(c[1], " "+word) || word == "" {
						t.Errorf("fish completes %q: %q", c[0], r.stdout)
					}
				}
				return
			}
			p := m.onTerminal(nil, shell, "-i")
			p.until("ready> ")
			for _, c := range cases {
				p.types(c[0] + "\t")
				p.until(regexp.QuoteMeta(c[1]))
				p.types("\x15") // takes the line away
			}
			p.types("exit\r")
			p.exits(0)
		})
	}
}
