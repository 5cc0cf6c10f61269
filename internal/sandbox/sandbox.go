// Package sandbox is a small look-alike of the Utho API-token service: enough to try utho without an account, and
// for tests and other people's clients to talk to.
//
// It behaves like the PHP service it stands in for. Errors come with HTTP 200 and {"status":"error","message":…};
// ids and the write flag are strings; time stamps are Indian Standard Time without a zone; a secret is shown once,
// by the answer to the create, which carries no id; a path may end in a slash; a path that does not exist is a 401;
// answers are never compressed. If the service's own words are not known, the words are the sandbox's.
//
// It is written from the wire, not from the client: the package shares no types with pkg/utho and never imports it,
// so that a wrong field in one cannot agree with itself in the other.
package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

const (
	// BaseURL is the base URL for clients that use [Sandbox.Transport]. Nothing is ever dialled there; the address
	// is loopback because only loopback may be sent a secret of the sandbox.
	BaseURL = "http://127.0.0.1/v2"

	// HealthPath answers a GET without a credential if the sandbox is there.
	HealthPath = "/health"

	// SecretPrefix starts every secret of a sandbox, so that none is taken for a real one.
	SecretPrefix = "live_sandbox_"
)

// maxBody bounds a request's body, in bytes.
const maxBody = 1 << 20

// Sandbox answers as the service does. It is an [http.Handler], and safe for concurrent use, by several processes
// too.
type Sandbox struct {
	path string
	// turn holds one value while nobody of this process uses the file: in process the requests queue up, instead of
	// all polling the lock file.
	turn chan struct{}
}

// Open returns a Sandbox kept in the JSON file at path. The disk is not touched before the first request or call,
// which creates the folder and the file if they are missing. Beside the file stands a lock, path + ".lock", held
// during each request.
func Open(path string) (*Sandbox, error) {
	if path == "" {
		return nil, errors.New("open sandbox: no path")
	}
	s := &Sandbox{path: path, turn: make(chan struct{}, 1)}
	s.turn <- struct{}{}
	return s, nil
}

// OperatorSecret returns a credential with write scope that belongs to the store itself: it is in no list, cannot
// be deleted, and survives Reset. It is created with the store. Errors are *StoreError.
func (s *Sandbox) OperatorSecret(ctx context.Context) (secret string, err error) {
	err = s.update(ctx, func(st *state) bool {
		secret = st.Operator
		return false
	})
	return secret, err
}

// ServeHTTP answers one request. A failure of the store, which changed nothing, is a 500 with an error body that
// gives the reason. ServeHTTP panics with [http.ErrAbortHandler] if the request cannot be read.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.serve(w, r) }

// serve is ServeHTTP; it returns what it answered.
func (s *Sandbox) serve(w http.ResponseWriter, r *http.Request) answer {
	a, err := s.respond(r)
	if failed := new(StoreError); errors.As(err, &failed) {
		a, err = message(http.StatusInternalServerError, statusError, failed.Error()), nil
	}
	var body []byte
	if err == nil {
		body, err = a.json()
	}
	if err != nil {
		panic(http.ErrAbortHandler) // nothing is sent, and nothing logged
	}
	setHeader(w.Header(), len(body))
	w.WriteHeader(a.status)
	_, _ = w.Write(body) //nolint:gosec // it is JSON, and called so; a client that has gone away hears of nothing
	return a
}

// respond reads a request and does what it asks for. The error is a *StoreError, or that of reading the body.
func (s *Sandbox) respond(r *http.Request) (answer, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(io.LimitReader(r.Body, maxBody+1)); err != nil {
			return answer{}, fmt.Errorf("read request: %w", err)
		}
	}
	return s.answer(r, body)
}

// json is the answer's body as PHP writes it: <, > and & as they are, and no newline at the end.
func (a answer) json() ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(a.body); err != nil {
		return nil, fmt.Errorf("encode answer: %w", err)
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

func setHeader(h http.Header, length int) {
	h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(length))
}
