package sandbox

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// What is asked, by whom, and the answer, in process, at a time that stands still.
func TestAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		op := operator(t, s)
		reader, writer := mustCreate(t, s, "reader", "off"), mustCreate(t, s, "writer", "on")
		list := strings.TrimSuffix(seedList, "]}") +
			`,{"id":"10004","name":"reader","write":"0","created_at":"2000-01-01 05:30:00"}` +
			`,{"id":"10005","name":"writer","write":"1","created_at":"2000-01-01 05:30:00"}]}`
		const createX = `{"name":"x","write":"on"}`

		for _, tt := range []struct {
			method, path, secret, body string
			status                     int
			want                       string
		}{
			{"GET", "/api", op, "", 200, list},
			{"GET", "/api/", reader, "", 200, list},
			{"GET", "/api?page=2", writer, "", 200, list},
			{"GET", "/account/info/", reader, "", 200, accountBody},

			{"GET", "/api", "", "", 200, errorBody(msgUnauthorized)},
			{"GET", "/api", op[:len(op)-1], "", 200, errorBody(msgUnauthorized)},
			{"GET", "/api", hash(writer), "", 200, errorBody(msgUnauthorized)}, // what the file holds is no credential
			{"GET", "/account/info", "wrong", "", 200, errorBody(msgUnauthorized)},
			{"POST", "/api/generate", "wrong", createX, 200, errorBody(msgUnauthorized)},
			{"DELETE", "/api/10000/delete", "wrong", "", 200, errorBody(msgUnauthorized)},

			{"POST", "/api/generate/", reader, createX, 200, errorBody(msgReadOnly)},
			{"DELETE", "/api/10004/delete/", reader, "", 200, errorBody(msgReadOnly)}, // not even itself

			{"DELETE", "/api/010000/delete", op, "", 200, errorBody(msgUnknownID)},
			{"DELETE", "/api/..%2Fapi%2F10000/delete", op, "", 200, errorBody(msgUnknownID)},
			{"DELETE", "/api/10000%00/delete", op, "", 200, errorBody(msgUnknownID)},
			{"DELETE", "/api/operator/delete", op, "", 200, errorBody(msgUnknownID)},

			// A path that does not exist, or not for this method, needs no credential to say so.
			{"GET", "", op, "", 401, errorBody("Not Found GET")},
			{"GET", "/", "", "", 401, errorBody("Not Found GET")},
			{"GET", "/api//", op, "", 401, errorBody("Not Found GET")},
			{"GET", "/API", op, "", 401, errorBody("Not Found GET")},
			{"POST", "/api", op, createX, 401, errorBody("Not Found POST")},
			{"DELETE", "/api//delete", op, "", 401, errorBody("Not Found DELETE")},
			{"DELETE", "/api/10000?x=/delete", op, "", 401, errorBody("Not Found DELETE")},
			{"DELETE", "/api/../api/10000/delete", op, "", 401, errorBody("Not Found DELETE")},
			{"delete", "/api/10000/delete", op, "", 401, errorBody("Not Found delete")},
		} {
			g := do(t, s, tt.method, tt.path, tt.secret, tt.body)
			if g.status != tt.status || g.body != tt.want {
				t.Errorf("%s %s: %d %s\nwant %d %s", tt.method, tt.path, g.status, g.body, tt.status, tt.want)
			}
			kind, date := g.header.Get("Content-Type"), g.header.Get("Date")
			if kind != "application/json" || date != "Sat, 01 Jan 2000 00:00:00 GMT" {
				t.Errorf("%s %s: Content-Type %q, Date %q", tt.method, tt.path, kind, date)
			}
		}
		if g := do(t, s, "GET", "/api", op, ""); g.body != list {
			t.Errorf("a refused request changed the list: %s", g.body)
		}
	})
}

