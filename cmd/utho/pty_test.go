//go:build unix

package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/utho/utho-cli/internal/sandbox/sandboxtest"
)

func TestLoginPrompt(t *testing.T) {
	t.Parallel()
	m := newServed(t)
	key := m.key
	m = m.with("UTHO_API_KEY", "")
	login := []string{"utho", "login", "--store", "file"}
	for _, test := range []struct {
		name, typed string
		code        int
		says        string
		stored      bool
	}{
		{"nothing", "\r", 2, "no token was given; nothing was saved", false},
		{"Ctrl-D", "\x04", 3, "no token was entered; nothing was changed", false},
		{"Ctrl-C", "\x03", 130, "interrupted", false},
		{"Ctrl-C behind a part", "live_test_half\x03", 130, "interrupted", false},
		{"Ctrl-\\ and Ctrl-Z are no keys here", "\x1c\x1a\x03", 130, "interrupted", false},
		{"a wrong token", "live_test_wrong\r", 4, "does not accept the token; nothing was saved", false},
		{"two words", "live_test_two words\r", 2, "white space in its middle; nothing was saved", false},
		{"a token", key + "\r", 0, "logged in to", true},
		{"a token and Ctrl-D", key + "\x04\x04", 0, "logged in to", true},
		{"a bracketed paste", "\x1b[200~" + key + "\x1b[201~\r", 0, "bracketed paste", true},
		{"a header", "Bearer " + key + "\r", 0, "took off", true},
		{"an erased mistake", "x\x7f" + key + "\r", 0, "logged in to", true},
		{"Ctrl-C keeps the old one", "\x03", 130, "interrupted", true},
		{"Ctrl-D keeps the old one", "\x04", 3, "nothing was changed", true},
		{"a wrong token keeps the old one", "live_test_wrong\r", 4, "nothing was saved", true},
	} {
		p := m.onTerminal(nil, login...)
		shown := p.asks("token: ")
		for _, words := range []string{"https://console.utho.com/api", "Write access"} {
			if !strings.Contains(shown, words) {
				t.Errorf("%s: before the prompt it does not say %q:\n%s", test.name, words, shown)
			}
		}
		p.types(test.typed)
		shown = p.ends(test.code)
		if !strings.Contains(shown, test.says) {
			t.Errorf("%s: the terminal does not say %q:\n%s", test.name, test.says, shown)
		}
		if strings.Contains(shown, "live_") || strings.Contains(shown, "words") {
			t.Errorf("%s: what was typed is on the terminal:\n%s", test.name, shown)
		}
		want := 4
		if test.stored {
			want = 0
		}
		m.utho("status").want(t, want)
	}
}

// TERM and HUP at the prompt end it like Ctrl-C, with a status of their own.
func TestLoginPromptSignals(t *testing.T) {
	t.Parallel()
	m := newServed(t)
	for sig, code := range map[syscall.Signal]int{syscall.SIGTERM: 143, syscall.SIGHUP: 129, syscall.SIGINT: 130} {
		p := m.onTerminal(nil, "utho", "login", "--store", "file")
		p.until("token: ")
		if err := p.cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		p.ends(code)
	}
}

func TestLoginNoInput(t *testing.T) {
	t.Parallel()
	m := newServed(t)
	shown := m.onTerminal(nil, "utho", "login", "--store", "file", "--no-input").ends(2)
	if !strings.Contains(shown, "--with-token") || strings.Contains(shown, "token: ") {
		t.Errorf("the terminal shows:\n%s", shown)
	}
	if n := m.Count(sandboxtest.Any); n != 0 {
		t.Errorf("%d requests came", n)
	}
}

func TestDeleteConfirmation(t *testing.T) {
	t.Parallel()
	m := newServed(t)
	for _, test := range []struct {
		typed string
		code  int
	}{
		{"\r", 3},
		{"n\r", 3},
		{"no\r", 3},
		{"yeah\r", 3},
		{"\x04", 3},
		{"\x03", 130},
		{"y\x03", 130},
		{"y\r", 0},
		{"Yes\r", 0},
		{" y \r", 0},
	} {
		name := "ask me"
		m.utho("token", "create", name).want(t, 0)
		before := m.Count(sandboxtest.Delete)
		p := m.onTerminal(nil, "utho", "token", "delete", name)
		shown := p.asks("[y/N]: ")
		if !strings.Contains(shown, `"ask me" (read-only, created `) {
			t.Errorf("the question is:\n%s", shown)
		}
		p.types(test.typed)
		shown = p.ends(test.code)
		if got := m.Count(sandboxtest.Delete) - before; got != 0 != (test.code == 0) {
			t.Errorf("typed %q: %d deletions came", test.typed, got)
		}
		if deleted := strings.Contains(shown, "\ndeleted "); deleted != (test.code == 0) {
			t.Errorf("typed %q: the terminal shows:\n%s", test.typed, shown)
		}
		if test.code == 3 && !strings.Contains(shown, "utho: \x1b[0mdeclined; nothing was changed") {
			t.Errorf("typed %q: the terminal shows:\n%s", test.typed, shown)
		}
		if test.code != 0 {
			m.utho("token", "delete", name, "--yes").want(t, 0)
		}
	}
}

