//go:build unix

package main

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/utho/utho-cli/internal/sandbox/sandboxtest"
)

// TestSignals sends a real signal while the service holds a request. What becomes of the
// tokens is a table of package lifecycle; here it is what the process makes of a signal.
func TestSignals(t *testing.T) {
	for _, test := range []struct {
		name    string
		command string
		on      sandboxtest.Op
		at      moment
		keep    bool // for good: utho has to end by itself
		sig     syscall.Signal
		twice   bool
		code    int
		says    string
		tokens  int // that are new in the end
	}{
		{"before anything was sent", "create", sandboxtest.List, beforeEffect, true, syscall.SIGINT, false, 130, "utho: interrupted", 0},
		{"the create is answered then", "create", sandboxtest.Create, afterEffect, false, syscall.SIGINT, false, 130, "deleted again", 0},
		{"the list is, then", "create", sandboxtest.Confirm, beforeEffect, false, syscall.SIGTERM, false, 143, "deleted again.*ended by TERM", 0},
		{"HUP", "create", sandboxtest.Confirm, afterEffect, false, syscall.SIGHUP, false, 129, "deleted again.*ended by HUP", 0},
		{"a second one", "create", sandboxtest.Create, afterEffect, true, syscall.SIGINT, true, 8, "may have been created", 1},
		{"QUIT counts as two", "create", sandboxtest.Create, afterEffect, true, syscall.SIGQUIT, false, 8, "may have been created", 1},
		{"QUIT, nothing sent", "create", sandboxtest.List, beforeEffect, true, syscall.SIGQUIT, false, 131, "utho: ended by QUIT", 0},
		{"ABRT", "create", sandboxtest.Confirm, beforeEffect, true, syscall.SIGABRT, false, 8, "is left, and.*no time was left", 1},
		{"XCPU", "create", sandboxtest.List, beforeEffect, true, syscall.SIGXCPU, false, 128 + int(syscall.SIGXCPU), "utho: ended by XCPU", 0},
		{"USR1 is nothing to utho", "rotate", sandboxtest.List, beforeEffect, false, syscall.SIGUSR1, false, 0, "deleted the old token", 1},
		{"too late to stop", "rotate", sandboxtest.Delete, beforeEffect, false, syscall.SIGTERM, false, 0, "deleted the old token", 1},
		{"before the command starts", "run", sandboxtest.Confirm, afterEffect, false, syscall.SIGTERM, false, 143, "deleted again", 0},
		{"after it has ended", "run", sandboxtest.Delete, beforeEffect, false, syscall.SIGINT, false, 3, "cleaning up", 0},
		{"the deletion is cut off", "rotate", sandboxtest.Delete, beforeEffect, true, syscall.SIGTERM, true, 8, "may still work", 2},
	} {
		t.Run(test.command+", "+test.name, func(t *testing.T) {
			t.Parallel()
			w := newServed(t)
			args, old := []string{"utho", "token", "create", "held"}, ""
			switch test.command {
			case "rotate":
				old = strings.TrimSpace(w.run("", args...).want(t, 0).stdout)
				args = []string{"utho", "token", "rotate", "held", "--yes"}
			case "run":
				args = []string{"utho", "token", "run", "--", "sh", "-c", "touch started; exit 3"}
			}
			times := 1
			if test.twice {
				times = 0 // nothing is answered any more
			}
			w.stopAt("here", test.on, test.at, times)
			p := w.start(nil, args...)
			w.await(t, "here")
			p.signal(test.sig)
			if test.twice || !test.keep && test.sig != syscall.SIGUSR1 {
				p.until("cleaning up")
			}
			if test.twice {
				p.signal(test.sig)
			}
			if !test.keep {
				w.release("here")
			}
			p.exits(test.code)
			p.says(test.says)
			w.remain(4 + test.tokens)
			if _, err := os.Stat(w.path("started")); (err == nil) != (test.code == 3) {
				t.Errorf("was the command started: %v", err)
			}
			w.Clear()
			secret := strings.TrimSpace(p.stdout.String())
			if secret == "" {
				secret = old // nothing was delivered
			}
			if secret != "" && !w.Works(secret) {
				t.Error("the secret that a consumer has does not work")
			}
			w.noLeaks()
		})
	}
}

