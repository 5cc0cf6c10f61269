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

	"github.com/utho/utho-cli/internal/sandbox"
)

// A kill is one moment at which a command is ended by SIGKILL. There are no
// hooks in the program: the service holds a request, or a destination kills its
// parent, or strace does at a system call, or a timer at no chosen moment.
type kill struct {
	name string
	do   func(w *bench, args ...string)
}

// killAtRequest kills while the service holds the nth request of a method, before or
// after it has taken effect.
func killAtRequest(method string, nth int, after bool) kill {
	name := fmt.Sprintf("%s %d before its effect", method, nth)
	if after {
		name = fmt.Sprintf("%s %d after its effect", method, nth)
	}
	return kill{name, func(w *bench, args ...string) {
		hold := make(chan struct{})
		// Not before the test has ended: the service may see late that the caller is
		// gone, and what it lets go on then would still take effect.
		w.t.Cleanup(func() { close(hold) })
		rule := sandbox.Rule{Method: method, Nth: nth, Times: 1, Hold: hold}
		if after {
			rule.Hold, rule.HoldAfter = nil, hold
		}
		base := w.faults.Count(method, "")
		w.faults.Add(rule)
		p := w.start(args...)
		w.await(name, func(requests []sandbox.Request) bool {
			n := 0
			for _, r := range requests {
				if r.Method == method {
					if n++; n == base+nth {
						return !after || r.Effect
					}
				}
			}
			return false
		})
		p.signal(syscall.SIGKILL)
		p.exits(-1)
		w.faults.Clear()
	}}
}

func killsAtRequests(requests ...string) []kill {
	var kills []kill
	for _, r := range requests {
		var method string
		var nth int
		_, _ = fmt.Sscan(r, &method, &nth)
		kills = append(kills, killAtRequest(method, nth, false), killAtRequest(method, nth, true))
	}
	return kills
}

// killByDestination has the last destination kill utho, which has delivered to the
// others by then.
func killByDestination() kill {
	return kill{"exec destination", func(w *bench, args ...string) {
		w.run(-1, append(args, "--to", "exec:sh -c 'kill -KILL $PPID'")...)
	}}
}

// killAfter kills at a moment that nothing chooses.
func killAfter(d time.Duration) kill {
	return kill{"after " + d.String(), func(w *bench, args ...string) {
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
	return kill{fmt.Sprintf("file system call %d", nth), func(w *bench, args ...string) {
		const calls = "?fsync,?fdatasync,?rename,?renameat,?renameat2,?link,?linkat,?unlink,?unlinkat,?mkdirat,?fchmod,?fchmodat,?ftruncate"
		strace := append([]string{"-f", "-qq", "-o", "/dev/null", "-e", "trace=" + calls,
			"-e", fmt.Sprintf("inject=%s:signal=KILL:when=%d", calls, nth), "utho"}, args...)
		cmd := exec.Command("strace", strace...)
		cmd.Dir, cmd.Env = w.dir, w.env
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
	if runtime.GOOS == "linux" && needTool(t, "strace") {
		for n := 1; n <= 14; n++ {
			kills = append(kills, killAtCall(n))
		}
	}
	return kills
}

// needTool tells whether a tool is there, which it must be where all are.
func needTool(t *testing.T, tool string) bool {
	t.Helper()
	there, err := scriptCondition("tool:" + tool)
	if err != nil {
		t.Fatal(err)
	}
	return there
}

// A create that is killed leaves each destination as it was, or with a secret
// that works; a token whose secret is nowhere is seen by the next create.
func TestKillCreate(t *testing.T) {
	kills := killsAtRequests("GET 1", "POST 1", "GET 2")
	for _, k := range moments(t, 40*time.Millisecond, append(kills, killByDestination())...) {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			w := newBench(t)
			w.run(0, "token", "create", "earlier", "--to", "env:.env")
			before := w.read(".env")
			k.do(w, "token", "create", "killed", "--to", "env:.env", "--to", "file:secret")
			if after := w.read(".env"); after != before && !w.works(w.secret(".env")) {
				t.Errorf(".env holds what does not work: %q", after)
			}
			if text := w.read("secret"); text != "" && !w.works(strings.TrimSpace(text)) {
				t.Errorf("the file holds what does not work: %q", text)
			}
			w.noLeaks()
			switch n := w.count("killed"); n {
			case 0:
				if after := w.read(".env"); after != before {
					t.Errorf("no token, but .env was changed: %q", after)
				}
				w.run(0, "token", "create", "killed")
			case 1:
				p := w.run(6, "token", "create", "killed")
				p.says(`the name "killed" is taken; nothing was created:\n  \d+ "killed"`)
			default:
				t.Errorf("%d tokens", n)
			}
		})
	}
}

// A create into a profile that is killed leaves the profile usable: with a secret
// that works, or open for another.
func TestKillCreateProfile(t *testing.T) {
	for _, k := range moments(t, 40*time.Millisecond, killsAtRequests("POST 1", "GET 2")...) {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			w := newBench(t)
			w.login()
			k.do(w, "token", "create", "killed", "--to", "profile:new")
			w.noLeaks()
			p := w.start("token", "create", "other", "--to", "profile:new")
			<-p.done
			if p.cmd.ProcessState.ExitCode() != 0 {
				p.exits(6)
				p.says("the profile new holds a secret already(.|\n)*hint: choose another name, or first: utho -p new logout")
			}
			w.run(0, "-p", "new", "token", "list")
		})
	}
}

