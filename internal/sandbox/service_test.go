package sandbox

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAnswers(t *testing.T) {
	t.Parallel()
	s := Memory(WithClock(aMoment))
	op := operator(t, s)
	reader := mustCreate(t, s, "reader", "off")
	writer := mustCreate(t, s, "writer", "on")
	if reader == writer || strings.Contains(reader+writer, op) {
		t.Fatal("secrets repeat")
	}
	const account = `{"status":"success","user":{"id":"32154","fullname":"Asha Rao","company":"Example Cloud Works",` +
		`"email":"asha.rao@example.com","country":"in","cloudlimit":"25","currency":"INR"}}`
	list := strings.TrimSuffix(seedList, "]}") +
		`,{"id":"10004","name":"reader","write":"0","created_at":"2026-11-23 15:00:00"}` +
		`,{"id":"10005","name":"writer","write":"1","created_at":"2026-11-23 15:00:00"}]}`
	const unauthorized = `{"status":"error","message":"Unauthorized access. Please provide a valid API key."}`
	const readOnly = `{"status":"error","message":"Permission denied. This API key has Read-Only access."}`

	for _, tt := range []struct {
		method, path, secret, body string
		want                       string
	}{
		{"GET", "/api", op, "", list},
		{"GET", "/api", reader, "", list},
		{"GET", "/api", writer, "", list},
		{"GET", "/api?page=2", writer, "", list},
		{"GET", "/%61pi", writer, "", list},
		{"GET", "/account/info", op, "", account},
		{"GET", "/account/info", reader, "", account},

		{"GET", "/api", "", "", unauthorized},
		{"GET", "/api", "live_sandbox_0000000000000000000000000000000000000000", "", unauthorized},
		{"GET", "/api", op[:len(op)-1], "", unauthorized},
		{"GET", "/api", op + "0", "", unauthorized},
		{"GET", "/api", strings.ToUpper(op), "", unauthorized},
		{"GET", "/api", hash(writer), "", unauthorized}, // what the file holds is no credential
		{"GET", "/account/info", "wrong", "", unauthorized},
		{"POST", "/api/generate", "wrong", `{"name":"x","write":"on"}`, unauthorized},
		{"DELETE", "/api/10000/delete", "wrong", "", unauthorized},

		{"POST", "/api/generate", reader, `{"name":"x","write":"off"}`, readOnly},
		{"POST", "/api/generate", reader, `{`, readOnly},
		{"DELETE", "/api/10000/delete", reader, "", readOnly},
		{"DELETE", "/api/10004/delete", reader, "", readOnly}, // not even itself
		{"DELETE", "/api/1/delete", reader, "", readOnly},

		{"DELETE", "/api/1/delete", op, "", errorBody("API key not found.")},
		{"DELETE", "/api/010000/delete", op, "", errorBody("API key not found.")},
		{"DELETE", "/api/+10000/delete", op, "", errorBody("API key not found.")},
		{"DELETE", "/api/ci-deploy/delete", op, "", errorBody("API key not found.")},
		{"DELETE", "/api//delete", op, "", errorBody("API key not found.")},
		{"DELETE", "/api/..%2F..%2Fcloud/delete", op, "", errorBody("API key not found.")},
		{"DELETE", "/api/..%2Fapi%2F10000/delete", op, "", errorBody("API key not found.")},
		{"DELETE", "/api/10000%00/delete", op, "", errorBody("API key not found.")},
		{"DELETE", "/api/operator/delete", op, "", errorBody("API key not found.")},

		// An address that does not exist needs no credential to say so.
		{"GET", "", op, "", errorBody("Invalid API endpoint.")},
		{"GET", "/", op, "", errorBody("Invalid API endpoint.")},
		{"GET", "/api/", op, "", errorBody("Invalid API endpoint.")},
		{"GET", "//api", op, "", errorBody("Invalid API endpoint.")},
		{"GET", "/API", op, "", errorBody("Invalid API endpoint.")},
		{"GET", "/cloud", "", "", errorBody("Invalid API endpoint.")},
		{"GET", "/account", op, "", errorBody("Invalid API endpoint.")},
		{"GET", "/../v2/api", op, "", errorBody("Invalid API endpoint.")},
		{"GET", "%2Fapi", op, "", errorBody("Invalid API endpoint.")},
		{"DELETE", "/api/../api/10000/delete", op, "", errorBody("Invalid API endpoint.")},
		{"DELETE", "/api/10000", op, "", errorBody("Invalid API endpoint.")},
		{"DELETE", "/api/10000/delete/", op, "", errorBody("Invalid API endpoint.")},

		{"POST", "/api", op, `{"name":"x","write":"on"}`, errorBody("Invalid request method for this API endpoint.")},
		{"GET", "/api/generate", op, "", errorBody("Invalid request method for this API endpoint.")},
		{"PUT", "/api/generate", op, `{"name":"x","write":"on"}`, errorBody("Invalid request method for this API endpoint.")},
		{"GET", "/api/10000/delete", op, "", errorBody("Invalid request method for this API endpoint.")},
		{"POST", "/api/10000/delete", op, "", errorBody("Invalid request method for this API endpoint.")},
		{"POST", "/account/info", op, "", errorBody("Invalid request method for this API endpoint.")},
		{"OPTIONS", "/api", op, "", errorBody("Invalid request method for this API endpoint.")},
		{"delete", "/api/10000/delete", op, "", errorBody("Invalid request method for this API endpoint.")},
	} {
		g := do(t, s, tt.method, tt.path, tt.secret, tt.body)
		if g.status != 200 || g.body != tt.want {
			t.Errorf("%s %s: %d %s\nwant %s", tt.method, tt.path, g.status, g.body, tt.want)
		}
		if ct, date := g.header.Get("Content-Type"), g.header.Get("Date"); ct != "application/json" || date != "Mon, 23 Nov 2026 09:30:00 GMT" {
			t.Errorf("%s %s: Content-Type %q, Date %q", tt.method, tt.path, ct, date)
		}
	}
	if g := do(t, s, "GET", "/api", op, ""); g.body != list {
		t.Errorf("a refused request changed the list: %s", g.body)
	}
}

