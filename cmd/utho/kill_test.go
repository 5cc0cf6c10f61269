//go:build unix

package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/utho/utho-cli/internal/sandbox/sandboxtest"
)

var crash = flag.Duration("crash", 0, "TestCrash: how long to kill")

// A victim is a command that is killed by SIGKILL. There are no hooks in the program:
// the service holds a request, strace kills at a system call, or a timer at no chosen
// moment.
type victim struct {
	name  string
	setup func(w *machine)
	args  string
	stdin func(w *machine) string
	// check fails the test if a secret was lost: the place that a consumer reads holds one
	// that works, and the next command goes on or names what is left.
	check func(w *machine)
}

// rotates is a victim that rotates what .env holds. Run again, it ends well, or says what
// to delete; a person knows whether the new secret has arrived.
func rotates(scope string) victim {
	const args = "token rotate killed --yes --to env:.env"
	return victim{
		name: "rotate " + scope, args: args,
		setup: func(w *machine) {
			w.utho("token", "create", "killed", "--scope", scope, "--to", "env:.env", "--expires-in", "90m").want(w.t, 0)
			w.write(w.read(".env"), "old.env")
		},
		check: func(w *machine) {
			if !w.Works(w.secret(".env")) {
				w.t.Fatalf("the secret in .env no longer works")
			}
			drop := 0 // the old one
			if w.read(".env") == w.read("old.env") {
				drop = 1
			}
			w.rotateAgain(args, drop)
		},
	}
}

// rotateAgain does what was killed again. If a person has to decide, they delete one of
// the two tokens that the hint names.
func (m *machine) rotateAgain(args string, drop int) {
	m.t.Helper()
	again := m.utho(strings.Fields(args)...)
	ids := regexp.MustCompile(`token delete (\d+)`).FindAllStringSubmatch(again.stderr, -1)
	if again.code == 8 && len(ids) == 2 {
		before, _, _ := strings.Cut(args, "rotate")
		m.utho(append(strings.Fields(before), "delete", ids[drop][1], "--yes")...).want(m.t, 0)
		again = m.utho(strings.Fields(args)...)
	}
	again.want(m.t, 0)
	if n := m.count("killed"); n != 1 || !m.Works(m.secret(".env")) {
		m.t.Errorf("%d tokens in the end; .env %q", n, m.read(".env"))
	}
}

var victims = []victim{
	rotates("read-only"),
	rotates("write"),
	{
		name: "create", args: "token create killed --to env:.env --to file:secret",
		setup: func(w *machine) { w.utho("token", "create", "earlier", "--to", "env:.env").want(w.t, 0) },
		check: func(w *machine) {
			if !w.Works(w.secret(".env")) {
				w.t.Errorf(".env holds a secret that does not work: %q", w.read(".env"))
			}
			if text := strings.TrimSpace(w.read("secret")); text != "" && !w.Works(text) {
				w.t.Errorf("the file holds a secret that does not work: %q", text)
			}
			taken := 6 * w.count("killed")
			w.utho("token", "create", "killed").want(w.t, taken)
		},
	},
	{
		name: "rotate --self", args: "-p own token rotate --self --yes --to env:.env",
		setup: func(w *machine) {
			w.logIn()
			w.utho("token", "create", "killed", "--scope", "write", "--to", "profile:own").want(w.t, 0)
		},
		check: func(w *machine) {
			w.utho("-p", "own", "token", "list").want(w.t, 0)
			w.rotateAgain("-p own token rotate --self --yes --to env:.env", 1)
			w.utho("-p", "own", "token", "list").want(w.t, 0)
		},
	},
	{
		name: "login --own-token", args: "login --own-token --name killed --store file",
		stdin: func(w *machine) string { return w.key },
		check: func(w *machine) {
			env := w.with("UTHO_API_KEY", "")
			if env.utho("token", "list").code != 0 {
				env.login(w.key, "login", "--store", "file").want(w.t, 0)
			}
			if left, err := filepath.Glob(w.path("config", "*", ".utho-*")); err != nil || len(left) > 0 {
				w.t.Errorf("left behind: %q, %v", left, err)
			}
		},
	},
	{
		name: "run", args: "token run --ttl 1h -- true",
		check: func(w *machine) { // what it leaves is found by its expiry
			w.SetClock(time.Hour+2*time.Minute, 0)
			w.utho("token", "delete", "--expired", "--yes").want(w.t, 0)
			w.remain(3)
		},
	},
}

