package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/utho/utho-cli/internal/sandbox/sandboxtest"
)

// aList is the service's answer with n tokens.
func aList(n int) string {
	var b strings.Builder
	b.WriteString(`{"status":"success","api":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"id":"` + strings.Repeat("1", 1+i%9) + `","name":"ci","write":"0","created_at":"2024-04-22 01:12:36"}`)
	}
	b.WriteString(`]}`)
	return b.String()
}

// A closed pipe is how `| head` ends: silent where people look at lists and
// pages, an error everywhere else.
func TestClosedPipe(t *testing.T) {
	t.Parallel()
	m := newServed(t)
	m.Fault(sandboxtest.Fault{On: sandboxtest.List, Body: aList(5000)})
	for _, test := range []struct {
		args string
		code int
	}{
		{"token list", 0},
		{"token list -o wide", 0},
		{"token list -o json", 0},
		{"token list -o csv", 0},
		{"token get 1 -o json", 6},
		{"--help", 0},
		{"token", 0},
		{"-p sandbox token get 10000", 0},
		{"-p sandbox token list", 0},
		{"-p sandbox token list --fail-if-any", 10},
		{"-p sandbox status", 1},
		{"-p sandbox token delete 10003 --yes", 1},
	} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Close() // nobody reads
		cmd := m.command(append([]string{"utho"}, strings.Fields(test.args)...)...)
		var stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = w, &stderr
		_ = cmd.Run() // its status is looked at below
		_ = w.Close()
		if got := cmd.ProcessState.ExitCode(); got != test.code {
			t.Errorf("utho %s | true: exit status %d, want %d; %s", test.args, got, test.code, stderr.String())
		}
		if quiet := stderr.Len() == 0; quiet != (test.code == 0) {
			t.Errorf("utho %s | true: stderr: %q", test.args, stderr.String())
		}
	}
}

// A stdout that can take nothing fails the command, whatever it was.
func TestFullStdout(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no /dev/full here")
	}
	m := newServed(t)
	m.Fault(sandboxtest.Fault{On: sandboxtest.List, Body: aList(1)})
	for _, args := range []string{
		"token list", "token list -o wide", "token list -o json", "token list -o yaml", "token list -o csv",
		"token list -o markdown", "token list -o id", "token get 1", "token get 1 -o json", "status", "status -o json",
		"--help", "token", "version", "version -o json", "completion bash", "completion zsh", "completion fish", "completion powershell",
		"-p sandbox token delete 10000 --yes", "-p sandbox token delete 10001 --yes -o json", "sandbox serve", "profile list",
	} {
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		cmd := m.command(append([]string{"utho"}, strings.Fields(args)...)...)
		var stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = full, &stderr
		_ = cmd.Run() // its status is looked at below
		_ = full.Close()
		if got := cmd.ProcessState.ExitCode(); got != 1 {
			t.Errorf("utho %s > /dev/full: exit status %d, want 1", args, got)
		}
		if !strings.Contains(stderr.String(), "no space left on device") {
			t.Errorf("utho %s > /dev/full: stderr: %q", args, stderr.String())
		}
	}
}

// A stderr that can take nothing changes neither the answer nor the status.
func TestBrokenStderr(t *testing.T) {
	t.Parallel()
	m := newServed(t)
	for _, test := range []struct {
		args string
		code int
	}{
		{"token list --debug", 0},
		{"token get nosuch", 5},
		{"token get nosuch -o json", 5},
		{"token create ci", 0},
		{"token list --json", 2},
		{"-p sandbox token create ci", 0},
		{"token delete ci --yes", 0},
		{"login --with-token --store x", 2},
	} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Close()
		cmd := m.command(append([]string{"utho"}, strings.Fields(test.args)...)...)
		var stdout bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, w
		_ = cmd.Run() // its status is looked at below
		_ = w.Close()
		if got := cmd.ProcessState.ExitCode(); got != test.code {
			t.Errorf("utho %s 2>&-: exit status %d, want %d", test.args, got, test.code)
		}
	}
}
