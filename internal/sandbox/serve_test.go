package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/utho/utho-cli/internal/privfile"
)

// serve offers s on a loopback port until the test ends, and returns its address ("127.0.0.1:4711").
func serve(t testing.TB, s *Sandbox) string {
	t.Helper()
	ln, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Serve(t.Context(), ln, Options{}); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(wg.Wait)
	return ln.Addr().String()
}

// get sends a request on a connection of its own.
func get(ctx context.Context, url, secret string) (got, error) {
	return roundTrip(ctx, &http.Transport{DisableKeepAlives: true}, "GET", url, secret, "")
}

func TestListen(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{ // part of the listener's address; empty for ErrAddress
		"127.0.0.1:0": "127.0.0.1:", "localhost:0": "127.0.0.1:", "LOCALHOST:0": "127.0.0.1:", "127.8.9.10:0": "127.8.9.10:",
		"": "", "127.0.0.1": "", "127.0.0.1:": "", "127.0.0.1:http": "", "127.0.0.1:70000": "", ":0": "", "0.0.0.0:0": "",
		"[::]:0": "", "10.0.0.1:0": "", "example.com:0": "", "localhost.example:0": "", "2130706433:0": "",
	} {
		ln, err := Listen(t.Context(), addr)
		if err != nil {
			var op *net.OpError // another loopback address may not be there
			if errors.Is(err, ErrAddress) != (want == "") || want != "" && !errors.As(err, &op) {
				t.Errorf("%s: %v", addr, err)
			}
			continue
		}
		if got := ln.Addr().String(); want == "" || !strings.HasPrefix(got, want) {
			t.Errorf("%s listens on %s", addr, got)
		}
		_ = ln.Close()
	}
	ln, err := net.Listen("tcp", "0.0.0.0:0") //nolint:gosec // it is what must be refused
	if err != nil {
		t.Skip(err)
	}
	if err := open(t).Serve(t.Context(), ln, Options{}); !errors.Is(err, ErrAddress) {
		t.Errorf("all addresses: %v", err)
	}
	if _, err := ln.Accept(); err == nil {
		t.Error("the listener is still open")
	}
}

// A request under way is answered after the end of the context.
func TestServeFinishes(t *testing.T) {
	t.Parallel()
	s := open(t)
	op := operator(t, s)
	unlock, err := privfile.Lock(t.Context(), s.path+".lock") // which the request will wait for
	if err != nil {
		t.Fatal(err)
	}
	ln, err := Listen(t.Context(), "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Serve(ctx, ln, Options{}); err != nil {
			t.Error(err)
		}
	})
	wg.Go(func() {
		if g, err := get(t.Context(), "http://"+ln.Addr().String()+"/v2/api", op); err != nil || g.body != seedList {
			t.Errorf("%v, %s", err, g.body)
		}
	})
	for len(s.turn) > 0 { // until it has come
		time.Sleep(time.Millisecond)
	}
	stop()
	unlock()
	wg.Wait()
}

// The log and the trace have one line a request, and no secret.
func TestRequestLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		secret := mustCreate(t, s, "mine", "off")
		var log, trace strings.Builder
		h := Options{Log: &log, Trace: func(line string) { trace.WriteString(line + "\n") }}.around(s)
		want := ""
		for _, tt := range []struct{ method, path, secret, status, result string }{
			{"GET", "/v2/api/?key=" + secret, secret, "200", `success","token":"10004`},
			{"GET", "/v2/api", "live_real_secret", "200", `error","message":"` + msgUnauthorized},
			{"POST", "/v2/api/generate", operator(t, s), "200", `error","message":"` + msgJSON + `","token":"operator`},
			{"DELETE", "/v2/api/10001/delete", operator(t, s), "200", `success","token":"operator`},
			{"GET", "/v2/" + secret + "/x", "", "401", `error","message":"Not Found GET`},
			{"HEAD", HealthPath, "", "200", "success"},
		} {
			r := httptest.NewRequestWithContext(t.Context(), tt.method, "http://localhost"+tt.path, nil)
			r.Header.Set("Authorization", "Bearer "+tt.secret)
			h.ServeHTTP(httptest.NewRecorder(), r)
			path, _, _ := strings.Cut(strings.Replace(tt.path, secret+"/x", "[secret]", 1), "?")
			want += fmt.Sprintf(`{"time":"2000-01-01T00:00:00.000Z","method":%q,"path":%q,"status":%s,"result":"%s","duration_ms":0}`,
				tt.method, path, tt.status, tt.result) + "\n"
		}
		if log.String() != want {
			t.Errorf("log:\n%s\nwant:\n%s", &log, want)
		}
		const line = "\nGET /v2/[secret]: 401 in 0 ms, error: Not Found GET\n"
		if got := trace.String(); !strings.Contains(got, line) || strings.Count(got, "\n") != 6 || strings.Contains(got, "live_") {
			t.Errorf("trace:\n%s", got)
		}
	})
}

// A failure of the store is an answer over HTTP and an error in process; a health check needs no store.
func TestNoStore(t *testing.T) {
	t.Parallel()
	s := open(t)
	dir := filepath.Dir(s.path)
	if err := errors.Join(os.Remove(dir), os.WriteFile(dir, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	_, err := roundTrip(t.Context(), s.Transport(), "GET", BaseURL+"/api", "x", "")
	checkStoreError(t, err, s.path)
	checkStoreError(t, s.Reset(t.Context()), s.path)
	base := "http://" + serve(t, s)
	g, err := get(t.Context(), base+"/v2/api", "x")
	if err != nil || g.status != 500 || !strings.HasPrefix(g.body, `{"status":"error","message":"sandbox: `) || !strings.Contains(g.body, dir) {
		t.Errorf("over HTTP: %v %+v", err, g)
	}
	g, err = get(t.Context(), base+HealthPath+"/", "")
	if err != nil || g.status != 200 || g.body != `{"status":"success","message":"The sandbox is here."}` {
		t.Errorf("health: %v %+v", err, g)
	}
	if err := os.Remove(dir); err != nil || len(tokens(t, s)) != 4 { // the next request tries again
		t.Error(err)
	}
}