// killAtCall has strace kill a command at the nth system call that changes the file system,
// counted in each thread of its own.
func (m *machine) killAtCall(nth int, stdin string, args ...string) (killed bool) {
	const calls = "?fsync,?fdatasync,?rename,?renameat,?renameat2,?link,?linkat,?unlink,?unlinkat,?mkdirat,?fchmod,?fchmodat,?ftruncate"
	strace := append([]string{"strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=" + calls,
		"-e", fmt.Sprintf("inject=%s:signal=KILL:when=%d", calls, nth), "utho"}, args...)
	return m.run(stdin, strace...).code == -1
}

// killWhen kills a command when this returns.
func (m *machine) killWhen(wait func(), stdin string, args ...string) (killed bool) {
	cmd := m.command(append([]string{"utho"}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	wait()
	_ = cmd.Process.Kill() // it may have ended
	_ = cmd.Wait()
	return cmd.ProcessState.ExitCode() == -1
}

// killed runs one victim on a machine of its own.
func (v victim) killed(t *testing.T, kill func(w *machine, stdin string, args ...string) bool) (killed bool) {
	w := newServed(t)
	if v.setup != nil {
		v.setup(w)
	}
	stdin := ""
	if v.stdin != nil {
		stdin = v.stdin(w)
	}
	killed = kill(w, stdin, strings.Fields(v.args)...)
	w.Clear()
	w.settled()
	w.noLeaks()
	v.check(w)
	return killed
}

// A command that is killed loses no secret. The protocols are killed at each of their steps
// in package lifecycle; here the program is, a few times.
func TestKill(t *testing.T) {
	for _, v := range victims {
		t.Run(v.name+", the create answered", func(t *testing.T) {
			t.Parallel()
			v.killed(t, func(w *machine, stdin string, args ...string) bool {
				w.stopAt("create", sandboxtest.Create, afterEffect, 1)
				return w.killWhen(func() { w.awaitHeld("create") }, stdin, args...)
			})
		})
		t.Run(v.name+", a file system call", func(t *testing.T) {
			t.Parallel()
			requires(t, "strace")
			v.killed(t, func(w *machine, stdin string, args ...string) bool { return w.killAtCall(4, stdin, args...) })
		})
	}
}

// TestCrash kills at random for as long as -crash says, and prints one line.
func TestCrash(t *testing.T) {
	if *crash == 0 {
		t.Skip("it runs with -crash=1m")
	}
	strace, err := installed("strace")
	if err != nil {
		t.Fatal(err)
	}
	var kills, lost atomic.Int32
	var workers sync.WaitGroup
	until := time.Now().Add(*crash)
	for worker := range 4 {
		workers.Go(func() {
			for n := worker; time.Now().Before(until); n++ {
				v := victims[n%len(victims)]
				ok := t.Run(v.name, func(t *testing.T) {
					killed := v.killed(t, func(w *machine, stdin string, args ...string) bool {
						if strace && rand.N(2) == 0 {
							return w.killAtCall(1+rand.N(10), stdin, args...)
						}
						return w.killWhen(func() { time.Sleep(rand.N(70 * time.Millisecond)) }, stdin, args...)
					})
					if killed {
						kills.Add(1)
					}
				})
				if !ok {
					lost.Add(1)
				}
			}
		})
	}
	workers.Wait()
	fmt.Printf("%d kills, %d secrets lost\n", kills.Load(), lost.Load())
}

// logIn makes the operator's secret that of the profile default, and takes it out
// of the environment.
func (m *machine) logIn() {
	m.t.Helper()
	delete(m.env, "UTHO_API_KEY")
	m.login(m.key, "login", "--with-token", "--store", "file", "--api-url", m.url).want(m.t, 0)
}
