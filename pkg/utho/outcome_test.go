package utho

import (
	"errors"
	"strings"
	"testing"
)

func TestAccount(t *testing.T) {
	t.Parallel()
	for want, bodies := range map[any][]string{ // an account, a kind, or a part of an error without one
		Account{"32154", "A B", "a@b.example", "C"}: {
			`{"status":"success","user":{"id":"32154","fullname":"A B","email":"a@b.example","company":"C","z":{"id":1}}}`,
			notice + `{"user":{"id":32154,"fullname":"A B","email":"a@b.example","company":"C"},"status":""}`,
		},
		Account{ID: "1", Company: "7"}:             {`{"status":"success","user":{"id":"1","fullname":null,"company":7}}`},
		"user.email is an object, not text":        {`{"status":"success","user":{"id":"1","email":{"x":1}}}`},
		"user is an array, not an account":         {`{"status":"success","user":[]}`},
		"user is null, not an account":             {`{"status":"success","user":null}`},
		"user is missing, not an account":          {`{"status":"success"}`},
		`read account: the answer holds no "user"`: {`{}`, `[]`},
		"ends in the middle":                       {`{"status":"success","user":{"id":"1"`},
		"user is given twice":                      {`{"status":"success","user":{"id":"1"},"user":{"id":"2"}}`},
		ErrWrongAddress:                            {``, page, reply(401, `{"status":"error","message":"Not Found GET"}`)},
		ErrUnauthorized:                            {`{"status":"error","message":"Unauthorized access"}`},
		ErrForbidden:                               {`{"status":"error","message":"You do not have permission to view the account."}`},
	} {
		for _, raw := range bodies {
			if !strings.HasPrefix(raw, "HTTP/1.1") {
				raw = ok(raw)
			}
			s, base := listen(t, answering(raw))
			got, err := newClient(t, base+"/v2/").Account(t.Context())
			if uri := s.requests()[0].uri; uri != "/v2/account/info" {
				t.Errorf("asked for %s", uri)
			}
			if w, fine := want.(Account); fine && (err != nil || *got != w) {
				t.Errorf("%s: got %+v, %v", raw, got, err)
			} else if !fine {
				mustFail(t, err, want)
			}
		}
	}
}

// mustFail checks an error against its kind, or the words of one without a kind.
func mustFail(t *testing.T, err error, want any) {
	t.Helper()
	kind, _ := want.(error)
	text, _ := want.(string)
	if e := mustError(t, err, kind); !strings.Contains(e.Error(), text) {
		t.Errorf("error %q, want %q in it", e, text)
	}
}

func TestDeleteToken(t *testing.T) {
	t.Parallel()
	for want, answers := range map[any][]string{ // nil: deleted; a kind; or a part of an error without one
		nil: {
			ok(`{"status":"success","message":"API has been deleted"}`), ok(`{"status":"success"}`), ok(notice + `{"status":"success"}`),
			ok(`{"status":"SUCCESS","message":"token not found in cache"}`), ok(`{"message":"API has been deleted"}`),
		},
		ErrNotFound: {
			ok(`{"status":"error","message":"API not found"}`), ok(`{"status":"error","message":"No such token"}`), reply(404, ""),
			reply(404, `{"status":"error","message":"x"}`), reply(410, `{"status":"error","message":"token does not exist"}`),
		},
		ErrForbidden: {ok(`{"status":"error","message":"This token is read-only"}`), reply(403, `{"status":"error","message":"x"}`)},
		ErrUnauthorized: {
			ok(`{"status":"error","message":"Unauthorized access."}`), reply(401, `{"status":"error","message":"Not Found"}`)},
		ErrWrongAddress: {ok(page), reply(404, page), reply(401, `{"status":"error","message":"Not Found DELETE"}`)},
		"delete token 10000: the service says: Token name does not exist": {ok(`{"status":"error","message":"Token name does not exist"}`)},
		"refuses without saying why":                                      {ok(`{"status":"error"}`)},
		`done: the answer's status is "true"`:                             {ok(`{"status":true,"message":"done"}`)},
		"oops":                                                            {ok(`{"error":"oops"}`)},
		`holds no "message"`:                                              {ok(`{}`), ok(`{"deleted":true}`), ok(`{"status":""}`)},
		"several answers":                                                 {ok(`{"status":"success"}{"status":"error"}`)},
		"empty":                                                           {ok(``)},
		"ends in the middle":                                              {ok(`{"status":"success"`)},
		"HTTP 500":                                                        {reply(500, `{"status":"success"}`)},
		"the service says: bad id (NONODEFOUND)":                          {reply(400, `{"message":"bad id","errorcode":"NONODEFOUND"}`)},
	} {
		for _, raw := range answers {
			s, base := listen(t, answering(raw))
			err := newClient(t, base+"/v2").DeleteToken(t.Context(), "10000")
			if got := s.requests(); len(got) != 1 || got[0].method != "DELETE" || got[0].uri != "/v2/api/10000/delete" ||
				got[0].body != "" || got[0].header.Get("Content-Type") != "" {
				t.Errorf("requests %+v", got)
			}
			if want == nil && err != nil {
				t.Errorf("%s: %v", raw, err)
			} else if want != nil {
				mustFail(t, err, want)
			}
		}
	}
}

