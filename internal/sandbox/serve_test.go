package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// serve offers s on a loopback port until stop is called or the test ends, and returns its address ("127.0.0.1:4711").
func serve(t testing.TB, s *Sandbox) (addr string, stop func()) {
	t.Helper()
	ln, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Serve(ctx, ln, func(Request) {}); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(wg.Wait)
	return ln.Addr().String(), stop
}

// offered is the answer to a request over HTTP, and what is reported of it.
func offered(t *testing.T, s *Sandbox, method, url, secret string) (answer *httptest.ResponseRecorder, reported Request) {
	r := httptest.NewRequestWithContext(t.Context(), method, url, nil)
	r.Header.Set("Authorization", "Bearer "+secret)
	answer = httptest.NewRecorder()
	s.handler(func(one Request) { reported = one }).ServeHTTP(answer, r)
	return answer, reported
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
}

// A request under way is answered after the end of the context.
func TestServeFinishes(t *testing.T) {
	t.Parallel()
	s := open(t)
	addr, stop := serve(t, s)
	body, rest := io.Pipe()
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got100Continue: func() { // the server reads the body
		stop()
		for conn, err := net.Dial("tcp", addr); err == nil; conn, err = net.Dial("tcp", addr) {
			_ = conn.Close() // it has not stopped listening yet
		}
		go func() {
			_, _ = io.WriteString(rest, `{"name":"x","write":"on"}`) // a request that was cut off shows in its end
			_ = rest.Close()
		}()
	}})
	r, err := http.NewRequestWithContext(ctx, "POST", "http://"+addr+"/v2/api/generate", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+operator(t, s))
	r.Header.Set("Expect", "100-continue")
	resp, err := (&http.Transport{ExpectContinueTimeout: time.Hour, DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close() // its effect is looked at
	if got := tokens(t, s); len(got) != 5 {
		t.Errorf("%d, and the tokens are %q", resp.StatusCode, got)
	}
}

// One request is reported as one, and no secret.
func TestRequestLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		secret := mustCreate(t, s, "mine", "off")
		for _, tt := range []struct{ method, path, secret, status, result, text string }{
			{"GET", "/v2/api/?key=" + secret, secret, "200", `success","token":"10004`, "GET /v2/api/: 200 in 0 ms, success"},
			{"GET", "/v2/api", "live_real", "200", `error","message":"` + msgUnauthorized, "GET /v2/api: 200 in 0 ms, error: " + msgUnauthorized},
			{"POST", "/v2/api/generate", operator(t, s), "200", `error","message":"` + msgJSON + `","token":"operator`, ""},
			{"DELETE", "/v2/api/10001/delete", operator(t, s), "200", `success","token":"operator`, ""},
			{"GET", "/v2/" + secret + "/x", "", "401", `error","message":"Not Found GET`, "GET /v2/[secret]: 401 in 0 ms, error: Not Found GET"},
			{"HEAD", HealthPath, "", "200", "success", ""},
		} {
			_, got := offered(t, s, tt.method, "http://localhost"+tt.path, tt.secret)
			line, err := json.Marshal(got)
			path, _, _ := strings.Cut(strings.Replace(tt.path, secret+"/x", "[secret]", 1), "?")
			want := fmt.Sprintf(`{"time":"2000-01-01T00:00:00.000Z","method":%q,"path":%q,"status":%s,"result":"%s","duration_ms":0}`,
				tt.method, path, tt.status, tt.result)
			if err != nil || string(line) != want || tt.text != "" && got.String() != tt.text {
				t.Errorf("%s\n%s\nwant %s", line, got, want)
			}
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
	got, _ := offered(t, s, "GET", BaseURL+"/api", "x")
	body := got.Body.String()
	if got.Code != 500 || !strings.HasPrefix(body, `{"status":"error","message":"sandbox: `) || !strings.Contains(body, dir) {
		t.Errorf("over HTTP: %d %s", got.Code, body)
	}
	got, _ = offered(t, s, "GET", "http://localhost"+HealthPath+"/", "")
	if got.Code != 200 || got.Body.String() != `{"status":"success","message":"The sandbox is here."}` {
		t.Errorf("health: %d %s", got.Code, got.Body)
	}
	if err := os.Remove(dir); err != nil || len(tokens(t, s)) != 4 { // the next request tries again
		t.Error(err)
	}
}