func TestCreate(t *testing.T) {
	t.Parallel()
	const badJSON, badName = "The request body is not a valid JSON object.", "The name field is required."
	const badWrite = `The write field is required and must be "on" or "off".`
	for _, tt := range []struct {
		body string
		want string // the list's line of the new token, or the error
	}{
		{`{"name":"a","write":"on"}`, "10004 a 1"},
		{`{"name":"a","write":"1"}`, "10004 a 1"},
		{`{"name":"a","write":1}`, "10004 a 1"},
		{`{"name":"a","write":true}`, "10004 a 1"},
		{`{"name":"a","write":"true"}`, "10004 a 1"},
		{`{"name":"a","write":"\u006fn"}`, "10004 a 1"},
		{`{"name":"a","write":"off"}`, "10004 a 0"},
		{`{"name":"a","write":"0"}`, "10004 a 0"},
		{`{"name":"a","write":0}`, "10004 a 0"},
		{`{"name":"a","write":false}`, "10004 a 0"},
		{`{"name":"a","write":"false"}`, "10004 a 0"},
		{`{"name":"a","write":""}`, "10004 a 0"},
		{` {"write":"off", "name":"a", "more":[1]}` + "\r\n", "10004 a 0"},
		// Names are text typed by people, kept as they are.
		{`{"name":"grafana","write":"on"}`, "10004 grafana 1"},
		{`{"name":" a ","write":"on"}`, "10004  a  1"},
		{`{"name":"<b>&\"'/\\ ünïcode 名前 🙂","write":"on"}`, "10004 <b>&\"'/\\ ünïcode 名前 🙂 1"},
		{`{"name":"\u001b[31m\r\n\t\u0000\u202e\u2028","write":"on"}`, "10004 \x1b[31m\r\n\t\x00\u202e\u2028 1"},
		{`{"name":"` + strings.Repeat("n", 4000) + `","write":"on"}`, "10004 " + strings.Repeat("n", 4000) + " 1"},

		{`{"name":"a"}`, badWrite},
		{`{"name":"a","write":null}`, badWrite},
		{`{"name":"a","write":"ON"}`, badWrite},
		{`{"name":"a","write":"yes"}`, badWrite},
		{`{"name":"a","write":" on"}`, badWrite},
		{`{"name":"a","write":2}`, badWrite},
		{`{"name":"a","write":[]}`, badWrite},
		{`{"name":"a","write":{"on":1}}`, badWrite},
		{`{"name":"a","Write":"on"}`, badWrite}, // a misspelt field is not there
		{`{"name":"a","scope":"on"}`, badWrite},
		{`{"Name":"a","write":"on"}`, badName},
		{`{"write":"on"}`, badName},
		{`{"name":"","write":"on"}`, badName},
		{`{"name":null,"write":"on"}`, badName},
		{`{"name":7,"write":"on"}`, badName},
		{`{"name":["a"],"write":"on"}`, badName},
		{`{}`, badName},
		{`null`, badName},
		{``, badJSON},
		{`[]`, badJSON},
		{`"a"`, badJSON},
		{`{"name":"a","write":"on"`, badJSON},
		{`{"name":"a","write":"on"} x`, badJSON},
		{"\xef\xbb\xbf" + `{"name":"a","write":"on"}`, badJSON},
		{"{\"name\":\"a\xff\",\"write\":\"on\"}", badJSON},
		{`name=a&write=on`, badJSON},
	} {
		s := Memory()
		g := do(t, s, "POST", "/api/generate", operator(t, s), tt.body)
		made := tokens(t, s)[4:]
		if id, _, ok := strings.Cut(tt.want, " "); ok && id == "10004" {
			if !slices.Equal(made, []string{tt.want}) {
				t.Errorf("%.80q made %q, want %q", tt.body, made, tt.want)
			}
			secret := secretIn(t, g.body)
			if random, ok := strings.CutPrefix(secret, "live_sandbox_"); !ok || len(random) < 32 {
				t.Errorf("secret %q", secret)
			}
			if use := do(t, s, "GET", "/api", secret, ""); !slices.Contains(parseList(t, use.body), tt.want) {
				t.Errorf("the new secret does not work: %s", use.body)
			}
			continue
		}
		if g.status != 200 || g.body != errorBody(tt.want) || len(made) > 0 {
			t.Errorf("%.80q: %d %s and %q, want %q", tt.body, g.status, g.body, made, tt.want)
		}
	}
}

