package main

import (
	"encoding/json"
	"net"
	"net/http"
	"sync"

	"github.com/utho/utho-cli/internal/sandbox"
)

// names are the names of all tokens the service has, seen past its faults.
func (s *service) names() ([]string, error) {
	req, err := http.NewRequest(http.MethodGet, sandbox.BaseURL+"/api", nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+s.key)
	resp, err := s.plain.Transport().RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var doc struct {
		API []struct {
			Name string `json:"name"`
		} `json:"api"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&doc); err != nil {
		return nil, err
	}
	var names []string
	for _, t := range doc.API {
		names = append(names, t.Name)
	}
	return names, nil
}

// settled waits until everything that reached the service has been answered or
// given up, and its connections are closed: a program that was killed may have sent
// a request that the service comes to later.
func (s *service) settled() {
	s.open.mu.Lock()
	defer s.open.mu.Unlock()
	for s.open.n > 0 {
		s.open.less.Wait()
	}
}

// openConns counts the connections that the service has not closed.
type openConns struct {
	mu   sync.Mutex
	less *sync.Cond
	n    int
}

func newOpenConns() *openConns {
	o := &openConns{}
	o.less = sync.NewCond(&o.mu)
	return o
}

func (o *openConns) add(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.n += n
	o.less.Broadcast()
}

// countedListener counts the connections it accepts.
type countedListener struct {
	net.Listener
	open *openConns
}

func (l countedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.open.add(1)
	return &countedConn{Conn: c, closed: sync.OnceFunc(func() { l.open.add(-1) })}, nil
}

type countedConn struct {
	net.Conn
	closed func()
}

func (c *countedConn) Close() error {
	defer c.closed()
	return c.Conn.Close()
}
