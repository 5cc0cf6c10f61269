package utho

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
)

var ist = time.FixedZone("IST", 19800)

func TestListTokens(t *testing.T) {
	t.Parallel()
	s, base := listen(t, answering(reply(200, someTokens, "Date: Mon, 23 Nov 2026 12:00:00 GMT")))
	list, err := newClient(t, base+"/v2", WithUserAgent("utho/1 (linux/amd64)")).ListTokens(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := &TokenList{
		Tokens: []Token{
			{"10000", "ci", ScopeWrite, time.Date(2024, 4, 22, 1, 12, 36, 0, ist), "2024-04-22 01:12:36"},
			{"10001", "grafana", ScopeReadOnly, time.Date(2024, 4, 22, 1, 16, 51, 0, ist), "2024-04-22 01:16:51"},
		},
		ServerTime: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC),
	}
	if len(list.Tokens) != 2 || !list.ServerTime.Equal(want.ServerTime) {
		t.Fatalf("got %+v", list)
	}
	for i, got := range list.Tokens {
		if w := want.Tokens[i]; !got.CreatedAt.Equal(w.CreatedAt) || got.CreatedAt.Format(time.RFC3339) != w.CreatedAt.Format(time.RFC3339) {
			t.Errorf("created at %v, want %v", got.CreatedAt, w.CreatedAt)
		} else if got.CreatedAt = w.CreatedAt; got != w {
			t.Errorf("got %+v, want %+v", got, w)
		}
	}
	got := s.requests()[0]
	if got.method != "GET" || got.uri != "/v2/api" || got.body != "" {
		t.Errorf("request %+v", got)
	}
	wantHeader := http.Header{
		"Authorization":   {"Bearer " + testSecret},
		"Accept":          {"application/json"},
		"User-Agent":      {"utho/1 (linux/amd64)"},
		"Accept-Encoding": {"gzip"},
	}
	if !reflect.DeepEqual(got.header, wantHeader) {
		t.Errorf("headers %v", got.header)
	}
}