// A question needs stdin and stderr on a terminal; stdout has no part in it.
func TestTerminalMeansStdinAndStderr(t *testing.T) {
	t.Parallel()
	m := newServed(t)
	toFile := func(name string) *os.File {
		f, err := os.Create(m.path(name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() }) // read again by name
		return f
	}
	p := m.onTerminal(func(c *exec.Cmd) { c.Stdout = toFile("out") }, "utho", "token", "delete", "10000")
	p.asks("[y/N]: ")
	p.types("y\r")
	p.ends(0)
	if got, err := os.ReadFile(m.path("out")); err != nil || string(got) != "deleted 10000 ci-deploy\n" {
		t.Errorf("stdout is %q, %v", got, err)
	}
	before := m.Count(sandboxtest.Any)
	m.onTerminal(func(c *exec.Cmd) { c.Stderr = toFile("err") }, "utho", "token", "delete", "10001").ends(2)
	m.onTerminal(func(c *exec.Cmd) { c.Stdin, c.SysProcAttr.Ctty = nil, 2 }, "utho", "token", "delete", "10001").ends(2)
	m.onTerminal(nil, "utho", "token", "delete", "10001", "--no-input").ends(2)
	if n := m.Count(sandboxtest.Any) - before; n != 0 {
		t.Errorf("%d requests came", n)
	}
	if got, err := os.ReadFile(m.path("err")); err != nil || !strings.Contains(string(got), "--yes") || strings.Contains(string(got), "[y/N]") {
		t.Errorf("stderr is %q, %v", got, err)
	}
}

var escapes = regexp.MustCompile("\x1b\\[[0-9;]*m")

// Only colour tells a terminal from a pipe.
func TestColourOnTerminal(t *testing.T) {
	t.Parallel()
	m := newServed(t)
	m = m.with("TERM", "xterm-256color")
	for _, args := range []string{"token list", "token list -o wide", "token list -o json", "token list -o csv", "token list -o markdown",
		"token list -o id", "token get 10000", "status", "version", "--help", "token list --no-headers"} {
		words := append([]string{"utho"}, strings.Fields(args)...)
		piped := m.utho(words[1:]...).want(t, 0).stdout
		shown := strings.ReplaceAll(m.onTerminal(nil, words...).ends(0), "\r\n", "\n")
		if got := escapes.ReplaceAllString(shown, ""); got != piped {
			t.Errorf("utho %s: on a terminal it is\n%s\nand in a pipe\n%s", args, got, piped)
		}
		if table := args == "token list" || args == "token list -o wide"; strings.HasPrefix(shown, "\x1b[1mAPI NAME") != table || !table && shown != piped {
			t.Errorf("utho %s: on a terminal it is %q", args, shown)
		}
	}
	for _, plain := range []*machine{m.with("NO_COLOR", "1"), m.with("TERM", "dumb"), m.with("UTHO_COLOR", "never")} {
		for code, args := range map[int]string{0: "token list", 5: "token get nosuch", 2: "token list --json"} {
			if shown := plain.onTerminal(nil, append([]string{"utho"}, strings.Fields(args)...)...).ends(code); strings.Contains(shown, "\x1b") {
				t.Errorf("utho %s: colour although it is turned off: %q", args, shown)
			}
		}
	}
	if shown := m.onTerminal(nil, "utho", "token", "list", "--color", "never").ends(0); strings.Contains(shown, "\x1b") {
		t.Errorf("colour although it is turned off: %q", shown)
	}
	if shown := m.onTerminal(nil, "utho", "token", "get", "nosuch").ends(5); !strings.HasPrefix(shown, "\x1b[1mutho: \x1b[0mno token") {
		t.Errorf("an error is %q", shown)
	}
}

// A progress display is for a terminal, and leaves nothing behind.
func TestProgress(t *testing.T) {
	t.Parallel()
	m := newServed(t)
	hold := make(chan struct{})
	m.Fault(sandboxtest.Fault{On: sandboxtest.Delete, ID: "10003", Hold: hold})
	p := m.onTerminal(nil, "utho", "token", "delete", "10000", "10001", "10002", "10003", "--yes")
	p.until("deleting")
	close(hold)
	shown := p.ends(0)
	for _, line := range []string{"deleted 10000 ci-deploy\r\n", "deleted 10003 terraform\r\n"} {
		if !strings.Contains(shown, line) {
			t.Errorf("the terminal shows %q", shown)
		}
	}
	// What a person sees of a line is what was written after the last return.
	for line := range strings.SplitSeq(strings.ReplaceAll(shown, "\r\n", "\n"), "\n") {
		if last := line[strings.LastIndexByte(line, '\r')+1:]; strings.Contains(last, "deleting") {
			t.Errorf("the display stays on the terminal: %q", shown)
		}
	}

	m.utho("sandbox", "reset").want(t, 0)
	r := m.with("UTHO_PROFILE", "sandbox").utho("token", "delete", "10000", "10001", "10002", "10003", "--yes").want(t, 0)
	if r.stderr != "" {
		t.Errorf("without a terminal stderr is %q", r.stderr)
	}
}
