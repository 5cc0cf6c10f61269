package utho

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestCreateToken(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		request CreateTokenRequest
		body    string
	}{
		{CreateTokenRequest{"ci", ScopeWrite}, `{"name":"ci","write":"on"}`},
		{CreateTokenRequest{"ci", ScopeReadOnly}, `{"name":"ci","write":"off"}`},
		{CreateTokenRequest{`<a&b> "q" \ é` + "\u2028\n", ScopeWrite}, `{"name":"<a&b> \"q\" \\ é\u2028\n","write":"on"}`},
	} {
		s, base := listen(t, answering(reply(200, created, "Content-Type: text/html")))
		got, err := newClient(t, base+"/v2").CreateToken(t.Context(), c.request)
		if err != nil {
			t.Fatal(err)
		}
		if got.Secret != newSecret || got.Message != "New API has been created" {
			t.Errorf("got %q, %q", got.Secret, got.Message)
		}
		r := s.requests()
		if len(r) != 1 || r[0].method != "POST" || r[0].uri != "/v2/api/generate" || r[0].body != c.body {
			t.Errorf("requests %+v, want the body %s", r, c.body)
		}
		for name, want := range map[string]string{"Authorization": "Bearer " + testSecret, "Content-Type": "application/json", "Accept": "application/json", "Idempotency-Key": "", "X-Idempotency-Key": ""} {
			if got := r[0].header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			noSecret(t, fmt.Sprintf(verb, *got)+fmt.Sprintf(verb, got))
		}
	}
}

func TestCreateIsCheckedFirst(t *testing.T) {
	t.Parallel()
	c, s := against(t, ok(created))
	for _, r := range []CreateTokenRequest{{}, {Name: "ci"}, {Scope: ScopeWrite}, {Name: "a\xff", Scope: ScopeWrite}, {Name: "ci", Scope: 3}} {
		_, err := c.CreateToken(t.Context(), r)
		if e := mustError(t, err, nil); e.Sent {
			t.Errorf("%+v was sent", r)
		}
	}
	if len(s.requests()) != 0 {
		t.Errorf("requests %+v", s.requests())
	}
}

