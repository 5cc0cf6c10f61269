package sandboxtest

import (
	"net/http"
	"strings"
	"time"
)

// Op is what a request asks for, and what a Fault hits.
type Op string

// What a list is depends on what came before it: since the fault was set, or
// for a [Request] since the last [Server.Clear] or [Server.Mark].
const (
	Any     Op = ""        // every request
	List    Op = "list"    // every list, the next three among them
	Confirm Op = "confirm" // a list after a create
	Recheck Op = "recheck" // a list after a deletion
	Verify  Op = "verify"  // a list with the secret of a new token
	Create  Op = "create"
	Delete  Op = "delete"
	Account Op = "account"
)

func (op Op) isList() bool { return op == List || op == Confirm || op == Recheck || op == Verify }

// A Fault says which requests go wrong, and how. What it leaves zero does not
// happen; what it names happens in the order of the fields. The first fault that
// hits a request acts on it, and those behind it do not see it: faults of the same
// requests with Times 1 act one after the other.
type Fault struct {
	On Op
	// ID leaves out the deletions of other tokens.
	ID string
	// Nth is the first of these requests to act on; 0 and 1 are the first.
	Nth int
	// Times is how many of them to act on; 0 for all that follow.
	Times int

	// Unreachable fails as if nobody listened. Over HTTP it is DropBefore.
	Unreachable bool
	// Before is called when the request has come. It may use the Server.
	Before func()
	// Hold keeps the request from taking effect then, until something can be
	// received from it (or it is closed), or the request's context ends.
	Hold <-chan struct{}
	// DropBefore closes the connection; the request takes no effect.
	DropBefore bool

	// ForceWrite makes a create ask for write scope, whatever it asked for.
	ForceWrite bool
	// Rename gives the token of a create this name.
	Rename string
	// HideLists keeps the token of a create out of so many lists.
	HideLists int
	// HideFor keeps it out of all lists for so long.
	HideFor time.Duration
	// RefuseNew refuses so many requests that come with the new token's secret.
	RefuseNew int

	// After is called when the request has taken effect. It may use the Server.
	After func()
	// HoldAfter keeps the answer back then, as Hold does.
	HoldAfter <-chan struct{}
	// DropAfter closes the connection instead of answering; the request has taken
	// effect.
	DropAfter bool

	// Status, Body, RedirectTo and RetryAfter make an answer in place of the
	// service's. The request takes no effect, unless Effect or KeepBody is set.
	//
	// Status is by default 200, 302 with RedirectTo, 429 with RetryAfter.
	// Body may be anything: JSON, HTML, garbage.
	Status     int
	Body       string
	RedirectTo string // the Location header
	RetryAfter string // the Retry-After header
	// Effect lets the request take effect before that answer.
	Effect bool
	// KeepBody puts the service's own body into that answer.
	KeepBody bool

	// Date is the Date header of the answer, if not zero.
	Date time.Time
	// Prefix comes before the body.
	Prefix string
	// Truncate sends half of the body, then closes the connection.
	Truncate bool
}

// replaces reports whether the fault has an answer of its own.
func (f *Fault) replaces() bool {
	return f.Status != 0 || f.Body != "" || f.RedirectTo != "" || f.RetryAfter != ""
}

// active is a fault that has been set.
type active struct {
	Fault
	since int // Server.ended when it was set
	seen  int // requests so far that it names and no fault before it took
}

// Fault sets faults. They count requests from now on.
func (s *Server) Fault(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range faults {
		s.faults = append(s.faults, &active{Fault: f, since: s.ended})
	}
}

// Clear removes all faults. What is recorded stays, and so does what was done to
// tokens created before.
func (s *Server) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults, s.marked = nil, s.ended
}

// Mark has what a list is in [Server.Requests] depend on what comes from now on.
func (s *Server) Mark() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.marked = s.ended
}

// arrive records a request and finds the fault that acts on it, an empty one if
// there is none.
func (s *Server) arrive(r *http.Request, body []byte) (got *Request, f Fault, c *change) {
	op, id := asked(r)
	secret := bearer(r)
	got = &Request{Method: r.Method, Path: r.URL.EscapedPath(), Header: r.Header.Clone(), Body: string(body)}
	got.Header.Del("Authorization")
	c = &change{op: op}
	s.note(func() {
		for _, a := range s.faults {
			if a.On != Any && a.On != op && a.On != s.kind(op, secret, a.since) || a.ID != "" && a.ID != id {
				continue
			}
			a.seen++
			if first := max(a.Nth, 1); a.seen >= first && (a.Times == 0 || a.seen < first+a.Times) {
				f = a.Fault
				break
			}
		}
		got.Op = s.kind(op, secret, s.marked)
		s.requests = append(s.requests, got)
		if op == Create || op == Delete {
			s.changes = append(s.changes, c)
		}
	})
	return got, f, c
}

// kind is what a list is, seen from when so many changes had been answered; s.mu
// is held.
func (s *Server) kind(op Op, secret string, since int) Op {
	if op != List {
		return op
	}
	for _, c := range s.changes {
		switch {
		case c.ended != 0 && c.ended <= since:
		case c.secret != "" && c.secret == secret:
			return Verify
		case c.op == Create:
			op = Confirm
		default:
			op = Recheck
		}
	}
	return op
}

// asked is what a request asks for by its method and path, with the id of a
// deletion.
func asked(r *http.Request) (op Op, id string) {
	path := strings.TrimSuffix(r.URL.EscapedPath(), "/")
	switch {
	case r.Method == http.MethodGet && path == "/v2/api":
		return List, ""
	case r.Method == http.MethodPost && path == "/v2/api/generate":
		return Create, ""
	case r.Method == http.MethodGet && path == "/v2/account/info":
		return Account, ""
	case r.Method == http.MethodDelete:
		id, _ = strings.CutPrefix(path, "/v2/api/")
		id, _ = strings.CutSuffix(id, "/delete")
		return Delete, id
	}
	return Any, ""
}

func bearer(r *http.Request) string {
	return strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
}
