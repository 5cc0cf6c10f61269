//go:build unix

package main

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// A served sandbox is what `utho sandbox serve` offers.
type served struct {
	*process
	url, key string
}

// serveSandbox starts `utho sandbox serve` and reads the two lines it prints.
func serveSandbox(m *machine, args ...string) *served {
	m.t.Helper()
	p := m.watch(append([]string{"sh", "-c", `exec utho sandbox serve "$@" >&2`, "sh"}, args...)...)
	lines := regexp.MustCompile(`(?s)^UTHO_API_URL=(http://127\.0\.0\.1:[1-9]\d*/v2)\nUTHO_API_KEY=(live_sandbox_\w+)\n`)
	p.until(lines.String())
	found := lines.FindStringSubmatch(p.said())
	return &served{p, found[1], found[2]}
}

// Other processes of utho and other clients use the served sandbox, which is the one of the profile; one line
// of JSON a request says what came, without secrets, and a health check needs no credential.
func TestSandboxServe(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	p := serveSandbox(m, "--log")
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
	q := serveSandbox(m, "--addr", "localhost:0", "--debug")
	m.utho("-p", "sandbox", "token", "delete", "ci", "--yes").want(t, 0)
	client.with("UTHO_API_URL", q.url).utho("token", "get", "ci").want(t, 5)
	client.utho("token", "get", "ci").want(t, 5)
	q.signal(syscall.SIGINT)
	q.exits(0)
	q.says(`(?m)^debug: GET /v2/api: 200 in \S+ ms, success$`)
	p.signal(syscall.SIGTERM)
	p.exits(0)
	client.utho("token", "list", "--timeout", "1s").want(t, 9)

	var methods []string
	_, said, _ := strings.Cut(p.said(), p.key)
	for line := range strings.Lines(said) {
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
	leaked := strings.Contains(said, secret) || strings.Contains(said, p.key)
	if leaked || !strings.HasPrefix(strings.Join(methods, " "), "GET GET GET POST GET ") {
		t.Errorf("it writes\n%s", said)
	}
}
