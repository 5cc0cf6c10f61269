package utho

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
)

var ist = time.FixedZone("IST", 19800)

// notice is what PHP may put in front of an answer.
const notice = "<br />\n<b>Notice</b>:  Undefined index: [foo] in {x} of {\"a\": b} and {\"key\"} [] {} " +
	"in <b>/var/www/api.php</b> on line <b>12</b><br />\n"

const page = "<!DOCTYPE html><html><head><script>var a = []; var b = {\"status\":\"success\"}</script></head></html>"

func TestListTokens(t *testing.T) {
	t.Parallel()
	s, base := listen(t, answering(reply(200, someTokens, "Date: Mon, 23 Nov 2026 12:00:00 GMT")))
	list, err := newClient(t, base+"/v2", WithUserAgent("utho/1 (linux/amd64)")).ListTokens(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const want = `[{"id":"10000","name":"ci","access_scope":"write","created_at":"2024-04-22T01:12:36+05:30",` +
		`"created_at_raw":"2024-04-22 01:12:36"},{"id":"10001","name":"grafana","access_scope":"read-only",` +
		`"created_at":"2024-04-22T01:16:51+05:30","created_at_raw":"2024-04-22 01:16:51"}]`
	inJSON, err := json.Marshal(list.Tokens)
	if err != nil || string(inJSON) != want || !list.ServerTime.Equal(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)) {
		t.Errorf("got %s at %s, %v", inJSON, list.ServerTime, err)
	}
	var back []Token
	if err := json.Unmarshal([]byte(want), &back); err != nil || back[1].Scope != ScopeReadOnly {
		t.Error(back, err)
	}
	got := s.requests()[0]
	if got.method != "GET" || got.uri != "/v2/api" || got.body != "" {
		t.Errorf("request %+v", got)
	}
	if h := (http.Header{
		"Authorization": {"Bearer " + testSecret}, "Accept": {"application/json"},
		"User-Agent": {"utho/1 (linux/amd64)"}, "Accept-Encoding": {"gzip"},
	}); !reflect.DeepEqual(got.header, h) {
		t.Errorf("headers %v", got.header)
	}
	list, err = newClient(t, base, WithLocation(time.UTC)).ListTokens(t.Context())
	if err != nil || !list.Tokens[0].CreatedAt.Equal(time.Date(2024, 4, 22, 1, 12, 36, 0, time.UTC)) {
		t.Errorf("%+v, %v", list, err)
	}
}

