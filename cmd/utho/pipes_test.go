package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/utho/utho-cli/internal/sandbox/sandboxtest"
)

// A stdout that is closed is how `| head` ends: silent where people look at lists and pages, an error
// everywhere else. One that can take nothing fails the command, whatever it was. A stderr that is closed
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
	if _, err := os.Stat("/dev/full"); err != nil {
		return
	}
	for _, args := range []string{
		"token list", "token list -o json", "token list -o yaml", "token list -o csv", "token list -o markdown", "token list -o id",
		"token get 2", "token get 2 -o json", "status", "status -o json", "--help", "version", "version -o json", "completion bash",
		"-p sandbox token delete 10000 --yes", "-p sandbox token delete 10001 --yes -o json", "sandbox serve", "profile list",
	} {
		if said := run(args, false, full, 1); !strings.Contains(said, "no space left on device") {
			t.Errorf("utho %s > /dev/full: %s", args, said)
		}
	}
}