// A command of --to and --verify that runs when the signal comes may end: the delivery is
// part of what a first signal does not cut short.
func TestSignalDuringCommand(t *testing.T) {
	for name, test := range map[string]struct {
		args    string
		signals int
		goOn    bool
		code    int
		says    string
		tokens  int // in the end
	}{
		"exec: ends well": {"token rotate held --yes --to env:.env --to exec:./hook", 1, true, 0, "deleted the old token", 5},
		"exec: twice":     {"token create other --to file:other --to exec:./hook", 2, false, 8, `hint: delete it`, 6},
		"--verify":        {"token rotate held --yes --to env:.env --verify ./hook", 1, false, 143, "both tokens work.*ended by TERM", 6},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newServed(t)
			w.utho("token", "create", "held", "--to", "env:.env").want(t, 0)
			open := w.gate()
			w.write("#!/bin/sh\necho running >&2\ncat gate >/dev/null\n", "hook")
			p := w.start(nil, append([]string{"utho"}, strings.Fields(test.args)...)...)
			p.until("running")
			for n := range test.signals {
				if n > 0 {
					p.until("cleaning up")
				}
				p.signal(syscall.SIGTERM)
			}
			if test.goOn {
				p.until("cleaning up")
				open("go on\n")
			}
			p.exits(test.code)
			p.says(test.says)
			w.remain(test.tokens)
			if !w.Works(w.secret(".env")) {
				t.Errorf(".env: %q", w.read(".env"))
			}
		})
	}
}

// A signal ends a command that only reads, or has not begun to change anything, at once:
// here the service never answers. What the parent ignores stays ignored, as nohup has it.
func TestInterruptedWhileReading(t *testing.T) {
	for _, args := range []string{
		"token list", "token get 10000 -o json", "status", "status -o json", "login --store file",
		"token delete 10000 --yes", "token rotate grafana --yes", "token run -- true", "nohup",
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			m := newServed(t)
			m.stopAt("here", sandboxtest.Any, beforeEffect, 1)
			if args == "nohup" {
				p := m.start(nil, "sh", "-c", `trap "" HUP; exec utho token list -o id`)
				m.await(t, "here")
				p.signal(syscall.SIGHUP)
				m.release("here")
				p.exits(0)
				return
			}
			key := func(c *exec.Cmd) { c.Stdin = strings.NewReader(m.key) }
			p := m.start(key, append([]string{"utho"}, strings.Fields(args)...)...)
			m.await(t, "here")
			p.signal(syscall.SIGTERM)
			want := "utho: ended by TERM\n"
			if strings.Contains(args, "json") {
				want = `{"error":{"code":"interrupted","message":"ended by TERM","hint":"","exit_code":143}}` + "\n"
			}
			if said := p.exits(143); p.stdout.Len() > 0 || said != want || m.Count(sandboxtest.Any) != 1 {
				t.Errorf("stdout %q; stderr %q; %d requests", &p.stdout, said, m.Count(sandboxtest.Any))
			}
		})
	}
}

// Eight are deleted at once, and no ninth before one of them is answered. The first signal begins no
// further deletion, and waits for those under way.
func TestDeleteAtOnce(t *testing.T) {
	t.Parallel()
	w := newServed(t).many(20)
	let, f := make(chan struct{}), sandboxtest.Fault{On: sandboxtest.Delete}
	w.hold("deletions").before(&f)
	f.Hold = let
	w.Fault(f)
	p := w.start(nil, "utho", "token", "delete", "--name", "many-*", "--yes")
	for range 7 {
		w.await(t, "deletions")
	}
	for n := 8; n <= 12; n++ { // each answer lets one more in
		w.await(t, "deletions")
		if got := w.Count(sandboxtest.Delete); got != n {
			t.Fatalf("%d deletions, want %d", got, n)
		}
		if n < 12 {
			let <- struct{}{}
		}
	}
	p.signal(syscall.SIGINT)
	p.until("cleaning up")
	close(let)
	p.exits(130)
	p.says("8 deletions not attempted")
	if n := strings.Count(p.stdout.String(), "deleted "); n != 12 {
		t.Errorf("%d deleted:\n%s", n, p.stdout.String())
	}
	w.remain(12)
}

// A stdout that nobody reads keeps no command from ending by a signal.
func TestUnreadStdout(t *testing.T) {
	t.Parallel()
	for args, sig := range map[string]syscall.Signal{"token list": syscall.SIGTERM, "token delete grafana --yes": syscall.SIGQUIT} {
		m := newServed(t)
		out, err := stuffedPipe(t)
		if err != nil {
			t.Fatal(err)
		}
		p := m.start(func(cmd *exec.Cmd) { cmd.Stdout = out }, append([]string{"utho", "--debug"}, strings.Fields(args)...)...)
		p.until(map[bool]string{true: "debug: GET .*: 200", false: "debug: DELETE .*: 200"}[args == "token list"])
		p.signal(sig)
		p.exits(128 + int(sig))
		_ = out.Close()
	}
}