// One token in every spelling that the service is known to use, and the ones it must not be guessed from.
func TestListElements(t *testing.T) {
	t.Parallel()
	const field = `{"id":"1","name":"n","write":0,` // and a part of the token after it
	for want, elements := range map[any][]string{   // a token, or a part of the error
		Token{ID: "1", Name: "n", Scope: ScopeWrite}: {
			`{"id":"1","name":"n","write":"1"}`, `{"id":"1","name":"n","write":1}`, `{"id":"1","name":"n","write":true}`,
			`{"id":"1","name":"n","write":"on"}`, `{"id":"1","name":"n","write":"true"}`, `{"id":1,"name":"n","write":"\u0031"}`,
		},
		Token{ID: "1", Name: "n", Scope: ScopeReadOnly}: {
			`{"id":"1","name":"n","write":"0"}`, `{"id":"1","name":"n","write":0}`, `{"id":"1","name":"n","write":false}`,
			`{"id":"1","name":"n","write":"off"}`, `{"id":"1","name":"n","write":"false"}`, `{"id":"1","name":"n","write":""}`,
			`{"id":"1","name":"n","write":null}`, field + `"x":[{"write":1}],"y":{"id":2}}`, field + `"created_at":null}`,
			`{"extra":"}]","id":"1","name":"n","write":"0","e2":[["]"]]}`, ` { "id" : 1 , "name" : "n" , "write" : "0" } `,
		},
		"api[0].write is missing": {`{"id":"1","name":"n"}`},
		"api[0].write is \"": {
			`{"id":"1","name":"n","write":"yes"}`, `{"id":"1","name":"n","write":"ON"}`, `{"id":"1","name":"n","write":"null"}`,
			`{"id":"1","name":"n","write":" 1"}`, `{"id":"1","name":"n","write":2}`, `{"id":"1","name":"n","write":1.0}`,
			`{"id":"1","name":"n","write":-1}`, `{"id":"1","name":"n","write":"read"}`, `{"id":"1","name":"n","write":1e0}`,
		},
		`write is "[redacted]", which is no known scope`: {`{"id":"1","name":"n","write":"` + testSecret + `"}`},
		"api[0].write is an array":                       {`{"id":"1","name":"n","write":[]}`, `{"id":"1","name":"n","write":[1]}`},
		"api[0].write is an object":                      {`{"id":"1","name":"n","write":{"a":1}}`},

		Token{ID: "12345678901234567890123", Name: "n", Scope: ScopeReadOnly}: {
			`{"id":12345678901234567890123,"name":"n","write":0}`, `{"id":"12345678901234567890123","name":"n","write":0}`},
		Token{ID: `a/b"é`, Name: "n", Scope: ScopeReadOnly}: {`{"id":"a/b\"é","name":"n","write":0}`},
		Token{ID: "-1", Name: "n", Scope: ScopeReadOnly}:    {`{"id":-1,"name":"n","write":0}`},
		"api[0].id is missing":                              {`{"name":"n","write":0}`, `null`, `{}`, `"1"`, `[]`, `7`},
		"api[0].id is null, not text":                       {`{"id":null,"name":"n","write":0}`},
		"api[0].id is empty":                                {`{"id":"","name":"n","write":0}`},
		"api[0].id is a boolean":                            {`{"id":true,"name":"n","write":0}`},
		"api[0].id is an array":                             {`{"id":["1"],"name":"n","write":0}`},
		"api[0].id is an object":                            {`{"id":{"a":1},"name":"n","write":0}`},
		"api[0].id is a number that is not whole":           {`{"id":1.5,"name":"n","write":0}`, `{"id":1e3,"name":"n","write":0}`},

		Token{ID: "1", Name: "", Scope: ScopeReadOnly}:            {`{"id":"1","name":"","write":0}`},
		Token{ID: "1", Name: "42", Scope: ScopeReadOnly}:          {`{"id":"1","name":42,"write":0}`},
		Token{ID: "1", Name: "a\ufffdb", Scope: ScopeReadOnly}:    {"{\"id\":\"1\",\"name\":\"a\xffb\",\"write\":0}"},
		Token{ID: "1", Name: "सीआई \u200d", Scope: ScopeReadOnly}: {"{\"id\":\"1\",\"name\":\"सीआई \u200d\",\"write\":0}"},
		Token{ID: "1", Name: "\x1b[31m\u202e 😀 /", Scope: ScopeReadOnly}: {
			`{"id":"1","name":"\u001b[31m\u202e \ud83d\ude00 \/","write":0}`},
		"api[0].name is missing":   {`{"id":"1","write":0}`},
		"api[0].name is null":      {`{"id":"1","name":null,"write":0}`},
		"api[0].name is a boolean": {`{"id":"1","name":false,"write":0}`},

		// A time stamp that does not parse is passed through and has no age.
		Token{ID: "1", Name: "n", Scope: ScopeReadOnly, CreatedRaw: "1713728556"}:          {field + `"created_at":1713728556}`},
		Token{ID: "1", Name: "n", Scope: ScopeReadOnly, CreatedRaw: `{"a":[1]}`}:           {field + `"created_at":{"a":[1]}}`},
		Token{ID: "1", Name: "n", Scope: ScopeReadOnly, CreatedRaw: "yesterday\a"}:         {field + `"created_at":"yesterday\u0007"}`},
		Token{ID: "1", Name: "n", Scope: ScopeReadOnly, CreatedRaw: "0000-00-00 00:00:00"}: {field + `"created_at":"0000-00-00 00:00:00"}`},
		Token{ID: "1", Name: "n", Scope: ScopeReadOnly, CreatedRaw: "2023-02-29 00:00:00"}: {field + `"created_at":"2023-02-29 00:00:00"}`},
		Token{ID: "1", Name: "n", Scope: ScopeReadOnly, CreatedRaw: "2024-04-22 1:12:36"}:  {field + `"created_at":"2024-04-22 1:12:36"}`},
	} {
		for _, element := range elements {
			client, s := against(t, ok(`{"status":"success","api":[`+element+`]}`))
			list, err := client.ListTokens(t.Context())
			if text, fails := want.(string); fails {
				if e := mustError(t, err, nil); !strings.Contains(e.Error(), text) || s.count("GET") != 1 {
					t.Errorf("%s: error %q, want %q in it", element, e, text)
				}
			} else if err != nil || list.Tokens[0] != want {
				t.Errorf("%s: got %+v, %v, want %+v", element, list, err, want)
			}
		}
	}
	body := strings.Replace(string(manyTokens(5)), `"1","created_at":"2024-04-22 01:12:36"},{"id":"10004"`, `"x"},{"id":"10004"`, 1)
	client, _ := against(t, ok(body))
	_, err := client.ListTokens(t.Context())
	if e := mustError(t, err, nil); e.Error() != `list tokens: the answer's api[3].write is "x", which is no known scope` {
		t.Error(e)
	}
}

