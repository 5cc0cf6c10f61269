//go:build unix

package main

import (
	"bytes"
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/utho/utho-cli/internal/sandbox/sandboxtest"
)

// A signal ends a command that only reads, or has not begun to change
// anything, at once: here the service never answers.
func TestInterruptedWhileReading(t *testing.T) {
	t.Parallel()
	for _, signal := range []struct {
		sig  syscall.Signal
		code int
		says string
	}{
		{syscall.SIGINT, 130, "interrupted"},
		{syscall.SIGTERM, 143, "ended by TERM"},
		{syscall.SIGHUP, 129, "ended by HUP"},
	} {
		for _, args := range []string{
			"token list", "token list -o json", "token get 10000", "status", "status -o json", "login --store file",
			"token delete 10000 --yes", "token create ci", "token rotate grafana --yes", "token run -- true",
		} {
			t.Run(signal.sig.String()+" "+args, func(t *testing.T) {
				t.Parallel()
				m := newServed(t)
				m.stopAt("for good", sandboxtest.Any, beforeEffect, 0)
				cmd := m.command(append([]string{"utho"}, strings.Fields(args)...)...)
				var stdout, stderr bytes.Buffer
				cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(m.key), &stdout, &stderr
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				m.awaitHeld("for good")
				if err := cmd.Process.Signal(signal.sig); err != nil {
					t.Fatal(err)
				}
				_ = cmd.Wait() // its status is looked at below
				if got := cmd.ProcessState.ExitCode(); got != signal.code {
					t.Errorf("exit status %d, want %d; stderr: %s", got, signal.code, &stderr)
				}
				if stdout.Len() > 0 {
					t.Errorf("stdout: %s", &stdout)
				}
				want := "utho: " + signal.says + "\n"
				if strings.Contains(args, "json") {
					want = fmt.Sprintf(`{"error":{"code":"interrupted","message":"%s","hint":"","exit_code":%d}}`+"\n", signal.says, signal.code)
				}
				if got := stderr.String(); got != want {
					t.Errorf("stderr: %q, want %q", got, want)
				}
				if n := m.Count(sandboxtest.Any); n != 1 {
					t.Errorf("%d requests came", n)
				}
			})
		}
	}
}

// What the parent ignores stays ignored, as nohup has it.
func TestNohup(t *testing.T) {
	t.Parallel()
	m := newServed(t)
	m.stopAt("a while", sandboxtest.Any, beforeEffect, 1)
	cmd := m.command("sh", "-c", `trap "" HUP; exec utho token list -o id`)
	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	m.awaitHeld("a while")
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	m.release("a while")
	if err := cmd.Wait(); err != nil || stdout.String() != "10000\n10001\n10002\n10003\n" {
		t.Errorf("%v; stdout: %s", err, &stdout)
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
		{"token list", 1},
		{"token get ci-deploy", 1},
		{"token create ci", 3},
		{"token create db --scope write -o json", 3},
		{"token delete 10000 --yes", 2},
		{"token delete grafana --yes", 2},
		{"status", 2},
		{"login --store file", 2},
		{"version", 0},
		{"--help", 0},
		{"completion bash", 0},
		{"logout", 0},
	} {
		before, conns := m.Count(sandboxtest.Any), m.conns.Load()
		m.login(m.key, strings.Fields(test.args)...).want(t, 0)
		if got := m.Count(sandboxtest.Any) - before; got != test.requests {
			t.Errorf("utho %s: %d requests, want %d", test.args, got, test.requests)
		}
		if got := m.conns.Load() - conns; int(got) != min(1, test.requests) {
			t.Errorf("utho %s: %d connections", test.args, got)
		}
	}
	agent := regexp.MustCompile(`^utho/[^ ]+ \(` + runtime.GOOS + `/` + runtime.GOARCH + `\)$`)
	for _, r := range m.Requests() {
		if got := r.Header.Get("User-Agent"); !agent.MatchString(got) {
			t.Errorf("%s %s came from %q", r.Method, r.Path, got)
		}
		if len(r.Header["Idempotency-Key"]) > 0 {
			t.Errorf("%s %s: with that header net/http would send a create again", r.Method, r.Path)
		}
	}
}
