//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/utho/utho-cli/internal/sandbox/sandboxtest"
)

// The prompt says where a token is created, ends in `token: `, shows nothing of what is typed, and
// whatever ends it leaves the terminal as it was.
func TestLoginPrompt(t *testing.T) {
	t.Parallel()
	doc := strings.Split(blocks(pages(t)["docs/getting-started.md"])[1][2], "\n")
	m := newServed(t)
	for _, row := range []struct {
		typed  string
		signal syscall.Signal
		code   int
		says   string
	}{
		{"\r", 0, 2, "nothing was saved"},
		{ctrlD, 0, 3, "nothing was changed"},
		{"live_test_half" + ctrlC, 0, 130, "interrupted"},
		{"", syscall.SIGTERM, 143, "TERM"},
		{"live_test_wrong\r", 0, 4, "nothing was saved"},
		{"x\x7f" + m.key + "\r", 0, 0, "logged in to"},
		{"\x1b[200~" + m.key + "\x1b[201~\r", 0, 0, "logged in to"},
	} {
		p := m.onTerminal(nil, "utho", "login", "--store", "file")
		if shown := p.asks("token: "); !strings.Contains(shown, doc[1]) || !strings.HasSuffix(shown, doc[2]+" ") {
			t.Errorf("before the prompt it says\n%s\nand docs/getting-started.md shows\n%q", shown, doc)
		}
		if row.signal != 0 {
			p.signal(row.signal)
		}
		p.types(row.typed)
		if shown := p.exits(row.code); !strings.Contains(shown, row.says) || strings.Contains(shown, "live_") {
			t.Errorf("typed %q: the terminal shows:\n%s", row.typed, shown)
		}
	}
	before := m.Count(sandboxtest.Any)
	m.onTerminal(nil, "utho", "login", "--store", "file", "--no-input").exits(2)
	if n := m.Count(sandboxtest.Any) - before; n != 0 {
		t.Errorf("%d requests came", n)
	}
}

// A question names what is at stake and whose it is, and only a yes goes on.
func TestQuestions(t *testing.T) {
	t.Parallel()
	for command, row := range map[string]struct {
		before, question, says string
		left                   int
	}{
		"token delete --name many-*":         {`"many-4" (read-only, created `, "Delete 5 tokens of asha.rao@example.com (UTHO_API_KEY)?", "deleted 10009 many-4", 5},
		"token rotate many-0 --to exec:true": {"10005", "Rotate it, and delete the old token of asha.rao@example.com (profile default)?", "deleted the old token 10005", 10},
		"logout --revoke":                    {"", `Delete token 10004 "laptop" of asha.rao@example.com (profile default) and log out?`, "deleted token 10004", 9},
	} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			served := newServed(t)
			m := served.with("UTHO_API_KEY", "")
			m.login(m.key, "login", "--own-token", "--name", "laptop", "--store", "file").want(t, 0)
			m.many(5)
			if strings.Contains(row.question, "UTHO_API_KEY") {
				m = served
			}
			for _, answer := range []struct {
				typed string
				code  int
				says  string
				left  int
			}{
				{"\r", 3, "nothing was changed", 10}, {"yeah\r", 3, "nothing was changed", 10}, {ctrlD, 3, "nothing was changed", 10},
				{"y" + ctrlC, 130, "interrupted; nothing was changed", 10}, {" Yes \r", 0, row.says, row.left},
			} {
				p := m.onTerminal(nil, append([]string{"utho"}, strings.Fields(command)...)...)
				if shown := p.asks(row.question + " [y/N]: "); !strings.Contains(shown, row.before) {
					t.Errorf("the question is:\n%s", shown)
				}
				p.types(answer.typed)
				if shown := p.exits(answer.code); !strings.Contains(shown, answer.says) {
					t.Errorf("typed %q: the terminal shows:\n%s", answer.typed, shown)
				}
				m.remain(answer.left)
			}
		})
	}
}

// What somebody else does, and the time that passes, while a question stands: a rotation counts from the answer.
func TestRotateQuestionStands(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		meanwhile func(m *machine, id string)
		code      int
		says      string
		left      int // tokens named ask
	}{
		"it goes":    {func(m *machine, id string) { m.Remove(id) }, 5, "has gone meanwhile; nothing was created", 0},
		"a twin":     {func(m *machine, _ string) { m.Add("ask", false) }, 0, "deleted the old token", 2},
		"a day goes": {func(m *machine, _ string) { m.SetClock(24*time.Hour, 0) }, 0, "deleted the old token", 1},
	} {
		m := newServed(t)
		id := m.Add("ask.expires-"+time.Now().Add(2*time.Hour).UTC().Format("20060102T1504Z"), false).ID
		p := m.onTerminal(nil, "utho", "token", "rotate", id, "--to", "exec:true")
		p.until(`\[y/N\]: `)
		row.meanwhile(m, id)
		answered := time.Now()
		p.types("y\r")
		if shown := p.exits(row.code); !strings.Contains(shown, row.says) || m.count("ask") != row.left {
			t.Errorf("%s: %d are left; the terminal shows:\n%s", name, m.count("ask"), shown)
		}
		all := m.Tokens()
		suffix, ok := strings.CutPrefix(all[len(all)-1].Name, "ask.expires-")
		until, err := time.Parse("20060102T1504Z", suffix)
		if name == "a day goes" && (!ok || err != nil || until.Sub(answered.Add(26*time.Hour)).Abs() > 2*time.Minute) {
			t.Errorf("answered at %v: %+v", answered, all)
		}
	}
}