// Every frame that a list can come in: how many tokens it has, or why it is an error, and never an empty or a shorter
// list.
func TestListAnswers(t *testing.T) {
	t.Parallel()
	type fails struct {
		kind error
		text string
	}
	const one = `{"id":1,"name":"a","write":1}`
	for want, answers := range map[any][]string{
		2: {
			someTokens, "\r\n\t " + someTokens + "\n\n", "\ufeff \n" + someTokens, notice + someTokens, notice + "\ufeff" + someTokens,
			"#0 /a.php(12): f(Array)\n#1 {main}\n  thrown\n" + someTokens, `{"debug":[1,2,{"x":{}}]}` + "\n" + someTokens,
			`{}` + someTokens, `[1,2]` + someTokens, `say "{" or "}" {"` + "\n" + someTokens, strings.Repeat("{", 63) + someTokens,
			`[` + someTokens, `{"status":"error","message":"deprecated"}` + someTokens, strings.Repeat("x", 100_000) + someTokens,
			someTokens + notice, someTokens + `{"status":"error","message":"no"}`,
		},
		1: {
			`{"api":[` + one + `],"status":"success"}`, `{"api":[` + one + `]}`, `{"status":"","api":[` + one + `]}`,
			`{"status":null,"api":[` + one + `]}`, `{"status":"SUCCESS","api":[` + one + `]}`,
			`{"st\u0061tus":"success","\u0061pi":[` + one + `]}`, `{"x":{"api":[1]},"status":"success","api":[` + one + `]}`,
		},
		0: {
			`{"status":"success","message":"not found, forbidden","api":[]}`, `{"error":false,"errors":[],"api":[]}`, `{"api":[]}`,
			`{"status":"success","api":[ ]}`, `{"status":"success","api":{ }}`, `{"status":"success","api":null}`,
			`{"status":"success","api":""}`, `{"status":"success","api":false}`, `{"status":"success"}`,
			`{"status":"success","message":"No API found"}`,
		},
		// An answer with neither status nor list is no empty list.
		fails{nil, `the answer holds no "api"`}: {
			`[]`, `{}`, "\ufeff[]\n", "Notice: x in y.php on line 3\n[]\n", `{"status":""}`, `{"message":"Hello"}`, `{"foo":"bar"}`,
			`{"user":{"id":"1"}}`, `[` + one + `]`,
		},
		fails{nil, "says: no"}:               {`{"status":"error","message":"no"}`, `{"status":"error","message":"no","api":[` + one + `]}`},
		fails{nil, "refuses without saying"}: {`{"status":"error"}`},
		fails{nil, `neither "success" nor "error"`}: {
			`{"status":"failed","message":"x","api":[]}`, `{"status":true,"api":[]}`, `{"status":[],"api":[]}`, `{"status":1,"api":[]}`},
		fails{nil, "is given twice with different values"}: {
			`{"status":"success","api":[` + one + `],"api":[]}`, `{"status":"error","api":[],"status":"success"}`},
		fails{nil, "several answers"}: {someTokens + someTokens, someTokens + someTokens[:150]},
		fails{nil, "says: Name too long (E7)"}: {
			`{"errors":[{"message":"Name too long","code":"E7"},{"message":"and bad"}]}`, `{"message":"Name too long","errorcode":"E7"}`,
			`{"status":"error","error":"Name too long","errors":[{"code":"E7"}]}`,
			reply(400, `{"errors":[{"message":"Name too long","code":"E7"}]}`),
		},
		fails{nil, `says: {"name":["bad"]}`}: {
			`{"status":"error","errors":{"name":["bad"]}}`, `{"status":"error","message":{"name":["bad"]}}`, `{"error":{"name":["bad"]},"api":[]}`},
		fails{nil, "éé…"}:                      {`{"status":"error","message":"` + strings.Repeat("é", 1_000_000) + `"}`},
		fails{nil, "bad key [redacted] given"}: {`{"status":"error","message":"bad key ` + testSecret + ` given"}`},
		fails{ErrUnauthorized, "Unauth"}:       {`{"message":"Unauthenticated."}`, `{"status":false,"message":"Unauthorized access"}`},
		fails{ErrForbidden, "permission"}:      {`{"status":"error","message":"You do not have permission"}`},
		fails{nil, "Route not found"}:          {`{"status":"error","message":"Route not found"}`},
		fails{nil, "not a list"}: {
			`{"status":"success","api":"none"}`, `{"status":"success","api":true}`, `{"status":"success","api":0}`,
			`{"status":"success","api":{"0":` + one + `}}`,
		},
		fails{nil, "not JSON"}: {"PHP Fatal error: x.php\n", "OK", "null", `"success"`, `{'status':'success'}`},
		fails{nil, "broken JSON"}: {
			`{"status":"success","api":[` + one + `,]}`, `{"status":"success" "api":[]}`, `{"status":"success",,"api":[]}`,
			`{"status":"success",}`, "{\"status\":\"success\",\"api\":[{\"name\":\"a\nb\"}]}", `{"status":"success","api":[{"z":"\x"}]}`,
			`{"status":"success","api":[` + one + `}}`, `{"status":"success","api":[` + one + `, oops {"status":"success"}]}`,
		},
		fails{nil, "ends in the middle"}: {
			someTokens[:len(someTokens)-1], someTokens[:120], someTokens[:5], notice + someTokens[:100],
			`{"api":[{"id":1,"name":"a","write":1,"status":"success"},{"id":`, `{"x":{"status":"success","api":[]},"y":`,
		},
		fails{nil, "JSON"}: {strings.Repeat("[", 1_000_000), strings.Repeat(`{"a":`, 200_000)},

		// A wrong address, not a rejected token.
		fails{ErrWrongAddress, "/api: the answer is empty; the service is at https://api.utho.com/v2"}: {
			"", "\ufeff \r\n", "HTTP/1.1 204 No Content\r\n\r\n"},
		fails{ErrWrongAddress, "/api: a web page came back instead of JSON; the service is at https://api.utho.com/v2"}: {
			page, "\n <head>x</head>", reply(200, "hello", "Content-Type: text/html; charset=utf-8"), reply(404, page)},
		fails{ErrWrongAddress, "list tokens: the service says: Not Found GET: wrong address http://127.0.0.1:"}: {
			reply(401, `{"status":"error","message":"Not Found GET"}`), `{"status":"error","message":"Not Found GET"}`},
		fails{ErrWrongAddress, "there is no such path"}: {reply(404, "")},

		fails{ErrUnauthorized, "HTTP 401 Unauthorized"}: {
			reply(401, ""), reply(401, page), reply(401, `{"status":"error","message":"Not Found POST"}`)},
		fails{ErrUnauthorized, "HTTP 403 Forbidden: the service says: Invalid API key"}: {reply(403, `{"message":"Invalid API key"}`)},
		fails{ErrForbidden, "HTTP 403 Forbidden: the service says: nope"}:               {reply(403, `{"error":"nope"}`)},
		fails{nil, "HTTP 418 I'm a teapot"}:                                             {reply(418, someTokens)},
		fails{nil, "HTTP 500 Internal Server Error"}: {
			reply(500, `{"status":"error","message":"Not Found GET"}`), reply(500, page), reply(500, someTokens)},
		fails{nil, "HTTP 101 Switching Protocols: the answer cannot be read as HTTP"}: {
			"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"},
		fails{nil, "HTTP 304"}: {"HTTP/1.1 304 Not Modified\r\n\r\n"},
	} {
		for _, raw := range answers {
			if !strings.HasPrefix(raw, "HTTP/1.1 ") {
				raw = ok(raw)
			}
			client, s := against(t, raw)
			list, err := client.ListTokens(t.Context())
			w, no := want.(fails)
			switch {
			case !no && (err != nil || len(list.Tokens) != want || list.Tokens == nil):
				t.Errorf("%.300s: %v tokens wanted: %+v, %v", raw, want, list, err)
			case no && list != nil:
				t.Errorf("%.300s: a list: %+v", raw, list)
			case no:
				e := mustError(t, err, w.kind)
				if !strings.HasPrefix(e.Error(), "list tokens: ") || !strings.Contains(e.Error(), w.text) {
					t.Errorf("%.300s: error %q, want %q in it", raw, e, w.text)
				}
				if n := s.count("GET"); n != 1 || !e.Sent || e.Attempts != 1 {
					t.Errorf("%.300s: %d requests, sent %v, attempts %d", raw, n, e.Sent, e.Attempts)
				}
			}
		}
	}
}

