//go:build linux

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/utho/utho-cli/internal/sandbox/sandboxtest"
)

// A pod is a machine with a Secret of a real API server, which UTHO_TEST_KUBECONFIG names. Its
// credential is a file with the Secret's value, as it is mounted when a pod starts. The Secret
// holds the token uks, which expires in six days of the service's clock.
type pod struct {
	*machine
	name string // of the Secret, in kube-system
	old  sandboxtest.Token
}

// kubectlScript is the kubectl of a pod. With KILL_AT="N WHEN" it kills utho in its Nth run:
// before it does anything, while it does its work, or when that is done.
const kubectlScript = `#!/bin/sh
[ -n "$KILL_AT" ] || exec '%[1]s' "$@"
n=$(echo >>"$HOME/runs" && wc -l <"$HOME/runs")
case $KILL_AT in
"$n before") kill -KILL "$(cat "$HOME/pid")"; exit 1 ;;
"$n during") kill -KILL "$(cat "$HOME/pid")" ;;
"$n after") '%[1]s' "$@"; kill -KILL "$(cat "$HOME/pid")"; exit 0 ;;
esac
exec '%[1]s' "$@"
`

// consumerScript is what uses the token: it reads the Secret and lists the tokens with it.
const consumerScript = `#!/bin/sh
UTHO_API_KEY=$(kubectl -n kube-system get secret "$1" -o 'go-template={{index .data "api-key" | base64decode}}') || exit 1
export UTHO_API_KEY
exec utho token list >/dev/null
`

