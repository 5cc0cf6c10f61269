package main

import (
	"bytes"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/utho/utho-cli/internal/sandbox/sandboxtest"
)

// stuffedPipe is one that nobody reads, and no more fits in.
func stuffedPipe(t *testing.T) (*os.File, error) {
	r, w, err := os.Pipe()
	if err == nil {
		t.Cleanup(func() { _ = r.Close() })
		err = w.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	}
	for more := err; more == nil; {
		_, more = w.Write(make([]byte, 1<<20))
	}
	return w, err
}

// A stdout that is closed is how `| head` ends: silent where people look at lists and pages, an error
// everywhere else. One that can take nothing fails the command, whatever it was. A stderr that is closed, or full,
// changes neither the answer nor the status.
func TestBrokenStreams(t *testing.T) {
	t.Parallel()
	m := newServed(t)
	list := `{"status":"success","api":[` + strings.Repeat(`{"id":"1","name":"ci","write":"0","created_at":""},`, 5000)
	m.Fault(sandboxtest.Fault{On: sandboxtest.List, Body: list + `{"id":"2","name":"x","write":"0","created_at":""}]}`})
	closed := func() (*os.File, error) { // nobody reads
		r, w, err := os.Pipe()
		if err == nil {
			err = r.Close()
		}
		return w, err
	}
	stuffed := func() (*os.File, error) { return stuffedPipe(t) }
	full := func() (*os.File, error) { return os.OpenFile("/dev/full", os.O_WRONLY, 0) }
	run := func(args string, stderr bool, open func() (*os.File, error), want int) (said string) {
		t.Helper()
		broken, err := open()
		if err != nil {
			t.Fatal(err)
		}
		defer broken.Close() //nolint:errcheck // nothing can be written
		var other bytes.Buffer
		cmd := m.command(append([]string{"utho"}, strings.Fields(args)...)...)
		if cmd.Stdout, cmd.Stderr = broken, &other; stderr {
			cmd.Stdout, cmd.Stderr = &other, broken
		}
		_ = cmd.Run() // its status is looked at
		if code := cmd.ProcessState.ExitCode(); code != want {
			t.Errorf("utho %s: exit status %d, want %d; %s", args, code, want, &other)
		}
		return other.String()
	}
	for args, want := range map[string]int{
		"token list": 0, "token list -o wide": 0, "token list -o json": 0, "token list -o csv": 0, "--help": 0, "token": 0,
		"-p sandbox token list": 0, "-p sandbox token get 10000": 0, "-p sandbox token list --fail-if-any": 10,
		"-p sandbox status": 1, "-p sandbox token delete 10003 --yes": 1,
	} {
		if said := run(args, false, closed, want); (said == "") != (want == 0) {
			t.Errorf("utho %s | true: %s", args, said)
		}
	}
	for args, want := range map[string]int{
		"token list --debug": 0, "token get nosuch -o json": 5, "token list --json": 2, "-p sandbox token create ci": 0,
		"login --with-token --store x": 2,
	} {
		run(args, true, closed, want)
	}
	for _, args := range []string{
		"token list", "token list -o json", "token list -o yaml", "token list -o csv", "token list -o markdown", "token list -o id",
		"token get 2", "token get 2 -o json", "status", "status -o json", "--help", "version", "version -o json", "completion bash",
		"-p sandbox token delete 10000 --yes", "-p sandbox token delete 10001 --yes -o json", "sandbox serve", "profile list",
	} {
		if _, err := os.Stat("/dev/full"); err != nil {
			break
		}
		if said := run(args, false, full, 1); !strings.Contains(said, "no space left on device") {
			t.Errorf("utho %s > /dev/full: %s", args, said)
		}
	}
	if runtime.GOOS == "windows" {
		return // whose pipes have no deadlines
	}
	m.Clear()
	run("token create "+strings.Repeat("x", 200)+" --to file:secret --debug", true, stuffed, 0)
	if !m.Works(strings.TrimSpace(m.read("secret"))) {
		t.Error("with a stderr that nobody reads nothing was delivered")
	}
}

// Every round trip and every handshake costs a person far away from the service
// its time: a command takes as few as it can, on one connection.
func TestRequestsOnOneConnection(t *testing.T) {
	t.Parallel()
	m := newServed(t)
	for _, test := range []struct {
		args     string
		requests int
	}{
		{"token list", 1}, {"token get ci-deploy", 1}, {"token create ci", 3}, {"token delete 10000 --yes", 2},
		{"status", 2}, {"login --store file", 2}, {"version", 0}, {"logout", 0},
	} {
		before, conns := m.Count(sandboxtest.Any), m.conns.Load()
		m.login(m.key, strings.Fields(test.args)...).want(t, 0)
		requests, opened := m.Count(sandboxtest.Any)-before, int(m.conns.Load()-conns)
		if requests != test.requests || opened != min(1, test.requests) {
			t.Errorf("utho %s: %d requests on %d connections, want %d on one", test.args, requests, opened, test.requests)
		}
	}
	agent := regexp.MustCompile(`^utho/[^ ]+ \(` + runtime.GOOS + `/` + runtime.GOARCH + `\)$`)
	for _, r := range m.Requests() {
		// With an Idempotency-Key net/http would send a create again.
		if !agent.MatchString(r.Header.Get("User-Agent")) || len(r.Header["Idempotency-Key"]) > 0 {
			t.Errorf("%s %s came with %v", r.Method, r.Path, r.Header)
		}
	}
}