// How far it is, and what is waited for, shows on a terminal and leaves nothing behind.
func TestProgress(t *testing.T) {
	t.Parallel()
	m := newServed(t).many(5)
	shown := m.onTerminal(nil, "utho", "token", "delete", "--name", "many-*", "--yes").exits(0)
	for line := range strings.SplitSeq(shown, "\r\n") {
		// What a person sees of a line is what was written after the last return.
		if strings.Contains(line[strings.LastIndexByte(line, '\r')+1:], "deleting") {
			t.Errorf("the display stays on the terminal: %q", shown)
		}
	}
	if !strings.Contains(shown, "deleting 1/5") || strings.Count(shown, "deleted ") != 5 {
		t.Errorf("the terminal shows:\n%s", shown)
	}
	m.stopAt("list", sandboxtest.List, beforeEffect, 1)
	m.stopAt("look", sandboxtest.Confirm, beforeEffect, 1)
	p := m.onTerminal(nil, "utho", "token", "create", "ci", "--to", "file:ci")
	p.until("waiting for the list of tokens …$")
	m.release("list")
	p.until("\r\x1b\\[Kwaiting for the new token to show in the list …$")
	m.release("look")
	p.exits(0)
	p.says("\r\x1b\\[Kcreated")
}

// A question needs stdin and stderr on a terminal; stdout has no part in it.
func TestTerminalMeansStdinAndStderr(t *testing.T) {
	t.Parallel()
	m := newServed(t)
	file, err := os.Create(m.path("file"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() // read again by name
	p := m.onTerminal(func(c *exec.Cmd) { c.Stdout = file }, "utho", "token", "delete", "10000")
	p.until(`\[y/N\]: `)
	p.types("y\r")
	p.exits(0)
	before := m.Count(sandboxtest.Any)
	m.onTerminal(func(c *exec.Cmd) { c.Stderr = file }, "utho", "token", "delete", "10001").exits(2)
	m.onTerminal(func(c *exec.Cmd) { c.Stdin, c.SysProcAttr.Ctty = nil, 2 }, "utho", "token", "delete", "10001").exits(2)
	m.onTerminal(nil, "utho", "token", "delete", "10001", "--no-input").exits(2)
	got := m.read("file")
	if n := m.Count(sandboxtest.Any) - before; n != 0 || !strings.HasPrefix(got, "deleted 10000 ci-deploy\nutho: ") || !strings.Contains(got, "--yes") {
		t.Errorf("%d requests came; stdout and stderr are %q", n, got)
	}
}

// Only colour, and the short ACTION where the table is wider, tell a terminal from a pipe.
func TestColourOnTerminal(t *testing.T) {
	t.Parallel()
	m := newServed(t).with("TERM", "xterm-256color")
	m.login(m.key, "login", "--store", "file").want(t, 0)
	escapes, route := regexp.MustCompile("\x1b\\[[0-9;]*m"), regexp.MustCompile(`utho .*token delete`)
	shows := func(m *machine, columns, code int, args string) string {
		sized := func(c *exec.Cmd) {
			if f, ok := c.Stdout.(*os.File); ok {
				_ = pty.Setsize(f, &pty.Winsize{Rows: 24, Cols: uint16(columns)}) // what fails shows
			}
		}
		p := m.onTerminal(sized, append([]string{"utho"}, strings.Fields(args)...)...)
		return strings.ReplaceAll(p.exits(code), "\r\n", "\n")
	}
	for args, table := range map[string]bool{
		"token list": true, "-p sandbox token list -o wide": true, "profile list": true, "token list --no-headers": false,
		"token list -o json": false, "token get 10000": false, "status": false, "version": false, "--help": false,
	} {
		piped, width := m.utho(strings.Fields(args)...).want(t, 0).stdout, 0
		for line := range strings.Lines(piped) {
			width = max(width, len(line)-1)
		}
		narrow := piped
		if strings.Contains(args, "token list") && !strings.Contains(args, "json") {
			narrow = route.ReplaceAllString(piped, "delete")
		}
		for columns, want := range map[int]string{200: piped, width: piped, width - 1: narrow, 40: narrow} {
			shown := shows(m, columns, 0, args)
			if got := escapes.ReplaceAllString(shown, ""); got != want || strings.HasPrefix(shown, "\x1b[1m") != table {
				t.Errorf("utho %s: on %d columns it is\n%q\nwant\n%s", args, columns, shown, want)
			}
		}
	}
	if shown := shows(m, 80, 5, "token get nosuch"); !strings.HasPrefix(shown, "\x1b[1;31mutho:\x1b[0m no token ") {
		t.Errorf("an error is %q", shown)
	}
	for _, plain := range []*machine{m.with("NO_COLOR", "1"), m.with("TERM", "dumb"), m.with("UTHO_COLOR", "never")} {
		if shown := shows(plain, 80, 5, "token get nosuch") + shows(plain, 80, 0, "token list"); strings.Contains(shown, "\x1b") {
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
		if shown := p.exits(code); !strings.Contains(shown, "utho: ") || strings.Contains(shown, "goroutine") {
			t.Errorf("%v: the terminal shows %q", sig, shown)
		}
	}
}

// many adds tokens named many-0 and so on.
func (m *machine) many(n int) *machine {
	for i := range n {
		m.Add(fmt.Sprint("many-", i), false)
	}
	return m
}
