package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

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
