//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/utho/utho-cli/internal/sandbox/sandboxtest"
)

// The prompt says where a token is created, ends in `token: `, shows nothing of what is typed, and
// whatever ends it leaves the terminal as it was, and a stored token too.
func TestLoginPrompt(t *testing.T) {
	t.Parallel()
	page := pages(t)["docs/getting-started.md"]
	m := newServed(t)
	key := m.key
	m = m.with("UTHO_API_KEY", "")
	for _, row := range []struct {
		typed  string
		signal syscall.Signal
		code   int
		says   string
		stored bool
	}{
		{"\r", 0, 2, "nothing was saved", false},
		{ctrlD, 0, 3, "nothing was changed", false},
		{"live_test_half" + ctrlC, 0, 130, "interrupted", false},
		{"", syscall.SIGTERM, 143, "TERM", false},
		{"", syscall.SIGHUP, 129, "HUP", false},
		{"live_test_wrong\r", 0, 4, "nothing was saved", false},
		{"x\x7f" + key + "\r", 0, 0, "logged in to", true},
		{"\x1b[200~" + key + "\x1b[201~\r", 0, 0, "logged in to", true},
		{ctrlC, 0, 130, "interrupted", true},
		{"live_test_wrong\r", 0, 4, "nothing was saved", true},
	} {
		p := m.onTerminal(nil, "utho", "login", "--store", "file")
		shown := p.asks("token: ")
		if doc := strings.Split(blocks(page)[1].text, "\n"); !strings.Contains(shown, doc[1]) || !strings.HasSuffix(shown, doc[2]+" ") {
			t.Errorf("before the prompt it says\n%s\nand docs/getting-started.md shows\n%q", shown, doc)
		}
		if row.signal != 0 {
			p.signal(row.signal)
		}
		p.types(row.typed)
		shown = p.ends(row.code)
		if !strings.Contains(shown, row.says) || strings.Contains(shown, "live_") {
			t.Errorf("typed %q: the terminal shows:\n%s", row.typed, shown)
		}
		m.utho("status").want(t, map[bool]int{true: 0, false: 4}[row.stored])
	}
	before := m.Count(sandboxtest.Any)
	m.onTerminal(nil, "utho", "login", "--store", "file", "--no-input").ends(2)
	if n := m.Count(sandboxtest.Any) - before; n != 0 {
		t.Errorf("%d requests came", n)
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
	p.until(`\[y/N\]: `)
	p.types("y\r")
	p.ends(0)
	if got := m.read("out"); got != "deleted 10000 ci-deploy\n" {
		t.Errorf("stdout is %q", got)
	}
	before := m.Count(sandboxtest.Any)
	m.onTerminal(func(c *exec.Cmd) { c.Stderr = toFile("err") }, "utho", "token", "delete", "10001").ends(2)
	m.onTerminal(func(c *exec.Cmd) { c.Stdin, c.SysProcAttr.Ctty = nil, 2 }, "utho", "token", "delete", "10001").ends(2)
	m.onTerminal(nil, "utho", "token", "delete", "10001", "--no-input").ends(2)
	if n := m.Count(sandboxtest.Any) - before; n != 0 || !strings.Contains(m.read("err"), "--yes") {
		t.Errorf("%d requests came; stderr is %q", n, m.read("err"))
	}
}

var escapes = regexp.MustCompile("\x1b\\[[0-9;]*m")

// Only colour, and the short ACTION, tell a terminal from a pipe.
func TestColourOnTerminal(t *testing.T) {
	t.Parallel()
	m := newServed(t).with("TERM", "xterm-256color")
	for _, args := range []string{
		"token list", "token list -o wide", "token list -o json", "token get 10000", "version", "--help", "token list --no-headers",
	} {
		words := append([]string{"utho"}, strings.Fields(args)...)
		piped := m.utho(words[1:]...).want(t, 0).stdout
		shown := strings.ReplaceAll(m.onTerminal(sized(200), words...).ends(0), "\r\n", "\n")
		if got := escapes.ReplaceAllString(shown, ""); got != piped {
			t.Errorf("utho %s: on a terminal it is\n%s\nand in a pipe\n%s", args, got, piped)
		}
		if table := args == "token list" || args == "token list -o wide"; strings.HasPrefix(shown, "\x1b[1m") != table {
			t.Errorf("utho %s: on a terminal it is %q", args, shown)
		}
	}
	failed := []string{"utho", "token", "get", "nosuch"}
	red := regexp.MustCompile(`^\x1b\[1;31mutho:\x1b\[0m no token .*\r\n\x1b\[1;36mhint:\x1b\[0m see `)
	if shown := m.onTerminal(nil, failed...).ends(5); !red.MatchString(shown) {
		t.Errorf("an error is %q", shown)
	}
	for _, plain := range []*machine{m.with("NO_COLOR", "1"), m.with("TERM", "dumb"), m.with("UTHO_COLOR", "never")} {
		shown := plain.onTerminal(nil, failed...).ends(5) + plain.onTerminal(nil, "utho", "token", "list").ends(0)
		if strings.Contains(shown, "\x1b") {
			t.Errorf("colour although it is turned off: %q", shown)
		}
	}
}

// On a terminal a command that only reads takes signals once it lasts, and ends as any other.
func TestInterruptedOnATerminal(t *testing.T) {
	t.Parallel()
	m := newServed(t)
	m.stopAt("for good", sandboxtest.Any, beforeEffect, 0)
	for sig, code := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143, syscall.SIGQUIT: 131} {
		p := m.onTerminal(nil, "utho", "token", "list")
		p.until("waiting for the list of tokens …$")
		p.signal(sig)
		if shown := p.ends(code); !strings.Contains(shown, "utho: ") || strings.Contains(shown, "goroutine") {
			t.Errorf("%v: the terminal shows %q", sig, shown)
		}
	}
}

