// Package sandbox is a small look-alike of the Utho API-token service: enough
// to try utho without an account, and for tests and other people's clients to
// talk to.
//
// It behaves like the PHP service it stands in for. Errors come with HTTP 200
// and {"status":"error","message":…}; ids and the write flag are strings; time
// stamps are Indian Standard Time without a zone; a secret is shown once, by the
// answer to the create, which carries no id; answers are never compressed. Where
// the service's own words are not known, the words are the sandbox's.
//
// What stands here is written from the wire, not from the client: the package
// shares no types with pkg/utho and never imports it, so that a wrong field in
// one cannot agree with itself in the other.
//
// A Sandbox never logs.
package sandbox

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"time"
)

const (
	// BaseURL is what a client that uses [Sandbox.Transport] takes as the base
	// URL. Nothing is ever dialled there; the address is loopback because only
	// loopback may be sent a secret of the sandbox.
	BaseURL = "http://127.0.0.1/v2"

	// SecretPrefix starts every secret of a sandbox, so that none is taken for a
	// real one.
	SecretPrefix = "live_sandbox_"
)

// maxBody bounds a request's body, in bytes.
const maxBody = 1 << 20

// Sandbox answers as the service does. It is an [http.Handler], and safe for
// concurrent use; where it stands on a file, by several processes at once too.
type Sandbox struct {
	store store
	clock func() time.Time

	// around, where set, stands between the wire and the service. Only
	// WithFaults sets it, so that a program which never calls that does not
	// even link what injects faults.
	around func(r *http.Request, body []byte) (reply, error)
}

// Option changes how a Sandbox behaves.
type Option func(*Sandbox)

// WithClock sets what the Sandbox takes for the time: of new tokens, and of the
// Date header of every answer. The default is time.Now.
func WithClock(now func() time.Time) Option {
	return func(s *Sandbox) { s.clock = now }
}

// Memory returns a Sandbox that is forgotten with the process.
func Memory(opts ...Option) *Sandbox {
	return newSandbox(&memoryStore{state: newState("")}, opts)
}

// Open returns a Sandbox kept in the JSON file at path. The disk is not touched
// before the first request or call; that one makes the folder and the file where
// they are missing. Beside the file stands a lock, path + ".lock", held for the
// time of each request.
func Open(path string, opts ...Option) (*Sandbox, error) {
	if path == "" {
		return nil, errors.New("open sandbox: no path")
	}
	return newSandbox(newFileStore(path), opts), nil
}

func newSandbox(st store, opts []Option) *Sandbox {
	s := &Sandbox{store: st, clock: time.Now}
	for _, opt := range opts {
		opt(s)
	}
	return s
}

// OperatorSecret returns a credential with write scope that belongs to the
// store itself: it is in no list, cannot be deleted, and survives Reset. It is
// made with the store. Errors are *StoreError.
func (s *Sandbox) OperatorSecret(ctx context.Context) (string, error) {
	var secret string
	err := s.store.update(ctx, func(st *state) bool {
		secret = st.Operator
		return false
	})
	if err != nil {
		return "", err
	}
	return secret, nil
}

// Reset starts afresh: the seeds and nothing else, ids counting from where they
// first did. The operator's secret stays, unless the file is too broken to tell
// it or was open to others. Errors are *StoreError.
func (s *Sandbox) Reset(ctx context.Context) error {
	return s.store.reset(ctx)
}

// ServeHTTP answers one request. A failure of the store, which changed nothing,
// is a 500 with an error body that gives the reason. Where a request cannot be
// read, was given up, or meets a fault that breaks connections, ServeHTTP panics
// with [http.ErrAbortHandler], as net/http has it.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p, err := s.respond(r)
	if failed := new(*StoreError); errors.As(err, failed) {
		p, err = message(http.StatusInternalServerError, statusError, (*failed).Error()).reply(s.clock())
	}
	if err != nil {
		panic(http.ErrAbortHandler) // nothing is sent, and nothing logged
	}
	maps.Copy(w.Header(), p.header)
	w.WriteHeader(p.status)
	// A client that has gone away cannot be told so.
	_, _ = w.Write(p.body[:p.sent])
	if p.sent < len(p.body) {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// respond turns a request into what goes on the wire. The error is a
// *StoreError, or says why the connection breaks without an answer.
func (s *Sandbox) respond(r *http.Request) (reply, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(io.LimitReader(r.Body, maxBody+1)); err != nil {
			return reply{}, err
		}
	}
	if s.around != nil {
		return s.around(r, body)
	}
	a, err := s.answer(r, body)
	if err != nil {
		return reply{}, err
	}
	return a.reply(s.clock())
}
