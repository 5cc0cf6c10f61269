// Package sandboxtest is the sandbox for tests: it can be told to misbehave and to keep another time, and it records
// what it was asked. It stands around the sandbox as an [http.Handler] and is spoken to over HTTP or in process, there
// also under testing/synctest: it starts no goroutines.
package sandboxtest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/utho/utho-cli/internal/sandbox"
)

// Server is a sandbox with faults. It is safe for concurrent use.
type Server struct {
	box      *sandbox.Sandbox
	operator string

	mu          sync.Mutex // held while a request takes effect
	faults      []*active
	requests    []*Request
	changes     []Op // creates and deletions, in the order of arrival
	created     []*created
	marked      int // how many changes had come at the last Clear or Mark
	ahead, zone time.Duration
}

// created is a token that was created here.
type created struct {
	secret, id string
	change     int       // the place of its create among the changes, from 1; 0 for Add
	stamp      string    // created_at, if it is not the sandbox's own
	until      time.Time // before this no list shows it
	refuse     int       // requests with its secret that are refused
}

// A Token is one that the Server has.
type Token struct {
	ID, Name string
	Write    bool
	Secret   string // empty for seeds
}

// A Request is one that a Server received.
type Request struct {
	Op           Op // Any for what is no operation
	Method, Path string
	Header       http.Header
	By           string // whose secret the service saw: "operator" or the id of a token; empty for nobody's or if it saw none
	Effect       bool   // the service has handled the request, be it by refusing it

	change int // how many changes had come with it
}

// New returns a Server with the sandbox's seeds until the test ends, kept in memory if the system has a folder for
// that.
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
	box := sandbox.Open(path)
	secret, err := box.OperatorSecret(context.Background())
	return &Server{box: box, operator: secret, created: []*created{{secret: secret, id: "operator"}}}, err
}

// Operator is a secret with write scope that belongs to no token.
func (s *Server) Operator() string { return s.operator }

// SetClock has the service's clock run ahead of time.Now, for the Date header and for the stamps of tokens created
// from now on; those are in a zone that is zone east of Indian Standard Time. Either may be negative.
func (s *Server) SetClock(ahead, zone time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead, s.zone = ahead, zone
}

// Requests returns what has been received so far, in the order of arrival.
func (s *Server) Requests() (requests []Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.requests {
		requests = append(requests, *r)
	}
	return requests
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
		if on == Any || on == op || on == List && (op == Confirm || op == Recheck || op == Verify) {
			n++
		}
	}
	return n
}

// Tokens returns the tokens that there are, whatever faults hide, unrecorded.
func (s *Server) Tokens() (all []Token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.list() {
		all = append(all, Token{ID: w.ID, Name: w.Name, Write: w.Write == "1", Secret: s.find(w.ID).secret})
	}
	return all
}

// Works reports whether the service knows the secret, whatever faults refuse, unrecorded.
func (s *Server) Works(secret string) bool {
	return string(s.ask(http.MethodGet, "/api", secret, nil)) != unauthorized
}

// Add creates a token as somebody else would, past all faults, unrecorded.
func (s *Server) Add(name string, write bool) Token {
	body, err := json.Marshal(map[string]any{"name": name, "write": write})
	if err != nil {
		panic(err)
	}
	s.mu.Lock()
	s.keep(s.ask(http.MethodPost, "/api/generate", s.operator, body), &Fault{}, 0)
	s.mu.Unlock()
	all := s.Tokens()
	return all[len(all)-1]
}

// Remove deletes a token as somebody else would, past all faults, unrecorded.
func (s *Server) Remove(id string) {
	s.ask(http.MethodDelete, "/api/"+id+"/delete", s.operator, nil)
}

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

// list is what the sandbox itself lists, with the stamps of the clock that was set; s.mu is held.
func (s *Server) list() []wireToken {
	var list wireList
	body := s.ask(http.MethodGet, "/api", s.operator, nil)
	if err := json.Unmarshal(body, &list); err != nil || list.Status != "success" {
		panic(fmt.Sprintf("sandboxtest: list: %s", body))
	}
	for i, w := range list.API {
		list.API[i].Created = cmp.Or(s.find(w.ID).stamp, w.Created)
	}
	return list.API
}

// keep remembers the token of an answer to a create, if there is one, and what the fault wants of it; s.mu is held.
func (s *Server) keep(body []byte, f *Fault, change int) {
	var answer struct{ APIKey string }
	if json.Unmarshal(body, &answer) != nil || answer.APIKey == "" {
		return
	}
	all := s.list()
	c := &created{secret: answer.APIKey, id: all[len(all)-1].ID, change: change, refuse: f.RefuseNew}
	c.until = time.Now().Add(f.HideFor)
	if s.ahead != 0 || s.zone != 0 {
		ist := time.FixedZone("IST", 5*3600+1800)
		c.stamp = time.Now().Add(s.ahead + s.zone).In(ist).Format(time.DateTime)
	}
	s.created = append(s.created, c)
}

// find returns the token created here with that id or secret, an empty one if there is none; s.mu is held.
func (s *Server) find(idOrSecret string) *created {
	for _, c := range s.created {
		if c.id == idOrSecret || c.secret == idOrSecret {
			return c
		}
	}
	return &created{}
}

// ask sends a request to the sandbox itself, and gives the body of the answer.
func (s *Server) ask(method, path, secret string, body []byte) []byte {
	r, err := http.NewRequestWithContext(context.Background(), method, sandbox.BaseURL+path, nil)
	if err != nil {
		panic(err)
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	a, err := s.forward(r, body)
	if err != nil {
		panic(err)
	}
	return a.body
}

// forward sends a request on to the sandbox, with another body, and does not give up with who asked.
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