// At its default address the service itself says so, and there is no other to name.
func TestWrongAddressAtTheDefault(t *testing.T) {
	t.Parallel()
	s, transport := piped(answering(reply(401, `{"status":"error","message":"Not Found GET"}`)))
	t.Cleanup(transport.CloseIdleConnections)
	transport.DialTLSContext = transport.DialContext
	_, err := through(t, transport).ListTokens(t.Context())
	want := "list tokens: the service says: Not Found GET: https://api.utho.com/v2/api: there is no such path"
	if e := mustError(t, err, ErrWrongAddress); e.Error() != want || s.count("GET") != 1 {
		t.Error(e)
	}
}

// A list may be as long as it likes up to the bound.
func TestLongList(t *testing.T) {
	t.Parallel()
	const n = 20_000
	body := notice + string(manyTokens(n)) + notice
	for _, raw := range []string{ok(body), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body} {
		client, _ := against(t, raw)
		list, err := client.ListTokens(t.Context())
		if err != nil || len(list.Tokens) != n {
			t.Fatal(err)
		}
		for i, tok := range list.Tokens {
			if tok.ID != fmt.Sprint(10000+i) || tok.Name != fmt.Sprintf("token-%d", i) || tok.Scope != ScopeReadOnly+Scope(i%2) {
				t.Fatalf("token %d: %+v", i, tok)
			}
		}
	}
}

// BenchmarkDecodeList is what a list costs beyond the network.
func BenchmarkDecodeList(b *testing.B) {
	for _, n := range []int{10, 1_000, 10_000} {
		c := &Client{}
		a := &answer{body: manyTokens(n)}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				o, err := a.find("api")
				if tokens, err2 := o.readTokens(ist, c.redact); err != nil || err2 != nil || len(tokens) != n {
					b.Fatal(err, err2)
				}
			}
		})
	}
}