// One token in every spelling that the service is known to use, and the ones it must not be
// guessed from.
func TestListElements(t *testing.T) {
	t.Parallel()
	base := Token{ID: "1", Name: "n", Scope: ScopeReadOnly}
	with := func(f func(*Token)) *Token { tok := base; f(&tok); return &tok }
	write := with(func(t *Token) { t.Scope = ScopeWrite })
	for _, c := range []struct {
		element string
		want    *Token
		err     string // a part of the error
	}{
		{`{"id":"1","name":"n","write":"1"}`, write, ""},
		{`{"id":"1","name":"n","write":1}`, write, ""},
		{`{"id":"1","name":"n","write":true}`, write, ""},
		{`{"id":"1","name":"n","write":"on"}`, write, ""},
		{`{"id":"1","name":"n","write":"true"}`, write, ""},
		{`{"id":"1","name":"n","write":"\u0031"}`, write, ""},
		{`{"id":"1","name":"n","write":"0"}`, &base, ""},
		{`{"id":"1","name":"n","write":0}`, &base, ""},
		{`{"id":"1","name":"n","write":false}`, &base, ""},
		{`{"id":"1","name":"n","write":"off"}`, &base, ""},
		{`{"id":"1","name":"n","write":"false"}`, &base, ""},
		{`{"id":"1","name":"n","write":""}`, &base, ""},
		{`{"id":"1","name":"n","write":null}`, &base, ""},
		{`{"id":"1","name":"n"}`, nil, "api[0].write is missing"},
		{`{"id":"1","name":"n","Write":"1"}`, nil, "api[0].write is missing"},
		{`{"id":"1","name":"n","write":"yes"}`, nil, `api[0].write is "yes", which is no known scope`},
		{`{"id":"1","name":"n","write":"ON"}`, nil, "api[0].write"},
		{`{"id":"1","name":"n","write":" 1"}`, nil, "api[0].write"},
		{`{"id":"1","name":"n","write":"2"}`, nil, "api[0].write"},
		{`{"id":"1","name":"n","write":2}`, nil, "api[0].write"},
		{`{"id":"1","name":"n","write":-1}`, nil, "api[0].write"},
		{`{"id":"1","name":"n","write":1.0}`, nil, "api[0].write"},
		{`{"id":"1","name":"n","write":1e0}`, nil, "api[0].write"},
		{`{"id":"1","name":"n","write":[]}`, nil, "api[0].write"},
		{`{"id":"1","name":"n","write":{}}`, nil, "api[0].write"},
		{`{"id":"1","name":"n","write":[1]}`, nil, "api[0].write"},
		{`{"id":"1","name":"n","write":"read"}`, nil, "api[0].write"},
		{`{"id":"1","name":"n","write":"0","write":"1"}`, nil, "api[0].write is there twice"},
		{`{"id":"1","name":"n","write":"1","write":null}`, nil, "api[0].write is there twice"},
		{`{"id":"1","name":"n","write":"1","write":"1"}`, write, ""},

		{`{"id":1,"name":"n","write":0}`, &base, ""},
		{`{"id":12345678901234567890123,"name":"n","write":0}`, with(func(t *Token) { t.ID = "12345678901234567890123" }), ""},
		{`{"id":9007199254740993,"name":"n","write":0}`, with(func(t *Token) { t.ID = "9007199254740993" }), ""},
		{`{"id":"a/b\"é","name":"n","write":0}`, with(func(t *Token) { t.ID = `a/b"é` }), ""},
		{`{"name":"n","write":0}`, nil, "api[0].id is missing"},
		{`{"id":null,"name":"n","write":0}`, nil, "api[0].id is null, not text"},
		{`{"id":"","name":"n","write":0}`, nil, "api[0].id is empty"},
		{`{"id":true,"name":"n","write":0}`, nil, "api[0].id is a boolean"},
		{`{"id":["1"],"name":"n","write":0}`, nil, "api[0].id is an array"},
		{`{"id":{"a":1},"name":"n","write":0}`, nil, "api[0].id is an object"},
		{`{"id":1.5,"name":"n","write":0}`, nil, "api[0].id is a number that is not whole"},
		{`{"id":1e3,"name":"n","write":0}`, nil, "api[0].id is a number that is not whole"},
		{`{"id":1e-3,"name":"n","write":0}`, nil, "api[0].id is a number that is not whole"},
		{`{"id":-1.5,"name":"n","write":0}`, nil, "api[0].id is a number that is not whole"},
		{`{"id":-1,"name":"n","write":0}`, with(func(t *Token) { t.ID = "-1" }), ""},
		{`{"id":"1","id":"2","name":"n","write":0}`, nil, "api[0].id is there twice"},

		{`{"id":"1","name":"","write":0}`, with(func(t *Token) { t.Name = "" }), ""},
		{`{"id":"1","name":42,"write":0}`, with(func(t *Token) { t.Name = "42" }), ""},
		{`{"id":"1","name":1e9,"write":0}`, with(func(t *Token) { t.Name = "1e9" }), ""},
		{`{"id":"1","name":"\u001b[31m\u202e \ud83d\ude00 \/","write":0}`, with(func(t *Token) { t.Name = "\x1b[31m\u202e 😀 /" }), ""},
		{"{\"id\":\"1\",\"name\":\"सीआई \u200d\",\"write\":0}", with(func(t *Token) { t.Name = "सीआई \u200d" }), ""},
		{"{\"id\":\"1\",\"name\":\"a\xffb\",\"write\":0}", with(func(t *Token) { t.Name = "a\ufffdb" }), ""},
		{`{"id":"1","write":0}`, nil, "api[0].name is missing"},
		{`{"id":"1","name":null,"write":0}`, nil, "api[0].name is null"},
		{`{"id":"1","name":false,"write":0}`, nil, "api[0].name is a boolean"},
		{`{"id":"1","name":{},"write":0}`, nil, "api[0].name is an object"},

		{`{"id":"1","name":"n","write":0,"created_at":null}`, &base, ""},
		{`{"id":"1","name":"n","write":0,"created_at":""}`, &base, ""},
		{`{"id":"1","name":"n","write":0,"created_at":1713728556}`, with(func(t *Token) { t.CreatedRaw = "1713728556" }), ""},
		{`{"id":"1","name":"n","write":0,"created_at":false}`, with(func(t *Token) { t.CreatedRaw = "false" }), ""},
		{`{"id":"1","name":"n","write":0,"created_at":{"a":[1]}}`, with(func(t *Token) { t.CreatedRaw = `{"a":[1]}` }), ""},
		{`{"id":"1","name":"n","write":0,"created_at":"yesterday\u0007"}`, with(func(t *Token) { t.CreatedRaw = "yesterday\a" }), ""},
		{`{"id":"1","name":"n","write":0,"created_at":"0000-00-00 00:00:00"}`, with(func(t *Token) { t.CreatedRaw = "0000-00-00 00:00:00" }), ""},

		{` { "id" : "1" , "name" : "n" , "write" : "0" , "extra" : { "write" : "1", "id":[{}] } } `, &base, ""},
		{`{"extra":"}]","id":"1","name":"n","write":"0","e2":[["]"]]}`, &base, ""},
		{`null`, nil, "api[0] is null, not a token"},
		{`"1"`, nil, "api[0] is a string, not a token"},
		{`[]`, nil, "api[0] is an array, not a token"},
		{`7`, nil, "api[0] is a number, not a token"},
		{`{}`, nil, "api[0].id is missing"},
	} {
		t.Run(c.element, func(t *testing.T) {
			t.Parallel()
			client, s := against(t, ok(`{"status":"success","api":[`+c.element+`]}`))
			list, err := client.ListTokens(t.Context())
			if c.want == nil {
				if e := mustError(t, err, nil); !strings.Contains(e.Error(), c.err) {
					t.Errorf("error %q, want %q in it", e, c.err)
				}
				if s.count("GET") != 1 {
					t.Errorf("%d requests", s.count("GET"))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := list.Tokens[0]; got != *c.want {
				t.Errorf("got %+v, want %+v", got, *c.want)
			}
		})
	}
}

func TestListNamesTheElement(t *testing.T) {
	t.Parallel()
	body := strings.Replace(string(manyTokens(5)), `"write":"1","created_at":"2024-04-22 01:12:36"},{"id":"10004"`, `"write":"maybe"},{"id":"10004"`, 1)
	client, _ := against(t, ok(body))
	_, err := client.ListTokens(t.Context())
	if e := mustError(t, err, nil); e.Error() != `list tokens: the answer's api[3].write is "maybe", which is no known scope` {
		t.Error(e)
	}
}

const notice = "<br />\n<b>Notice</b>:  Undefined index: [foo] in {x} of {\"a\": b} and {\"key\"} [] {} in <b>/var/www/api.php</b> on line <b>12</b><br />\n"

// Every frame that an answer with two tokens, or none, can come in.
func TestListFrames(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body string
		want int
	}{
		"plain":                       {someTokens, 2},
		"white space around":          {"\r\n\t " + someTokens + "\n\n", 2},
		"byte-order mark":             {"\ufeff" + someTokens, 2},
		"byte-order mark and space":   {"\ufeff \n" + someTokens, 2},
		"notice with braces":          {notice + someTokens, 2},
		"notice, mark":                {notice + "\ufeff" + someTokens, 2},
		"plain notice":                {"PHP Warning:  foo(): bar in x.php on line 3\n" + someTokens, 2},
		"stack trace":                 {"#0 /a.php(12): f(Array)\n#1 {main}\n  thrown\n" + someTokens, 2},
		"other JSON before":           {`{"debug":[1,2,{"x":{}}]}` + "\n" + someTokens, 2},
		"empty object before":         {`{}` + someTokens, 2},
		"empty array before":          {`[]` + someTokens, 2},
		"array before":                {`[1,2]` + someTokens, 2},
		"quotes and braces before":    {`say "{" or "}" {"` + "\n" + someTokens, 2},
		"63 braces before":            {strings.Repeat("{", 63) + someTokens, 2},
		"stray bracket":               {`[` + someTokens, 2},
		"text after":                  {someTokens + "<!-- 0.02 s -->", 2},
		"notice after":                {someTokens + notice, 2},
		"another answer after":        {someTokens + `{"status":"error","message":"no"}`, 2},
		"status last":                 {`{"api":[{"id":1,"name":"a","write":1}],"status":"success"}`, 1},
		"status missing":              {`{"api":[{"id":1,"name":"a","write":1}]}`, 1},
		"status empty":                {`{"status":"","api":[{"id":1,"name":"a","write":1}]}`, 1},
		"status null":                 {`{"status":null,"api":[{"id":1,"name":"a","write":1}]}`, 1},
		"status in capitals":          {`{"status":"SUCCESS","api":[{"id":1,"name":"a","write":1}]}`, 1},
		"escaped keys":                {`{"st\u0061tus":"success","\u0061pi":[{"\u0069d":1,"name":"a","write":1}]}`, 1},
		"unknown fields":              {`{"x":{"api":[1]},"status":"success","api":[{"id":1,"name":"a","write":1}],"y":[null]}`, 1},
		"message with success":        {`{"status":"success","message":"not found, unauthorized","api":[]}`, 0},
		"no error":                    {`{"error":false,"api":[]}`, 0},
		"long warning before":         {strings.Repeat("x", headSize-20) + someTokens, 2},
		"empty: []":                   {`{"status":"success","api":[]}`, 0},
		"empty: [ ]":                  {`{"status":"success","api":[ ` + "\n" + ` ]}`, 0},
		"empty: {}":                   {`{"status":"success","api":{}}`, 0},
		"empty: { }":                  {`{"status":"success","api":{ }}`, 0},
		"empty: null":                 {`{"status":"success","api":null}`, 0},
		"empty: string":               {`{"status":"success","api":""}`, 0},
		"empty: false":                {`{"status":"success","api":false}`, 0},
		"empty: missing":              {`{"status":"success"}`, 0},
		"empty: missing with message": {`{"status":"success","message":"No API found"}`, 0},
		"empty: no status, []":        {`{"api":[]}`, 0},
		"empty: blank status alone":   {`{"status":""}`, 0},
		"empty: null status alone":    {`{"status":null}`, 0},
		"bare []":                     {`[]`, 0},
		"bare [ ]":                    {"[ \n]", 0},
		"bare {}":                     {`{}`, 0},
		"bare [] after a mark":        {"\ufeff[]\n", 0},
		"bare [] after a notice":      {"Notice: x in y.php on line 3\n[]\n", 0},
		"bare {} and text":            {"{} <!-- x -->", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, s := against(t, ok(c.body))
			list, err := client.ListTokens(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(list.Tokens) != c.want || list.Tokens == nil {
				t.Errorf("%d tokens, want %d", len(list.Tokens), c.want)
			}
			if s.count("GET") != 1 {
				t.Errorf("%d requests", s.count("GET"))
			}
		})
	}
}

// Answers that must be errors, and never an empty or a shorter list.
func TestListErrors(t *testing.T) {
	t.Parallel()
	page := "<!DOCTYPE html><html><head><script>var a = []; var b = {\"status\":\"success\"}</script></head></html>"
	for name, c := range map[string]struct {
		raw  string
		kind error
		text string
	}{
		"error":                    {ok(`{"status":"error","message":"Server is busy"}`), nil, "the service says: Server is busy"},
		"error without words":      {ok(`{"status":"error"}`), nil, "the service refuses without saying why"},
		"error and a list":         {ok(`{"status":"error","message":"no","api":[{"id":1,"name":"a","write":1}]}`), nil, "says: no"},
		"error after a bad list":   {ok(`{"api":[{"id":1}],"status":"error","message":"Unauthorized access. Please provide a valid API key."}`), ErrUnauthorized, "Unauthorized access"},
		"error in capitals":        {ok(`{"status":"ERROR","message":"x"}`), nil, "says: x"},
		"other status":             {ok(`{"status":"failed","message":"x","api":[]}`), nil, `says: x: the answer's status is "failed", neither "success" nor "error"`},
		"other status, auth":       {ok(`{"status":false,"message":"Unauthorized access"}`), ErrUnauthorized, "Unauthorized access: the answer's status is false"},
		"status true":              {ok(`{"status":true,"api":[]}`), nil, `list tokens: the answer's status is true, neither "success" nor "error"`},
		"status 1":                 {ok(`{"status":1,"api":[]}`), nil, "the answer's status is 1, neither"},
		"status 200":               {ok(`{"status":200,"api":[]}`), nil, "the answer's status is 200, neither"},
		"status is broken":         {ok(`{"status":"\x","api":[]}`), nil, "not JSON at byte"},
		"status, long":             {ok(`{"status":"` + strings.Repeat("é", 100) + `","api":[]}`), nil, `éé…", neither`},
		"status []":                {ok(`{"status":[],"api":[]}`), nil, "the answer's status is an array, neither"},
		"status twice":             {ok(`{"status":"success","api":[],"status":"error"}`), nil, "refuses"},
		"status twice, other way":  {ok(`{"status":"error","api":[],"status":"success"}`), nil, "status is there twice"},
		"api twice":                {ok(`{"status":"success","api":[{"id":1,"name":"a","write":1}],"api":[]}`), nil, "api is there twice"},
		"message object":           {ok(`{"status":"error","message":{"api":["bad"]}}`), nil, `{"api":["bad"]}`},
		"error member":             {ok(`{"error":"Something broke","api":[]}`), nil, "Something broke"},
		"unauthorized":             {ok(`{"status":"error","message":"Unauthorized access. Please provide a valid API key."}`), ErrUnauthorized, "Unauthorized"},
		"key not found":            {ok(`{"status":"error","message":"API key not found"}`), ErrUnauthorized, "API key not found"},
		"nothing found":            {ok(`{"status":"error","message":"Route not found"}`), nil, "Route not found"},
		"forbidden":                {ok(`{"status":"error","message":"You do not have permission"}`), ErrForbidden, "permission"},
		"message alone":            {ok(`{"message":"Unauthenticated."}`), ErrUnauthorized, "Unauthenticated."},
		"message alone, no kind":   {ok(`{"message":"Hello"}`), nil, "Hello: the answer holds no list of tokens"},
		"blank status, message":    {ok(`{"status":"","message":"Something"}`), nil, "holds no list of tokens"},
		"no answer at all":         {ok(`{"foo":"bar"}`), nil, "holds no list of tokens"},
		"account for a list":       {ok(`{"user":{"id":"1"}}`), nil, "holds no list of tokens"},
		"echoed secret":            {ok(`{"status":"error","message":"bad key ` + testSecret + ` given"}`), ErrUnauthorized, "bad key [redacted] given"},
		"secret as a scope":        {ok(`{"api":[{"id":1,"name":"a","write":"` + testSecret + `"}]}`), nil, `write is "[redacted]"`},
		"api is text":              {ok(`{"status":"success","api":"none"}`), nil, "api is a string, not a list"},
		"api is true":              {ok(`{"status":"success","api":true}`), nil, "api is a boolean, not a list"},
		"api is 0":                 {ok(`{"status":"success","api":0}`), nil, "api is a number, not a list"},
		"api is an object":         {ok(`{"status":"success","api":{"0":{"id":1,"name":"a","write":1}}}`), nil, "api is an object, not a list"},
		"bare array":               {ok(`[{"id":1,"name":"a","write":1}]`), nil, "holds no list"},
		"brackets in words":        {ok("PHP Fatal error: Cannot use [] for reading in x.php on line 3\n"), nil, "not JSON"},
		"braces in words":          {ok("expected {} but got nothing"), nil, "not JSON"},
		"empty body":               {ok(""), nil, "the answer is empty"},
		"only blanks":              {ok("\ufeff \r\n"), nil, "the answer is empty"},
		"no content":               {"HTTP/1.1 204 No Content\r\n\r\n", nil, "the answer is empty"},
		"text":                     {ok("OK"), nil, "not JSON"},
		"JSON null":                {ok("null"), nil, "not JSON"},
		"JSON string":              {ok(`"success"`), nil, "not JSON"},
		"trailing comma":           {ok(`{"status":"success","api":[{"id":1,"name":"a","write":1},]}`), nil, "not JSON at byte"},
		"no comma":                 {ok(`{"status":"success" "api":[]}`), nil, "not JSON at byte"},
		"two commas":               {ok(`{"status":"success",,"api":[]}`), nil, "not JSON at byte"},
		"single quotes":            {ok(`{'status':'success','api':[]}`), nil, "not JSON"},
		"newline in a string":      {ok("{\"status\":\"success\",\"api\":[{\"id\":1,\"name\":\"a\nb\",\"write\":1}]}"), nil, "not JSON at byte"},
		"bad escape":               {ok(`{"status":"success","api":[{"id":1,"name":"\x","write":1}]}`), nil, "not JSON at byte"},
		"bad escape elsewhere":     {ok(`{"status":"success","api":[{"id":1,"name":"","write":1,"z":"\x"}]}`), nil, "not JSON at byte"},
		"wrong bracket":            {ok(`{"status":"success","api":[{"id":1,"name":"a","write":1}}}`), nil, "not JSON at byte"},
		"garbage inside, then one": {ok(`{"status":"success","api":[{"id":1,"name":"a","write":1}, oops {"status":"success"}]}`), nil, "not JSON at byte"},
		"truncated":                {ok(someTokens[:len(someTokens)-1]), nil, "ends in the middle"},
		"truncated in the list":    {ok(someTokens[:len(someTokens)-2]), nil, "ends in the middle"},
		"truncated in a token":     {ok(someTokens[:120]), nil, "ends in the middle"},
		"truncated, looks whole":   {ok(`{"status":"success","api":[{"id":1,"name":"a","write":1,"status":"success"},{"id":`), nil, "ends in the middle"},
		"truncated, long":          {ok(string(manyTokens(5000)[:300_000])), nil, "ends in the middle"},
		"truncated after a notice": {ok(notice + someTokens[:100]), nil, "ends in the middle"},
		"page":                     {ok(page), nil, "/api: a web page came back instead of JSON; the service is at https://api.utho.com/v2"},
		"page by its type":         {reply(200, "hello", "Content-Type: text/html; charset=utf-8"), nil, "a web page came back"},
		"page by its first letter": {ok("\n <head><title>x</title></head>"), nil, "a web page came back"},
		"page, status 500":         {reply(500, page), nil, "HTTP 500 Internal Server Error: http://127.0.0.1:"},
		"page, status 404":         {reply(404, page), nil, "HTTP 404 Not Found: http://127.0.0.1:"},
		"401":                      {reply(401, ""), ErrUnauthorized, "HTTP 401 Unauthorized"},
		"401 page":                 {reply(401, page), ErrUnauthorized, "HTTP 401"},
		"401 JSON":                 {reply(401, `{"status":"error","message":"No"}`), ErrUnauthorized, "HTTP 401 Unauthorized: the service says: No"},
		"403":                      {reply(403, ""), ErrForbidden, "HTTP 403"},
		"403 other JSON":           {reply(403, `{"error":"nope"}`), ErrForbidden, "nope"},
		"403 bad key":              {reply(403, `{"status":"error","message":"Invalid API key"}`), ErrUnauthorized, "Invalid API key"},
		"404":                      {reply(404, ""), nil, "HTTP 404"},
		"400 bad key":              {reply(400, `{"status":"error","message":"Invalid API key."}`), ErrUnauthorized, "Invalid API key."},
		"418 success":              {reply(418, someTokens), nil, "HTTP 418 I'm a teapot"},
		"500 JSON":                 {reply(500, `{"status":"error","message":"boom"}`), nil, "HTTP 500 Internal Server Error: the service says: boom"},
		"500 success":              {reply(500, someTokens), nil, "HTTP 500"},
		"500 empty":                {reply(500, ""), nil, "HTTP 500"},
		"too large by its length":  {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 67108865\r\n\r\n" + someTokens, nil, "larger than 64 MiB"},
		"304":                      {"HTTP/1.1 304 Not Modified\r\n\r\n", nil, "HTTP 304"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, s := against(t, c.raw)
			list, err := client.ListTokens(t.Context())
			if list != nil {
				t.Errorf("a list: %+v", list)
			}
			e := mustError(t, err, c.kind)
			if !strings.HasPrefix(e.Error(), "list tokens: ") || !strings.Contains(e.Error(), c.text) {
				t.Errorf("error %q, want %q in it", e, c.text)
			}
			if n := s.count("GET"); n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
			if !e.Sent || e.Attempts != 1 {
				t.Errorf("sent %v, attempts %d", e.Sent, e.Attempts)
			}
		})
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
	chunked.WriteString("0\r\n\r\n")
	for name, raw := range map[string]string{
		"with a length": ok(body),
		"chunked":       chunked.String(),
		"to the end":    "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body,
		"after notices": ok(notice + body + notice),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, _ := against(t, raw)
			list, err := client.ListTokens(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(list.Tokens) != n {
				t.Fatalf("%d tokens", len(list.Tokens))
			}
			for i, tok := range list.Tokens {
				if tok.ID != fmt.Sprint(10000+i) || tok.Name != fmt.Sprintf("token-%d", i) || tok.Scope != ScopeReadOnly+Scope(i%2) || tok.CreatedAt.IsZero() {
					t.Fatalf("token %d: %+v", i, tok)
				}
			}
		})
	}
}

// endless is a body that begins like an answer and goes on with the same for ever.
type endless struct{ start, again string }

func (e endless) RoundTrip(r *http.Request) (*http.Response, error) {
	rest := e.start
	return &http.Response{
		StatusCode: 200, ContentLength: -1, Request: r,
		Body: readCloser(func(p []byte) (int, error) {
			if rest == "" {
				rest = e.again
			}
			n := copy(p, rest)
			rest = rest[n:]
			return n, nil
		}),
	}, nil
}

type readCloser func(p []byte) (int, error)

func (f readCloser) Read(p []byte) (int, error) { return f(p) }
func (f readCloser) Close() error               { return nil }

func TestOversized(t *testing.T) {
	t.Parallel()
	token := `{"id":1,"name":"` + strings.Repeat("x", 16<<10) + `","write":1},`
	for name, c := range map[string]struct {
		body endless
		want error // nil: given up long before the bound
	}{
		"tokens":      {endless{`{"status":"success","api":[`, token}, errTooLarge},
		"one string":  {endless{`{"status":"success","api":[{"id":"`, strings.Repeat("x", 32<<10)}, errTooLarge},
		"blanks":      {endless{`{"status":"success","api":[`, strings.Repeat(" ", 32<<10)}, errTooLarge},
		"before JSON": {endless{"", strings.Repeat("x", 32<<10)}, errNoJSON},
		"digits":      {endless{`{"status":`, strings.Repeat("1", 32<<10)}, nil},
		"garbage":     {endless{`{"status":"success","api":[`, strings.Repeat("}", 32<<10)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			client, err := New(testSecret, WithHTTPClient(&http.Client{Transport: c.body}), WithRetry(quick))
			if err != nil {
				t.Fatal(err)
			}
			_, err = client.ListTokens(t.Context())
			if e := mustError(t, err, nil); c.want != nil && !errors.Is(err, c.want) || c.want == nil && !strings.Contains(err.Error(), "not JSON at byte") {
				t.Error(e)
			}
		})
	}
}

// What follows a complete list is not read to its end, and decides nothing.
func TestEndlessAfterList(t *testing.T) {
	t.Parallel()
	body := endless{someTokens, strings.Repeat(" ", 32<<10)}
	client, err := New(testSecret, WithHTTPClient(&http.Client{Transport: body}), WithRetry(quick))
	if err != nil {
		t.Fatal(err)
	}
	list, err := client.ListTokens(t.Context())
	if err != nil || len(list.Tokens) != 2 {
		t.Error(list, err)
	}
}

func TestLocation(t *testing.T) {
	t.Parallel()
	_, base := listen(t, answering(ok(someTokens)))
	list, err := newClient(t, base, WithLocation(time.UTC)).ListTokens(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := time.Date(2024, 4, 22, 1, 12, 36, 0, time.UTC); !list.Tokens[0].CreatedAt.Equal(want) {
		t.Errorf("%v", list.Tokens[0].CreatedAt)
	}
	if !list.ServerTime.IsZero() {
		t.Errorf("a clock from nowhere: %v", list.ServerTime)
	}
}

// The fast reader of time stamps agrees with package time, but for what that takes
// beyond the form.
func TestStamps(t *testing.T) {
	t.Parallel()
	const form = "2006-01-02 15:04:05"
	delhi := stampReader{ist}
	for _, s := range []string{
		"2024-04-22 01:12:36", "2024-02-29 00:00:00", "2023-02-29 00:00:00", "2000-02-29 23:59:59", "1900-02-29 00:00:00",
		"2024-04-31 00:00:00", "2024-12-31 23:59:59", "2024-13-01 00:00:00", "2024-00-10 00:00:00", "2024-01-00 00:00:00",
		"2024-01-32 00:00:00", "2024-01-01 24:00:00", "2024-01-01 00:60:00", "2024-01-01 00:00:60", "0001-01-01 00:00:00",
		"9999-12-31 23:59:59", "2024-04-22T01:12:36", "2024-4-22 01:12:36", "", "2024-04-22", "x024-04-22 01:12:36",
		"2024-04-22 01:12:3\xff", "2024/04/22 01:12:36", "२०२४-04-22 01:12:36", " 2024-04-22 01:12:3",
	} {
		want, err := time.ParseInLocation(form, s, ist)
		if err != nil {
			want = time.Time{}
		}
		if got := delhi.read([]byte(s)); !got.Equal(want) {
			t.Errorf("%q: %v, want %v", s, got, want)
		}
	}
	for _, s := range []string{"2024-04-22 01:12:36.5", "2024-04-22 1:12:36"} {
		if got := delhi.read([]byte(s)); !got.IsZero() {
			t.Errorf("%q: %v", s, got)
		}
	}
}

func TestAccount(t *testing.T) {
	t.Parallel()
	full := &Account{"32154", "A B", "a@b.example", "C"}
	for body, c := range map[string]struct {
		want *Account
		kind error
		text string
	}{
		`{"status":"success","user":{"id":"32154","fullname":"A B","email":"a@b.example","company":"C","cloudlimit":"25","z":{"id":1}}}`: {full, nil, ""},
		`{"user":{"id":32154,"fullname":"A B","email":"a@b.example","company":"C"},"status":""}`:                                         {full, nil, ""},
		notice + `{"user":{"id":32154,"fullname":"A B","email":"a@b.example","company":"C"}}`:                                            {full, nil, ""},
		`{"status":"success","user":{"id":"1","fullname":null,"company":7}}`:                                                             {&Account{ID: "1", Company: "7"}, nil, ""},
		`{"status":"success","user":{"id":"1","email":{"x":1}}}`:                                                                         {nil, nil, "user.email is an object, not text"},
		`{"status":"success","user":[]}`:       {nil, nil, "user is an array, not an account"},
		`{"status":"success","user":null}`:     {nil, nil, "user is null, not an account"},
		`{"status":"success"}`:                 {nil, nil, "the answer holds no account"},
		`{}`:                                   {nil, nil, "the answer holds no account"},
		`[]`:                                   {nil, nil, "the answer holds no account"},
		`{"status":"success","user":{"id":"1"`: {nil, nil, "ends in the middle"},
		`{"status":"success","user":{"id":"\x"}}`:                                        {nil, nil, "not JSON at byte"},
		`{"status":"success","user":{"id":"1"},"user":{"id":"2"}}`:                       {nil, nil, "user is there twice"},
		`{"status":"error","message":"Unauthorized access"}`:                             {nil, ErrUnauthorized, "Unauthorized access"},
		`{"status":"error","message":"You do not have permission to view the account."}`: {nil, ErrForbidden, "permission"},
	} {
		t.Run(body, func(t *testing.T) {
			t.Parallel()
			s, base := listen(t, answering(ok(body)))
			got, err := newClient(t, base+"/v2/").Account(t.Context())
			if uri := s.requests()[0].uri; uri != "/v2/account/info" {
				t.Errorf("asked for %s", uri)
			}
			if c.want == nil {
				if e := mustError(t, err, c.kind); !strings.HasPrefix(e.Error(), "read account: ") || !strings.Contains(e.Error(), c.text) {
					t.Errorf("error %q, want %q in it", e, c.text)
				}
				return
			}
			if err != nil || *got != *c.want {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestDeleteToken(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		raw  string
		okay bool
		kind error
		text string
	}{
		{ok(`{"status":"success","message":"API has been deleted"}`), true, nil, ""},
		{ok(`{"status":"success"}`), true, nil, ""},
		{ok(`{"status":"SUCCESS","message":"token not found in cache"}`), true, nil, ""},
		{ok(`{"message":"API has been deleted"}`), true, nil, ""},
		{ok(`{"status":null}`), true, nil, ""},
		{ok(notice + `{"status":"success"}`), true, nil, ""},
		{ok(`{"status":"error","message":"API not found"}`), false, ErrNotFound, "API not found"},
		{ok(`{"status":"error","message":"No such token"}`), false, ErrNotFound, "No such"},
		{ok(`{"status":"error","message":"This token is read-only"}`), false, ErrForbidden, "read-only"},
		{ok(`{"status":"error","message":"Unauthorized access. Please provide a valid API key."}`), false, ErrUnauthorized, ""},
		{ok(`{"status":"error"}`), false, nil, "refuses"},
		{ok(`{"message":"Unauthenticated."}`), false, ErrUnauthorized, ""},
		{ok(`{"status":true,"message":"done"}`), false, nil, "done: the answer's status is true, neither"},
		{ok(`{"error":"oops"}`), false, nil, "oops"},
		{ok(`{}`), false, nil, "neither success nor failure"},
		{ok(`[]`), false, nil, "neither success nor failure"},
		{ok(`{"deleted":true}`), false, nil, "neither success nor failure"},
		{ok(``), false, nil, "empty"},
		{ok(`{"status":"success"`), false, nil, "ends in the middle"},
		{ok("<html></html>"), false, nil, "a web page"},
		{reply(404, ""), false, ErrNotFound, "HTTP 404"},
		{reply(404, `{"status":"error","message":"x"}`), false, ErrNotFound, "HTTP 404"},
		{reply(404, "<html>"), false, nil, "a web page"},
		{reply(403, `{"status":"error","message":"x"}`), false, ErrForbidden, ""},
		{reply(410, `{"status":"error","message":"token does not exist"}`), false, ErrNotFound, ""},
		{reply(500, `{"status":"success"}`), false, nil, "HTTP 500"},
	} {
		t.Run(c.raw, func(t *testing.T) {
			t.Parallel()
			s, base := listen(t, answering(c.raw))
			err := newClient(t, base+"/v2").DeleteToken(t.Context(), "10000")
			if got := s.requests(); len(got) != 1 || got[0].method != "DELETE" || got[0].uri != "/v2/api/10000/delete" || got[0].body != "" || got[0].header.Get("Content-Type") != "" {
				t.Errorf("requests %+v", got)
			}
			if c.okay {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if e := mustError(t, err, c.kind); !strings.HasPrefix(e.Error(), "delete token 10000: ") || !strings.Contains(e.Error(), c.text) {
				t.Errorf("error %q, want %q in it", e, c.text)
			}
		})
	}
}

// An id is one segment of the path, whatever is in it.
func TestIDsAreEscaped(t *testing.T) {
	t.Parallel()
	s, base := listen(t, answering(ok(`{"status":"success"}`)))
	c := newClient(t, base)
	for id, uri := range map[string]string{
		"10000":         "/api/10000/delete",
		"../cloud/9":    "/api/..%2Fcloud%2F9/delete",
		"a/b":           "/api/a%2Fb/delete",
		"%2F":           "/api/%252F/delete",
		"a b?c#d":       "/api/a%20b%3Fc%23d/delete",
		"é\n":           "/api/%C3%A9%0A/delete",
		"\xff":          "/api/%FF/delete",
		"...":           "/api/.../delete",
		"9/delete?x=\r": "/api/9%2Fdelete%3Fx=%0D/delete",
	} {
		n := len(s.requests())
		if err := c.DeleteToken(t.Context(), id); err != nil {
			t.Errorf("%q: %v", id, err)
			continue
		}
		if got := s.requests()[n].uri; got != uri {
			t.Errorf("%q: asked for %s, want %s", id, got, uri)
		}
	}
	n := len(s.requests())
	for _, id := range []string{"", ".", ".."} {
		if e := mustError(t, c.DeleteToken(t.Context(), id), nil); e.Sent {
			t.Errorf("%q was sent", id)
		}
	}
	if len(s.requests()) != n {
		t.Error("a request was sent for an id that is none")
	}
}

// A secret given for an id by mistake is not repeated.
func TestSecretAsID(t *testing.T) {
	t.Parallel()
	_, base := listen(t, answering(ok(`{"status":"error","message":"no"}`)))
	var traced []Exchange
	c := newClient(t, base, WithTrace(func(x Exchange) { traced = append(traced, x) }))
	mustError(t, c.DeleteToken(context.Background(), testSecret), nil)
	noSecret(t, fmt.Sprintf("%+v %v", traced, traced[0].Err))
}
