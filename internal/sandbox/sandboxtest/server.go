// Package sandboxtest is the sandbox for tests: it can be told to misbehave and
// to keep another time, and it records what it was asked. It stands around the
// sandbox as an [http.Handler] and is spoken to over HTTP or in process, there
// also under testing/synctest: it starts no goroutines.
package sandboxtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/utho/utho-cli/internal/sandbox"
)

// Server is a sandbox with faults. It is safe for concurrent use.
type Server struct {
	box      *sandbox.Sandbox
	operator string
	turn     sync.Mutex // one request takes effect at a time: a new token is hidden before anybody lists it

	mu          sync.Mutex
	faults      []*active
	requests    []*Request
	news        chan struct{} // closed and renewed whenever requests changes
	changes     []*change     // creates and deletions, in the order of arrival
	ended       int           // how many requests have been answered
	marked      int           // ended, at the last Clear or Mark
	ahead, zone time.Duration
}

// change is a create or a deletion, and what became of it.
type change struct {
	op    Op
	ended int // 0, or its place among the requests that have been answered; -1 for Add

	secret, id string    // of the token that a create made
	stamp      string    // created_at, if it is not the sandbox's own
	lists      int       // that do not show the token
	until      time.Time // before this no list shows it
	refuse     int       // requests with its secret that are refused
}

// A Token is one that the Server has.
type Token struct {
	ID, Name, Created string
	Write             bool
	Secret            string // empty for seeds
}

// A Request is one that a Server received.
type Request struct {
	Op     Op // Any for what is no operation
	Method string
	Path   string // escaped, as it came
	Header http.Header
	Body   string

	// By is whose secret the service saw: "operator", the id of a token, or empty
	// for nobody's, and if the request did not reach the service.
	By string
	// Effect is set when the service has handled the request, be it by refusing it.
	Effect bool
	// Status of the answer; 0 while there is none, and if it was dropped.
	Status int
}

