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
	"testing"
	"testing/synctest"

	"github.com/utho/utho-cli/internal/privfile"
)

func TestOpenTouchesNothing(t *testing.T) {
	t.Parallel()
	if _, err := Open(""); err == nil {
		t.Error("no path, no error")
	}
	dir := filepath.Join(t.TempDir(), "state")
	s := openAt(t, filepath.Join(dir, "sandbox.json"))
	do(t, s, "GET", "/nothing", "", "") // a path that does not exist needs no file either
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("it created the folder: %v", err)
	}
	operator(t, s)
	for path, mode := range map[string]fs.FileMode{dir: 0o700, s.path: 0o600, s.path + ".lock": 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode && runtime.GOOS != "windows" {
			t.Errorf("%s: %v %v, want %v", path, err, info, mode)
		}
	}
}

// The file is legible, and a secret that was handed out is not in it.
func TestFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		secret := mustCreate(t, s, "<ci&x>", "on")
		data, err := os.ReadFile(s.path)
		if err != nil {
			t.Fatal(err)
		}
		start := "{\n  \"version\": 1,\n  \"operator_secret\": \"" + operator(t, s) + "\",\n  \"next_id\": 10005,\n"
		end := `    {
      "id": 10004,
      "name": "<ci&x>",
      "write": true,
      "created_at": "2000-01-01 05:30:00",
      "secret_sha256": "` + hash(secret) + `"
    }
  ]
}
`
		text := string(data)
		if !strings.HasPrefix(text, start) || !strings.HasSuffix(text, end) || strings.Contains(text, secret) {
			t.Errorf("file:\n%s\nwant:\n%s…\n%s", data, start, end)
		}
	})
}

// What one Sandbox did, another finds; what changes nothing does not write.
func TestPersistence(t *testing.T) {
	t.Parallel()
	one := open(t)
	other := openAt(t, one.path)
	op, secret := operator(t, other), mustCreate(t, one, "kept", "off")
	before, err := os.Stat(one.path)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range [][4]string{
		{"GET", "/api", secret}, {"GET", "/account/info", op}, {"GET", "/api", "wrong"}, {"DELETE", "/api/1/delete", op},
		{"POST", "/api/generate", secret, `{"name":"x","write":"on"}`}, {"POST", "/api/generate", op, `{"name":""}`},
	} {
		do(t, other, r[0], r[1], r[2], r[3])
	}
	if after, err := os.Stat(one.path); err != nil || !os.SameFile(before, after) {
		t.Errorf("a request that changes nothing has replaced the file: %v", err)
	}
	if got := tokens(t, other); operator(t, one) != op || !slices.Contains(got, "10004 kept 0") {
		t.Errorf("other sees %q", got)
	}
}

const (
	testOperator = "live_sandbox_0123456789abcdef0123456789abcdef01234567"
	testState    = `{"version":1,"operator_secret":"` + testOperator + `","next_id":10002,"tokens":[` +
		`{"id":10001,"name":"mine","write":true,"created_at":"soon"}]}`
)

func TestBrokenFile(t *testing.T) {
	t.Parallel()
	replaced := func(what, by string) string { return strings.Replace(testState, what, by, 1) }
	const broken = " cannot be used: it is not the file of a sandbox; start afresh with: utho sandbox reset"
	for name, tt := range map[string]struct {
		file string
		want string // part of the error; empty for none
		kept bool   // whether Reset finds the operator's secret
	}{
		"good":            {testState, "", true},
		"empty":           {"", broken, false},
		"cut":             {testState[:len(testState)-9], broken, false},
		"zeros":           {string(make([]byte, 512)), broken, false},
		"no version":      {replaced(`"version":1,`, ""), broken, true},
		"newer":           {replaced(`"version":1`, `"version":2`), " cannot be used: it has format 2, and this utho knows 1; start", true},
		"trailing":        {testState + `{}`, broken, false},
		"wrong type":      {replaced(`"write":true`, `"write":"on"`), broken, false},
		"no operator":     {replaced(testOperator, ""), broken, false},
		"real operator":   {replaced(testOperator, "live_test_0123456789abcdef0123456789abcdef"), broken, false},
		"header operator": {replaced(testOperator, testOperator+`\r\nX-Evil: 1`), broken, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			if err := os.WriteFile(s.path, []byte(tt.file), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := s.OperatorSecret(t.Context())
			if tt.want != "" {
				checkStoreError(t, err, s.path, s.path+tt.want)
				if after, err := os.ReadFile(s.path); err != nil || string(after) != tt.file {
					t.Errorf("the broken file was changed: %v %q", err, after)
				}
			} else if err != nil {
				t.Fatal(err)
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

// A file that others can read is refused with its fix; Reset replaces it, and with it the secret that may be known.
// A link is followed by nothing.
func TestFileOfOthers(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("no modes")
	}
	s := open(t)
	target := s.path + ".target"
	if err := os.WriteFile(target, []byte(testState), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, s.path); err != nil {
		t.Fatal(err)
	}
	_, err := s.OperatorSecret(t.Context())
	checkStoreError(t, err, s.path)
	checkStoreError(t, s.Reset(t.Context()), s.path)
	if data, err := os.ReadFile(target); err != nil || string(data) != testState {
		t.Errorf("the target was changed: %v %s", err, data)
	}
	if err := errors.Join(os.Rename(target, s.path), os.Chmod(s.path, 0o644)); err != nil { //nolint:gosec // the case
		t.Fatal(err)
	}
	_, err = s.OperatorSecret(t.Context())
	checkStoreError(t, err, s.path, "chmod 600 "+s.path)
	if err := s.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	if operator(t, s) == testOperator {
		t.Error("a secret that others could read was kept")
	}
}

// Whoever waits for the lock, or for their turn, gives up with their context.
func TestLockHonoursContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		op := operator(t, s)
		unlock, err := privfile.Lock(t.Context(), s.path+".lock") // as another process would
		if err != nil {
			t.Fatal(err)
		}
		waiting, stop := context.WithCancel(t.Context())
		answered := make(chan error)
		for range 2 {
			go func() {
				_, err := roundTrip(waiting, s.Transport(), "POST", BaseURL+"/api/generate", op, `{"name":"x","write":"on"}`)
				answered <- err
			}()
		}
		synctest.Wait()
		stop()
		for range 2 {
			err := <-answered
			if checkStoreError(t, err, s.path); !errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
		}
		unlock()
		if got := tokens(t, s); len(got) != 4 {
			t.Errorf("a request that was given up took effect: %q", got)
		}
	})
}

// Whatever the file holds, it is refused, or means the same when written again.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(testState))
	f.Add([]byte(testState[:40]))
	f.Add([]byte(`{"version":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if st, err := decode(data); err == nil {
			checkKeeps(t, st)
		}
	})
}

func checkKeeps(t interface{ Fatalf(string, ...any) }, st *state) {
	data, err := st.encode()
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	again, err := decode(data)
	if err != nil {
		t.Fatalf("decode: %v\n%s", err, data)
	}
	if again.Operator != st.Operator || again.NextID != st.NextID || !slices.Equal(again.Tokens, st.Tokens) {
		t.Fatalf("changed on the way through the file: %+v, then %+v", st, again)
	}
}