func newPod(t testing.TB) *pod {
	t.Helper()
	config := os.Getenv("UTHO_TEST_KUBECONFIG")
	if config == "" {
		t.Skip("UTHO_TEST_KUBECONFIG names no server; .ci/kube/test starts one")
	}
	real, err := exec.LookPath("kubectl")
	if err != nil {
		t.Fatal(err)
	}
	p := &pod{machine: newServed(t), name: "utho-api-key-" + strconv.FormatInt(time.Now().UnixNano(), 36)}
	p.write(fmt.Sprintf(kubectlScript, real), "bin", "kubectl")
	p.write(consumerScript, "bin", "consumer")
	p.machine = p.with("UTHO_API_KEY", "", "UTHO_API_KEY_FILE", p.path("mount"), "KUBECONFIG", config,
		"PATH", p.path("bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
	const day = 24 * time.Hour
	p.old = p.Add("uks.expires-"+time.Now().Add(30*day).UTC().Format("20060102T1504Z"), true)
	p.SetClock(24*day, 0)
	p.run(fmt.Sprintf(`{"apiVersion":"v1","kind":"Secret","metadata":{"name":%q,"namespace":"kube-system",
		"annotations":{"utho.com/token-id":%q,"utho.com/token-sha256":"%x"}},"stringData":{"api-key":%q,"other":"other"}}`,
		p.name, p.old.ID, sha256.Sum256([]byte(p.old.Secret)), p.old.Secret), "kubectl", "create", "-f", "-").want(t, 0)
	t.Cleanup(func() { p.kubectl("delete", "--wait=false") })
	return p
}

// kubectl does something with the Secret.
func (p *pod) kubectl(verb string, args ...string) string {
	p.t.Helper()
	return p.run("", append([]string{"kubectl", "-n", "kube-system", verb, "secret", p.name}, args...)...).want(p.t, 0).stdout
}

// value is what the Secret holds.
func (p *pod) value() string {
	p.t.Helper()
	return p.kubectl("get", "-o", `go-template={{index .data "api-key" | base64decode}}`)
}

// rotation is the command of a new pod.
func (p *pod) rotation() []string {
	p.t.Helper()
	p.write(p.value(), "mount")
	const script = `echo $$ >"$HOME/pid"; KILL_AT=$(cat "$HOME/kill" 2>/dev/null); export KILL_AT; exec utho token rotate uks "$@"`
	return []string{"sh", "-c", script, "utho", "--to", "k8s:kube-system/" + p.name + "#api-key",
		"--verify", "kubectl -n kube-system get secret " + p.name + " -o name", "--verify", "consumer " + p.name, "--if-expires-within", "7d", "--yes"}
}

func (p *pod) rotate() result { return p.run("", p.rotation()...) }

// quiet waits until no process has to do with the Secret any more.
func (p *pod) quiet() {
	p.t.Helper()
	for busy := true; busy; time.Sleep(5 * time.Millisecond) {
		busy = false
		files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, file := range files {
			cmdline, _ := os.ReadFile(file) // it may have ended
			busy = busy || bytes.Contains(cmdline, []byte(p.name))
		}
	}
	p.settled()
}

// works fails the test unless what the Secret holds works and there are at most two tokens.
func (p *pod) works() (value string) {
	p.t.Helper()
	if value = p.value(); !p.Works(value) {
		p.t.Fatal("the Secret holds what does not work")
	}
	if n := p.count("uks"); n > 2 {
		p.t.Errorf("%d tokens", n)
	}
	return value
}

// finished fails the test unless there is one token, a new one, and the Secret holds it.
func (p *pod) finished() {
	p.t.Helper()
	value, last := p.works(), p.newest()
	rest := p.kubectl("get", "-o", `jsonpath={.metadata.annotations.utho\.com/token-id} {.data.other}`)
	if p.count("uks") != 1 || value != last.Secret || last.ID == p.old.ID || rest != last.ID+" b3RoZXI=" {
		p.t.Errorf("not finished: %+v; the Secret: %s", p.Tokens(), rest)
	}
	p.noLeaks()
}

func (p *pod) newest() sandboxtest.Token { return p.Tokens()[len(p.Tokens())-1] }

// recover runs the same command until it succeeds, as one who does what utho says and looks which
// token the Secret holds, and says how.
func (p *pod) recover() (how string) {
	p.t.Helper()
	for how = "the same command"; ; how += ", its advice, the same command" {
		r, other := p.rotate(), p.old.ID
		if r.code == 0 {
			p.finished()
			return how
		}
		if p.works() == p.old.Secret {
			other = p.newest().ID
		}
		if r.code != 6 && r.code != 8 || len(how) > 99 {
			p.t.Fatalf("%s: exit status %d\n%s", how, r.code, r.stderr)
		}
		how += fmt.Sprintf(" (exit %d)", r.code)
		r.says(p.t, "token delete "+other)
		p.utho("token", "delete", other, "--yes").want(p.t, 0)
	}
}

// The rotation that the manifest runs; run again, it is not due. Killed at any request to the service or run of
// kubectl, and on whichever node it runs again: what the Secret holds works, there is no third token, and the same
// command finishes, or says what to delete first.
func TestKubernetes(t *testing.T) {
	whole := newPod(t)
	whole.write("none", "kill")
	r := whole.rotate().want(t, 0)
	whole.finished()
	ops, runs, value := whole.Ops(), strings.Count(whole.read("runs"), "\n"), whole.value()
	notes := r.stdout + r.stderr + whole.kubectl("get", "-o", "jsonpath={.metadata}")
	if strings.Contains(notes, value) || strings.Contains(notes, base64.StdEncoding.EncodeToString([]byte(value))) {
		t.Errorf("the secret is seen in %q", notes)
	}
	if whole.rotate().want(t, 0); whole.Count(sandboxtest.Create) != 1 {
		t.Error("it was not due, and a token was created")
	}
	killed := func(name string, kill func(p *pod)) {
		for _, drained := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, drained %v", name, drained), func(t *testing.T) {
				t.Parallel()
				p := newPod(t)
				kill(p)
				p.quiet()
				p.works()
				if drained && os.RemoveAll(p.path("state")) != nil {
					t.Fatal("the state stays")
				}
				t.Log(p.recover())
			})
		}
	}
	for n, op := range ops {
		for when, at := range map[string]moment{"before": beforeEffect, "after": afterEffect} {
			killed(fmt.Sprintf("request %02d %s, %s", n+1, op, when), func(p *pod) {
				f := sandboxtest.Fault{Nth: n + 1, Times: 1}
				at(p.hold("here"), &f)
				p.Fault(f)
				p.killWhen(func() { p.await(p.t, "here") }, "", p.rotation()...)
				p.release("here")
			})
		}
	}
	for n := range runs {
		for _, when := range []string{"before", "during", "after"} {
			killed(fmt.Sprintf("kubectl %02d, %s", n+1, when), func(p *pod) {
				p.write(fmt.Sprint(n+1, " ", when), "kill")
				p.rotate().want(p.t, -1)
				p.write("", "kill")
			})
		}
	}
}
