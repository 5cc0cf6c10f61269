//go:build unix

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// A served sandbox is what `utho sandbox serve` offers.
type served struct {
	cmd      *exec.Cmd
	out      *bufio.Reader
	stderr   *bytes.Buffer
	url, key string
}

// serveSandbox starts `utho sandbox serve` and reads the two lines it prints.
func serveSandbox(t *testing.T, m *machine, args ...string) *served {
	t.Helper()
	p := &served{cmd: m.command(append([]string{"utho", "sandbox", "serve"}, args...)...), stderr: new(bytes.Buffer)}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stderr = p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill() }) // where the test failed before its end
	p.out = bufio.NewReader(out)
	p.url = p.line(t, "UTHO_API_URL=")
	p.key = p.line(t, "UTHO_API_KEY=")
	return p
}

func (p *served) line(t *testing.T, prefix string) string {
	t.Helper()
	line, err := p.out.ReadString('\n')
	value, ok := strings.CutPrefix(line, prefix)
	if err != nil || !ok {
		t.Fatalf("the line is %q, %v, and should begin with %s", line, err, prefix)
	}
	return strings.TrimSuffix(value, "\n")
}

// ends sends a signal and waits for the end.
func (p *served) ends(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(p.out)
	if err != nil || len(rest) > 0 {
		t.Errorf("after the two lines stdout says %q, %v", rest, err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("after %v: %v; stderr: %s", sig, err, p.stderr)
	}
}

// Other processes of utho and other clients use the served sandbox, which is the one of the profile; one line
// of JSON a request says what came, without secrets, and a health check needs no credential.
func TestSandboxServe(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	p := serveSandbox(t, m, "--log")
	if !regexp.MustCompile(`^http://127\.0\.0\.1:[1-9][0-9]*/v2 live_sandbox_\w+$`).MatchString(p.url + " " + p.key) {
		t.Fatalf("it prints %s and %s", p.url, p.key)
	}
	resp, err := http.Get(strings.TrimSuffix(p.url, "/v2") + "/health")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("health: %v, %v", resp, err)
	}
	_ = resp.Body.Close() // its status was all
	client := newMachine(t).with("UTHO_API_URL", p.url, "UTHO_API_KEY", p.key)
	if got := client.utho("token", "list", "-o", "id").want(t, 0).stdout; got != "10000\n10001\n10002\n10003\n" {
		t.Errorf("the list is %q", got)
	}
	secret := strings.TrimSpace(client.utho("token", "create", "ci").want(t, 0).stdout)
	m.utho("-p", "sandbox", "token", "get", "ci").want(t, 0)
	client.with("UTHO_API_KEY", secret).utho("token", "list").want(t, 0)
	client.with("UTHO_API_URL", p.url+"/"+secret).utho("token", "list").want(t, 1)

	// A second server, and a change past both: one store.
	q := serveSandbox(t, m, "--addr", "localhost:0", "--debug")
	m.utho("-p", "sandbox", "token", "delete", "ci", "--yes").want(t, 0)
	client.with("UTHO_API_URL", q.url).utho("token", "get", "ci").want(t, 5)
	client.utho("token", "get", "ci").want(t, 5)
	q.ends(t, syscall.SIGINT)
	if !regexp.MustCompile(`(?m)^debug: GET /v2/api: 200 in \S+ ms, success$`).MatchString(q.stderr.String()) {
		t.Errorf("--debug shows\n%s", q.stderr)
	}
	p.ends(t, syscall.SIGTERM)
	client.utho("token", "list", "--timeout", "1s").want(t, 9)

	var methods []string
	for line := range strings.Lines(p.stderr.String()) {
		if !strings.HasPrefix(line, "{") {
			continue // what utho itself says
		}
		validate(t, "request", []byte(line))
		var request struct{ Method, Path string }
		if err := json.Unmarshal([]byte(line), &request); err != nil {
			t.Fatal(err)
		}
		methods = append(methods, request.Method)
	}
	said := p.stderr.String()
	if !strings.HasPrefix(strings.Join(methods, " "), "GET GET GET POST GET ") || strings.Contains(said, secret) || strings.Contains(said, p.key) {
		t.Errorf("it writes\n%s", said)
	}
}
