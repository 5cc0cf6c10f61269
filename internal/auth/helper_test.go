//go:build unix

package auth

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// need ends a test that lacks a tool: in the gate, where all are installed, as a failure.
func need(t *testing.T, tool string) (path string) {
	t.Helper()
	path, err := exec.LookPath(tool)
	if err != nil && os.Getenv("UTHO_TEST_KEYRING") != "" {
		t.Fatalf("%s is not installed", tool)
	} else if err != nil {
		t.Skipf("%s is not installed", tool)
	}
	return path
}

// run has the test binary do a job as a helper, in a session without a terminal, and returns what it told. The
// variables in unset are not in its environment.
func run(t *testing.T, job string, unset []string, env ...string) outcome {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(append(os.Environ(), env...), "UTHO_AUTH_HELPER="+job, "GORACE=atexit_sleep_ms=0") // a second each else
	cmd.Env = slices.DeleteFunc(cmd.Env, func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return slices.Contains(unset, name)
	})
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.WaitDelay = 30 * time.Second // should something of the helper's outlive it
	if err := cmd.Run(); err != nil {
		t.Fatalf("helper %s: %v\n%s", job, err, errOut.String())
	}
	var o outcome
	if err := json.Unmarshal(out.Bytes(), &o); err != nil {
		t.Fatalf("helper %s: %v: %s", job, err, out.String())
	}
	return o
}