// New returns a Server with the sandbox's seeds until the test ends, kept in
// memory if the system has a folder for that.
func New(t testing.TB) *Server {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "utho-sandbox-") //nolint:usetesting // a disk takes 4 ms for each change
	if err != nil {
		dir = t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s, err := Open(filepath.Join(dir, "sandbox.json"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Open returns a Server around the sandbox kept at path.
func Open(path string) (*Server, error) {
	box, err := sandbox.Open(path)
	if err != nil {
		return nil, err
	}
	secret, err := box.OperatorSecret(context.Background())
	return &Server{box: box, operator: secret, news: make(chan struct{})}, err
}

// Operator is a secret with write scope that belongs to no token.
func (s *Server) Operator() string { return s.operator }

// SetClock has the service's clock run ahead of time.Now, for the Date header and
// for the stamps of tokens created from now on; those are in a zone that is zone
// east of Indian Standard Time. Either may be negative.
func (s *Server) SetClock(ahead, zone time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead, s.zone = ahead, zone
}

// Requests returns what has been received so far, in the order of arrival.
func (s *Server) Requests() []Request {
	requests, _ := s.look()
	return requests
}

// look returns the requests, and what is closed when they have changed.
func (s *Server) look() (requests []Request, news <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.requests {
		requests = append(requests, *r)
	}
	return requests, s.news
}

// Ops returns what the requests so far were.
func (s *Server) Ops() (ops []Op) {
	for _, r := range s.Requests() {
		ops = append(ops, r.Op)
	}
	return ops
}

// Count returns how many requests have been received that on names.
func (s *Server) Count(on Op) (n int) {
	for _, op := range s.Ops() {
		if on == Any || on == op || on == List && op.isList() {
			n++
		}
	}
	return n
}

// Await blocks until the requests received so far satisfy ok, or ctx ends.
func (s *Server) Await(ctx context.Context, ok func([]Request) bool) error {
	for {
		requests, news := s.look()
		if ok(requests) {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Tokens returns the tokens that there are, whatever faults hide, unrecorded.
func (s *Server) Tokens() (all []Token) {
	s.turn.Lock()
	defer s.turn.Unlock()
	for _, w := range s.list() {
		t := Token{ID: w.ID, Name: w.Name, Write: w.Write == "1", Created: w.Created}
		if c := s.createOf(w.ID); c != nil {
			t.Secret = c.secret
		}
		all = append(all, t)
	}
	return all
}

// Works reports whether the service knows the secret, whatever faults refuse,
// unrecorded.
func (s *Server) Works(secret string) bool {
	return string(s.ask(http.MethodGet, "/api", secret, nil).body) != unauthorized
}

// Add creates a token as somebody else would, past all faults, unrecorded.
func (s *Server) Add(name string, write bool) Token {
	body, err := json.Marshal(map[string]any{"name": name, "write": write})
	if err != nil {
		panic(err)
	}
	c := &change{ended: -1} // so that no list is one after it
	s.turn.Lock()
	s.keep(c, s.ask(http.MethodPost, "/api/generate", s.operator, body).body, &Fault{})
	s.turn.Unlock()
	s.note(func() { s.changes = append(s.changes, c) })
	all := s.Tokens()
	return all[slices.IndexFunc(all, func(t Token) bool { return t.ID == c.id })]
}

// Remove deletes a token as somebody else would, past all faults, unrecorded.
func (s *Server) Remove(id string) {
	s.ask(http.MethodDelete, "/api/"+id+"/delete", s.operator, nil)
}

// wireToken is a token in a list.
type wireToken struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Write   string `json:"write"`
	Created string `json:"created_at"`
}

type wireList struct {
	Status string      `json:"status"`
	API    []wireToken `json:"api"`
}

// list is what the sandbox itself lists, with the stamps of the clock that was
// set; s.turn is held.
func (s *Server) list() []wireToken {
	var list wireList
	a := s.ask(http.MethodGet, "/api", s.operator, nil)
	if err := json.Unmarshal(a.body, &list); err != nil || list.Status != "success" {
		panic(fmt.Sprintf("sandboxtest: list: %s", a.body))
	}
	for i, w := range list.API {
		if c := s.createOf(w.ID); c != nil && c.stamp != "" {
			list.API[i].Created = c.stamp
		}
	}
	return list.API
}

// keep remembers the token of an answer to a create, if there is one, and what
// the fault wants of it; s.turn is held.
func (s *Server) keep(c *change, body []byte, f *Fault) {
	var created struct{ APIKey string }
	if json.Unmarshal(body, &created) != nil || created.APIKey == "" {
		return
	}
	all := s.list()
	s.mu.Lock()
	defer s.mu.Unlock()
	c.secret, c.id = created.APIKey, all[len(all)-1].ID
	c.lists, c.until, c.refuse = f.HideLists, time.Now().Add(f.HideFor), f.RefuseNew
	if s.ahead != 0 || s.zone != 0 {
		ist := time.FixedZone("IST", 5*3600+1800)
		c.stamp = time.Now().Add(s.ahead + s.zone).In(ist).Format(time.DateTime)
	}
}

// createOf returns the create that made the token with that id or secret, nil if
// it was not here.
func (s *Server) createOf(idOrSecret string) *change {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.changes {
		if c.id != "" && (c.id == idOrSecret || c.secret == idOrSecret) {
			return c
		}
	}
	return nil
}

// note changes the records, and lets those who await look again.
func (s *Server) note(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
	close(s.news)
	s.news = make(chan struct{})
}

// ask sends a request to the sandbox itself.
func (s *Server) ask(method, path, secret string, body []byte) *answer {
	r, err := http.NewRequestWithContext(context.Background(), method, sandbox.BaseURL+path, nil)
	if err != nil {
		panic(err)
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	a, err := s.forward(r, body)
	if err != nil {
		panic(err)
	}
	return a
}

// forward sends a request on to the sandbox, with another body, and does not
// give up with who asked.
func (s *Server) forward(r *http.Request, body []byte) (*answer, error) {
	r = r.Clone(context.Background())
	r.Body = io.NopCloser(bytes.NewReader(body))
	resp, err := s.box.Transport().RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	data, err := io.ReadAll(resp.Body)
	return &answer{status: resp.StatusCode, header: resp.Header, body: data}, err
}
