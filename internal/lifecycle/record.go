package lifecycle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/utho/utho-cli/internal/privfile"
	"github.com/utho/utho-cli/pkg/utho"
)

// The stages of a rotation. Each is written before what it names can have happened, so that what a killed rotation
// left is never more than its record says.
const (
	stageSent       = "sent"       // the create may have been sent
	stageCreated    = "created"    // the new token is known, and nobody has its secret
	stageDelivering = "delivering" // the secret may be anywhere it was to go
	// It failed, and nothing of it is left: the record only keeps `delete --expired` from the old token, which is
	// still in use.
	stageFailed = "failed"
)

// record is what a rotation leaves in the state folder while it is under way. It holds no secret.
type record struct {
	Version int       `json:"version"`
	Origin  string    `json:"origin"`
	OldID   string    `json:"old_id"`
	NewName string    `json:"new_name"`
	NewID   string    `json:"new_id,omitempty"`
	Before  []string  `json:"before"` // the ids that were there before the create
	At      time.Time `json:"at"`     // of the service's clock, before the create
	Stage   string    `json:"stage"`
	Sum     string    `json:"sha256,omitempty"` // of the new secret
	To      []string  `json:"to"`

	path string
}

// Records are the unfinished rotations of one service on this machine.
type Records struct {
	Dir    string // the folder; created when it is needed
	Origin string // scheme, host and port of the service
}

func (r Records) path(id, ext string) string {
	sum := sha256.Sum256([]byte(r.Origin + "\n" + id))
	return filepath.Join(r.Dir, hex.EncodeToString(sum[:12])+ext)
}

// lock keeps a second rotation of the same token off this machine. It does not wait.
func (r Records) lock(id string) (release func(), err error) {
	ok := false
	if err = privfile.MkdirAll(r.Dir); err == nil {
		release, ok, err = privfile.TryLock(r.path(id, ".lock"))
	}
	if err == nil && !ok {
		err = errors.New("another rotation of this token is under way on this machine")
	}
	if err != nil {
		return nil, fmt.Errorf("rotate %s: %w", id, err)
	}
	return release, nil
}

// all reads every record of the service. One that cannot be read is an error: it may be the one that counts.
func (r Records) all() (all []*record, err error) {
	names, err := fs.Glob(os.DirFS(r.Dir), "*.json")
	for _, name := range names {
		rec := &record{path: filepath.Join(r.Dir, name)}
		data, err := privfile.ReadSecret(rec.path)
		switch {
		case errors.Is(err, fs.ErrNotExist): // its rotation ended meanwhile
		case err != nil:
			return nil, fmt.Errorf("record of an unfinished rotation: %w", err)
		case json.Unmarshal(data, rec) != nil, rec.Version != 2, rec.OldID == "":
			return nil, fmt.Errorf("the record of an unfinished rotation cannot be read; list the tokens, then remove %s", rec.path)
		case rec.Origin == r.Origin:
			all = append(all, rec)
		}
	}
	return all, err
}

// Unfinished returns the ids of those tokens, old and new, whose rotation is unfinished on this machine.
func (r Records) Unfinished(tokens []utho.Token) (ids []string, err error) {
	all, err := r.all()
	for _, rec := range all {
		if !contains(tokens, rec.OldID) {
			continue // it was deleted: the rotation is finished but for its record
		}
		ids = append(ids, rec.OldID)
		if rec.NewID != "" && rec.Stage != stageFailed {
			ids = append(ids, rec.NewID)
		}
	}
	return ids, err
}

// save writes the record at a stage.
func (rec *record) save(stage string) error {
	rec.Stage = stage
	data, err := json.MarshalIndent(rec, "", "  ")
	if err == nil {
		err = privfile.Replace(rec.path, append(data, '\n'))
	}
	if err != nil {
		return fmt.Errorf("write the record of the rotation of %s: %w", rec.OldID, err)
	}
	return nil
}

// discard removes the record: nothing is left to finish. The next rotation judges one that stays.
func (rec *record) discard() {
	if rec.path != "" {
		_ = os.Remove(rec.path)
	}
}

func (rec *record) candidates(tokens []utho.Token) []utho.Token {
	if rec.NewID != "" {
		return filter(tokens, func(t utho.Token) bool { return t.ID == rec.NewID })
	}
	return addedTo(rec.Before, tokens, rec.NewName)
}

// stampedThen reports whether a token was stamped when the rotation sent its create, by the service's clock.
func (rec *record) stampedThen(t utho.Token) bool {
	since := t.CreatedAt.Sub(rec.At)
	return !t.CreatedAt.IsZero() && !rec.At.IsZero() && since > -5*time.Second && since < 40*time.Second
}

// sameTo reports whether a command has the places of the record, in which a new Secret has no UID yet.
func (rec *record) sameTo(places []string) bool {
	a, b := slices.Sorted(slices.Values(rec.To)), slices.Sorted(slices.Values(places))
	return slices.EqualFunc(a, b, func(was, is string) bool {
		server, key, unnamed := strings.Cut(was, "/#")
		return was == is || unnamed && strings.HasPrefix(is, server+"/") && strings.HasSuffix(is, "#"+key)
	})
}

// fromPlace is the record that a place keeps itself, for a machine whose state folder has none; held is the token
// whose secret the place says it holds. Others may have written it: a token of another name is none that this
// rotation replaced.
func (r Records) fromPlace(ctx context.Context, to Destinations, tokens []utho.Token) (kept []*record, held string, err error) {
	rec, ok, err := to.Recorded(ctx)
	byID := func(id string) []utho.Token { return filter(tokens, func(t utho.Token) bool { return t.ID == id }) }
	old, added := byID(rec.PreviousID), byID(rec.TokenID)
	switch {
	case err != nil || !ok || len(added) != 1:
		return nil, "", err
	case len(old) != 1 || BaseName(old[0].Name) != BaseName(added[0].Name):
		return nil, rec.TokenID, nil
	}
	return []*record{{
		Version: 2, Origin: r.Origin, OldID: rec.PreviousID, NewID: rec.TokenID, Stage: stageDelivering,
		Sum: hex.EncodeToString(rec.Sum[:]), To: to.Places(),
	}}, rec.TokenID, nil
}
