package utho

import (
	"testing"
)

// What the answers to an account read and to a delete mean.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for op, cases := range map[string]map[any][]string{
		"account": {
			Account{"32154", "A B", "a@b.example", "C"}: {
				`{"status":"success","user":{"id":"32154","fullname":"A B","email":"a@b.example","company":"C","z":{"id":1}}}`},
			Account{ID: "32154", Company: "7"}: {notice + `{"user":{"id":32154,"fullname":null,"company":7},"status":""}`},
			"user.email is not text":           {`{"status":"success","user":{"id":"1","email":{"x":1}}}`},
			"user is not an account": {
				`{"status":"success","user":[]}`, `{"status":"success","user":null}`, `{"status":"success"}`},
			`read account: the answer holds no "user"`: {`{}`, `[]`},
			"ends in the middle":                       {`{"status":"success","user":{"id":"1"`},
			ErrWrongAddress:                            {``, page, reply(401, `{"status":"error","message":"Not Found GET"}`)},
			ErrUnauthorized:                            {`{"status":"error","message":"Unauthorized access"}`},
			ErrForbidden:                               {`{"status":"error","message":"You do not have permission to view the account."}`},
		},
		"delete": {
			true: {
				`{"status":"success","message":"API has been deleted"}`, `{"status":"success"}`, notice + `{"status":"success"}`,
				`{"status":"SUCCESS","message":"token not found in cache"}`, `{"message":"API has been deleted"}`,
			},
			ErrNotFound: {
				`{"status":"error","message":"API not found"}`, `{"status":"error","message":"No such token"}`, reply(404, ""),
				reply(404, `{"status":"error","message":"x"}`), reply(410, `{"status":"error","message":"token does not exist"}`),
			},
			ErrForbidden:    {`{"status":"error","message":"This token is read-only"}`, reply(403, `{"status":"error","message":"x"}`)},
			ErrUnauthorized: {`{"status":"error","message":"Unauthorized access."}`, reply(401, `{"status":"error","message":"Not Found"}`)},
			ErrWrongAddress: {page, reply(404, page), reply(401, `{"status":"error","message":"Not Found DELETE"}`)},
			"delete token 1: the service says: Token name does not exist": {`{"status":"error","message":"Token name does not exist"}`},
			"refuses without saying why":                                  {`{"status":"error"}`},
			`done: the answer's status is "true"`:                         {`{"status":true,"message":"done"}`},
			`delete token 1: the service says: a\nb (E1)`:                 {`{"status":"error","message":"a\nb","errorcode":"E1"}`},
			"oops":                                   {`{"error":"oops"}`},
			`holds no "message"`:                     {`{}`, `{"deleted":true}`, `{"status":""}`},
			"several answers":                        {`{"status":"success"}{"status":"error"}`},
			"empty":                                  {``},
			"ends in the middle":                     {`{"status":"success"`},
			"HTTP 500":                               {reply(500, `{"status":"success"}`)},
			"the service says: bad id (NONODEFOUND)": {reply(400, `{"message":"bad id","errorcode":"NONODEFOUND"}`)},
		},
	} {
		judge(t, op, cases)
	}
}

// An id is one segment of the path, whatever is in it, and a secret given for one is not repeated.
func TestIDs(t *testing.T) {
	t.Parallel()
	c, s := newClient(t, answering(ok(`{"status":"success"}`)))
	for id, uri := range map[string]string{
		"10000": "/api/10000/delete", "../cloud/9": "/api/..%2Fcloud%2F9/delete", "%2F": "/api/%252F/delete",
		"a b?c#d": "/api/a%20b%3Fc%23d/delete", "é\n\xff": "/api/%C3%A9%0A%FF/delete", "...": "/api/.../delete",
		"9/delete?x=\r": "/api/9%2Fdelete%3Fx=%0D/delete",
	} {
		n := len(s.requests())
		err := c.DeleteToken(t.Context(), id)
		if r := s.requests()[n]; err != nil || r.method != "DELETE" || r.uri != uri || r.body != "" || r.header.Get("Content-Type") != "" {
			t.Errorf("%q: %v, asked for %+v, want %s", id, err, r, uri)
		}
	}
	c, _ = newClient(t, answering(ok(`{"status":"error","message":"no"}`)))
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

func TestRedact(t *testing.T) {
	t.Parallel()
	const secret = `op/aque"1+2&`
	for in, want := range map[string]string{
		"": "", "live_ live": "live_ live", `a op/aque"1+2& b`: "a [redacted] b", `{"k":"op\/aque\"1+2&"}`: `{"k":"[redacted]"}`,
		`{"k":"op/aque\"1+2\u0026"}`: `{"k":"[redacted]"}`, `{"k":"op\/aque\"1+2\u0026"}`: `{"k":"[redacted]"}`,
		"x=op%2Faque%221%2B2%26&y": "x=[redacted]&y", "/op%2Faque%221+2&/y": "/[redacted]/y",
		"x live_0123456789abcdefghi y": "x live_0123456789abcdefghi y", "live_live_0123456789abcdefghij": "[redacted]",
		"x live_0123456789abcdefghij.live_ABCDEFGHIJ-KLMNO_QRST": "x [redacted].[redacted]",
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
