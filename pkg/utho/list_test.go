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

// notice is what PHP may put in front of an answer.
const notice = "<br />\n<b>Notice</b>:  Undefined index: [foo] in {x} of {\"a\": b} and {\"key\"} [] {} " +
	"in <b>/var/www/api.php</b> on line <b>12</b><br />\n"

const page = "<!DOCTYPE html><html><head><script>var a = []; var b = {\"status\":\"success\"}</script></head></html>"

func TestListTokens(t *testing.T) {
	t.Parallel()
	answer := answering(reply(200, someTokens, "Date: Mon, 23 Nov 2026 12:00:00 GMT"))
	client, s := newClient(t, answer, WithUserAgent("utho/1 (linux/amd64)"))
	list, err := client.ListTokens(t.Context())
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
	if h := (http.Header{
		"Authorization": {"Bearer " + testSecret}, "Accept": {"application/json"},
		"User-Agent": {"utho/1 (linux/amd64)"}, "Accept-Encoding": {"gzip"},
	}); got.body != "" || !reflect.DeepEqual(got.header, h) {
		t.Errorf("request %+v", got)
	}
	client, _ = newClient(t, answer, WithLocation(time.UTC))
	list, err = client.ListTokens(t.Context())
	if err != nil || !list.Tokens[0].CreatedAt.Equal(time.Date(2024, 4, 22, 1, 12, 36, 0, time.UTC)) {
		t.Errorf("%+v, %v", list, err)
	}
}

// One token in every spelling that the service is known to use, and the ones it must not be guessed from.
func TestListElements(t *testing.T) {
	t.Parallel()
	reads := func(id, name, created string) Token {
		return Token{ID: id, Name: name, Scope: ScopeReadOnly, CreatedRaw: created}
	}
	plain := reads("1", "n", "")
	for form, cases := range map[string]map[any][]string{ // what a value reads as, or a part of the error
		`{"id":"1","name":"n","write":%s}`: {
			Token{ID: "1", Name: "n", Scope: ScopeWrite}: {`"1"`, `1`, `true`, `"on"`, `"true"`, `"\u0031"`},
			plain:               {`"0"`, `0`, `false`, `"off"`, `"false"`, `""`, `null`},
			`api[0].write is "`: {`"yes"`, `"ON"`, `"null"`, `" 1"`, `2`, `1.0`, `-1`, `"read"`, `1e0`},
			`api[0].write is "[redacted]", which is no known scope`: {`"` + testSecret + `"`},
			`which is no known scope`:                               {`[]`, `[1]`, `{"a":1}`},
		},
		`{"id":%s,"name":"n","write":0}`: {
			reads("12345678901234567890123", "n", ""): {`12345678901234567890123`, `"12345678901234567890123"`},
			reads(`a/b"é`, `n`, ""):                   {`"a/b\"é"`}, reads("-1", "n", ""): {`-1`},
			"api[0].id is not text": {`null`, `true`, `["1"]`, `{"a":1}`}, "api[0].id is empty": {`""`},
			"api[0].id is a number that is not whole": {`1.5`, `1e3`},
		},
		`{"id":"1","name":%s,"write":0}`: {
			reads("1", "", ""): {`""`}, reads("1", "42", ""): {`42`},
			reads("1", "a\ufffdb", ""):           {"\"a\xffb\""},
			reads("1", "सीआई \u200d", ""):        {"\"सीआई \u200d\""},
			reads("1", "\x1b[31m\u202e 😀 /", ""): {`"\u001b[31m\u202e \ud83d\ude00 \/"`},
			"api[0].name is not text":            {`null`, `false`},
		},
		`{"id":"1","name":"n","write":0,"created_at":%s}`: { // one that does not parse is passed through and has no age
			plain: {`null`}, reads("1", "n", "1713728556"): {`1713728556`},
			reads("1", "n", `{"a":[1]}`):           {`{"a":[1]}`},
			reads("1", "n", "yesterday\a"):         {`"yesterday\u0007"`},
			reads("1", "n", "0000-00-00 00:00:00"): {`"0000-00-00 00:00:00"`},
			reads("1", "n", "2023-02-29 00:00:00"): {`"2023-02-29 00:00:00"`},
			reads("1", "n", "2024-04-22 1:12:36"):  {`"2024-04-22 1:12:36"`},
		},
		"%s": {
			plain: {
				`{"extra":"}]","id":"1","name":"n","write":"0","e2":[["]"]]}`, ` { "id" : 1 , "name" : "n" , "write" : "0" } `,
				`{"id":"1","name":"n","write":0,"x":[{"write":1}],"y":{"id":2}}`,
			},
			"api[0].id is missing":   {`{"name":"n","write":0}`, `null`, `{}`, `"1"`, `[]`, `7`},
			"api[0].name is missing": {`{"id":"1","write":0}`}, "api[0].write is missing": {`{"id":"1","name":"n"}`},
		},
	} {
		for want, values := range cases {
			for i, value := range values {
				values[i] = `{"status":"success","api":[` + fmt.Sprintf(form, value) + `]}`
			}
			judge(t, "list", map[any][]string{want: values})
		}
	}
}

