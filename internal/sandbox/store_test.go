package sandbox

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/utho/utho-cli/internal/privfile"
)

func openAt(t testing.TB, path string, opts ...Option) *Sandbox {
	t.Helper()
	s, err := Open(path, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestOpenTouchesNothing(t *testing.T) {
	t.Parallel()
	if _, err := Open(""); err == nil {
		t.Error("no path, no error")
	}
	dir := filepath.Join(t.TempDir(), "state", "utho")
	s := openAt(t, filepath.Join(dir, "sandbox.json"))
	if _, err := os.Stat(filepath.Dir(dir)); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("Open made the folder: %v", err)
	}
	// An address that does not exist needs no file either.
	do(t, s, "GET", "/nothing", "", "")
	if _, err := os.Stat(filepath.Dir(dir)); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("an unknown address made the folder: %v", err)
	}
	operator(t, s)
	for path, mode := range map[string]fs.FileMode{
		filepath.Dir(dir):                       0o700,
		dir:                                     0o700,
		filepath.Join(dir, "sandbox.json"):      0o600,
		filepath.Join(dir, "sandbox.json.lock"): 0o600,
	} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != mode && runtime.GOOS != "windows" {
			t.Errorf("%s is %v, want %v", path, info.Mode().Perm(), mode)
		}
	}
}

// The file is legible, and a secret that was handed out is not in it.
func TestFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sandbox.json")
	s := openAt(t, path, WithClock(aMoment))
	secret := mustCreate(t, s, "<ci&x>", "on")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := `{
  "version": 1,
  "operator_secret": "` + operator(t, s) + `",
  "next_id": 10005,
  "tokens": [
    {
      "id": 10000,
      "name": "ci-deploy",
      "write": true,
      "created_at": "2024-04-22 01:12:36"
    },
    {
      "id": 10001,
      "name": "grafana",
      "write": false,
      "created_at": "2024-04-22 01:16:51"
    },
    {
      "id": 10002,
      "name": "nightly-backup.expires-20250101T0000Z",
      "write": false,
      "created_at": "2024-10-03 05:30:12"
    },
    {
      "id": 10003,
      "name": "terraform",
      "write": true,
      "created_at": "2025-02-17 15:42:08"
    },
    {
      "id": 10004,
      "name": "<ci&x>",
      "write": true,
      "created_at": "2026-11-23 15:00:00",
      "secret_sha256": "` + hash(secret) + `"
    }
  ]
}
`
	if string(data) != want {
		t.Errorf("file:\n%s\nwant:\n%s", data, want)
	}
	if strings.Contains(string(data), secret) {
		t.Error("the file holds a secret that was handed out")
	}
}

// What one Sandbox did, another finds; what does not change the state does not
// write the file.
func TestPersistence(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sandbox.json")
	one, other := openAt(t, path), openAt(t, path)
	op := operator(t, one)
	if got := operator(t, other); got != op {
		t.Fatal("two operators of one file")
	}
	secret := mustCreate(t, one, "kept", "off")
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		do(t, other, "GET", "/api", secret, "")
		do(t, other, "GET", "/account/info", secret, "")
		do(t, other, "GET", "/api", "wrong", "")
		do(t, other, "POST", "/api/generate", secret, `{"name":"x","write":"on"}`)
		do(t, other, "POST", "/api/generate", op, `{"name":"","write":"on"}`)
		do(t, other, "DELETE", "/api/1/delete", op, "")
	}
	after, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if !os.SameFile(before, after) {
		t.Error("a request that changes nothing has replaced the file")
	}
	if got := tokens(t, other); !slices.Contains(got, "10004 kept 0") {
		t.Errorf("other sees %q", got)
	}
	do(t, other, "DELETE", "/api/10004/delete", op, "")
	if g := do(t, one, "GET", "/api", secret, ""); g.body != errorBody(msgUnauthorized) {
		t.Errorf("one still takes the deleted secret: %s", g.body)
	}
	if err := other.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	if g := do(t, one, "GET", "/api", op, ""); g.body != seedList {
		t.Errorf("after reset: %s", g.body)
	}
}