// login makes the operator's secret that of the profile default, and takes it out of
// the environment.
func (w *bench) login() {
	w.t.Helper()
	w.env = without(w.env, "UTHO_API_KEY")
	login := w.command("login", "--with-token", "--store", "file", "--api-url", w.url)
	login.Stdin = strings.NewReader(w.key)
	if out, err := login.CombinedOutput(); err != nil {
		w.t.Fatalf("login: %v\n%s", err, out)
	}
}

// A rotation that is killed leaves a secret that works where it was, and the
// next rotation finishes it or says exactly what stands.
func TestKillRotate(t *testing.T) {
	kills := killsAtRequests("GET 1", "POST 1", "GET 2", "GET 3", "DELETE 1", "GET 4")
	for _, k := range moments(t, 60*time.Millisecond, append(kills, killByDestination())...) {
		for _, scope := range []string{"read-only", "write"} {
			t.Run(k.name+"/"+scope, func(t *testing.T) {
				t.Parallel()
				w := newBench(t)
				w.run(0, "token", "create", "killed", "--scope", scope, "--to", "env:.env", "--expires-in", "90m")
				old := w.secret(".env")
				k.do(w, "token", "rotate", "killed", "--yes", "--to", "env:.env")
				if !w.works(w.secret(".env")) {
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
	kills := killsAtRequests("POST 1", "GET 2", "GET 3", "DELETE 1")
	for _, k := range moments(t, 60*time.Millisecond, append(kills, killByDestination())...) {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			w := newBench(t)
			w.login()
			w.run(0, "token", "create", "killed", "--scope", "write", "--to", "profile:own")
			k.do(w, "-p", "own", "token", "rotate", "killed", "--yes", "--to", "env:.env")
			w.run(0, "-p", "own", "token", "list")
			w.noLeaks()
		})
	}
}

// What a run leaves behind that was killed is found by its expiry.
func TestKillRun(t *testing.T) {
	kills := killsAtRequests("GET 1", "POST 1", "GET 2", "DELETE 1", "GET 3")
	kills = append(kills, kill{"by its command", func(w *bench, args ...string) {
		w.run(-1, "token", "run", "--", "sh", "-c", "kill -KILL $PPID")
	}})
	for _, k := range moments(t, 40*time.Millisecond, kills...) {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			w := newBench(t)
			k.do(w, "token", "run", "--", "true")
			w.noLeaks()
			w.run(0, "token", "delete", "--expired", "--yes")
			names, err := w.names()
			if err != nil || len(names) > 4 {
				t.Fatalf("%q, %v", names, err)
			}
			w.faults.Add(sandbox.Rule{Method: "GET", Header: map[string][]string{
				"Date": {time.Now().Add(24*time.Hour + 2*time.Minute).UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")},
			}})
			w.run(0, "token", "delete", "--expired", "--yes")
			if names, err := w.names(); err != nil || len(names) != 3 {
				t.Errorf("left behind: %q, %v", names, err)
			}
		})
	}
}

// settle rotates as a person does who reads what utho says, until it has worked.
// That person knows whether the new secret has arrived in .env.
func (w *bench) settle(name string, arrived bool) {
	w.t.Helper()
	deletes := regexp.MustCompile(`utho token delete (\d+)`)
	for range 3 {
		p := w.start("token", "rotate", name, "--yes", "--to", "env:.env")
		<-p.done
		w.t.Logf("arrived: %v\n%s", arrived, p.said())
		if p.cmd.ProcessState.ExitCode() == 0 {
			if n := w.count(name); n != 1 || !w.works(w.secret(".env")) {
				w.t.Errorf("%d tokens in the end; .env %q\n%s", n, w.read(".env"), p.said())
			}
			records, err := filepath.Glob(w.path("state/rotations/*.json"))
			if err != nil || len(records) > 0 {
				w.t.Errorf("records in the end: %q, %v", records, err)
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
			w.t.Fatalf("arrived: %v\n%s", arrived, p.said())
		}
		w.run(0, "token", "delete", id, "--yes")
		if !w.works(w.secret(".env")) {
			w.t.Fatalf("the advice was wrong:\n%s", p.said())
		}
	}
	w.t.Errorf("no end of it")
}

// secret is the value of UTHO_API_KEY in a dotenv file.
func (w *bench) secret(name string) string {
	w.t.Helper()
	for line := range strings.SplitSeq(w.read(name), "\n") {
		if value, ok := strings.CutPrefix(line, "UTHO_API_KEY="); ok {
			return value
		}
	}
	return ""
}

// without is env without a variable.
func without(env []string, name string) []string {
	var kept []string
	for _, entry := range env {
		if !strings.HasPrefix(entry, name+"=") {
			kept = append(kept, entry)
		}
	}
	return kept
}
