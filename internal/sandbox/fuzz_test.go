package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Whatever is asked, the answer is JSON with a status, and the state stays one
// that a file may hold.
func FuzzRequest(f *testing.F) {
	f.Add("GET", "/v2/api", "")
	f.Add("POST", "/v2/api/generate", `{"name":"<ci&x>","write":"0"}`+"\n")
	f.Add("POST", "/v2/api/generate", `{"name":"\u0000\ud800","write":1}`)
	f.Add("DELETE", "/v2/api/10000/delete", "")
	f.Add("DELETE", "/v2/api/..%2F..%2Fcloud/delete", "")
	f.Add("GET", "/v2/account/info", "")
	f.Add("", "", "")
	f.Fuzz(func(t *testing.T, method, path, body string) {
		u, err := url.Parse(path)
		if err != nil {
			t.Skip()
		}
		st := newState("")
		s := newSandbox(&memoryStore{state: st}, nil)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, &http.Request{
			Method: method, URL: u, Host: "localhost",
			Header: http.Header{"Authorization": {"Bearer " + st.Operator}},
			Body:   http.NoBody,
		})
		a, err := s.answer(&http.Request{Method: method, URL: u, Host: "127.0.0.1", Header: http.Header{"Authorization": {"Bearer " + st.Operator}}}, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		p, err := a.reply(aMoment())
		if err != nil {
			t.Fatal(err)
		}
		for _, got := range []string{w.Body.String(), string(p.body)} {
			var status struct{ Status string }
			if err := json.Unmarshal([]byte(got), &status); err != nil || status.Status != "success" && status.Status != "error" {
				t.Fatalf("%s %s: %s", method, path, got)
			}
		}
		checkKeeps(t, st)
	})
}

// Whatever the file holds, it is refused, or means the same once written again.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(testState))
	f.Add([]byte(testState[:40]))
	f.Add([]byte(`{"version":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if op := salvageOperator(data); op != "" && !validOperator(op) {
			t.Fatalf("salvaged %q", op)
		}
		st, err := decode(data)
		if err != nil {
			return
		}
		checkKeeps(t, st)
	})
}

func checkKeeps(t interface{ Fatalf(string, ...any) }, st *state) {
	data, err := st.encode()
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	again, err := decode(data)
	if err != nil {
		t.Fatalf("decode: %v\n%s", err, data)
	}
	if again.Operator != st.Operator || again.NextID != st.NextID || !slices.Equal(again.Tokens, st.Tokens) {
		t.Fatalf("changed on the way through the file: %+v, then %+v", st, again)
	}
}

// Any sequence of creates and deletes gives the list that a plain model gives.
func TestModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		st := newState("")
		s := newSandbox(&memoryStore{state: st}, nil)
		model := tokens(t, s)
		secrets := map[string]string{} // by the model's line
		next := 10004
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			switch rapid.IntRange(0, 2).Draw(rt, "what") {
			case 0, 1:
				name := rapid.StringN(1, 20, 40).Draw(rt, "name")
				scope := rapid.SampledFrom([]string{"on", "off"}).Draw(rt, "scope")
				quoted, err := json.Marshal(name)
				if err != nil {
					rt.Fatal(err)
				}
				g := do(t, s, "POST", "/api/generate", st.Operator, `{"name":`+string(quoted)+`,"write":"`+scope+`"}`)
				line := fmt.Sprintf("%d %s %s", next, name, map[string]string{"on": "1", "off": "0"}[scope])
				next++
				model = append(model, line)
				secrets[line] = secretIn(t, g.body)
			case 2:
				if len(model) == 0 {
					continue
				}
				i := rapid.IntRange(0, len(model)-1).Draw(rt, "which")
				id, _, _ := strings.Cut(model[i], " ")
				do(t, s, "DELETE", "/api/"+id+"/delete", st.Operator, "")
				if secret, ok := secrets[model[i]]; ok {
					if g := do(t, s, "GET", "/api", secret, ""); g.body != errorBody(msgUnauthorized) {
						rt.Fatalf("a deleted secret works: %s", g.body)
					}
					delete(secrets, model[i])
				}
				model = slices.Delete(model, i, i+1)
			}
			if got := tokens(t, s); !slices.Equal(got, model) {
				rt.Fatalf("list %q, want %q", got, model)
			}
		}
		for line, secret := range secrets {
			if g := do(t, s, "GET", "/api", secret, ""); !strings.Contains(g.body, "success") {
				rt.Fatalf("the secret of %q is refused", line)
			}
		}
		checkKeeps(rt, st)
	})
}