func TestConcurrentRequests(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sandbox.json")
	file := openAt(t, path)
	for name, all := range map[string][]*Sandbox{
		"memory": slices.Repeat([]*Sandbox{Memory()}, 8),
		"file":   {file, file, file, openAt(t, path), openAt(t, path), openAt(t, path), openAt(t, path), openAt(t, path)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			op := operator(t, all[0])
			var wg sync.WaitGroup
			for _, s := range all {
				wg.Go(func() {
					for range 5 {
						g, err := roundTrip(t.Context(), inProcess(s), "POST", BaseURL+"/api/generate", op, `{"name":"x","write":"off"}`)
						if err != nil || !strings.Contains(g.body, "success") {
							t.Errorf("%v %s", err, g.body)
						}
					}
				})
			}
			wg.Wait()
			seen := map[string]bool{}
			for _, tok := range tokens(t, all[0]) {
				seen[tok] = true
			}
			if len(seen) != 4+40 {
				t.Errorf("%d tokens, want 44", len(seen))
			}
		})
	}
}

const (
	testOperator = "live_sandbox_0123456789abcdef0123456789abcdef01234567"
	testState    = `{"version":1,"operator_secret":"` + testOperator + `","next_id":10002,"tokens":[` +
		`{"id":10001,"name":"mine","write":true,"created_at":"soon"}]}`
)

func TestBrokenFile(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		file string
		want string // part of the error; empty for none
		kept bool   // whether Reset finds the operator's secret
	}{
		"good":            {testState, "", true},
		"no tokens":       {strings.Replace(testState, `"tokens":[`, `"tokens":null,"x":[`, 1), "unknown field", true},
		"empty":           {"", "not the JSON of a sandbox", false},
		"cut":             {testState[:len(testState)-9], "not the JSON of a sandbox", false},
		"zeros":           {string(make([]byte, 512)), "not the JSON of a sandbox", false},
		"list":            {`[]`, "not the JSON of a sandbox: it cannot be an array; start", false},
		"number":          {`1.5`, "not the JSON of a sandbox: it cannot be a number; start", false},
		"half a version":  {`{"version":1.5}`, "not the JSON of a sandbox: version cannot be the number 1.5; start", false},
		"text version":    {`{"version":"1"}`, "not the JSON of a sandbox: version cannot be a string; start", false},
		"null":            {`null`, "no format version", false},
		"no version":      {`{}`, "no format version", false},
		"newer":           {strings.Replace(testState, `"version":1`, `"version":2`, 1), "format version 2, this utho knows 1", true},
		"trailing":        {testState + `{}`, "not the JSON of a sandbox", false},
		"unknown field":   {strings.Replace(testState, `"name"`, `"note":"","name"`, 1), `cannot be used: unknown field "note"; start`, true},
		"wrong type":      {strings.Replace(testState, `"write":true`, `"write":"on"`, 1), "cannot be used: tokens.write cannot be a string; start", true},
		"tokens":          {strings.Replace(testState, `"tokens":[`, `"tokens":true,"x":[`, 1), "cannot be used: tokens cannot be a boolean; start", true},
		"no operator":     {strings.Replace(testState, testOperator, "", 1), "operator_secret", false},
		"real operator":   {strings.Replace(testState, testOperator, "live_test_0123456789abcdef0123456789abcdef", 1), "operator_secret", false},
		"header operator": {strings.Replace(testState, testOperator, testOperator+`\r\nX-Evil: 1`, 1), "operator_secret", false},
		"id twice":        {strings.Replace(testState, `]}`, `,{"id":10001,"name":"","write":false,"created_at":""}]}`, 1), "stands twice", true},
		"id too large":    {strings.Replace(testState, `"next_id":10002`, `"next_id":10001`, 1), "next_id", true},
		"id zero":         {strings.Replace(testState, `"id":10001`, `"id":0`, 1), "tokens[0]", true},
		"odd hash":        {strings.Replace(testState, `"soon"`, `"soon","secret_sha256":"abc"`, 1), "secret_sha256", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "sandbox.json")
			if err := os.WriteFile(path, []byte(tt.file), 0o600); err != nil {
				t.Fatal(err)
			}
			s := openAt(t, path)
			_, err := s.OperatorSecret(t.Context())
			_, err2 := roundTrip(t.Context(), inProcess(s), "GET", BaseURL+"/api", testOperator, "")
			if tt.want == "" {
				if err != nil || err2 != nil {
					t.Fatal(err, err2)
				}
			} else {
				checkStoreError(t, err, path, tt.want, path+" cannot be used: ", "; start afresh with: utho sandbox reset")
				checkStoreError(t, err2, path, tt.want)
				if after, err := os.ReadFile(path); err != nil || string(after) != tt.file {
					t.Errorf("the broken file was changed: %v %q", err, after)
				}
				// Over HTTP the reason is in an error body.
				g := send(t, newClient(), "GET", "http://"+serve(t, s)+"/v2/api", testOperator, "")
				if g.status != 500 || !strings.HasPrefix(g.body, `{"status":"error","message":"sandbox: `) || !strings.Contains(g.body, "utho sandbox reset") {
					t.Errorf("over HTTP: %d %s", g.status, g.body)
				}
			}
			if err := s.Reset(t.Context()); err != nil {
				t.Fatal(err)
			}
			if kept := operator(t, s) == testOperator; kept != tt.kept {
				t.Errorf("operator kept: %v, want %v", kept, tt.kept)
			}
			if got := tokens(t, s); len(got) != 4 || got[0] != "10000 ci-deploy 1" {
				t.Errorf("after reset: %q", got)
			}
		})
	}
}

