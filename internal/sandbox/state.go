package sandbox

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// stateVersion is the format of the file. A file of any other is not touched.
const stateVersion = 1

// state is all that a sandbox knows, as its file spells it.
type state struct {
	Version  int     `json:"version"`
	Operator string  `json:"operator_secret"` // in plain: serve prints it
	NextID   int64   `json:"next_id"`         // counts up, so that no id comes twice
	Tokens   []token `json:"tokens"`          // in the order they were made
}

type token struct {
	ID      int64  `json:"id"`
	Name    string `json:"name"`
	Write   bool   `json:"write"`
	Created string `json:"created_at"` // IST, as the service shows it
	// Secret is the SHA-256 of the secret in hex, empty for seeds, whose secrets
	// nobody has. A fast hash is enough for 160 random bits.
	Secret string `json:"secret_sha256,omitempty"`
}

// newState returns the seeds: the same for everybody, as the README shows them.
// An empty operator means a new one.
func newState(operator string) *state {
	if operator == "" {
		operator = newSecret()
	}
	return &state{
		Version:  stateVersion,
		Operator: operator,
		NextID:   10004,
		Tokens: []token{
			{ID: 10000, Name: "ci-deploy", Write: true, Created: "2024-04-22 01:12:36"},
			{ID: 10001, Name: "grafana", Created: "2024-04-22 01:16:51"},
			{ID: 10002, Name: "nightly-backup.expires-20250101T0000Z", Created: "2024-10-03 05:30:12"},
			{ID: 10003, Name: "terraform", Write: true, Created: "2025-02-17 15:42:08"},
		},
	}
}

func newSecret() string {
	b := make([]byte, 20)
	_, _ = rand.Read(b) // never fails: it ends the program instead
	return SecretPrefix + hex.EncodeToString(b)
}

func hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// stamp is t as the service writes it: Indian Standard Time, without a zone.
func stamp(t time.Time) string {
	return t.In(time.FixedZone("IST", 5*3600+1800)).Format("2006-01-02 15:04:05")
}

// authenticate tells whose secret it is: "operator" or the id of a token, and
// whether it has write scope. ok is false for a secret that belongs to nobody.
func (st *state) authenticate(secret string) (by string, write, ok bool) {
	if secret == "" {
		return "", false, false
	}
	sum := []byte(hash(secret))
	if subtle.ConstantTimeCompare(sum, []byte(hash(st.Operator))) == 1 {
		return byOperator, true, true
	}
	for _, t := range st.Tokens {
		if subtle.ConstantTimeCompare(sum, []byte(t.Secret)) == 1 {
			return t.id(), t.Write, true
		}
	}
	return "", false, false
}

// add makes a token and returns its id and its secret, which is kept nowhere.
func (st *state) add(name string, write bool, now time.Time) (id, secret string) {
	secret = newSecret()
	t := token{ID: st.NextID, Name: name, Write: write, Created: stamp(now), Secret: hash(secret)}
	st.NextID++
	st.Tokens = append(st.Tokens, t)
	return t.id(), secret
}

// remove forgets the token with that id. False if there is none.
func (st *state) remove(id string) bool {
	for i, t := range st.Tokens {
		if t.id() == id {
			st.Tokens = append(st.Tokens[:i], st.Tokens[i+1:]...)
			return true
		}
	}
	return false
}

// encode returns the file: indented, names legible.
func (st *state) encode() ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(st); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// decode reads a file, and refuses what encode would not have written: a field
// it does not know would be lost with the next change.
func decode(data []byte) (*state, error) {
	var format struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(data, &format); err != nil {
		return nil, fmt.Errorf("not the JSON of a sandbox: %w", inWords(err))
	}
	if format.Version == 0 {
		return nil, errors.New("it has no format version")
	}
	if format.Version != stateVersion {
		return nil, fmt.Errorf("format version %d, this utho knows %d", format.Version, stateVersion)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	st := new(state)
	if err := dec.Decode(st); err != nil {
		return nil, inWords(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	return st, st.check()
}

// inWords is an error of encoding/json without its types of Go.
func inWords(err error) error {
	wrong := new(*json.UnmarshalTypeError)
	if !errors.As(err, wrong) {
		return errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	what, is := cmp.Or((*wrong).Field, "it"), "the "+(*wrong).Value // such as "number 1e99"
	switch (*wrong).Value {
	case "array", "object":
		is = "an " + (*wrong).Value
	case "string", "number":
		is = "a " + (*wrong).Value
	case "bool":
		is = "a boolean"
	}
	return fmt.Errorf("%s cannot be %s", what, is)
}

// check refuses a state on which the sandbox could not keep its promises.
func (st *state) check() error {
	if !validOperator(st.Operator) {
		return errors.New("operator_secret is not a secret of the sandbox") // not quoted: it may be a real one
	}
	seen := make(map[int64]bool, len(st.Tokens))
	for i, t := range st.Tokens {
		switch {
		case t.ID <= 0 || t.ID >= st.NextID:
			return fmt.Errorf("tokens[%d]: id %d is not between 1 and next_id", i, t.ID)
		case seen[t.ID]:
			return fmt.Errorf("tokens[%d]: id %d stands twice", i, t.ID)
		case t.Secret != "" && len(t.Secret) != sha256.Size*2:
			return fmt.Errorf("tokens[%d]: secret_sha256 is not a SHA-256 in hex", i)
		}
		seen[t.ID] = true
	}
	return nil
}

// validOperator reports whether a credential can stand in a header and is
// nobody's real one.
func validOperator(secret string) bool {
	rest, ok := strings.CutPrefix(secret, SecretPrefix)
	return ok && len(rest) >= 32 && strings.Trim(rest, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// salvageOperator finds the operator's secret in a file that is JSON, whatever
// else is wrong with it; empty if it cannot be told.
func salvageOperator(data []byte) string {
	var st struct {
		Operator string `json:"operator_secret"`
	}
	if err := json.Unmarshal(data, &st); err != nil || !validOperator(st.Operator) {
		return ""
	}
	return st.Operator
}