// A deleted token's secret is refused at once, its id never comes back, and a
// write token may do what the operator may.
func TestLifeOfAToken(t *testing.T) {
	t.Parallel()
	s := Memory()
	first, second := mustCreate(t, s, "twin", "on"), mustCreate(t, s, "twin", "on")
	if g := do(t, s, "DELETE", "/api/10004/delete", second, ""); g.body != `{"status":"success","message":"API has been deleted"}` {
		t.Fatal(g.body)
	}
	if g := do(t, s, "GET", "/api", first, ""); g.body != errorBody(msgUnauthorized) {
		t.Errorf("a deleted secret still works: %s", g.body)
	}
	if g := do(t, s, "DELETE", "/api/10004/delete", second, ""); g.body != errorBody(msgNotFound) {
		t.Errorf("deleted twice: %s", g.body)
	}
	third := secretIn(t, do(t, s, "POST", "/api/generate", second, `{"name":"third","write":"off"}`).body)
	if g := do(t, s, "DELETE", "/api/10005/delete", second, ""); !strings.Contains(g.body, "success") {
		t.Errorf("a token cannot delete itself: %s", g.body)
	}
	for i := range 4 {
		do(t, s, "DELETE", fmt.Sprintf("/api/%d/delete", 10000+i), operator(t, s), "")
	}
	do(t, s, "DELETE", "/api/10006/delete", operator(t, s), "")
	if g := do(t, s, "GET", "/api", operator(t, s), ""); g.body != `{"status":"success","api":[]}` {
		t.Errorf("an empty list: %s", g.body)
	}
	mustCreate(t, s, "later", "off")
	if got := tokens(t, s); !slices.Equal(got, []string{"10007 later 0"}) {
		t.Errorf("ids come back: %q", got)
	}
	op := operator(t, s)
	if err := s.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	if g := do(t, s, "GET", "/api", op, ""); g.body != seedList {
		t.Errorf("after reset: %s", g.body)
	}
	if g := do(t, s, "GET", "/api", third, ""); g.body != errorBody(msgUnauthorized) {
		t.Errorf("a secret survived reset: %s", g.body)
	}
}