func checkStoreError(t *testing.T, err error, path string, parts ...string) {
	t.Helper()
	var failed *StoreError
	if !errors.As(err, &failed) || !strings.Contains(err.Error(), filepath.Dir(path)) {
		t.Fatalf("error %v, want a *StoreError of %s", err, path)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %q", err, part)
		}
	}
	if strings.Contains(err.Error(), "live_") {
		t.Errorf("the error quotes a secret: %v", err)
	}
}

// A file that others can read is refused with its mend; Reset replaces it, and
// with it the secret that may be known.
func TestLooseMode(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("no modes")
	}
	path := filepath.Join(t.TempDir(), "sandbox.json")
	if err := os.WriteFile(path, []byte(testState), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	s := openAt(t, path)
	_, err := s.OperatorSecret(t.Context())
	checkStoreError(t, err, path, "chmod 600 "+path)
	if err := s.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	if operator(t, s) == testOperator {
		t.Error("a secret that others could read was kept")
	}
}

// A link in the file's place is followed by nothing, Reset included.
func TestLink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, target := filepath.Join(dir, "sandbox.json"), filepath.Join(dir, "target")
	if err := os.WriteFile(target, []byte(testState), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, path); err != nil {
		t.Skip(err)
	}
	s := openAt(t, path)
	_, err := s.OperatorSecret(t.Context())
	checkStoreError(t, err, path)
	if err := s.Reset(t.Context()); !errors.Is(err, privfile.ErrLink) {
		t.Errorf("reset: %v", err)
	}
	if data, err := os.ReadFile(target); err != nil || string(data) != testState {
		t.Errorf("the target was changed: %v %s", err, data)
	}
}

// A folder that cannot be made is told as it is, and tried again with the next
// request.
func TestNoFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	path := filepath.Join(dir, "sandbox.json")
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := openAt(t, path)
	_, err := roundTrip(t.Context(), inProcess(s), "GET", BaseURL+"/api", "x", "")
	checkStoreError(t, err, path, dir)
	checkStoreError(t, s.Reset(t.Context()), path, dir)
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if got := tokens(t, s); len(got) != 4 {
		t.Errorf("%q", got)
	}
}

// Whoever waits for the lock gives up with its context.
func TestLockHonoursContext(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sandbox.json")
	s := openAt(t, path)
	op := operator(t, s)
	ended, end := context.WithCancel(t.Context())
	end()

	unlock, err := privfile.Lock(t.Context(), path+".lock") // as another process would
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.OperatorSecret(ended)
	checkStoreError(t, err, path, path)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}

	// One of this process holds the turn, waiting for the lock; others wait for the turn.
	waiting, stop := context.WithCancel(t.Context())
	answered := make(chan error, 1)
	go func() {
		_, err := roundTrip(waiting, inProcess(s), "POST", BaseURL+"/api/generate", op, `{"name":"x","write":"on"}`)
		answered <- err
	}()
	for len(s.store.(*fileStore).turn) > 0 {
		runtime.Gosched()
	}
	err = s.Reset(ended)
	if checkStoreError(t, err, path); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	stop()
	err = <-answered
	if checkStoreError(t, err, path); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	unlock()
	if got := tokens(t, s); len(got) != 4 {
		t.Errorf("a request that was given up took effect: %q", got)
	}
}
