package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain lets the test binary stand in for other processes that use a
// sandbox's file; see process_test.go.
func TestMain(m *testing.M) {
	if role := os.Getenv("SANDBOX_TEST_ROLE"); role != "" {
		if err := child(role, os.Getenv("SANDBOX_TEST_PATH")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// aMoment is 2026-11-23 09:30:00 UTC, 15:00:00 in India.
func aMoment() time.Time { return time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC) }

// serve offers s on a loopback port until the test ends, and returns its
// address ("127.0.0.1:4711").
func serve(t testing.TB, s *Sandbox) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, ln) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return ln.Addr().String()
}

// newClient returns a client without connections from one request to the next.
func newClient() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func inProcess(s *Sandbox) *http.Client {
	c := newClient()
	c.Transport = s.Transport()
	return c
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

// roundTrip sends one request; the error is that of the request or of reading
// its answer.
func roundTrip(ctx context.Context, c *http.Client, method, url, secret, body string) (got, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return got{}, err
	}
	if secret != "" {
		req.Header.Set("Authorization", "Bearer "+secret)
	}
	resp, err := c.Do(req)
	if err != nil {
		return got{}, err
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	data, err := io.ReadAll(resp.Body)
	return got{resp.StatusCode, resp.Header, string(data)}, err
}

func send(t testing.TB, c *http.Client, method, url, secret, body string) got {
	t.Helper()
	g, err := roundTrip(t.Context(), c, method, url, secret, body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return g
}

// do sends a request in process.
func do(t testing.TB, s *Sandbox, method, path, secret, body string) got {
	t.Helper()
	return send(t, inProcess(s), method, BaseURL+path, secret, body)
}

// tokens lists by the operator's secret, as "id name write".
func tokens(t testing.TB, s *Sandbox) []string {
	t.Helper()
	return parseList(t, do(t, s, "GET", "/api", operator(t, s), "").body)
}

func parseList(t testing.TB, body string) []string {
	t.Helper()
	var list struct {
		Status string
		API    []map[string]string
	}
	if err := json.Unmarshal([]byte(body), &list); err != nil || list.Status != "success" {
		t.Fatalf("not a list (%v): %s", err, body)
	}
	var all []string
	for _, tok := range list.API {
		all = append(all, tok["id"]+" "+tok["name"]+" "+tok["write"])
	}
	return all
}

// mustCreate makes a token and returns its secret.
func mustCreate(t testing.TB, s *Sandbox, name, write string) string {
	t.Helper()
	body := fmt.Sprintf(`{"name":%q,"write":%q}`, name, write)
	return secretIn(t, do(t, s, "POST", "/api/generate", operator(t, s), body).body)
}

func secretIn(t testing.TB, body string) string {
	t.Helper()
	var made struct{ Status, APIKey, Message string }
	if err := json.Unmarshal([]byte(body), &made); err != nil || made.Status != "success" || made.APIKey == "" {
		t.Fatalf("not a created token (%v): %s", err, body)
	}
	return made.APIKey
}

func errorBody(message string) string {
	b, err := json.Marshal(message)
	if err != nil {
		panic(err)
	}
	return `{"status":"error","message":` + string(b) + `}`
}

const seedList = `{"status":"success","api":[` +
	`{"id":"10000","name":"ci-deploy","write":"1","created_at":"2024-04-22 01:12:36"},` +
	`{"id":"10001","name":"grafana","write":"0","created_at":"2024-04-22 01:16:51"},` +
	`{"id":"10002","name":"nightly-backup.expires-20250101T0000Z","write":"0","created_at":"2024-10-03 05:30:12"},` +
	`{"id":"10003","name":"terraform","write":"1","created_at":"2025-02-17 15:42:08"}]}`