// What each answer to a create means. Whatever it is, the request is not sent twice.
func TestCreateAnswers(t *testing.T) {
	t.Parallel()
	const page = "<html><body>502</body></html>"
	unknown := ErrOutcomeUnknown
	for name, c := range map[string]struct {
		raw    string
		secret string // the token was made
		kind   error
		text   string
	}{
		"created":                      {ok(created), newSecret, nil, ""},
		"201":                          {reply(201, created), newSecret, nil, ""},
		"stray bytes":                  {ok("\ufeff" + notice + created + notice), newSecret, nil, ""},
		"no status":                    {ok(`{"apikey":"` + newSecret + `"}`), newSecret, nil, ""},
		"status true":                  {ok(`{"status":true,"apikey":"` + newSecret + `"}`), newSecret, nil, ""},
		"blanks around":                {ok(`{"status":"success","apikey":" ` + newSecret + `\r\n"}`), newSecret, nil, ""},
		"no live_":                     {ok(`{"status":"success","apikey":"a/b+c=="}`), "a/b+c==", nil, ""},
		"whole, then broken off":       {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 999\r\n\r\n" + created, newSecret, nil, ""},
		"refused":                      {ok(`{"status":"error","message":"Too many keys"}`), "", nil, "create token: the service says: Too many keys"},
		"refused without words":        {ok(`{"status":"error"}`), "", nil, "refuses without saying why"},
		"refused, empty apikey":        {ok(`{"status":"error","apikey":"","message":"no"}`), "", nil, "no"},
		"refused, null apikey":         {ok(`{"status":"error","apikey":null,"message":"no"}`), "", nil, "no"},
		"refused, stray bytes":         {ok(notice + `{"status":"Error","message":"no"}`), "", nil, "no"},
		"refused, read-only":           {ok(`{"status":"error","message":"This API key has read-only access"}`), "", ErrForbidden, "read-only"},
		"refused, unauthorized":        {ok(`{"status":"error","message":"Unauthorized access. Please provide a valid API key."}`), "", ErrUnauthorized, ""},
		"refused, 400":                 {reply(400, `{"status":"error","message":"bad name"}`), "", nil, "HTTP 400 Bad Request: the service says: bad name"},
		"refused, 401":                 {reply(401, `{"status":"error","message":"x"}`), "", ErrUnauthorized, "HTTP 401"},
		"refused, 403":                 {reply(403, `{"status":"error","message":"x"}`), "", ErrForbidden, "HTTP 403"},
		"refused, 404":                 {reply(404, `{"status":"error","message":"x"}`), "", nil, "HTTP 404"},
		"refused, 422":                 {reply(422, `{"status":"error","message":"x"}`), "", nil, "HTTP 422"},
		"refused and a secret":         {ok(`{"status":"error","apikey":"` + newSecret + `","message":"` + newSecret + `"}`), "", unknown, "a secret and says that it is an error"},
		"other failure":                {ok(`{"status":"failed","message":"x"}`), "", unknown, "no secret"},
		"error member only":            {ok(`{"error":"x"}`), "", unknown, "no secret"},
		"no apikey":                    {ok(`{"status":"success","message":"New API has been created"}`), "", unknown, "the answer holds no secret"},
		"empty apikey":                 {ok(`{"status":"success","apikey":""}`), "", unknown, "apikey is empty"},
		"blank apikey":                 {ok(`{"status":"success","apikey":" \n"}`), "", unknown, "apikey is empty"},
		"null apikey":                  {ok(`{"status":"success","apikey":null}`), "", unknown, "apikey is null"},
		"number apikey":                {ok(`{"status":"success","apikey":12345}`), "", unknown, "apikey is a number"},
		"object apikey":                {ok(`{"status":"success","apikey":{"key":"` + newSecret + `"}}`), "", unknown, "apikey is an object"},
		"apikey with a newline":        {ok(`{"status":"success","apikey":"live_a\nb"}`), "", unknown, "cannot stand in a header"},
		"apikey with a blank":          {ok(`{"status":"success","apikey":"live_a b"}`), "", unknown, "cannot stand in a header"},
		"apikey outside ASCII":         {ok(`{"status":"success","apikey":"live_é"}`), "", unknown, "cannot stand in a header"},
		"apikey twice":                 {ok(`{"apikey":"` + newSecret + `","apikey":"live_test_other"}`), "", unknown, "apikey is there twice"},
		"empty":                        {ok(""), "", unknown, "create token: outcome unknown: the answer is empty"},
		"no content":                   {"HTTP/1.1 204 No Content\r\n\r\n", "", unknown, "empty"},
		"{}":                           {ok("{}"), "", unknown, "no secret"},
		"[]":                           {ok("[]"), "", unknown, "no secret"},
		"text":                         {ok("OK"), "", unknown, "not JSON"},
		"the secret as text":           {ok(newSecret), "", unknown, "not JSON"},
		"page":                         {ok("<html>" + created + "</html>"), "", unknown, "/api/generate: a web page came back instead of JSON"},
		"truncated":                    {ok(created[:len(created)-1]), "", unknown, "ends in the middle"},
		"truncated in the secret":      {ok(created[:40]), "", unknown, "ends in the middle"},
		"too large":                    {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 99999999\r\n\r\n" + created, "", unknown, "larger than 64 MiB"},
		"broken off":                   {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 999\r\n\r\n" + created[:40], "", unknown, "broke off"},
		"broken off, chunked":          {"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n28\r\n" + created[:40] + "\r\n", "", unknown, "broke off"},
		"broken chunk":                 {"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" + created[:40], "", unknown, "outcome unknown"},
		"not HTTP":                     {created + "\r\n\r\n", "", unknown, "the answer is not HTTP"},
		"bad header with a secret":     {"HTTP/1.1 200 OK\r\nX " + newSecret + "\r\n\r\n", "", unknown, "the answer is not HTTP"},
		"bad length with a secret":     {"HTTP/1.1 200 OK\r\nContent-Length: " + newSecret + "\r\n\r\n", "", unknown, "the answer is not HTTP"},
		"half a header":                {"HTTP/1.1 200 OK\r\nConnection: close\r\n", "", unknown, "broke off"},
		"401 page":                     {reply(401, page), "", unknown, "HTTP 401"},
		"403 empty":                    {reply(403, ""), "", unknown, "HTTP 403"},
		"403 other JSON":               {reply(403, `{"message":"forbidden"}`), "", unknown, "HTTP 403"},
		"400 with a secret":            {reply(400, created), "", unknown, "HTTP 400"},
		"408":                          {reply(408, ""), "", unknown, "HTTP 408"},
		"500":                          {reply(500, ""), "", unknown, "HTTP 500"},
		"500 refused":                  {reply(500, `{"status":"error","message":"x"}`), "", unknown, "HTTP 500"},
		"500 created":                  {reply(500, created), "", unknown, "HTTP 500"},
		"502":                          {reply(502, page), "", unknown, "HTTP 502"},
		"502 refused":                  {reply(502, `{"status":"error","message":"x"}`), "", unknown, "HTTP 502"},
		"503":                          {reply(503, "", "Retry-After: 1"), "", unknown, "HTTP 503"},
		"504":                          {reply(504, ""), "", unknown, "HTTP 504"},
		"301":                          {reply(301, "", "Location: /elsewhere"), "", unknown, "where a create is not sent"},
		"302 created":                  {reply(302, created, "Location: /elsewhere"), "", unknown, "where a create is not sent"},
		"303":                          {reply(303, "", "Location: /api"), "", unknown, "where a create is not sent"},
		"307":                          {reply(307, "", "Location: /api/generate"), "", unknown, "where a create is not sent"},
		"307 refused":                  {reply(307, `{"status":"error"}`, "Location: /api/generate"), "", unknown, "where a create is not sent"},
		"308 to another":               {reply(308, "", "Location: https://user:pw@other.example/x"), "", unknown, "redirected to https://other.example"},
		"302 to nowhere":               {reply(302, ""), "", unknown, "redirected to nowhere"},
		"302 to no address":            {reply(302, "", "Location: http://[::1/"), "", unknown, "cannot be read"},
		"304":                          {"HTTP/1.1 304 Not Modified\r\n\r\n", "", unknown, "HTTP 304"},
		"101":                          {"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", "", unknown, "outcome unknown"},
		"message with the secret":      {ok(`{"status":"success","apikey":"opaque-42","message":"made opaque-42 and ` + newSecret + `"}`), "opaque-42", nil, ""},
		"refusal repeats the secret":   {ok(`{"status":"error","message":"key ` + testSecret + ` is full"}`), "", nil, "key [redacted] is full"},
		"100 and then created":         {"HTTP/1.1 100 Continue\r\n\r\n" + ok(created), newSecret, nil, ""},
		"early hints and then created": {"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + ok(created), newSecret, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, base := listen(t, func(_ int, _ seen, conn net.Conn) bool {
				_, err := io.WriteString(conn, c.raw)
				return err == nil && strings.HasPrefix(c.raw, "HTTP/1.1") && !strings.Contains(c.raw, "Connection: ")
			})
			var traced []Exchange
			client := newClient(t, base, WithTrace(func(x Exchange) { traced = append(traced, x) }))
			got, err := client.CreateToken(t.Context(), ci)
			if n := s.count("POST"); n != 1 || len(s.requests()) != 1 {
				t.Errorf("%d creates of %d requests, want 1", n, len(s.requests()))
			}
			if len(traced) != 1 {
				t.Fatalf("%d exchanges", len(traced))
			}
			noSecret(t, fmt.Sprintf("%+v %v", traced, traced[0].Err))
			if strings.Contains(traced[0].Body, "opaque-42") || strings.Contains(traced[0].Body, "apikey\"") {
				t.Errorf("traced %q", traced[0].Body)
			}
			if c.secret != "" {
				if err != nil {
					t.Fatal(err)
				}
				if got.Secret != c.secret || strings.Contains(got.Message, c.secret) {
					t.Errorf("got %q, %q", got.Secret, got.Message)
				}
				return
			}
			if got != nil {
				t.Errorf("a token: %v", got)
			}
			e := mustError(t, err, c.kind)
			if !strings.HasPrefix(e.Error(), "create token: ") || !strings.Contains(e.Error(), c.text) {
				t.Errorf("error %q, want %q in it", e, c.text)
			}
			if !e.Sent {
				t.Error("it says that nothing was sent")
			}
		})
	}
}