// sized has the terminal so many columns.
func sized(columns int) func(*exec.Cmd) {
	return func(c *exec.Cmd) {
		if f, ok := c.Stdout.(*os.File); ok {
			_ = pty.Setsize(f, &pty.Winsize{Rows: 24, Cols: uint16(columns)}) // what fails shows in the golden
		}
	}
}

// What a person sees at three widths is in testdata/screen.
func TestScreens(t *testing.T) {
	t.Parallel()
	m := newServed(t)
	filed := m.with("UTHO_API_KEY", "")
	m.login(m.key, "login", "--store", "file").want(t, 0)
	m.SetClock(time.Until(time.Date(2026, 11, 23, 8, 30, 5, 0, time.UTC)), 0)
	filed.utho("token", "create", "metrics", "--expires-in", "30d", "--to", "file:metrics").want(t, 0)
	m.Remove("10001")
	port, second := regexp.MustCompile(`127\.0\.0\.1:\d{5}`), regexp.MustCompile(`(2026-11-23 14:00:)\d\d`)
	clock := regexp.MustCompile(`warning: this machine's clock .*\n`)
	for _, columns := range []int{40, 80, 120} {
		var got strings.Builder
		screens := []string{"token list", "-p sandbox token list", "token list -o wide"}
		if columns == 80 {
			screens = append(screens, "token get backup", "status", "profile list", "token get nosuch", "token list --json")
		}
		for _, args := range screens {
			p := filed.with("TERM", "dumb").onTerminal(sized(columns), append([]string{"utho"}, strings.Fields(args)...)...)
			<-p.done
			shown := strings.ReplaceAll(p.exits(p.cmd.ProcessState.ExitCode()), "\r\n", "\n")
			shown = clock.ReplaceAllString(second.ReplaceAllString(port.ReplaceAllString(shown, "127.0.0.1:12345"), "${1}05"), "")
			fmt.Fprintf(&got, "$ utho %s\n%s\n", args, shown)
		}
		golden(t, filepath.Join("testdata", "screen", fmt.Sprint(columns)), got.String())
	}
}

// golden compares a text with a file, or writes it with -update.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(path); err != nil || got != string(want) {
		t.Errorf("%s: %v; it shows\n%s", path, err, got)
	}
}
