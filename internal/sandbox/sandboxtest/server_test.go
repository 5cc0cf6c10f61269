package sandboxtest

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/utho/utho-cli/internal/sandbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// send asks for an operation, a deletion with the id, and gives the status of the answer.
func send(t *testing.T, s *Server, op Op, secret string) int {
	t.Helper()
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
	r, err := http.NewRequestWithContext(t.Context(), method, sandbox.BaseURL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	resp, err := s.Transport().RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close() // its status is all
	return resp.StatusCode
}

// A fault acts on the requests it names, and on no others. What it does then is what the tests of the protocols are
// about.
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
			if send(t, s, op, secret) == 299 {
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
			if got := send(t, s, List, s.Operator()); got != want || s.Ops()[13+i] != List {
				t.Errorf("request %d: %d, want %d", i, got, want)
			}
		}
	}
}
