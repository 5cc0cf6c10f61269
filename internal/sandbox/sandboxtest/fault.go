package sandboxtest

import (
	"net/http"
	"strings"
	"time"
)

// Op is what a request asks for, and what a Fault hits.
type Op string

// What a list is depends on what came before it: since the fault was set, or for a [Request] since the last
// [Server.Clear] or [Server.Mark].
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

// A Fault says which requests go wrong, and how. What it leaves zero does not happen; what it names happens in the
// order of the fields. The first fault that hits a request acts on it, and those behind it do not see it: faults of
// the same requests with Times 1 act one after the other.
type Fault struct {
	On    Op
	ID    string // of the token of a deletion, if not any
	Nth   int    // the first of these requests to act on; 0 and 1 are the first
	Times int    // how many of them to act on; 0 for all that follow

	Unreachable bool            // nobody listens; over HTTP this is DropBefore
	Before      func()          // called when the request has come; it may use the Server
	Hold        <-chan struct{} // the request takes no effect until this can be received from, or its context ends
	DropBefore  bool            // the connection is closed, and the request takes no effect

	ForceWrite bool          // a create asks for write scope, whatever it asked for
	HideFor    time.Duration // for so long no list shows the token of a create
	RefuseNew  int           // so many requests with its secret are refused

	After     func()          // called when the request has taken effect; it may use the Server
	HoldAfter <-chan struct{} // the answer waits, as with Hold
	DropAfter bool            // the connection is closed without an answer, but the request has taken effect

	// An answer in place of the service's. The request takes no effect, unless Effect or KeepBody is set.
	Status     int    // by default 200
	Body       string // JSON, HTML, garbage
	RedirectTo string // the Location header
	RetryAfter string // the Retry-After header
	Effect     bool   // the request takes effect before that answer
	KeepBody   bool   // the answer has the service's own body

	Date     time.Time // the Date header of the answer, if not zero
	Truncate bool      // half of the body comes, then the connection is closed
}

// replaces reports whether the fault has an answer of its own.
func (f *Fault) replaces() bool {
	return f.Status != 0 || f.Body != ""
}

// active is a fault that has been set.
type active struct {
	Fault
	since int // how many changes had come then
	seen  int // requests so far that it names and no fault before it took
}

// Fault sets faults. They count requests from now on.
func (s *Server) Fault(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range faults {
		s.faults = append(s.faults, &active{Fault: f, since: len(s.changes)})
	}
}

// Clear removes all faults. What is recorded stays, and so does what was done to tokens created before.
func (s *Server) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults, s.marked = nil, len(s.changes)
}

// Mark has what a list is in [Server.Requests] depend on what comes from now on.
func (s *Server) Mark() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.marked = len(s.changes)
}

// arrive records a request and finds the fault that acts on it, an empty one if there is none.
func (s *Server) arrive(r *http.Request) (got *Request, f Fault) {
	op, id := asked(r)
	got = &Request{Method: r.Method, Path: r.URL.EscapedPath(), Header: r.Header.Clone()}
	got.Header.Del("Authorization")
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.faults {
		if a.On != Any && a.On != op && a.On != s.kind(op, bearer(r), a.since) || a.ID != "" && a.ID != id {
			continue
		}
		a.seen++
		if first := max(a.Nth, 1); a.seen >= first && (a.Times == 0 || a.seen < first+a.Times) {
			f = a.Fault
			break
		}
	}
	got.Op = s.kind(op, bearer(r), s.marked)
	s.requests = append(s.requests, got)
	if op == Create || op == Delete {
		s.changes = append(s.changes, op)
	}
	got.change = len(s.changes)
	return got, f
}

// kind is what a list is, seen from when so many changes had come; s.mu is held.
func (s *Server) kind(op Op, secret string, since int) Op {
	if op != List || since >= len(s.changes) {
		return op
	}
	if s.find(secret).change > since {
		return Verify
	}
	if s.changes[len(s.changes)-1] == Create {
		return Confirm
	}
	return Recheck
}

// asked is what a request asks for by its method and path, with the id of a deletion.
func asked(r *http.Request) (op Op, id string) {
	path := strings.TrimSuffix(r.URL.EscapedPath(), "/")
	id, found := strings.CutPrefix(path, "/v2/api/")
	if r.Method == http.MethodDelete && found {
		return Delete, strings.TrimSuffix(id, "/delete")
	}
	all := map[string]Op{"GET /v2/api": List, "POST /v2/api/generate": Create, "GET /v2/account/info": Account}
	return all[r.Method+" "+path], ""
}

func bearer(r *http.Request) string {
	return strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
}