// 429 is the one answer after which a create is sent again: the service did not look at it.
func TestCreateRetries429(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, transport := piped(func(n int, _ seen, c net.Conn) bool {
			raw := ok(created)
			switch n {
			case 1:
				raw = reply(429, "slow down", "Retry-After: 7")
			case 2:
				raw = reply(429, `{"status":"error","message":"slow down"}`)
			}
			_, err := io.WriteString(c, raw)
			return err == nil
		})
		c, err := New(testSecret, WithBaseURL("http://127.0.0.1"), WithHTTPClient(&http.Client{Transport: transport}))
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		got, err := c.CreateToken(t.Context(), ci)
		if err != nil || got.Secret != newSecret {
			t.Fatalf("got %v, %v", got, err)
		}
		if n := s.count("POST"); n != 3 {
			t.Errorf("%d creates", n)
		}
		if d := time.Since(start); d < 7200*time.Millisecond || d > 7400*time.Millisecond {
			t.Errorf("waited %s", d)
		}
		if s.connections() != 1 {
			t.Errorf("%d connections", s.connections())
		}
		transport.CloseIdleConnections()
	})
}

func TestCreate429ForEver(t *testing.T) {
	t.Parallel()
	s, base := listen(t, answering(reply(429, `{"status":"error","message":"slow down"}`)))
	_, err := newClient(t, base).CreateToken(t.Context(), ci)
	if e := mustError(t, err, ErrUnavailable); e.Error() != "create token: HTTP 429 Too Many Requests: the service says: slow down (attempt 4)" {
		t.Error(e)
	}
	if n := s.count("POST"); n != 4 {
		t.Errorf("%d creates", n)
	}
}

func TestCreate429BeyondTheDeadline(t *testing.T) {
	t.Parallel()
	s, base := listen(t, answering(reply(429, "", "Retry-After: 3600")))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := newClient(t, base).CreateToken(ctx, ci)
	e := mustError(t, err, ErrUnavailable)
	if e.RetryAfter != time.Hour || !strings.Contains(e.Error(), "the service asks to wait 1h0m0s") {
		t.Error(e)
	}
	if n := s.count("POST"); n != 1 {
		t.Errorf("%d creates", n)
	}
}

// After a 429 the next create is as dangerous as any.
func TestCreate429ThenLost(t *testing.T) {
	t.Parallel()
	s, base := listen(t, func(n int, _ seen, c net.Conn) bool {
		if n > 1 {
			return false
		}
		_, err := io.WriteString(c, reply(429, ""))
		return err == nil
	})
	_, err := newClient(t, base).CreateToken(t.Context(), ci)
	mustError(t, err, ErrOutcomeUnknown)
	if n := s.count("POST"); n != 2 {
		t.Errorf("%d creates", n)
	}
}
