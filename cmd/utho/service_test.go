package main

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/utho/utho-cli/internal/sandbox/sandboxtest"
)

// service is a sandbox over HTTP that can be told to misbehave.
type service struct {
	*sandboxtest.Server
	url, key string
	conns    atomic.Int32 // that have been opened
	open     atomic.Int32 // that are open
	holds    map[string]*held
}

// held keeps requests until they are let go, or their clients give up.
type held struct {
	came chan struct{} // one for each request that is held
	let  chan struct{} // closed when they may go on
}

// serve offers a sandbox on loopback until what atEnd is given is called.
func serve(box *sandboxtest.Server, atEnd func(func())) *service {
	s := &service{Server: box, key: box.Operator(), holds: map[string]*held{}}
	server := httptest.NewUnstartedServer(box)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			s.conns.Add(1)
			s.open.Add(1)
		case http.StateClosed, http.StateHijacked:
			s.open.Add(-1)
		}
	}
	server.Start()
	s.url = server.URL + "/v2"
	atEnd(func() {
		for name := range s.holds {
			s.release(name)
		}
		server.CloseClientConnections()
		server.Close()
	})
	return s
}

// hold gives what is held under a name.
func (s *service) hold(name string) *held {
	if s.holds[name] == nil {
		s.holds[name] = &held{make(chan struct{}, 100), make(chan struct{})}
	}
	return s.holds[name]
}

// await waits until another request is held under a name.
func (s *service) await(name string) error {
	select {
	case <-s.hold(name).came:
		return nil
	case <-time.After(patience):
		return errors.New("no request is held as " + name)
	}
}

func (s *service) release(name string) {
	close(s.hold(name).let)
	delete(s.holds, name)
}

// before has a fault hold requests before they take effect.
func (h *held) before(f *sandboxtest.Fault) {
	f.Before, f.Hold = func() { h.came <- struct{}{} }, h.let
}

// after has a fault hold requests when they have taken effect.
func (h *held) after(f *sandboxtest.Fault) {
	f.After, f.HoldAfter = func() { h.came <- struct{}{} }, h.let
}

// moment is where a request is held.
type moment bool

const (
	beforeEffect moment = false
	afterEffect  moment = true
)

// stopAt holds the first requests of a kind under a name; 0 times for all.
func (s *service) stopAt(name string, op sandboxtest.Op, at moment, times int) {
	f := sandboxtest.Fault{On: op, Times: times}
	if at == beforeEffect {
		s.hold(name).before(&f)
	} else {
		s.hold(name).after(&f)
	}
	s.Fault(f)
}

// settled waits until the service's connections are closed: a program that was
// killed may have sent a request that the service comes to later.
func (s *service) settled() {
	for s.open.Load() > 0 {
		time.Sleep(time.Millisecond)
	}
}

// count is how many tokens have that name, whatever its expiry; any if it is empty.
func (s *service) count(name string) (n int) {
	for _, t := range s.Tokens() {
		if base, _, _ := strings.Cut(t.Name, ".expires-"); base == name || name == "" {
			n++
		}
	}
	return n
}

// Secrets that a recorder knows, by where they are.
const (
	keySecret     = "live_test_good_of_UTHO_API_KEY"
	tokenSecret   = "live_test_good_of_UTHO_TOKEN"
	filedSecret   = "live_test_good_of_the_file_store"
	commandSecret = "live_test_good_of_the_command"
)

// A recorder is a service that knows some tokens, has none in its list, and
// writes down which credentials came.
type recorder struct {
	url  string
	mu   sync.Mutex
	came []string // the Authorization headers since the last call of take
}

func (s *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.came = append(s.came, r.Header.Get("Authorization"))
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	answer := `{"status":"success","api":[]}`
	switch {
	case !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer live_test_good_"):
		w.WriteHeader(http.StatusUnauthorized)
		answer = `{"status":"error","message":"Unauthorized access. Please provide a valid API key."}`
	case strings.HasSuffix(r.URL.Path, "/account/info"):
		answer = `{"status":"success","user":{"id":"32154","fullname":"Asha Rao","email":"asha.rao@example.com"}}`
	}
	_, _ = io.WriteString(w, answer)
}

// take gives the different credentials that came, each once, and forgets them.
func (s *recorder) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	came := slices.Compact(slices.Sorted(slices.Values(s.came)))
	s.came = nil
	return came
}

// record starts a recorder on loopback.
func record(t testing.TB) *recorder {
	t.Helper()
	s := &recorder{}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL + "/v2"
	return s
}
