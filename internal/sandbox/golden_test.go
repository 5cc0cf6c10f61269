package sandbox

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// What the official Go SDK puts on the wire, byte for byte, is answered, and the answers are what it reads: strings
// only, plain JSON.
func TestOfficialSDK(t *testing.T) {
	t.Parallel()
	s := open(t)
	addr, _ := serve(t, s)
	secret := operator(t, s)
	conn, err := net.Dial("tcp", addr) // one connection for all, as the SDK has it
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // all has been read
	// exchange gives an answer as it came, but for its date.
	exchange := func(raw string) string {
		var answer strings.Builder
		_, err := io.WriteString(conn, raw)
		resp, err2 := http.ReadResponse(bufio.NewReader(io.TeeReader(conn, &answer)), nil)
		if err = errors.Join(err, err2); err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, answer.String())
		}
		return regexp.MustCompile(`Date: .* GMT`).ReplaceAllString(answer.String(), "Date: GMT")
	}
	request := func(line, body string) string {
		length := ""
		if body != "" {
			length = fmt.Sprintf("Content-Length: %d\r\n", len(body))
		}
		return line + " HTTP/1.1\r\nHost: " + addr + "\r\nUser-Agent: Go-http-client/1.1\r\n" + length +
			"Accept-Encoding: application/json\r\nAuthorization: Bearer " + secret + "\r\nContent-Type: application/json\r\n\r\n" + body
	}
	answer := func(body string) string {
		return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\nContent-Type: application/json\r\nDate: GMT\r\n\r\n", len(body)) + body
	}
	// Compression is never used, whatever a client accepts.
	for _, accept := range []string{"application/json", "gzip, deflate, br", "*"} {
		asked := strings.Replace(request("GET /v2/api", ""), "Encoding: application/json", "Encoding: "+accept, 1)
		if got := exchange(asked); got != answer(seedList) {
			t.Errorf("list, accepting %s:\n%s", accept, got)
		}
	}
	created := regexp.MustCompile(`^{"status":"success","apikey":"live_sandbox_[0-9a-f]{40}","message":"New API has been created"}$`)
	id := 10004
	for write, scope := range map[string]string{"0": "0", "on": "1", "1": "1", "off": "0", "": "0"} {
		got := exchange(request("POST /v2/api/generate", `{"name":"<ci&x>","write":"`+write+`"}`+"\n"))
		if _, body, _ := strings.Cut(got, "\r\n\r\n"); !created.MatchString(body) || got != answer(body) {
			t.Fatalf("create with write %q: %s", write, got)
		}
		last := regexp.MustCompile(fmt.Sprintf(`{"id":"%d","name":"<ci&x>","write":"%s","created_at":"[-0-9]{10} [:0-9]{8}"}\]}$`, id, scope))
		list, gone := exchange(request("GET /v2/api", "")), exchange(request(fmt.Sprintf("DELETE /v2/api/%d/delete", id), ""))
		if !last.MatchString(list) || gone != answer(`{"status":"success","message":"API has been deleted"}`) {
			t.Errorf("created, listed and deleted:\n%s\n%s\nwant at its end: %s", list, gone, last)
		}
		id++
	}
}

// A page in a browser that resolves its own name to 127.0.0.1 gets nothing.
func TestForeignHost(t *testing.T) {
	t.Parallel()
	for _, host := range strings.Fields("127.0.0.1 127.8.9.10:80 localhost LocalHost:1 [::1] [::1]:8080 ::1 [::ffff:127.0.0.1]:1") {
		if !loopback(host) {
			t.Errorf("%q is refused", host)
		}
	}
	for _, host := range append(strings.Fields("evil.example evil.example:8080 localhost.evil.example 127.0.0.1.evil.example "+
		"10.0.0.1 0.0.0.0 [::] 127.0.0.1:1:1 2130706433 api.utho.com localhost."), "") {
		if loopback(host) {
			t.Errorf("%q is served", host)
		}
	}
	got, _ := offered(t, open(t), "GET", "http://evil.example/v2/api", "")
	if got.Code != 421 || got.Body.String() != errorBody(msgHost) {
		t.Errorf("%d %s", got.Code, got.Body)
	}
}