func TestAuthorizationHeader(t *testing.T) {
	t.Parallel()
	s := Memory()
	op := operator(t, s)
	for _, tt := range []struct {
		values []string
		ok     bool
	}{
		{[]string{"Bearer " + op}, true},
		{[]string{"bearer " + op}, true},
		{[]string{"Bearer  " + op + " "}, true},
		{nil, false},
		{[]string{""}, false},
		{[]string{op}, false},
		{[]string{"Bearer"}, false},
		{[]string{"Bearer "}, false},
		{[]string{"Bearer" + op}, false},
		{[]string{"Basic " + op}, false},
		{[]string{"Bearer Bearer " + op}, false},
		{[]string{`Bearer "` + op + `"`}, false},
		{[]string{"Bearer " + op, "Bearer " + op}, false},
	} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", BaseURL+"/api", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header["Authorization"] = tt.values
		resp, err := s.Transport().RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if ok := strings.HasPrefix(string(body), `{"status":"success"`); ok != tt.ok {
			t.Errorf("%d values: accepted %v, want %v", len(tt.values), ok, tt.ok)
		}
	}
}

func TestBodyTooLarge(t *testing.T) {
	t.Parallel()
	s := Memory()
	addr := serve(t, s)
	frame := `{"name":"","write":"on"}`
	fits := `{"name":"` + strings.Repeat("n", 1<<20-len(frame)) + `","write":"on"}`
	if g := send(t, newClient(), "POST", "http://"+addr+"/v2/api/generate", operator(t, s), fits+" "); g.status != 413 || g.body != errorBody(msgTooLarge) {
		t.Errorf("one byte too many: %d %.100s", g.status, g.body)
	}
	if got := tokens(t, s); len(got) != 4 {
		t.Errorf("it made a token: %.200q", got)
	}
	secretIn(t, send(t, newClient(), "POST", "http://"+addr+"/v2/api/generate", operator(t, s), fits).body)
}

func TestServe(t *testing.T) {
	t.Parallel()
	t.Run("only loopback", func(t *testing.T) {
		t.Parallel()
		ln, err := net.Listen("tcp", "0.0.0.0:0")
		if err != nil {
			t.Skip(err)
		}
		if err := Memory().Serve(t.Context(), ln); err == nil || !strings.Contains(err.Error(), "not a loopback address") {
			t.Errorf("error %v", err)
		}
		if _, err := ln.Accept(); err == nil {
			t.Error("the listener is still open")
		}
	})
	t.Run("a broken listener", func(t *testing.T) {
		t.Parallel()
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if err := ln.Close(); err != nil {
			t.Fatal(err)
		}
		if err := Memory().Serve(t.Context(), ln); err == nil {
			t.Error("no error")
		}
	})
	t.Run("a request under way is finished", func(t *testing.T) {
		t.Parallel()
		release := make(chan struct{})
		f := NewFaults(Rule{Hold: release})
		s := Memory(WithFaults(f))
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Serve(ctx, ln) }()
		answered := make(chan error, 1)
		op := operator(t, s)
		go func() {
			g, err := roundTrip(context.WithoutCancel(ctx), newClient(), "GET", "http://"+ln.Addr().String()+"/v2/api", op, "")
			if err == nil && g.body != seedList {
				err = fmt.Errorf("answer %q", g.body)
			}
			answered <- err
		}()
		if err := f.Await(t.Context(), func(r []Request) bool { return len(r) == 1 }); err != nil {
			t.Fatal(err)
		}
		stop()
		close(release)
		if err := <-answered; err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// The Date header is the Sandbox's clock, so that tests can play tomorrow.
func TestClock(t *testing.T) {
	t.Parallel()
	now := time.Date(2027, 1, 31, 18, 29, 59, 0, time.UTC) // one second to midnight in India
	s := Memory(WithClock(func() time.Time { now = now.Add(time.Second); return now }))
	g := do(t, s, "POST", "/api/generate", operator(t, s), `{"name":"x","write":"on"}`)
	if date := g.header.Get("Date"); date != "Sun, 31 Jan 2027 18:30:01 GMT" {
		t.Errorf("Date %q", date)
	}
	if list := do(t, s, "GET", "/api", operator(t, s), ""); !strings.Contains(list.body, `"created_at":"2027-02-01 00:00:00"`) {
		t.Errorf("list %s", list.body)
	}
}
