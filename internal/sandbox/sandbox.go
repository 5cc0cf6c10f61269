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

// Sandbox answers as the service does. It is safe for concurrent use, by several processes too.
type Sandbox struct{ path string }

// Open returns a Sandbox kept in the JSON file at path. The disk is not touched before the first request or call,
// which creates the folder and the file if they are missing. Beside the file stands a lock, path + ".lock", held
// during each request.
func Open(path string) *Sandbox { return &Sandbox{path} }

// OperatorSecret returns a credential with write scope that belongs to the store itself: it is in no list, cannot
// be deleted, and survives Reset. It is created with the store. Errors are *StoreError.
func (s *Sandbox) OperatorSecret(ctx context.Context) (secret string, err error) {
	err = s.update(ctx, func(st *state) bool {
		secret = st.Operator
		return false
	})
	return secret, err
}

// encode is JSON as PHP writes it, and a person reads it: <, > and & as they are.
func encode(v any, indent string) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	err := enc.Encode(v)
	return buf.Bytes(), err
}

// encode is the answer's header and body.
func (a answer) encode() (http.Header, []byte, error) {
	body, err := encode(a.body, "")
	body = bytes.TrimSuffix(body, []byte("\n"))
	return http.Header{
		"Date":           {time.Now().UTC().Format(http.TimeFormat)},
		"Content-Type":   {"application/json"},
		"Content-Length": {strconv.Itoa(len(body))},
	}, body, err
}
