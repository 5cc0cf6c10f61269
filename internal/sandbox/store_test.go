package sandbox

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/utho/utho-cli/internal/privfile"
)

// Nothing is touched before the first request. The file is legible, and a secret that was handed out is not in it.
// What one Sandbox did, another finds; what changes nothing does not write.
func TestFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "state", "sandbox.json")
		one, other := Open(path), Open(path)
		do(t, one, "GET", "/nothing", "", "") // a path that does not exist needs no file either
		if _, err := os.Stat(filepath.Dir(path)); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("it created the folder: %v", err)
		}
		op, secret := operator(t, other), mustCreate(t, one, "<ci&x>", "off")
		before, err := os.Stat(path)
		for _, r := range [][4]string{
			{"GET", "/api", secret}, {"GET", "/account/info", op}, {"GET", "/api", "wrong"}, {"DELETE", "/api/1/delete", op},
			{"POST", "/api/generate", secret, `{"name":"x","write":"on"}`}, {"POST", "/api/generate", op, `{"name":""}`},
		} {
			do(t, other, r[0], r[1], r[2], r[3])
		}
		after, err2 := os.Stat(path)
		if err != nil || err2 != nil || !os.SameFile(before, after) {
			t.Errorf("a request that changes nothing has replaced the file: %v, %v", err, err2)
		}
		if got := tokens(t, other); operator(t, one) != op || !slices.Contains(got, "10004 <ci&x> 0") {
			t.Errorf("other sees %q", got)
		}
		data, err := os.ReadFile(path)
		start := "{\n  \"version\": 1,\n  \"operator_secret\": \"" + op + "\",\n  \"next_id\": 10005,\n"
		end := "    {\n      \"id\": 10004,\n      \"name\": \"<ci&x>\",\n      \"write\": false,\n" +
			"      \"created_at\": \"2000-01-01 05:30:00\",\n      \"secret_sha256\": \"" + hash(secret) + "\"\n    }\n  ]\n}\n"
		text := string(data)
		if err != nil || !strings.HasPrefix(text, start) || !strings.HasSuffix(text, end) || strings.Contains(text, secret) {
			t.Errorf("%v, file:\n%s\nwant:\n%s…\n%s", err, text, start, end)
		}
	})
}

const (
	testOperator = "live_sandbox_0123456789abcdef0123456789abcdef01234567"
	testState    = `{"version":1,"operator_secret":"` + testOperator + `","next_id":10002,"tokens":[` +
		`{"id":10001,"name":"mine","write":true,"created_at":"soon"}]}`
)

// A file that is broken, or that others can read, is refused with its fix and left as it is; Reset replaces it, and with it
// a secret that may be known.
func TestBrokenFile(t *testing.T) {
	t.Parallel()
	replaced := func(what, by string) string { return strings.Replace(testState, what, by, 1) }
	const broken = "PATH cannot be used: it is not the file of a sandbox; start afresh with: utho sandbox reset"
	for name, tt := range map[string]struct {
		file string
		want string // part of the error; empty for none
		kept bool   // whether Reset finds the operator's secret
	}{
		"good":            {testState, "", true},
		"open to others":  {testState, "chmod 600 PATH", false},
		"empty":           {"", broken, false},
		"cut":             {testState[:len(testState)-9], broken, false},
		"zeros":           {string(make([]byte, 512)), broken, false},
		"no version":      {replaced(`"version":1,`, ""), broken, true},
		"newer":           {replaced(`"version":1`, `"version":2`), "PATH cannot be used: it has format 2, and this utho knows 1; start", true},
		"trailing":        {testState + `{}`, broken, false},
		"wrong type":      {replaced(`"write":true`, `"write":"on"`), broken, false},
		"no operator":     {replaced(testOperator, ""), broken, false},
		"real operator":   {replaced(testOperator, "live_test_0123456789abcdef0123456789abcdef"), broken, false},
		"header operator": {replaced(testOperator, testOperator+`\r\nX-Evil: 1`), broken, false},
	} {
		s, mode := open(t), fs.FileMode(0o600)
		if name == "open to others" {
			mode = 0o644
			if runtime.GOOS == "windows" { // which has no modes
				continue
			}
		}
		if err := errors.Join(os.WriteFile(s.path, []byte(tt.file), mode), os.Chmod(s.path, mode)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.OperatorSecret(t.Context()); tt.want != "" {
			checkStoreError(t, err, s.path, strings.Replace(tt.want, "PATH", s.path, 1))
		} else if err != nil {
			t.Fatal(err)
		}
		if after, err := os.ReadFile(s.path); err != nil || string(after) != tt.file {
			t.Errorf("%s: the file was changed: %v %q", name, err, after)
		}
		if err := s.Reset(t.Context()); err != nil {
			t.Fatal(err)
		}
		got, kept := tokens(t, s), operator(t, s) == testOperator
		if kept != tt.kept || len(got) != 4 || got[0] != "10000 ci-deploy 1" {
			t.Errorf("%s: after reset: operator kept %v, want %v; %q", name, kept, tt.kept, got)
		}
	}
}

func checkStoreError(t *testing.T, err error, path string, parts ...string) {
	t.Helper()
	if !errors.As(err, new(*StoreError)) || strings.Contains(err.Error(), "live_") {
		t.Errorf("error %v, want a *StoreError without a secret", err)
		return
	}
	for _, part := range append(parts, filepath.Dir(path)) {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %q", err, part)
		}
	}
}

// Whoever waits for the lock gives up with their context.
func TestLockHonoursContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		op := operator(t, s)
		unlock, err := privfile.Lock(t.Context(), s.path+".lock") // as another process would
		if err != nil {
			t.Fatal(err)
		}
		waiting, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		_, err = roundTrip(waiting, s.Transport(), "POST", BaseURL+"/api/generate", op, `{"name":"x","write":"on"}`)
		if checkStoreError(t, err, s.path); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		unlock()
		if got := tokens(t, s); len(got) != 4 {
			t.Errorf("a request that was given up took effect: %q", got)
		}
	})
}

// checkKeeps holds that a state means the same when it is read again.
func checkKeeps(t *testing.T, st *state) {
	data, err := encode(st, "  ")
	if again, err2 := decode(data); err != nil || !reflect.DeepEqual(again, st) {
		t.Fatalf("changed on the way through the file: %+v, then %+v, %v, %v", st, again, err, err2)
	}
}