// Every frame that a list can come in: how many tokens it has, or why it is an error, and never an empty or a shorter
// list.
func TestListAnswers(t *testing.T) {
	t.Parallel()
	const one = `{"id":1,"name":"a","write":1}`
	judge(t, "list", map[any][]string{
		2: {
			someTokens, "\r\n\t " + someTokens + "\n\n", "\ufeff \n" + someTokens, notice + someTokens, notice + "\ufeff" + someTokens,
			"#0 /a.php(12): f(Array)\n#1 {main}\n  thrown\n" + someTokens, `{"debug":[1,2,{"x":{}}]}` + "\n" + someTokens,
			`{}` + someTokens, `[1,2]` + someTokens, `say "{" or "}" {"` + "\n" + someTokens, strings.Repeat("{", 63) + someTokens,
			`[` + someTokens, `{"status":"error","message":"deprecated"}` + someTokens, strings.Repeat("x", 100_000) + someTokens,
			someTokens + notice, someTokens + `{"status":"error","message":"no"}`,
		},
		20_000: {notice + manyTokens(20_000) + notice, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + manyTokens(20_000)},
		Token{ID: "1", Name: "a", Scope: ScopeWrite}: {
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
		`the answer holds no "api"`: {
			`[]`, `{}`, "\ufeff[]\n", "Notice: x in y.php on line 3\n[]\n", `{"status":""}`, `{"message":"Hello"}`, `{"foo":"bar"}`,
			`{"user":{"id":"1"}}`, `[` + one + `]`,
		},
		"says: no": {`{"status":"error","message":"no"}`, `{"status":"error","message":"no","api":[` + one + `]}`},
		`neither "success" nor "error"`: {
			`{"status":"failed","message":"x","api":[]}`, `{"status":true,"api":[]}`, `{"status":[],"api":[]}`, `{"status":1,"api":[]}`},
		"several answers": {someTokens + someTokens, someTokens + someTokens[:150]},
		"says: Name too long (E7)": {
			`{"errors":[{"message":"Name too long","code":"E7"},{"message":"and bad"}]}`, `{"message":"Name too long","errorcode":"E7"}`,
			`{"status":"error","error":"Name too long","errors":[{"code":"E7"}]}`,
			reply(400, `{"errors":[{"message":"Name too long","code":"E7"}]}`),
		},
		`says: {"name":["bad"]}`: {
			`{"status":"error","errors":{"name":["bad"]}}`, `{"status":"error","message":{"name":["bad"]}}`, `{"error":{"name":["bad"]},"api":[]}`},
		"éé…":                            {`{"status":"error","message":"` + strings.Repeat("é", 1_000_000) + `"}`},
		"bad key [redacted] given":       {`{"status":"error","message":"bad key ` + testSecret + ` given"}`},
		fails{ErrUnauthorized, "Unauth"}: {`{"message":"Unauthenticated."}`, `{"status":false,"message":"Unauthorized access"}`},
		"not a list": {
			`{"status":"success","api":"none"}`, `{"status":"success","api":true}`, `{"status":"success","api":0}`,
			`{"status":"success","api":{"0":` + one + `}}`,
		},
		"not JSON": {"PHP Fatal error: x.php\n", "OK", "null", `"success"`, `{'status':'success'}`},
		"broken JSON": {
			`{"status":"success","api":[` + one + `,]}`, `{"status":"success" "api":[]}`, `{"status":"success",,"api":[]}`,
			`{"status":"success",}`, "{\"status\":\"success\",\"api\":[{\"name\":\"a\nb\"}]}", `{"status":"success","api":[{"z":"\x"}]}`,
			`{"status":"success","api":[` + one + `}}`, `{"status":"success","api":[` + one + `, oops {"status":"success"}]}`,
		},
		"ends in the middle": {
			someTokens[:len(someTokens)-1], someTokens[:120], someTokens[:5], notice + someTokens[:100],
			`{"api":[{"id":1,"name":"a","write":1,"status":"success"},{"id":`, `{"x":{"status":"success","api":[]},"y":`,
		},
		"JSON": {strings.Repeat("[", 1_000_000), strings.Repeat(`{"a":`, 200_000)},

		// A wrong address, not a rejected token.
		fails{ErrWrongAddress, "/api: the answer is empty; the service is at https://api.utho.com/v2"}: {
			"", "\ufeff \r\n", "HTTP/1.1 204 No Content\r\n\r\n"},
		fails{ErrWrongAddress, "/api: a web page came back instead of JSON; the service is at https://api.utho.com/v2"}: {
			page, "\n <head>x</head>", reply(200, "hello", "Content-Type: text/html; charset=utf-8"), reply(404, page)},
		fails{ErrWrongAddress, "list tokens: the service says: Not Found GET: wrong address http://localhost/v2/api: "}: {
			reply(401, `{"status":"error","message":"Not Found GET"}`), `{"status":"error","message":"Not Found GET"}`},
		fails{ErrWrongAddress, "there is no such path"}: {reply(404, "")},

		fails{ErrUnauthorized, "HTTP 401 Unauthorized"}: {
			reply(401, ""), reply(401, page), reply(401, `{"status":"error","message":"Not Found POST"}`)},
		fails{ErrUnauthorized, "HTTP 403 Forbidden: the service says: Invalid API key"}: {reply(403, `{"message":"Invalid API key"}`)},
		fails{ErrForbidden, "HTTP 403 Forbidden: the service says: nope"}:               {reply(403, `{"error":"nope"}`)},
		`list tokens: the answer's api[3].write is "x", which is no known scope`: {
			strings.Replace(manyTokens(4), `"name":"token-3","write":"1"`, `"name":"x","write":"x"`, 1)},
		"list tokens: HTTP 599": {reply(599, "")},
		"HTTP 418 I'm a teapot": {reply(418, someTokens)},
		"HTTP 500 Internal Server Error": {
			reply(500, `{"status":"error","message":"Not Found GET"}`), reply(500, page), reply(500, someTokens)},
	})
}

// At its default address the service itself says so, and there is no other to name.
func TestWrongAddressAtTheDefault(t *testing.T) {
	t.Parallel()
	s, transport := piped(answering(reply(401, `{"status":"error","message":"Not Found GET"}`)))
	transport.DialTLSContext = transport.DialContext
	_, err := through(t, transport, WithBaseURL(DefaultBaseURL)).ListTokens(t.Context())
	want := "list tokens: the service says: Not Found GET: https://api.utho.com/v2/api: there is no such path"
	if e := mustError(t, err, ErrWrongAddress); e.Error() != want || s.count("GET") != 1 {
		t.Error(e)
	}
}
