//go:build unix

package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/utho/utho-cli/internal/sandbox/sandboxtest"
)

var (
	crash     = flag.Duration("crash", 0, "TestCrash: how long to kill")
	rotations = flag.Int("many", 12, "TestMany: how many tokens to rotate, ten a profile")
)

// A victim is a command that is killed by SIGKILL. There are no hooks in the program:
// the service holds a request, strace kills at a system call, or a timer at no chosen
// moment.
type victim struct {
	name  string
	setup func(w *machine)
	args  string
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
			w.login(w.key, "login", "--store", "file").want(w.t, 0)
			delete(w.env, "UTHO_API_KEY")
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
		name: "run", args: "token run -- true",
		check: func(w *machine) { // what it leaves is found by its expiry
			w.SetClock(24*time.Hour+2*time.Minute, 0)
			w.utho("token", "delete", "--expired", "--yes").want(w.t, 0)
			w.remain(3)
		},
	},
}

// killAtCall has strace kill a command at the nth system call that changes the file system,
// counted in each thread of its own.
func (m *machine) killAtCall(nth int, stdin string, args ...string) (killed bool) {
	const calls = "?fsync,?fdatasync,?rename,?renameat,?renameat2,?link,?linkat,?unlink,?unlinkat,?mkdirat,?fchmod,?fchmodat,?ftruncate"
	strace := []string{"strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=" + calls, "-e", fmt.Sprintf("inject=%s:signal=KILL:when=%d", calls, nth)}
	return m.run(stdin, append(strace, args...)...).code == -1
}

// killWhen kills a command when this returns.
func (m *machine) killWhen(wait func(), stdin string, args ...string) (killed bool) {
	p := m.start(func(c *exec.Cmd) { c.Stdin = strings.NewReader(stdin) }, args...)
	wait()
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.done
	return p.cmd.ProcessState.ExitCode() == -1
}

// killed runs one victim on a machine of its own.
func (v victim) killed(t *testing.T, kill func(w *machine, stdin string, args ...string) bool) (killed bool) {
	w := newServed(t)
	if v.setup != nil {
		v.setup(w)
	}
	killed = kill(w, w.key, append([]string{"utho"}, strings.Fields(v.args)...)...)
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
				return w.killWhen(func() { w.await(t, "create") }, stdin, args...)
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
	requires(t, "strace")
	var kills, lost atomic.Int32
	var workers sync.WaitGroup
	until := time.Now().Add(*crash)
	for worker := range 4 {
		workers.Go(func() {
			for n := worker; time.Now().Before(until); n++ {
				v := victims[n%len(victims)]
				ok := t.Run(v.name, func(t *testing.T) {
					if v.killed(t, func(w *machine, stdin string, args ...string) bool {
						if rand.N(2) == 0 {
							return w.killAtCall(1+rand.N(10), stdin, args...)
						}
						return w.killWhen(func() { time.Sleep(rand.N(70 * time.Millisecond)) }, stdin, args...)
					}) {
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

// Many tokens in many profiles, each rotated by a line of its own in the same minute, with a service
// that answers 429 now and then: nothing is lost, and nothing is created twice.
func TestMany(t *testing.T) {
	t.Parallel()
	requires(t, "xargs")
	box := sandboxtest.New(t)
	var requests, refused atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1)%15 > 0 {
			box.ServeHTTP(w, r)
			return
		}
		refused.Add(1)
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	t.Cleanup(server.Close)
	m := newMachine(t).with("UTHO_API_URL", server.URL+"/v2")
	profiles := max(*rotations/10, 2)
	for n := range profiles {
		m.login(box.Add(fmt.Sprint("own-", n), true).Secret, "-p", fmt.Sprint("p", n), "login", "--store", "file").want(t, 0)
	}
	var lines strings.Builder
	soon := time.Now().Add(48 * time.Hour).UTC().Format(".expires-20060102T1504Z")
	for n := range *rotations {
		m.write("UTHO_API_KEY="+box.Add(fmt.Sprint("t", n, soon), false).Secret+"\n", fmt.Sprint(n, ".env"))
		fmt.Fprintf(&lines, "utho -p p%d token rotate t%d --if-expires-within 7d --yes --to env:%d.env\n", n%profiles, n, n)
	}
	begun := time.Now()
	m.run(lines.String(), "xargs", "-P", "8", "-I{}", "sh", "-c", "{}").want(t, 0)
	took := time.Since(begun).Round(100 * time.Millisecond)
	created, lost := 0, 0
	for _, r := range box.Requests() {
		if r.Op == sandboxtest.Create && r.Effect {
			created++
		}
	}
	for n := range *rotations {
		if !box.Works(m.secret(fmt.Sprint(n, ".env"))) {
			lost++
		}
	}
	left := len(box.Tokens()) - 4 - profiles // without those of the seed and the profiles' own
	if created != *rotations || lost != 0 || left != *rotations {
		t.Errorf("%d tokens: %d created, %d lost, %d there in the end", *rotations, created, lost, left)
	}
	t.Logf("tokens %d, profiles %d, requests %d, of them 429 %d, created %d, lost %d, rotated in %v",
		*rotations, profiles, requests.Load(), refused.Load(), created, lost, took)
}
