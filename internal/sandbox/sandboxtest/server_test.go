package sandboxtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/utho/utho-cli/internal/sandbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// send sends a request and gives the whole answer, with status 0 if there is none; op is what it asks for, with the
// id of a deletion.
func send(ctx context.Context, rt http.RoundTripper, base string, op Op, secret string) (*http.Response, string, error) {
	method, path, body := "GET", "/api", ""
	switch name, id, _ := strings.Cut(string(op), " "); Op(name) {
	case Create:
		method, path, body = "POST", "/api/generate", `{"name":"x","write":"off"}`
	case Delete:
		method, path = "DELETE", "/api/"+id+"/delete"
	case Account:
		path = "/account/info/"
	case Any:
		path = "/nowhere"
	}
	r, err := http.NewRequestWithContext(ctx, method, base+path, strings.NewReader(body))
	if err != nil {
		return &http.Response{}, "", err
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	resp, err := rt.RoundTrip(r)
	if err != nil {
		return &http.Response{}, "", err
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	data, err := io.ReadAll(resp.Body)
	return resp, string(data), err
}

// Every fault on a create, over HTTP and in process: what the client gets, and the new token with whether it can
// write. "…" is the service's own answer.
func TestFaults(t *testing.T) {
	t.Parallel()
	let := make(chan struct{})
	close(let)
	for want, fault := range map[string]Fault{
		"200 application/json …; x false":                       {Hold: let, HoldAfter: let},
		"refused":                                               {Unreachable: true}, // over HTTP it is broken
		"broken":                                                {DropBefore: true},
		"broken; x false":                                       {DropAfter: true},
		"broken; x true":                                        {Truncate: true, ForceWrite: true},
		"500 application/json":                                  {Status: 500},
		"500 application/json; x false":                         {Status: 500, Effect: true},
		"201 application/json …; x false":                       {Status: 201, KeepBody: true},
		"204 application/json; x true":                          {Status: 204, Effect: true, ForceWrite: true},
		"200 application/json \x00{[; x false":                  {Body: "\x00{[", Effect: true},
		"200 text/html; charset=UTF-8 <html>":                   {Body: "<html>"},
		"302 application/json /x":                               {RedirectTo: "/x", Status: 302},
		"307 application/json /x; x false":                      {RedirectTo: "/x", Status: 307, Effect: true},
		"429 application/json 3":                                {RetryAfter: "3", Status: 429},
		"503 application/json 9":                                {RetryAfter: "9", Status: 503},
		"200 application/json …; x false on the 1st of January": {Date: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		for _, way := range []string{"http", "in process"} {
			s := New(t)
			rt, base := s.Transport(), sandbox.BaseURL
			if way == "http" {
				server := httptest.NewServer(s)
				defer server.Close()
				rt, base = &http.Transport{DisableKeepAlives: true}, server.URL+"/v2"
			}
			fault.On = Create
			s.Fault(fault)
			resp, body, err := send(t.Context(), rt, base, Create, s.Operator())
			got := "broken"
			all, r := s.Tokens()[4:], s.Requests()[0]
			if errors.Is(err, syscall.ECONNREFUSED) || way == "http" && want == "refused" {
				got = "refused"
			} else if err == nil {
				before, _, cut := strings.Cut(body, `{"status":"success","apikey":"live_sandbox_`)
				if cut {
					before += "…"
				}
				got = fmt.Sprintln(resp.StatusCode, resp.Header.Get("Content-Type"), resp.Header.Get("Location"), resp.Header.Get("Retry-After"), before)
				got = strings.Join(strings.Fields(got), " ")
			}
			if len(all) == 1 && s.Works(all[0].Secret) {
				got += fmt.Sprintf("; %s %v", all[0].Name, all[0].Write)
			}
			if strings.HasPrefix(resp.Header.Get("Date"), "Thu, 01 Jan 2026") {
				got += " on the 1st of January"
			}
			if got != want || r.Effect != (len(all) > 0) || (r.By == "operator") != r.Effect {
				t.Errorf("%s: %q, want %q; recorded %+v", way, got, want, r)
			}
		}
	}
}

// A fault acts on the requests it names, and on no others.
func TestWhatIsHit(t *testing.T) {
	t.Parallel()
	ops := []Op{List, Account, Create, List, List, "new", Any, "delete 10001", List, "delete 10002", List, "new", Account}
	for want, fault := range map[string]Fault{ // which of the requests
		"0123456789abc": {}, "03458ab": {On: List}, "34": {On: Confirm}, "8a": {On: Recheck}, "5b": {On: Verify}, "2": {On: Create},
		"79": {On: Delete}, "9": {On: Delete, ID: "10002"}, "1c": {On: Account},
		"56": {Nth: 6, Times: 2}, "3": {On: Confirm, Times: 1}, "4": {On: Confirm, Nth: 2}, "b": {On: Verify, Nth: 2, Times: 7},
	} {
		s := New(t)
		s.Add("earlier", true)
		fault.KeepBody, fault.Status = true, 299
		s.Fault(fault)
		got := ""
		for i, op := range ops {
			secret := s.Operator()
			if op == "new" {
				op, secret = List, s.Tokens()[len(s.Tokens())-1].Secret
			}
			if resp, _, _ := send(t.Context(), s.Transport(), sandbox.BaseURL, op, secret); resp.StatusCode == 299 {
				got += string("0123456789abc"[i])
			}
		}
		if got != want {
			t.Errorf("%+v hits %s, want %s", fault, got, want)
		}
		all := []Op{List, Account, Create, Confirm, Confirm, Verify, Any, Delete, Recheck, Delete, Recheck, Verify, Account}
		if !slices.Equal(s.Ops(), all) || s.Count(List) != 7 || s.Count(Any) != 13 || s.Count(Verify) != 2 {
			t.Errorf("recorded %q", s.Ops())
		}
		s.Clear()
		// The first fault that hits acts, and the others do not see the request.
		s.Fault(Fault{Status: 201, Times: 1}, Fault{Status: 202, Times: 2}, Fault{Status: 204, Nth: 2, Times: 1})
		for i, want := range []int{201, 202, 202, 200, 204, 200} {
			resp, _, _ := send(t.Context(), s.Transport(), sandbox.BaseURL, List, s.Operator())
			if resp.StatusCode != want || s.Ops()[13+i] != List {
				t.Errorf("request %d: %d, want %d", i, resp.StatusCode, want)
			}
		}
	}
}
