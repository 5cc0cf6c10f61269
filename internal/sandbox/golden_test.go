package sandbox

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// exchange writes raw bytes to a connection of its own and returns all that
// comes back.
func exchange(t *testing.T, addr, raw string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // the answer has been read
	if _, err := io.WriteString(conn, raw); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

// What the official Go SDK puts on the wire, byte for byte, is answered, and
// the answers are what it reads: strings only, plain JSON.
func TestOfficialSDK(t *testing.T) {
	t.Parallel()
	s := Memory(WithClock(aMoment))
	addr, secret := serve(t, s), operator(t, s)

	// One connection for all, as the SDK has it.
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // the answers have been read
	exchange := func(raw string) string {
		t.Helper()
		if _, err := io.WriteString(conn, raw); err != nil {
			t.Fatal(err)
		}
		var answer strings.Builder
		resp, err := http.ReadResponse(bufio.NewReader(io.TeeReader(conn, &answer)), nil)
		if err != nil {
			t.Fatalf("%v\n%s", err, answer.String())
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatalf("%v\n%s", err, answer.String())
		}
		return answer.String()
	}
	request := func(line, body string) string {
		length := ""
		if body != "" {
			length = fmt.Sprintf("Content-Length: %d\r\n", len(body))
		}
		return line + " HTTP/1.1\r\n" +
			"Host: " + addr + "\r\n" +
			"User-Agent: Go-http-client/1.1\r\n" +
			length +
			"Accept-Encoding: application/json\r\n" +
			"Authorization: Bearer " + secret + "\r\n" +
			"Content-Type: application/json\r\n" +
			"\r\n" + body
	}
	answer := func(body string) string {
		return fmt.Sprintf("HTTP/1.1 200 OK\r\n"+
			"Content-Length: %d\r\n"+
			"Content-Type: application/json\r\n"+
			"Date: Mon, 23 Nov 2026 09:30:00 GMT\r\n"+
			"\r\n%s", len(body), body)
	}

	if got, want := exchange(request("GET /v2/api", "")), answer(seedList); got != want {
		t.Errorf("list:\n%s\nwant:\n%s", got, want)
	}

	scopes := map[string]string{"0": "0", "on": "1", "1": "1", "off": "0", "": "0"}
	next := 10004
	for _, write := range []string{"0", "on", "1", "off", ""} {
		got := exchange(request("POST /v2/api/generate", `{"name":"<ci&x>","write":"`+write+`"}`+"\n"))
		_, made, _ := strings.Cut(got, "\r\n\r\n")
		if !regexp.MustCompile(`^\{"status":"success","apikey":"live_sandbox_[0-9a-f]{40}","message":"New API has been created"\}$`).MatchString(made) {
			t.Fatalf("create with write %q: %s", write, got)
		}
		if want := answer(made); got != want {
			t.Errorf("create:\n%s\nwant:\n%s", got, want)
		}

		want := fmt.Sprintf(`{"id":"%d","name":"<ci&x>","write":"%s","created_at":"2026-11-23 15:00:00"}]}`, next, scopes[write])
		if got := exchange(request("GET /v2/api", "")); !strings.HasSuffix(got, want) {
			t.Errorf("list after the create:\n%s\nwant at its end:\n%s", got, want)
		}

		got = exchange(request(fmt.Sprintf("DELETE /v2/api/%d/delete", next), ""))
		if want := answer(`{"status":"success","message":"API has been deleted"}`); got != want {
			t.Errorf("delete:\n%s\nwant:\n%s", got, want)
		}
		next++
	}
	if got, want := exchange(request("GET /v2/api", "")), answer(seedList); got != want {
		t.Errorf("list at the end:\n%s\nwant:\n%s", got, want)
	}

	// The SDK does not escape ids. Nothing that this sandbox has is reached so.
	for _, id := range []string{"../cloud/9", "..%2F..%2Fcloud", "../api/10000", "10000/../10001", "./10000", "", "%31%30%30%30%30%2F", "10000?x="} {
		got := exchange(request("DELETE /v2/api/"+id+"/delete", ""))
		if !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") || !strings.Contains(got, `{"status":"error","message":"`) {
			t.Errorf("delete of %q: %s", id, got)
		}
	}
	if got, want := exchange(request("GET /v2/api", "")), answer(seedList); got != want {
		t.Errorf("list after odd ids:\n%s\nwant:\n%s", got, want)
	}
}

// Compression is never used, whatever a client accepts.
func TestNeverCompressed(t *testing.T) {
	t.Parallel()
	s := Memory(WithClock(aMoment))
	addr := serve(t, s)
	for _, accept := range []string{"gzip", "gzip, deflate, br", "*", "application/json"} {
		got := exchange(t, addr, "GET /v2/api HTTP/1.1\r\nHost: "+addr+"\r\nConnection: close\r\n"+
			"Accept-Encoding: "+accept+"\r\nAuthorization: Bearer "+operator(t, s)+"\r\n\r\n")
		if strings.Contains(got, "Content-Encoding") || !strings.HasSuffix(got, seedList) {
			t.Errorf("Accept-Encoding %s: %s", accept, got)
		}
	}
}

// A page in a browser that resolves its own name to 127.0.0.1 gets nothing.
func TestForeignHost(t *testing.T) {
	t.Parallel()
	s := Memory()
	addr := serve(t, s)
	for _, tt := range []struct {
		host string
		ok   bool
	}{
		{addr, true}, {"127.0.0.1", true}, {"127.8.9.10:80", true}, {"localhost", true}, {"LocalHost:1", true},
		{"[::1]", true}, {"[::1]:8080", true}, {"::1", true}, {"[::ffff:127.0.0.1]:1", true},
		{"evil.example", false}, {"evil.example:8080", false}, {"localhost.evil.example", false}, {"127.0.0.1.evil.example", false},
		{"10.0.0.1", false}, {"0.0.0.0", false}, {"[::]", false}, {"", false}, {"127.0.0.1:1:1", false}, {"2130706433", false},
		{"api.utho.com", false}, {"localhost:x@evil.example", false},
	} {
		got := exchange(t, addr, "GET /v2/api HTTP/1.1\r\nHost: "+tt.host+"\r\nConnection: close\r\n"+
			"Authorization: Bearer "+operator(t, s)+"\r\n\r\n")
		if ok := strings.HasSuffix(got, seedList); ok != tt.ok || strings.Contains(got, "10000") != tt.ok {
			t.Errorf("Host %q: %s", tt.host, got)
		}
		if refused := strings.HasPrefix(got, "HTTP/1.1 421 ") || strings.HasPrefix(got, "HTTP/1.1 400 "); refused == tt.ok {
			t.Errorf("Host %q: %s", tt.host, got)
		}
	}
}
