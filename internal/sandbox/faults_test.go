package sandbox

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// ways are the two ways to a Sandbox. What a fault does holds on both; only the
// words of a broken connection differ.
func ways(t *testing.T, test func(t *testing.T, open func(rules ...Rule) (f *Faults, s *Sandbox, c *http.Client, base string))) {
	t.Parallel()
	for _, way := range []string{"http", "in process"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			test(t, func(rules ...Rule) (*Faults, *Sandbox, *http.Client, string) {
				f := NewFaults(rules...)
				s := Memory(WithClock(aMoment), WithFaults(f))
				if way == "http" {
					return f, s, newClient(), "http://" + serve(t, s) + "/v2"
				}
				return f, s, inProcess(s), BaseURL
			})
		})
	}
}

const createX = `{"name":"x","write":"off"}`

// stored lists what the store holds, past all faults.
func stored(t *testing.T, s *Sandbox) []string {
	t.Helper()
	var all []string
	err := s.store.update(t.Context(), func(st *state) bool {
		for _, tok := range st.Tokens[4:] {
			w := tok.wire()
			all = append(all, w.ID+" "+w.Name+" "+w.Write)
		}
		return false
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Every fault on a create: what the client gets, and whether there is a token.
func TestFaultsOnCreate(t *testing.T) {
	const made = "10004 x 0"
	closed := make(chan struct{})
	close(closed)
	for name, tt := range map[string]struct {
		rule   Rule
		effect bool
		broken bool   // the connection breaks
		status int    // of the answer, 200 if zero
		body   string // the whole body; "…" for a success of the service's
		header http.Header
	}{
		"nothing":              {rule: Rule{}, effect: true, body: "…"},
		"wait for nothing":     {rule: Rule{Delay: 1, Hold: closed, HoldAfter: closed}, effect: true, body: "…"},
		"drop before":          {rule: Rule{DropBefore: true}, broken: true},
		"drop after":           {rule: Rule{DropAfter: true}, effect: true, broken: true},
		"truncate":             {rule: Rule{Truncate: true}, effect: true, broken: true},
		"truncate a page":      {rule: Rule{Truncate: true, Body: "<html>and so on", Status: 502}, broken: true},
		"500, nothing":         {rule: Rule{Status: 500}, status: 500},
		"500 after":            {rule: Rule{Status: 500, Effect: true}, effect: true, status: 500},
		"201 with the body":    {rule: Rule{Status: 201, KeepBody: true}, effect: true, status: 201, body: "…"},
		"204":                  {rule: Rule{Status: 204, Effect: true}, effect: true, status: 204},
		"refusal":              {rule: Rule{Body: `{"status":"error","message":"no"}`}, body: `{"status":"error","message":"no"}`},
		"garbage":              {rule: Rule{Body: "\x00\xff{[", Effect: true}, effect: true, body: "\x00\xff{["},
		"page":                 {rule: Rule{Body: "<html>"}, body: "<html>", header: http.Header{"Content-Type": {"text/html; charset=UTF-8"}}},
		"prefix":               {rule: Rule{Prefix: "\ufeff<br />Notice: x\n"}, effect: true, body: "\ufeff<br />Notice: x\n…"},
		"redirect":             {rule: Rule{RedirectTo: "http://127.0.0.1:1/x"}, status: 302, header: http.Header{"Location": {"http://127.0.0.1:1/x"}}},
		"redirect 307 after":   {rule: Rule{RedirectTo: "/v2/api", Status: 307, Effect: true}, effect: true, status: 307, header: http.Header{"Location": {"/v2/api"}}},
		"retry after":          {rule: Rule{RetryAfter: "3"}, status: 429, header: http.Header{"Retry-After": {"3"}}},
		"503 with retry after": {rule: Rule{RetryAfter: "Mon, 23 Nov 2026 09:30:03 GMT", Status: 503}, status: 503, header: http.Header{"Retry-After": {"Mon, 23 Nov 2026 09:30:03 GMT"}}},
		"header":               {rule: Rule{Header: http.Header{"Date": {"yesterday"}, "X-A": {"b"}}}, effect: true, body: "…", header: http.Header{"Date": {"yesterday"}, "X-A": {"b"}}},
	} {
		t.Run(name, func(t *testing.T) {
			ways(t, func(t *testing.T, open func(...Rule) (*Faults, *Sandbox, *http.Client, string)) {
				rule := tt.rule
				rule.Method, rule.Path = "POST", "/v2/api/generate"
				f, s, c, base := open(rule)
				g, err := roundTrip(t.Context(), c, "POST", base+"/api/generate", operator(t, s), createX)
				want := []string(nil)
				if tt.effect {
					want = []string{made}
				}
				if all := stored(t, s); !slices.Equal(all, want) {
					t.Errorf("made %q, want %q", all, want)
				}
				r := f.Requests()
				if len(r) != 1 || f.Count("POST", "/v2/api/generate") != 1 {
					t.Fatalf("requests: %+v", r)
				}
				if r[0].Effect != tt.effect || (r[0].By == "operator") != tt.effect || r[0].Body != createX {
					t.Errorf("recorded %+v", r[0])
				}
				if (err != nil) != tt.broken {
					t.Fatalf("error %v, answer %+v", err, g)
				}
				if tt.broken {
					if errors.As(err, new(*StoreError)) || base == BaseURL && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
						t.Errorf("error %v", err)
					}
					if tt.rule.Truncate && (g.body == "" || !errors.Is(err, io.ErrUnexpectedEOF)) {
						t.Errorf("error %v after %q", err, g.body)
					}
					return
				}
				if status := max(tt.status, 200); g.status != status || r[0].Status != status {
					t.Errorf("status %d, recorded %d, want %d", g.status, r[0].Status, status)
				}
				if before, whole := strings.CutSuffix(tt.body, "…"); whole {
					own, ok := strings.CutPrefix(g.body, before)
					if !ok {
						t.Errorf("body %q, want it to start with %q", g.body, before)
					}
					secretIn(t, own)
				} else if g.body != tt.body {
					t.Errorf("body %q, want %q", g.body, tt.body)
				}
				for key := range tt.header {
					if g.header.Get(key) != tt.header.Get(key) {
						t.Errorf("%s: %q, want %q", key, g.header.Get(key), tt.header.Get(key))
					}
				}
			})
		})
	}
}

// A rule acts on the requests it names, and on no others.
func TestWhichRequests(t *testing.T) {
	no := func(change func(*Rule)) Rule {
		r := Rule{Body: "no"}
		change(&r)
		return r
	}
	requests := [][2]string{
		{"GET", "/api"}, {"DELETE", "/api/1/delete"}, {"GET", "/account/info"}, {"GET", "/api"},
		{"POST", "/api/generate"}, {"GET", "/api"}, {"DELETE", "/api/a%2Fb/delete"}, {"GET", "/api"},
	}
	for name, tt := range map[string]struct {
		rule Rule
		want string // which of the requests it acts on
	}{
		"all":          {no(func(*Rule) {}), "01234567"},
		"method":       {no(func(r *Rule) { r.Method = "GET" }), "02357"},
		"path":         {no(func(r *Rule) { r.Path = "/v2/api" }), "0357"},
		"pattern":      {no(func(r *Rule) { r.Path = "/v2/api/*/delete" }), "16"},
		"both":         {no(func(r *Rule) { r.Method, r.Path = "GET", "/v2/*/*" }), "2"},
		"none":         {no(func(r *Rule) { r.Method = "PUT" }), ""},
		"match":        {no(func(r *Rule) { r.Match = func(r *http.Request) bool { return r.URL.RawPath != "" } }), "6"},
		"second":       {no(func(r *Rule) { r.Path, r.Nth, r.Times = "/v2/api", 2, 1 }), "3"},
		"second on":    {no(func(r *Rule) { r.Path, r.Nth = "/v2/api", 2 }), "357"},
		"first two":    {no(func(r *Rule) { r.Path, r.Times = "/v2/api", 2 }), "03"},
		"after create": {no(func(r *Rule) { r.Path, r.AfterCreate = "/v2/api", true }), "57"},
		"after, 2nd":   {no(func(r *Rule) { r.Path, r.AfterCreate, r.Nth = "/v2/api", true, 2 }), "7"},
	} {
		t.Run(name, func(t *testing.T) {
			ways(t, func(t *testing.T, open func(...Rule) (*Faults, *Sandbox, *http.Client, string)) {
				f, s, c, base := open(tt.rule)
				op, got := operator(t, s), ""
				for i, r := range requests {
					if send(t, c, r[0], base+r[1], op, createX).body == "no" {
						got += string(rune('0' + i))
					}
				}
				if got != tt.want {
					t.Errorf("acted on %q, want %q", got, tt.want)
				}
				if n := f.Count("", ""); n != len(requests) {
					t.Errorf("%d recorded", n)
				}
				if n := f.Count("DELETE", "/v2/api/*/delete"); n != 2 {
					t.Errorf("%d deletes recorded", n)
				}
				f.Clear()
				if send(t, c, "GET", base+"/api", op, "").body == "no" {
					t.Error("it acts after Clear")
				}
			})
		})
	}
}

// The first rule that acts is the only one, and the others count all the same.
func TestSeveralRules(t *testing.T) {
	t.Parallel()
	f := NewFaults(Rule{Body: "1", Times: 1}, Rule{Body: "2", Times: 2})
	f.Add(Rule{Body: "3", Nth: 4, Times: 1})
	s := Memory(WithFaults(f))
	got := ""
	for range 5 {
		got += do(t, s, "GET", "/nowhere", "", "").body[:1]
	}
	if got != "12{3{" {
		t.Errorf("answers %q", got)
	}
	defer func() {
		if recover() == nil {
			t.Error("a bad pattern is taken")
		}
	}()
	f.Add(Rule{Path: "[", Body: "never"})
}

// What a rule makes of a new token.
func TestTamperedCreate(t *testing.T) {
	for name, tt := range map[string]struct {
		rule Rule
		body string
		want string
	}{
		"write after all":  {Rule{ForceWrite: true}, createX, "10004 x 1"},
		"name cut":         {Rule{CutName: 5}, `{"name":"ci.expires-20261223T0930Z","write":"on"}`, "10004 ci.ex 1"},
		"not within é":     {Rule{CutName: 2}, `{"name":"xé","write":"off"}`, "10004 x 0"},
		"short enough":     {Rule{CutName: 3}, `{"name":"xé","write":"off"}`, "10004 xé 0"},
		"both":             {Rule{CutName: 1, ForceWrite: true}, `{"name":"xyz","write":"off"}`, "10004 x 1"},
		"nothing left":     {Rule{CutName: 1}, `{"name":"é","write":"off"}`, ""},
		"not a create":     {Rule{CutName: 1, ForceWrite: true}, `[`, ""},
		"refused elsewise": {Rule{ForceWrite: true}, `{"write":"off"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			ways(t, func(t *testing.T, open func(...Rule) (*Faults, *Sandbox, *http.Client, string)) {
				f, s, c, base := open(tt.rule)
				g := send(t, c, "POST", base+"/api/generate", operator(t, s), tt.body)
				if got := strings.Join(stored(t, s), "|"); got != tt.want {
					t.Errorf("made %q, want %q; answer %s", got, tt.want, g.body)
				}
				if got := f.Requests()[0].Body; got != tt.body {
					t.Errorf("recorded %q, not what was sent", got)
				}
			})
		})
	}
}

func TestRecord(t *testing.T) {
	ways(t, func(t *testing.T, open func(...Rule) (*Faults, *Sandbox, *http.Client, string)) {
		f, s, c, base := open()
		op := operator(t, s)
		secret := secretIn(t, send(t, c, "POST", base+"/api/generate", op, createX).body)
		send(t, c, "GET", base+"/api?a=b", secret, "")
		send(t, c, "DELETE", base+"/api/a%2Fb/delete", "live_test_unknown", "")
		send(t, c, "GET", base+"/account/info", "", "")
		host := strings.TrimSuffix(strings.TrimPrefix(base, "http://"), "/v2")
		for i, want := range []Request{
			{Method: "POST", Path: "/v2/api/generate", By: "operator", Body: createX},
			{Method: "GET", Path: "/v2/api", By: "10004"},
			{Method: "DELETE", Path: "/v2/api/a%2Fb/delete"},
			{Method: "GET", Path: "/v2/account/info"},
		} {
			got := f.Requests()[i]
			auth := "[redacted]"
			if i == 3 {
				auth = ""
			}
			if got.Header.Get("Authorization") != auth {
				t.Errorf("request %d: Authorization %q", i, got.Header.Get("Authorization"))
			}
			got.Header = nil
			want.Host, want.Effect, want.Status = host, true, 200
			if got.Method != want.Method || got.Path != want.Path || got.Host != want.Host || got.Body != want.Body ||
				got.By != want.By || got.Effect != want.Effect || got.Status != want.Status {
				t.Errorf("request %d: %+v, want %+v", i, got, want)
			}
		}
		ended, end := context.WithCancel(t.Context())
		end()
		if err := f.Await(ended, func([]Request) bool { return false }); !errors.Is(err, context.Canceled) {
			t.Errorf("Await: %v", err)
		}
	})
}
