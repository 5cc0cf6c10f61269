package utho

import (
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
	want := []Token{
		{"10000", "ci", ScopeWrite, time.Date(2024, 4, 22, 1, 12, 36, 0, ist), "2024-04-22 01:12:36"},
		{"10001", "grafana", ScopeReadOnly, time.Date(2024, 4, 22, 1, 16, 51, 0, ist), "2024-04-22 01:16:51"},
	}
	if !sameTokens(list.Tokens, want) || !list.ServerTime.Equal(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)) {
		t.Errorf("got %+v", list)
	}
	if got := list.Tokens[0].CreatedAt.Format(time.RFC3339); got != "2024-04-22T01:12:36+05:30" {
		t.Error(got)
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

// One token in every spelling that the service is known to use, and the ones it must not be
// guessed from.
func TestListElements(t *testing.T) {
	t.Parallel()
	token := func(id, name string, scope Scope, created string) *Token {
		return &Token{ID: id, Name: name, Scope: scope, CreatedRaw: created}
	}
	const r, w = ScopeReadOnly, ScopeWrite
	for element, want := range map[string]any{ // a token, or a part of the error
		`{"id":"1","name":"n","write":"1"}`:                  token("1", "n", w, ""),
		`{"id":"1","name":"n","write":1}`:                    token("1", "n", w, ""),
		`{"id":"1","name":"n","write":true}`:                 token("1", "n", w, ""),
		`{"id":"1","name":"n","write":"on"}`:                 token("1", "n", w, ""),
		`{"id":"1","name":"n","write":"true"}`:               token("1", "n", w, ""),
		`{"id":"1","name":"n","write":"\u0031"}`:             token("1", "n", w, ""),
		`{"id":"1","name":"n","write":"0"}`:                  token("1", "n", r, ""),
		`{"id":"1","name":"n","write":0}`:                    token("1", "n", r, ""),
		`{"id":"1","name":"n","write":false}`:                token("1", "n", r, ""),
		`{"id":"1","name":"n","write":"off"}`:                token("1", "n", r, ""),
		`{"id":"1","name":"n","write":"false"}`:              token("1", "n", r, ""),
		`{"id":"1","name":"n","write":""}`:                   token("1", "n", r, ""),
		`{"id":"1","name":"n","write":null}`:                 token("1", "n", r, ""),
		`{"id":"1","name":"n"}`:                              "api[0].write is missing",
		`{"id":"1","name":"n","write":"yes"}`:                `api[0].write is "yes", which is no known scope`,
		`{"id":"1","name":"n","write":"ON"}`:                 "api[0].write",
		`{"id":"1","name":"n","write":"null"}`:               "api[0].write",
		`{"id":"1","name":"n","write":" 1"}`:                 "api[0].write",
		`{"id":"1","name":"n","write":2}`:                    `api[0].write is "2"`,
		`{"id":"1","name":"n","write":1.0}`:                  "api[0].write",
		`{"id":"1","name":"n","write":[]}`:                   "api[0].write is an array",
		`{"id":"1","name":"n","write":{"a":1}}`:              "api[0].write is an object",
		`{"id":"1","name":"n","write":"read"}`:               "api[0].write",
		`{"id":"1","name":"n","write":"` + testSecret + `"}`: `write is "[redacted]"`,

		`{"id":1,"name":"n","write":0}`:                       token("1", "n", r, ""),
		`{"id":12345678901234567890123,"name":"n","write":0}`: token("12345678901234567890123", "n", r, ""),
		`{"id":9007199254740993,"name":"n","write":0}`:        token("9007199254740993", "n", r, ""),
		`{"id":"a/b\"é","name":"n","write":0}`:                token(`a/b"é`, "n", r, ""),
		`{"id":-1,"name":"n","write":0}`:                      token("-1", "n", r, ""),
		`{"name":"n","write":0}`:                              "api[0].id is missing",
		`{"id":null,"name":"n","write":0}`:                    "api[0].id is null, not text",
		`{"id":"","name":"n","write":0}`:                      "api[0].id is empty",
		`{"id":true,"name":"n","write":0}`:                    "api[0].id is a boolean",
		`{"id":["1"],"name":"n","write":0}`:                   "api[0].id is an array",
		`{"id":{"a":1},"name":"n","write":0}`:                 "api[0].id is an object",
		`{"id":1.5,"name":"n","write":0}`:                     "api[0].id is a number that is not whole",
		`{"id":1e3,"name":"n","write":0}`:                     "api[0].id is a number that is not whole",

		`{"id":"1","name":"","write":0}`:                                           token("1", "", r, ""),
		`{"id":"1","name":42,"write":0}`:                                           token("1", "42", r, ""),
		`{"id":"1","name":"\u001b[31m\u202e \ud83d\ude00 \/","write":0}`:           token("1", "\x1b[31m\u202e 😀 /", r, ""),
		"{\"id\":\"1\",\"name\":\"सीआई \u200d\",\"write\":0}":                      token("1", "सीआई \u200d", r, ""),
		"{\"id\":\"1\",\"name\":\"a\xffb\",\"write\":0}":                           token("1", "a\ufffdb", r, ""),
		`{"id":"1","write":0}`:                                                     "api[0].name is missing",
		`{"id":"1","name":null,"write":0}`:                                         "api[0].name is null",
		`{"id":"1","name":false,"write":0}`:                                        "api[0].name is a boolean",
		` { "id" : "1" , "name" : "n" , "write" : "0" , "x" : { "write" : "1" } }`: token("1", "n", r, ""),
		`{"extra":"}]","id":"1","name":"n","write":"0","e2":[["]"]]}`:              token("1", "n", r, ""),

		`{"id":"1","name":"n","write":0,"created_at":null}`:                  token("1", "n", r, ""),
		`{"id":"1","name":"n","write":0,"created_at":1713728556}`:            token("1", "n", r, "1713728556"),
		`{"id":"1","name":"n","write":0,"created_at":{"a":[1]}}`:             token("1", "n", r, `{"a":[1]}`),
		`{"id":"1","name":"n","write":0,"created_at":"yesterday\u0007"}`:     token("1", "n", r, "yesterday\a"),
		`{"id":"1","name":"n","write":0,"created_at":"0000-00-00 00:00:00"}`: token("1", "n", r, "0000-00-00 00:00:00"),
		`{"id":"1","name":"n","write":0,"created_at":"2023-02-29 00:00:00"}`: token("1", "n", r, "2023-02-29 00:00:00"),
		`{"id":"1","name":"n","write":0,"created_at":"2024-04-22 1:12:36"}`:  token("1", "n", r, "2024-04-22 1:12:36"),

		`null`: "api[0].id is missing", `"1"`: "api holds a string, not a token",
		`[]`: "api holds a array, not a token", `7`: "api holds a number", `{}`: "api[0].id is missing",
	} {
		client, s := against(t, ok(`{"status":"success","api":[`+element+`]}`))
		list, err := client.ListTokens(t.Context())
		if tok, fine := want.(*Token); !fine {
			if e := mustError(t, err, nil); !strings.Contains(e.Error(), want.(string)) || s.count("GET") != 1 {
				t.Errorf("%s: error %q, want %q in it", element, e, want)
			}
		} else if err != nil || list.Tokens[0] != *tok {
			t.Errorf("%s: got %+v, %v, want %+v", element, list, err, *tok)
		}
	}
	body := strings.Replace(string(manyTokens(5)), `"1","created_at":"2024-04-22 01:12:36"},{"id":"10004"`, `"x"},{"id":"10004"`, 1)
	client, _ := against(t, ok(body))
	_, err := client.ListTokens(t.Context())
	if e := mustError(t, err, nil); e.Error() != `list tokens: the answer's api[3].write is "x", which is no known scope` {
		t.Error(e)
	}
}

// Every frame that a list can come in. A number is that of its tokens; everything else must be an
// error, never an empty or a shorter list.
func TestListAnswers(t *testing.T) {
	t.Parallel()
	type fails struct {
		kind error
		text string
	}
	const one = `{"id":1,"name":"a","write":1}`
	wrong := ErrWrongAddress
	for raw, want := range map[string]any{
		someTokens:                      2,
		"\r\n\t " + someTokens + "\n\n": 2,
		"\ufeff \n" + someTokens:        2,
		notice + someTokens:             2,
		notice + "\ufeff" + someTokens:  2,
		"#0 /a.php(12): f(Array)\n#1 {main}\n  thrown\n" + someTokens: 2,
		`{"debug":[1,2,{"x":{}}]}` + "\n" + someTokens:                2,
		`{}` + someTokens:                                                2,
		`[1,2]` + someTokens:                                             2,
		`say "{" or "}" {"` + "\n" + someTokens:                          2,
		strings.Repeat("{", 63) + someTokens:                             2,
		`[` + someTokens:                                                 2,
		`{"status":"error","message":"deprecated"}` + someTokens:         2,
		strings.Repeat("x", 100_000) + someTokens:                        2,
		someTokens + notice:                                              2,
		someTokens + `{"status":"error","message":"no"}`:                 2,
		`{"api":[` + one + `],"status":"success"}`:                       1,
		`{"api":[` + one + `]}`:                                          1,
		`{"status":"","api":[` + one + `]}`:                              1,
		`{"status":null,"api":[` + one + `]}`:                            1,
		`{"status":"SUCCESS","api":[` + one + `]}`:                       1,
		`{"st\u0061tus":"success","\u0061pi":[` + one + `]}`:             1,
		`{"x":{"api":[1]},"status":"success","api":[` + one + `]}`:       1,
		`{"status":"success","message":"not found, forbidden","api":[]}`: 0,
		`{"error":false,"errors":[],"api":[]}`:                           0,
		`{"status":"success","api":[ ]}`:                                 0,
		`{"status":"success","api":{ }}`:                                 0,
		`{"status":"success","api":null}`:                                0,
		`{"status":"success","api":""}`:                                  0,
		`{"status":"success","api":false}`:                               0,
		`{"status":"success"}`:                                           0,
		`{"status":"success","message":"No API found"}`:                  0,
		`{"api":[]}`: 0,

		// An answer with neither status nor list is no empty list.
		`[]`: fails{nil, "holds no \"api\""}, `{}`: fails{nil, "holds no \"api\""}, "\ufeff[]\n": fails{nil, "holds no \"api\""},
		"Notice: x in y.php on line 3\n[]\n": fails{nil, "holds no \"api\""},
		`{"status":""}`:                      fails{nil, "holds no \"api\""},
		`{"message":"Hello"}`:                fails{nil, "Hello: the answer holds no \"api\""},
		`{"foo":"bar"}`:                      fails{nil, "holds no \"api\""},
		`{"user":{"id":"1"}}`:                fails{nil, "holds no \"api\""},
		`[` + one + `]`:                      fails{nil, "holds no \"api\""},

		`{"status":"error","message":"Server is busy"}`:                                       fails{nil, "the service says: Server is busy"},
		`{"status":"error"}`:                                                                  fails{nil, "the service refuses without saying why"},
		`{"status":"error","message":"no","api":[` + one + `]}`:                               fails{nil, "says: no"},
		`{"status":"failed","message":"x","api":[]}`:                                          fails{nil, `says: x: the answer's status is "failed", neither`},
		`{"status":false,"message":"Unauthorized access"}`:                                    fails{ErrUnauthorized, `status is "false", neither`},
		`{"status":true,"api":[]}`:                                                            fails{nil, `status is "true", neither "success" nor "error"`},
		`{"status":[],"api":[]}`:                                                              fails{nil, "status is an array, neither"},
		`{"status":"error","api":[],"status":"success"}`:                                      fails{nil, "status is there twice"},
		`{"api":[` + one + `],"status":"success","api":[]}`:                                   fails{nil, "api is there twice"},
		someTokens + someTokens:                                                               fails{nil, "several answers"},
		`{"status":"error","message":{"api":["bad"]}}`:                                        fails{nil, `{"api":["bad"]}`},
		`{"error":"Something broke","api":[]}`:                                                fails{nil, "Something broke"},
		`{"status":"error","message":"Unauthorized access. Please provide a valid API key."}`: fails{ErrUnauthorized, "Unauth"},
		`{"status":"error","message":"Route not found"}`:                                      fails{nil, "Route not found"},
		`{"status":"error","message":"You do not have permission"}`:                           fails{ErrForbidden, "permission"},
		`{"message":"Unauthenticated."}`:                                                      fails{ErrUnauthorized, "Unauthenticated."},
		`{"status":"error","message":"bad key ` + testSecret + ` given"}`:                     fails{nil, "bad key [redacted] given"},
		`{"status":"success","api":"none"}`:                                                   fails{nil, "api is a string, not a list"},
		`{"status":"success","api":true}`:                                                     fails{nil, "api is a boolean, not a list"},
		`{"status":"success","api":0}`:                                                        fails{nil, "api is a number, not a list"},
		`{"status":"success","api":{"0":` + one + `}}`:                                        fails{nil, "api is an object, not a list"},

		`{"status":"error","message":"No node","errorcode":"NONODEFOUND"}`:           fails{nil, "says: No node (NONODEFOUND)"},
		`{"errors":[{"message":"Name too long","code":"E7"},{"message":"and bad"}]}`: fails{nil, "says: Name too long (E7)"},
		`{"status":"error","errors":[{"code":7}]}`:                                   fails{nil, "says: 7"},
		`{"status":"error","errors":{"name":["Too long"]}}`:                          fails{nil, `says: {"name":["Too long"]}`},

		"PHP Fatal error: Cannot use reading in x.php\n": fails{nil, "not JSON"},
		"OK": fails{nil, "not JSON"}, "null": fails{nil, "not JSON"}, `"success"`: fails{nil, "not JSON"},
		`{'status':'success','api':[]}`:                                       fails{nil, "holds no"},
		`{"status":"success","api":[` + one + `,]}`:                           fails{nil, "broken JSON"},
		`{"status":"success" "api":[]}`:                                       fails{nil, "broken JSON"},
		`{"status":"success",,"api":[]}`:                                      fails{nil, "broken JSON"},
		`{"status":"success",}`:                                               fails{nil, "broken JSON"},
		"{\"status\":\"success\",\"api\":[{\"name\":\"a\nb\"}]}":              fails{nil, "broken JSON"},
		`{"status":"success","api":[{"z":"\x"}]}`:                             fails{nil, "broken JSON"},
		`{"status":"success","api":[` + one + `}}`:                            fails{nil, "broken JSON"},
		`{"status":"success","api":[` + one + `, oops {"status":"success"}]}`: fails{nil, "broken JSON"},
		someTokens[:len(someTokens)-1]:                                        fails{nil, "ends in the middle"},
		someTokens[:120]:                                                      fails{nil, "ends in the middle"},
		someTokens[:5]:                                                        fails{nil, "ends in the middle"},
		notice + someTokens[:100]:                                             fails{nil, "ends in the middle"},
		`{"api":[{"id":1,"name":"a","write":1,"status":"success"},{"id":`:     fails{nil, "ends in the middle"},
		`{"x":{"status":"success","api":[]},"y":`:                             fails{nil, "ends in the middle"},
		strings.Repeat("[", 1_000_000):                                        fails{nil, "JSON"},
		strings.Repeat(`{"a":`, 200_000):                                      fails{nil, "JSON"},

		// A wrong address, not a rejected token.
		"":                                 fails{wrong, "wrong address http://127.0.0.1:"},
		"\ufeff \r\n":                      fails{wrong, "/api: the answer is empty; the service is at https://api.utho.com/v2"},
		page:                               fails{wrong, "/api: a web page came back instead of JSON; the service is at https://api.utho.com/v2"},
		"\n <head><title>x</title></head>": fails{wrong, "a web page came back"},
		reply(200, "hello", "Content-Type: text/html; charset=utf-8"): fails{wrong, "a web page came back"},
		"HTTP/1.1 204 No Content\r\n\r\n":                             fails{wrong, "the answer is empty"},
		reply(401, `{"status":"error","message":"Not Found GET"}`): fails{wrong,
			"list tokens: the service says: Not Found GET: wrong address http://127.0.0.1:"},
		reply(200, `{"status":"error","message":"Not Found GET"}`): fails{wrong, "there is no such path"},
		reply(404, page): fails{wrong, "a web page came back"}, reply(404, ""): fails{wrong, "there is no such path"},

		reply(401, ""):   fails{ErrUnauthorized, "HTTP 401 Unauthorized"},
		reply(401, page): fails{ErrUnauthorized, "HTTP 401 Unauthorized: a web page"},
		reply(401, `{"status":"error","message":"Not Found POST"}`):  fails{ErrUnauthorized, "HTTP 401"},
		reply(403, `{"error":"nope"}`):                               fails{ErrForbidden, "HTTP 403 Forbidden: the service says: nope"},
		reply(403, `{"status":"error","message":"Invalid API key"}`): fails{ErrUnauthorized, "Invalid API key"},
		reply(400, `{"errors":[{"message":"Name too long","code":"E7"}]}`): fails{nil,
			"HTTP 400 Bad Request: the service says: Name too long (E7)"},
		reply(418, someTokens):                            fails{nil, "HTTP 418 I'm a teapot"},
		reply(500, `{"status":"error","message":"boom"}`): fails{nil, "HTTP 500 Internal Server Error: the service says: boom"},
		reply(500, page):                                  fails{nil, "HTTP 500 Internal Server Error: a web page"},
		"HTTP/1.1 304 Not Modified\r\n\r\n":               fails{nil, "HTTP 304"},
		"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 67108865\r\n\r\n" + someTokens: fails{nil, "larger than 64 MiB"},
	} {
		if !strings.HasPrefix(raw, "HTTP/1.1 ") {
			raw = ok(raw)
		}
		client, s := against(t, raw)
		list, err := client.ListTokens(t.Context())
		if n, fine := want.(int); fine {
			if err != nil || len(list.Tokens) != n || list.Tokens == nil {
				t.Errorf("%.300s: %d tokens wanted: %+v, %v", raw, n, list, err)
			}
			continue
		}
		if list != nil {
			t.Errorf("%.300s: a list: %+v", raw, list)
			continue
		}
		w := want.(fails)
		e := mustError(t, err, w.kind)
		if !strings.HasPrefix(e.Error(), "list tokens: ") || !strings.Contains(e.Error(), w.text) {
			t.Errorf("%.300s: error %q, want %q in it", raw, e, w.text)
		}
		if n := s.count("GET"); n != 1 || !e.Sent || e.Attempts != 1 {
			t.Errorf("%.300s: %d requests, sent %v, attempts %d", raw, n, e.Sent, e.Attempts)
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

func TestMessageIsBounded(t *testing.T) {
	t.Parallel()
	client, _ := against(t, ok(`{"status":"error","message":"`+strings.Repeat("é", 1_000_000)+`"}`))
	_, err := client.ListTokens(t.Context())
	if e := mustError(t, err, nil); len(e.Message) > maxMessage+len("…") || !strings.HasSuffix(e.Message, "é…") {
		t.Errorf("%d bytes: …%q", len(e.Message), e.Message[len(e.Message)-8:])
	}
}

// A list may be as long as it likes up to the bound, however it is framed.
func TestLongList(t *testing.T) {
	t.Parallel()
	const n = 20_000
	body := string(manyTokens(n))
	var chunked strings.Builder
	chunked.WriteString("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
	for rest := body; rest != ""; {
		part := rest[:min(len(rest), 999)]
		fmt.Fprintf(&chunked, "%x\r\n%s\r\n", len(part), part)
		rest = rest[len(part):]
	}
	for _, raw := range []string{
		ok(body), chunked.String() + "0\r\n\r\n", ok(notice + body + notice),
		"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body,
	} {
		client, _ := against(t, raw)
		list, err := client.ListTokens(t.Context())
		if err != nil || len(list.Tokens) != n {
			t.Fatal(err)
		}
		for i, tok := range list.Tokens {
			if tok.ID != fmt.Sprint(10000+i) || tok.Name != fmt.Sprintf("token-%d", i) || tok.Scope != r(i) || tok.CreatedAt.IsZero() {
				t.Fatalf("token %d: %+v", i, tok)
			}
		}
	}
}

func r(i int) Scope { return ScopeReadOnly + Scope(i%2) }

func TestOversized(t *testing.T) {
	t.Parallel()
	for _, again := range []string{`{"id":1,"name":"` + strings.Repeat("x", 16<<10) + `","write":1},`, strings.Repeat(" ", 32<<10)} {
		rest := `{"status":"success","api":[`
		c := through(t, roundTripper(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, ContentLength: -1, Request: r, Body: reader(func(p []byte) (int, error) {
				if rest == "" {
					rest = again
				}
				n := copy(p, rest)
				rest = rest[n:]
				return n, nil
			})}, nil
		}))
		_, err := c.ListTokens(t.Context())
		if e := mustError(t, err, nil); e.Error() != "list tokens: the answer is larger than 64 MiB" || e.Attempts != 1 {
			t.Error(e)
		}
	}
}

// reader is a body that its function reads.
type reader func(p []byte) (int, error)

func (f reader) Read(p []byte) (int, error) { return f(p) }
func (f reader) Close() error               { return nil }

func sameTokens(a, b []Token) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		x, y := a[i], b[i]
		if !x.CreatedAt.Equal(y.CreatedAt) {
			return false
		}
		if x.CreatedAt, y.CreatedAt = (time.Time{}), (time.Time{}); x != y {
			return false
		}
	}
	return true
}

// BenchmarkDecodeList is what a list costs beyond the network.
func BenchmarkDecodeList(b *testing.B) {
	for _, n := range []int{10, 1_000, 10_000} {
		a := &answer{body: manyTokens(n)}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				o, err := a.find("api")
				if err != nil {
					b.Fatal(err)
				}
				if tokens, err := readTokens(o.members["api"], ist, nil); err != nil || len(tokens) != n {
					b.Fatal(err)
				}
			}
		})
	}
}
