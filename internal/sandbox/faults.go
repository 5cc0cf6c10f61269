package sandbox

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"path"
	"slices"
	"sync"
	"time"
)

// Faults makes a Sandbox misbehave and records what it was asked, for tests.
// No command of the program uses it. It is safe for concurrent use, also by
// several Sandboxes at once.
type Faults struct {
	serving sync.Mutex // one request takes effect at a time, so that a new token is hidden before anybody can list it

	mu       sync.Mutex
	rules    []*activeRule
	requests []Request
	changed  chan struct{} // closed and replaced whenever requests changes
	creates  int           // that took effect
	hidden   map[string]*hiddenToken
	refused  map[string]int // hash of a new secret: how many requests with it are still refused
}

type activeRule struct {
	Rule
	seen int // matching requests so far
}

type hiddenToken struct {
	lists int       // that still do not show it
	until time.Time // before this no list shows it
}

// A Rule says which requests go wrong, and how. What it leaves zero does not
// happen; what it names happens in the order of the fields. The first rule that
// acts on a request is the only one that does.
type Rule struct {
	// Method that the request must have; empty for any.
	Method string
	// Path that the request must have, escaped as it came, as a pattern of
	// [path.Match] ("/v2/api/*/delete"); empty for any.
	Path string
	// Match is a further condition, if not nil.
	Match func(*http.Request) bool
	// AfterCreate leaves out requests that came before a create took effect.
	AfterCreate bool

	// Nth is the first of the matching requests to act on; 0 and 1 are the first.
	Nth int
	// Times is how many of them to act on; 0 for all that follow.
	Times int

	// Delay goes by before anything happens.
	Delay time.Duration
	// Hold keeps the request from taking effect until something can be received
	// from it (or it is closed), or the request's context ends.
	Hold <-chan struct{}
	// DropBefore closes the connection; the request takes no effect.
	DropBefore bool

	// ForceWrite makes a create ask for write scope, whatever it asked for.
	ForceWrite bool
	// CutName cuts the name that a create asks for to so many bytes, or less
	// where that would split a character.
	CutName int
	// HideLists keeps the token made by a create out of so many lists.
	HideLists int
	// HideFor keeps it out of all lists for so long, by the Sandbox's clock.
	HideFor time.Duration
	// RefuseNew refuses so many requests that come with the new token's secret.
	RefuseNew int

	// HoldAfter keeps the answer back once the request has taken effect.
	HoldAfter <-chan struct{}
	// DropAfter closes the connection instead of answering; the request has
	// taken effect.
	DropAfter bool

	// Status, Body, RedirectTo and RetryAfter make an answer in place of the
	// service's. The request takes no effect, unless Effect is set.
	//
	// Status is by default 200, 302 with RedirectTo, 429 with RetryAfter.
	// Body may be anything: JSON, HTML, garbage.
	Status     int
	Body       string
	RedirectTo string // the Location header
	RetryAfter string // the Retry-After header
	// Effect lets the request take effect before that answer.
	Effect bool
	// KeepBody puts the service's own body into that answer. It implies Effect.
	KeepBody bool

	// Header is set on the answer, over what is there.
	Header http.Header
	// Prefix comes before the body.
	Prefix string
	// Truncate sends half of the body, then closes the connection.
	Truncate bool
}

// replaces reports whether the rule has an answer of its own.
func (r *Rule) replaces() bool {
	return r.Status != 0 || r.Body != "" || r.RedirectTo != "" || r.RetryAfter != "" || r.KeepBody
}

// A Request is one that a Sandbox received, for tests to look at.
type Request struct {
	Method string
	Path   string // escaped, as it came
	Host   string
	Header http.Header // the value of Authorization is "[redacted]"
	Body   string      // of the request

	// By is whose secret the service saw: "operator", the id of a token, or empty
	// for nobody's. Empty also where the request did not reach the service.
	By string
	// Effect is set once the service has handled the request, be it by refusing it.
	Effect bool
	// Status of the answer; 0 while there is none.
	Status int
}

// NewFaults returns Faults with these rules, to be handed to WithFaults. It
// panics on a bad Path pattern, as Add does: a test would prove nothing with it.
func NewFaults(rules ...Rule) *Faults {
	f := &Faults{
		changed: make(chan struct{}),
		hidden:  make(map[string]*hiddenToken),
		refused: make(map[string]int),
	}
	f.Add(rules...)
	return f
}

// WithFaults has a Sandbox obey f and report to it.
func WithFaults(f *Faults) Option {
	return func(s *Sandbox) {
		s.around = func(r *http.Request, body []byte) (reply, error) { return f.around(s, r, body) }
	}
}

// Add appends rules. They count requests from now on.
func (f *Faults) Add(rules ...Rule) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range rules {
		if _, err := path.Match(r.Path, ""); err != nil {
			panic("sandbox: bad pattern " + r.Path)
		}
		f.rules = append(f.rules, &activeRule{Rule: r})
	}
}

// Clear removes all rules. What is recorded stays, and so does what was done to
// tokens made before.
func (f *Faults) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = nil
}

// Requests returns what has been received so far, in the order of arrival.
func (f *Faults) Requests() []Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.requests)
}

// Count returns how many requests with that method and path have been received;
// both are as in Rule.
func (f *Faults) Count(method, pattern string) int {
	n := 0
	for _, r := range f.Requests() {
		if matches(method, pattern, r.Method, r.Path) {
			n++
		}
	}
	return n
}

// Await blocks until the requests received so far satisfy ok, or ctx ends.
func (f *Faults) Await(ctx context.Context, ok func([]Request) bool) error {
	for {
		f.mu.Lock()
		requests, changed := slices.Clone(f.requests), f.changed
		f.mu.Unlock()
		if ok(requests) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func matches(method, pattern, gotMethod, gotPath string) bool {
	if method != "" && method != gotMethod {
		return false
	}
	if pattern == "" {
		return true
	}
	ok, err := path.Match(pattern, gotPath)
	return ok && err == nil
}

// arrive records a request and finds the rule that acts on it; an empty one if
// there is none.
func (f *Faults) arrive(r *http.Request, body []byte) (index int, rule Rule) {
	f.mu.Lock()
	defer f.mu.Unlock()
	got := Request{
		Method: cmp.Or(r.Method, http.MethodGet),
		Path:   r.URL.EscapedPath(),
		Host:   cmp.Or(r.Host, r.URL.Host),
		Header: maps.Clone(r.Header),
		Body:   string(body),
	}
	if got.Header.Get("Authorization") != "" {
		got.Header.Set("Authorization", "[redacted]")
	}
	f.requests = append(f.requests, got)
	f.tell()
	found := false
	for _, a := range f.rules {
		if !matches(a.Method, a.Path, got.Method, got.Path) || a.AfterCreate && f.creates == 0 || a.Match != nil && !a.Match(r) {
			continue
		}
		a.seen++
		first := max(a.Nth, 1)
		if !found && a.seen >= first && (a.Times == 0 || a.seen < first+a.Times) {
			rule, found = a.Rule, true
		}
	}
	return len(f.requests) - 1, rule
}

// note changes the record of a request.
func (f *Faults) note(index int, change func(*Request)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.requests[index])
	f.tell()
}

// tell wakes whoever awaits; f.mu is held.
func (f *Faults) tell() {
	close(f.changed)
	f.changed = make(chan struct{})
}
