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
func (s *service) settled() { s.open.Wait() }

// countedListener counts the connections that are open.
type countedListener struct {
	net.Listener
	open *sync.WaitGroup
}

func (l countedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.open.Add(1)
	return &countedConn{Conn: c, closed: sync.OnceFunc(l.open.Done)}, nil
}

type countedConn struct {
	net.Conn
	closed func()
}

func (c *countedConn) Close() error {
	defer c.closed()
	return c.Conn.Close()
}
