package utho

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

// answeredBy gives a client that is answered with status and body.
func answeredBy(t testing.TB, status int, body string) *Client {
	return through(t, roundTripper(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body)), Request: r, Header: http.Header{}}, nil
	}), WithRetry(RetryPolicy{MaxAttempts: 1}))
}

// kindOf gives the kind of an error of this package, which it must be.
func kindOf(t testing.TB, err error) error {
	e, _ := errors.AsType[*Error](err)
	return mustError(t, err, e.Kind).Kind
}

// FuzzList: no input makes the decoder panic, and a list of valid JSON alone has the elements, and the scopes, that
// encoding/json finds in "api".
func FuzzList(f *testing.F) {
	for _, s := range []string{
		someTokens, "\ufeff" + notice + someTokens + notice, `{"status":"success","api":[]}`, `{"api":{}}`, `[]`, `{}`, ` {"status":null}`,
		`{"status":"error","message":"Unauthorized access."}`, `{"errors":[{"message":"x","code":"E7"}]}`, `<html>`, `{"api":[{"id":"1"`,
		`{"api":[{"id":1,"name":"n","write":true},{"id":"2","name":"\u0031\ud800","write":null,"x":[{"write":1}]}]}`,
		`{"api":[{"id":"1","name":"n","write":"yes"}]}`, `{"a":1}{"status":"success"}`, "{\"\xff\":1,\"api\":\"\"}",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		got, err := answeredBy(t, 200, body).ListTokens(t.Context())
		if _, err := answeredBy(t, 500, body).ListTokens(t.Context()); err == nil {
			t.Fatal("a list with HTTP 500")
		}
		var whole map[string]json.RawMessage
		var api []struct{ Write any }
		if err != nil {
			kindOf(t, err)
		} else if json.Unmarshal([]byte(body), &whole) == nil && json.Unmarshal(whole["api"], &api) == nil && len(api) != len(got.Tokens) {
			t.Fatalf("%d tokens, %d elements", len(got.Tokens), len(api))
		}
		for i, element := range api {
			isWrite := false
			for _, w := range []any{"1", 1.0, true, "on", "true"} {
				isWrite = isWrite || reflect.DeepEqual(element.Write, w)
			}
			if isWrite != (got.Tokens[i].Scope == ScopeWrite) {
				t.Fatalf("a guessed scope: %+v", got.Tokens[i])
			}
		}
	})
}

// FuzzCreate: a secret stands in the answer as an "apikey"; 'nothing was created' is only said if the answer says
// "error" or 429, and never if it shows a usable secret.
func FuzzCreate(f *testing.F) {
	for _, s := range []string{
		created, notice + created, `{"status":"error","message":"no"}`, `{"status":"error","apikey":"` + newSecret + `"}`,
		`{"apikey":"a","apikey":"b"}`, created + created, `<html>` + created, created[:50], `{}`, ``, `{"apikey":{"a":"` + newSecret + `"}}`,
	} {
		for _, status := range []int{200, 302, 400, 429, 500} {
			f.Add(status, s)
		}
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			return
		}
		got, err := answeredBy(t, status, body).CreateToken(t.Context(), ci)
		escaped := strings.Contains(body, `\`)
		var whole struct{ APIKey string }
		switch {
		case err == nil && (!headerSafe(got.Secret) || !escaped && !(strings.Contains(body, "apikey") && strings.Contains(body, got.Secret))):
			t.Fatalf("HTTP %d: a secret from nowhere: %q", status, got.Secret)
		case err == nil || kindOf(t, err) == ErrOutcomeUnknown:
		case json.Unmarshal([]byte(body), &whole) == nil && headerSafe(whole.APIKey) && strings.Contains(body, `"apikey"`),
			status != 429 && (status >= 500 || !escaped && !strings.Contains(body, "status")):
			t.Fatalf("HTTP %d: it says that nothing was created: %v", status, err)
		}
	})
}