// An id is one segment of the path, whatever is in it, and a secret given for one is not repeated.
func TestIDs(t *testing.T) {
	t.Parallel()
	s, base := listen(t, answering(ok(`{"status":"success"}`)))
	c := newClient(t, base)
	for id, uri := range map[string]string{
		"10000": "/api/10000/delete", "../cloud/9": "/api/..%2Fcloud%2F9/delete", "%2F": "/api/%252F/delete",
		"a b?c#d": "/api/a%20b%3Fc%23d/delete", "é\n\xff": "/api/%C3%A9%0A%FF/delete", "...": "/api/.../delete",
		"9/delete?x=\r": "/api/9%2Fdelete%3Fx=%0D/delete",
	} {
		n := len(s.requests())
		if err := c.DeleteToken(t.Context(), id); err != nil || s.requests()[n].uri != uri {
			t.Errorf("%q: %v, asked for %s, want %s", id, err, s.requests()[n].uri, uri)
		}
	}
	n := len(s.requests())
	for _, id := range []string{"", ".", ".."} {
		e := mustError(t, c.DeleteToken(t.Context(), id), nil)
		if e.Sent || len(s.requests()) != n || !strings.HasPrefix(e.Error(), "delete token "+id+": ") {
			t.Errorf("%q was sent, or not named: %v", id, e)
		}
	}
	c, _ = against(t, ok(`{"status":"error","message":"no"}`))
	mustError(t, c.DeleteToken(t.Context(), testSecret), nil)
}

// A wording that is not listed is no kind at all.
func TestKindOfMessage(t *testing.T) {
	t.Parallel()
	for want, messages := range map[error][]string{
		ErrUnauthorized: {"Unauthorized access. Please provide a valid API key.", "UNAUTHORIZED", "unauthorised access",
			"Unauthenticated.", "Invalid API key", "invalid api-key provided", "Invalid token.", "Forbidden: invalid API key"},
		ErrForbidden: {"You don't have permission to do it", "You do not have permission", "Permission denied",
			"Unauthorized: permission denied", "This API key has read-only access", "Write access required", "Forbidden"},
		ErrNotFound: {"API not found", "Token does not exist", "Token doesn't exist.", "No such token"},
		nil: {"", "Server is busy", "Invalid token name", "Invalid API key name", "API key limit reached", "The foundation",
			"Token name not found", "\x00\xff\u202e", "API name already exists"},
	} {
		for _, message := range messages {
			if got := kindOfMessage(message); got != want {
				t.Errorf("%q: %v, want %v", message, got, want)
			}
		}
	}
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	for want, e := range map[string]*Error{
		"list tokens: boom": {Op: "list tokens", Err: errors.New("boom")},
		"list tokens: HTTP 503 Service Unavailable (attempt 4)": {Op: "list tokens", StatusCode: 503, Kind: ErrUnavailable, Attempts: 4},
		"list tokens: HTTP 599":                                 {Op: "list tokens", StatusCode: 599, Attempts: 1},
		`delete token 1: the service says: a\nb (E1)`:           {Op: "delete token 1", StatusCode: 200, Message: "a\nb", Code: "E1"},
		"create token: outcome unknown: HTTP 502 Bad Gateway: x": {Op: "create token", StatusCode: 502,
			Kind: ErrOutcomeUnknown, Err: errors.New("x")},
		"list tokens: the service says: (E1): there": {Op: "list tokens", StatusCode: 401, Code: "E1",
			Kind: ErrWrongAddress, Err: errors.New("there")},
	} {
		if got := e.Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if errs := (&Error{}).Unwrap(); len(errs) != 0 {
		t.Error(errs)
	}
}

func TestRedact(t *testing.T) {
	t.Parallel()
	const secret = `op/aque"1+2&`
	for in, want := range map[string]string{
		"": "", "nothing": "nothing", "live_ live": "live_ live", `a op/aque"1+2& b`: "a [redacted] b",
		`{"k":"op\/aque\"1+2&"}`: `{"k":"[redacted]"}`, `{"k":"op/aque\"1+2\u0026"}`: `{"k":"[redacted]"}`,
		`{"k":"op\/aque\"1+2\u0026"}`: `{"k":"[redacted]"}`, "x=op%2Faque%221%2B2%26&y": "x=[redacted]&y",
		"/op%2Faque%221+2&/y": "/[redacted]/y", "x live_0123456789abcdefghi y": "x live_0123456789abcdefghi y",
		"x live_0123456789abcdefghij.live_ABCDEFGHIJ-KLMNO_QRST": "x [redacted].[redacted]",
		"live_live_0123456789abcdefghij":                         "[redacted]",
	} {
		if got := Redact(in, "", secret); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	if got := Redact("a 0123456789abcdefghij b", "", "live_0123456789abcdefghij"); got != "a [redacted] b" {
		t.Error(got)
	}
	if got := Redact("ab abc", "ab", "abc"); got != "[redacted] [redacted]" {
		t.Error(got)
	}
}
