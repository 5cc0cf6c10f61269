//go:build unix

package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/utho/utho-cli/internal/sandbox/sandboxtest"
)

// A kill is one moment at which a command is ended by SIGKILL. There are no
// hooks in the program: the service holds a request, or a destination kills its
// parent, or strace does at a system call, or a timer at no chosen moment.
type kill struct {
	name string
	do   func(w *machine, args ...string)
}

// killsAt kills while the service holds a request, before and after it has taken
// effect.
func killsAt(ops ...sandboxtest.Op) (kills []kill) {
	for _, op := range ops {
		for _, at := range []moment{beforeEffect, afterEffect} {
			name := fmt.Sprintf("%s, after its effect: %v", op, at)
			kills = append(kills, kill{name, func(w *machine, args ...string) {
				w.stopAt(name, op, at, 1)
				p := w.start(args...)
				w.awaitHeld(name)
				p.signal(syscall.SIGKILL)
				p.exits(-1)
				w.Clear()
			}})
		}
	}
	return kills
}

// killByDestination has the last destination kill utho, which has delivered to the
// others by then.
func killByDestination() kill {
	return kill{"exec destination", func(w *machine, args ...string) {
		w.utho(append(args, "--to", "exec:sh -c 'kill -KILL $PPID'")...).want(w.t, -1)
	}}
}

// killAfter kills at a moment that nothing chooses.
func killAfter(d time.Duration) kill {
	return kill{"after " + d.String(), func(w *machine, args ...string) {
		p := w.start(args...)
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			_ = p.cmd.Process.Kill() // it may have ended
		case <-p.done:
		}
		<-p.done
		w.settled()
	}}
}

// killAtCall has strace kill at the nth system call that changes the file system,
// counted in each thread of its own.
func killAtCall(nth int) kill {
	return kill{fmt.Sprintf("file system call %d", nth), func(w *machine, args ...string) {
		const calls = "?fsync,?fdatasync,?rename,?renameat,?renameat2,?link,?linkat,?unlink,?unlinkat,?mkdirat,?fchmod,?fchmodat,?ftruncate"
		strace := append([]string{"-f", "-qq", "-o", "/dev/null", "-e", "trace=" + calls,
			"-e", fmt.Sprintf("inject=%s:signal=KILL:when=%d", calls, nth), "utho"}, args...)
		cmd := exec.Command("strace", strace...)
		cmd.Dir, cmd.Env = w.home, w.environ()
		_ = cmd.Run() // killed, or done where there were fewer calls
		w.settled()
	}}
}

func moments(t *testing.T, upTo time.Duration, kills ...kill) []kill {
	steps := 24
	if testing.Short() {
		steps = 4
	}
	for i := range steps {
		kills = append(kills, killAfter(upTo*time.Duration(i)/time.Duration(steps)))
	}
	if there, err := installed("strace"); err != nil {
		t.Fatal(err)
	} else if there && runtime.GOOS == "linux" {
		for n := 1; n <= 14; n++ {
			kills = append(kills, killAtCall(n))
		}
	}
	return kills
}

// A create that is killed leaves each destination as it was, or with a secret
// that works; a token whose secret is nowhere is seen by the next create.
func TestKillCreate(t *testing.T) {
	kills := killsAt("list", "create", "confirm")
	for _, k := range moments(t, 40*time.Millisecond, append(kills, killByDestination())...) {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			w := newServed(t)
			w.utho("token", "create", "earlier", "--to", "env:.env").want(w.t, 0)
			before := w.read(".env")
			k.do(w, "token", "create", "killed", "--to", "env:.env", "--to", "file:secret")
			if after := w.read(".env"); after != before && !w.Works(w.secret(".env")) {
				t.Errorf(".env holds what does not work: %q", after)
			}
			if text := w.read("secret"); text != "" && !w.Works(strings.TrimSpace(text)) {
				t.Errorf("the file holds what does not work: %q", text)
			}
			w.noLeaks()
			switch n := w.count("killed"); n {
			case 0:
				if after := w.read(".env"); after != before {
					t.Errorf("no token, but .env was changed: %q", after)
				}
				w.utho("token", "create", "killed").want(w.t, 0)
			case 1:
				w.utho("token", "create", "killed").want(t, 6).says(t, `the name "killed" is taken; nothing was created:`)
			default:
				t.Errorf("%d tokens", n)
			}
		})
	}
}

// A create into a profile that is killed leaves the profile usable: with a secret
// that works, or open for another.
func TestKillCreateProfile(t *testing.T) {
	for _, k := range moments(t, 40*time.Millisecond, killsAt("create", "confirm")...) {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			w := newServed(t)
			w.logIn()
			k.do(w, "token", "create", "killed", "--to", "profile:new")
			w.noLeaks()
			p := w.start("token", "create", "other", "--to", "profile:new")
			<-p.done
			if p.cmd.ProcessState.ExitCode() != 0 {
				p.exits(6)
				p.says("the profile new holds a secret already(.|\n)*hint: choose another name, or first: utho -p new logout")
			}
			w.utho("-p", "new", "token", "list").want(w.t, 0)
		})
	}
}

