package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
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
	compared int // how many requests a script has looked at
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
func (s *service) await(t interface{ Fatalf(string, ...any) }, name string) {
	select {
	case <-s.hold(name).came:
	case <-time.After(patience):
		t.Fatalf("no request is held as %s", name)
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

// A moment is where a request is held.
type moment func(*held, *sandboxtest.Fault)

var beforeEffect, afterEffect moment = (*held).before, (*held).after

// stopAt holds the first requests of a kind under a name; 0 times for all.
func (s *service) stopAt(name string, op sandboxtest.Op, at moment, times int) {
	f := sandboxtest.Fault{On: op, Times: times}
	at(s.hold(name), &f)
	s.Fault(f)
}

// settled waits until the service's connections are closed: a program that was
// killed may have sent a request that the service comes to later.
func (s *service) settled() {
	for s.open.Load() > 0 {
		time.Sleep(time.Millisecond)
	}
}

// count is how many tokens have that name, whatever its expiry.
func (s *service) count(name string) (n int) {
	for _, t := range s.Tokens() {
		if base, _, _ := strings.Cut(t.Name, ".expires-"); base == name {
			n++
		}
	}
	return n
}