func TestCreate(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{ // the new token's name and write flag, or the error
		`{"name":"a","write":"on"}`: "a 1", `{"name":"a","write":"1"}`: "a 1", `{"name":"a","write":1}`: "a 1",
		`{"name":"a","write":true}`: "a 1", `{"name":"a","write":"\u006fn"}`: "a 1", `{"name":"a","write":"off"}`: "a 0",
		`{"name":"a","write":0}`: "a 0", `{"name":"a","write":false}`: "a 0", `{"name":"a","write":""}`: "a 0",
		` {"write":"off", "name":"a", "more":[1]}` + "\r\n": "a 0",
		// Names are text typed by people, kept as they are.
		`{"name":"grafana","write":"on"}`: "grafana 1", `{"name":" a ","write":"on"}`: " a  1",
		`{"name":"<b>&\"'/\\ ünïcode 名前 🙂","write":"on"}`:            "<b>&\"'/\\ ünïcode 名前 🙂 1",
		`{"name":"\u001b[31m\r\n\t\u0000\u202e\u2028","write":"on"}`: "\x1b[31m\r\n\t\x00\u202e\u2028 1",
		`{"name":"` + strings.Repeat("n", 4000) + `","write":"on"}`:  strings.Repeat("n", 4000) + " 1",

		`{"name":"a"}`: msgWrite, `{"name":"a","write":null}`: msgWrite, `{"name":"a","write":"ON"}`: msgWrite,
		`{"name":"a","write":"yes"}`: msgWrite, `{"name":"a","write":2}`: msgWrite, `{"name":"a","write":[]}`: msgWrite,
		`{"name":"a","Write":"on"}`: msgWrite, `{"Name":"a","write":"on"}`: msgName, // a misspelt field is not there
		`{"name":"","write":"on"}`: msgName, `{"name":null,"write":"on"}`: msgName, `{"name":7,"write":"on"}`: msgName, `null`: msgName,
		``: msgJSON, `[]`: msgJSON, `{"name":"a","write":"on"`: msgJSON, `{"name":"a","write":"on"} x`: msgJSON,
		"\ufeff" + `{"name":"a","write":"on"}`: msgJSON, "{\"name\":\"a\xff\",\"write\":\"on\"}": msgJSON, `name=a&write=on`: msgJSON,
	} {
		st := newState("")
		a, changed := create(st, []byte(body))
		if m, refused := a.body.(messageBody); refused {
			if m.Status != statusError || m.Message != want || changed || len(st.Tokens) != 4 {
				t.Errorf("%.80q: %+v, want %q", body, m, want)
			}
			continue
		}
		listing, _ := list(st)
		listed, ok := listing.body.(listBody)
		if !ok || len(listed.API) != 5 || listed.API[4].Name+" "+listed.API[4].Write != want || !changed {
			t.Errorf("%.80q created %.200q, want %.80q", body, listed.API, want)
		}
		checkKeeps(t, st)
	}
}

// A deleted token's secret is refused at once, its id never comes back, and a write token may do what the operator
// may.
func TestLifeOfAToken(t *testing.T) {
	t.Parallel()
	s := open(t)
	first, second := mustCreate(t, s, "twin", "on"), mustCreate(t, s, "twin", "on")
	if first == second || len(first) < len(SecretPrefix)+32 || !strings.HasPrefix(first, SecretPrefix) {
		t.Errorf("secrets %s and %s", first, second)
	}
	const gone = `{"status":"success","message":"API has been deleted"}`
	unknown, refused := errorBody(msgUnknownID), errorBody(msgUnauthorized)
	for _, step := range []struct{ method, path, secret, want string }{
		{"DELETE", "/api/10004/delete", second, gone},
		{"GET", "/api", first, refused},
		{"DELETE", "/api/10004/delete", second, unknown},
		{"DELETE", "/api/10000/delete", second, gone}, {"DELETE", "/api/10001/delete", second, gone},
		{"DELETE", "/api/10002/delete", second, gone}, {"DELETE", "/api/10003/delete", second, gone},
		{"DELETE", "/api/10005/delete", second, gone}, // itself
		{"GET", "/api", operator(t, s), `{"status":"success","api":[]}`},
	} {
		if g := do(t, s, step.method, step.path, step.secret, ""); g.body != step.want {
			t.Errorf("%s %s: %s, want %s", step.method, step.path, g.body, step.want)
		}
	}
	later := mustCreate(t, s, "later", "off")
	if got := tokens(t, s); !slices.Equal(got, []string{"10006 later 0"}) {
		t.Errorf("ids come back: %q", got)
	}
	if err := s.Reset(t.Context()); err != nil || do(t, s, "GET", "/api", later, "").body != refused {
		t.Errorf("a token outlived a reset (%v)", err)
	}
}

func TestAuthorizationHeader(t *testing.T) {
	t.Parallel()
	for want, all := range map[string][][]string{
		"x": {{"Bearer x"}, {"bearer x"}, {"Bearer  x "}}, "Bearer x": {{"Bearer Bearer x"}},
		"": {nil, {""}, {"x"}, {"Bearer"}, {"Bearerx"}, {"Basic x"}, {"Bearer x", "Bearer x"}},
	} {
		for _, values := range all {
			if got := bearer(http.Header{"Authorization": values}); got != want {
				t.Errorf("%q: %q, want %q", values, got, want)
			}
		}
	}
}
