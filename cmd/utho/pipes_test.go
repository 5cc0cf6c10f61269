package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/utho/utho-cli/internal/sandbox/sandboxtest"
)

// closedPipe is one that nobody reads.
func closedPipe() (*os.File, error) {
	r, w, err := os.Pipe()
	if err == nil {
		err = r.Close()
	}
	return w, err
}

// A stdout that is closed is how `| head` ends: silent where people look at lists and pages, an error
// everywhere else. One that can take nothing fails the command, whatever it was. A stderr that is closed
// changes neither the answer nor the status.
func TestBrokenStreams(t *testing.T) {
	t.Parallel()
	m := newServed(t)
	list := `{"status":"success","api":[` + strings.Repeat(`{"id":"1","name":"ci","write":"0","created_at":""},`, 5000)
	m.Fault(sandboxtest.Fault{On: sandboxtest.List, Body: list + `{"id":"2","name":"x","write":"0","created_at":""}]}`})
	run := func(args string, stdout, stderr bool, open func() (*os.File, error)) (code int, said string) {
		t.Helper()
		f, err := open()
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close() //nolint:errcheck // nothing can be written
		var other bytes.Buffer
		cmd := m.command(append([]string{"utho"}, strings.Fields(args)...)...)
		cmd.Stdout, cmd.Stderr = &other, &other
		if stdout {
			cmd.Stdout = f
		}
		if stderr {
			cmd.Stderr = f
		}
		_ = cmd.Run() // its status is looked at
		return cmd.ProcessState.ExitCode(), other.String()
	}
	for args, want := range map[string]int{
		"token list": 0, "token list -o wide": 0, "token list -o json": 0, "token list -o csv": 0, "--help": 0, "token": 0,
		"-p sandbox token list": 0, "-p sandbox token get 10000": 0, "-p sandbox token list --fail-if-any": 10,
		"-p sandbox status": 1, "-p sandbox token delete 10003 --yes": 1,
	} {
		if code, said := run(args, true, false, closedPipe); code != want || (said == "") != (want == 0) {
			t.Errorf("utho %s | true: exit status %d, want %d; %s", args, code, want, said)
		}
	}
	for args, want := range map[string]int{
		"token list --debug": 0, "token get nosuch -o json": 5, "token list --json": 2, "-p sandbox token create ci": 0,
		"login --with-token --store x": 2,
	} {
		if code, said := run(args, false, true, closedPipe); code != want {
			t.Errorf("utho %s 2>&-: exit status %d, want %d; %s", args, code, want, said)
		}
	}
	if _, err := os.Stat("/dev/full"); err != nil {
		return
	}
	full := func() (*os.File, error) { return os.OpenFile("/dev/full", os.O_WRONLY, 0) }
	for _, args := range []string{
		"token list", "token list -o json", "token list -o yaml", "token list -o csv", "token list -o markdown", "token list -o id",
		"token get 2", "token get 2 -o json", "status", "status -o json", "--help", "version", "version -o json", "completion bash",
		"-p sandbox token delete 10000 --yes", "-p sandbox token delete 10001 --yes -o json", "sandbox serve", "profile list",
	} {
		if code, said := run(args, true, false, full); code != 1 || !strings.Contains(said, "no space left on device") {
			t.Errorf("utho %s > /dev/full: exit status %d, want 1; %s", args, code, said)
		}
	}
}
