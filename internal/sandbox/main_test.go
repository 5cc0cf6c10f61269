package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// TestMain lets the test binary stand in for another process that uses a sandbox's file; see process_test.go.
func TestMain(m *testing.M) {
	if path := os.Getenv("SANDBOX_TEST_PATH"); path != "" {
		fmt.Fprintln(os.Stderr, createForEver(path))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

func open(t testing.TB) *Sandbox {
	t.Helper()
	return Open(filepath.Join(t.TempDir(), "sandbox.json"))
}

func operator(t testing.TB, s *Sandbox) string {
	t.Helper()
	secret, err := s.OperatorSecret(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// got is an answer as a test looks at it.
type got struct {
	status int
	header http.Header
	body   string
}

// roundTrip sends one request; the error is that of the request or of reading its answer.
func roundTrip(ctx context.Context, rt http.RoundTripper, method, url, secret, body string) (got, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return got{}, err
	}
	if secret != "" {
		req.Header.Set("Authorization", "Bearer "+secret)
	}
	resp, err := rt.RoundTrip(req)
	if err != nil {
		return got{}, err
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	data, err := io.ReadAll(resp.Body)
	return got{resp.StatusCode, resp.Header, string(data)}, err
}

// do sends a request in process.
func do(t testing.TB, s *Sandbox, method, path, secret, body string) got {
	t.Helper()
	g, err := roundTrip(t.Context(), s.Transport(), method, BaseURL+path, secret, body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return g
}

// tokens lists by the operator's secret, as "id name write".
func tokens(t testing.TB, s *Sandbox) (all []string) {
	t.Helper()
	var list struct {
		Status string
		API    []map[string]string
	}
	g := do(t, s, "GET", "/api", operator(t, s), "")
	if err := json.Unmarshal([]byte(g.body), &list); err != nil || list.Status != "success" {
		t.Fatalf("not a list (%v): %s", err, g.body)
	}
	for _, tok := range list.API {
		all = append(all, tok["id"]+" "+tok["name"]+" "+tok["write"])
	}
	return all
}

// mustCreate creates a token and returns its secret.
func mustCreate(t testing.TB, s *Sandbox, name, write string) string {
	t.Helper()
	g := do(t, s, "POST", "/api/generate", operator(t, s), fmt.Sprintf(`{"name":%q,"write":%q}`, name, write))
	var created struct{ Status, APIKey string }
	if err := json.Unmarshal([]byte(g.body), &created); err != nil || created.Status != "success" || created.APIKey == "" {
		t.Fatalf("not a created token (%v): %s", err, g.body)
	}
	return created.APIKey
}

func errorBody(message string) string {
	return fmt.Sprintf(`{"status":"error","message":%q}`, message)
}

const seedList = `{"status":"success","api":[` +
	`{"id":"10000","name":"ci-deploy","write":"1","created_at":"2024-04-22 01:12:36"},` +
	`{"id":"10001","name":"grafana","write":"0","created_at":"2024-04-22 01:16:51"},` +
	`{"id":"10002","name":"backup.expires-20250101T0000Z","write":"0","created_at":"2024-10-03 05:30:12"},` +
	`{"id":"10003","name":"terraform","write":"1","created_at":"2025-02-17 15:42:08"}]}`