// logIn makes the operator's secret that of the profile default, and takes it out
// of the environment.
func (m *machine) logIn() {
	m.t.Helper()
	delete(m.env, "UTHO_API_KEY")
	m.login(m.key, "login", "--with-token", "--store", "file", "--api-url", m.url).want(m.t, 0)
}

// A rotation that is killed leaves a secret that works where it was, and the
// next rotation finishes it or says exactly what stands.
func TestKillRotate(t *testing.T) {
	kills := killsAt("list", "create", "confirm", "verify", "delete", "recheck")
	for _, k := range moments(t, 60*time.Millisecond, append(kills, killByDestination())...) {
		for _, scope := range []string{"read-only", "write"} {
			t.Run(k.name+"/"+scope, func(t *testing.T) {
				t.Parallel()
				w := newServed(t)
				w.utho("token", "create", "killed", "--scope", scope, "--to", "env:.env", "--expires-in", "90m").want(w.t, 0)
				old := w.secret(".env")
				k.do(w, "token", "rotate", "killed", "--yes", "--to", "env:.env")
				if !w.Works(w.secret(".env")) {
					t.Fatalf("the secret in .env works no more: %q", w.read(".env"))
				}
				w.noLeaks()
				w.settle("killed", w.secret(".env") != old)
			})
		}
	}
}

// The record of a killed rotation is read by id as well, and where the profile
// uses the token that is rotated, it goes on working.
func TestKillRotateOwn(t *testing.T) {
	kills := killsAt("create", "confirm", "verify", "delete")
	for _, k := range moments(t, 60*time.Millisecond, append(kills, killByDestination())...) {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			w := newServed(t)
			w.logIn()
			w.utho("token", "create", "killed", "--scope", "write", "--to", "profile:own").want(w.t, 0)
			k.do(w, "-p", "own", "token", "rotate", "killed", "--yes", "--to", "env:.env")
			w.utho("-p", "own", "token", "list").want(w.t, 0)
			w.noLeaks()
		})
	}
}

// What a run leaves behind that was killed is found by its expiry.
func TestKillRun(t *testing.T) {
	kills := killsAt("list", "create", "confirm", "delete", "verify")
	kills = append(kills, kill{"by its command", func(w *machine, args ...string) {
		w.utho("token", "run", "--", "sh", "-c", "kill -KILL $PPID").want(w.t, -1)
	}})
	for _, k := range moments(t, 40*time.Millisecond, kills...) {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			w := newServed(t)
			k.do(w, "token", "run", "--", "true")
			w.noLeaks()
			w.utho("token", "delete", "--expired", "--yes").want(w.t, 0)
			if all := w.Tokens(); len(all) > 4 {
				t.Fatalf("%+v", all)
			}
			w.Fault(sandboxtest.Fault{On: sandboxtest.List, Date: time.Now().Add(24*time.Hour + 2*time.Minute)})
			w.utho("token", "delete", "--expired", "--yes").want(t, 0)
			w.remain(3)
		})
	}
}

// settle rotates as a person does who reads what utho says, until it has worked.
// That person knows whether the new secret has arrived in .env.
func (m *machine) settle(name string, arrived bool) {
	m.t.Helper()
	deletes := regexp.MustCompile(`utho token delete (\d+)`)
	for range 3 {
		p := m.start("token", "rotate", name, "--yes", "--to", "env:.env")
		<-p.done
		m.t.Logf("arrived: %v\n%s", arrived, p.said())
		if p.cmd.ProcessState.ExitCode() == 0 {
			if n := m.count(name); n != 1 || !m.Works(m.secret(".env")) {
				m.t.Errorf("%d tokens in the end; .env %q\n%s", n, m.read(".env"), p.said())
			}
			records, err := filepath.Glob(m.path("state/rotations/*.json"))
			if err != nil || len(records) > 0 {
				m.t.Errorf("records in the end: %q, %v", records, err)
			}
			return
		}
		p.exits(8)
		p.says(`an earlier rotation of \d+, begun .*, was killed (before|while)`)
		ids := deletes.FindAllStringSubmatch(p.said(), -1)
		var id string
		switch {
		case len(ids) == 1 && !arrived: // what it made, and nobody has
			id = ids[0][1]
		case len(ids) == 2 && arrived: // the old one
			id = ids[0][1]
		case len(ids) == 2: // the new one
			id = ids[1][1]
		default:
			m.t.Fatalf("arrived: %v\n%s", arrived, p.said())
		}
		m.utho("token", "delete", id, "--yes").want(m.t, 0)
		if !m.Works(m.secret(".env")) {
			m.t.Fatalf("the advice was wrong:\n%s", p.said())
		}
	}
	m.t.Errorf("no end of it")
}
