package sandbox

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// stateVersion is the format of the file. A file of any other is not touched.
const stateVersion = 1

// state is all that a sandbox knows, as its file spells it.
type state struct {
	Version  int     `json:"version"`
	Operator string  `json:"operator_secret"` // in plain text: serve prints it
	NextID   int64   `json:"next_id"`         // counts up, so that no id comes twice
	Tokens   []token `json:"tokens"`          // in the order they were created
}

type token struct {
	ID      int64  `json:"id"`
	Name    string `json:"name"`
	Write   bool   `json:"write"`
	Created string `json:"created_at"` // IST, as the service shows it
	// Secret is the SHA-256 of the secret in hex, empty for seeds, whose secrets nobody has. A fast hash is enough
	// for 160 random bits.
	Secret string `json:"secret_sha256,omitempty"`
}

func (t token) id() string { return strconv.FormatInt(t.ID, 10) }

// newState returns the seeds: the same for everybody, as the README shows them. An empty operator means a new one.
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
			{ID: 10002, Name: "backup.expires-20250101T0000Z", Created: "2024-10-03 05:30:12"},
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

// authenticate reports whose secret it is, "operator" or the id of a token, and whether it has write scope. ok is
// false for a secret that belongs to nobody.
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

// add creates a token and returns its secret, which is kept nowhere.
func (st *state) add(name string, write bool, now time.Time) (secret string) {
	secret = newSecret()
	t := token{ID: st.NextID, Name: name, Write: write, Created: stamp(now), Secret: hash(secret)}
	st.Tokens = append(st.Tokens, t)
	st.NextID++
	return secret
}

// remove forgets the token with that id, and reports whether there was one.
func (st *state) remove(id string) bool {
	count := len(st.Tokens)
	st.Tokens = slices.DeleteFunc(st.Tokens, func(t token) bool { return t.id() == id })
	return len(st.Tokens) < count
}

// decode reads a file. What is wrong with one is not quoted: it may hold a secret.
func decode(data []byte) (*state, error) {
	st := new(state)
	err := json.Unmarshal(data, st)
	switch {
	case st.Version > stateVersion:
		return nil, fmt.Errorf("it has format %d, and this utho knows %d", st.Version, stateVersion)
	case err != nil || st.Version != stateVersion || !validOperator(st.Operator):
		return nil, errors.New("it is not the file of a sandbox")
	}
	return st, nil
}

// validOperator reports whether a credential can stand in a header and is nobody's real one.
func validOperator(secret string) bool {
	rest, ok := strings.CutPrefix(secret, SecretPrefix)
	_, err := hex.DecodeString(rest)
	return ok && err == nil && len(rest) >= 32
}
