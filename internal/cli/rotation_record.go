package cli

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

	"github.com/utho/utho-cli/internal/deliver"
	"github.com/utho/utho-cli/internal/privfile"
	"github.com/utho/utho-cli/pkg/utho"
)

// The stages of a rotation, as its record names them. Each is written before
// what it names can have happened, so that what a killed rotation left is never
// more than its record says.
const (
	stageSent       = "sent"       // the create may have been sent
	stageMade       = "made"       // the new token exists; nobody has its secret
	stageDelivering = "delivering" // the secret is being delivered
	stageDelivered  = "delivered"  // the secret has arrived; the old token may go
)

// rotationRecord is what a rotation leaves in the state folder while it is
// under way. It holds no secret.
type rotationRecord struct {
	Version int       `json:"version"`
	Origin  string    `json:"origin"`
	OldID   string    `json:"old_id"`
	OldName string    `json:"old_name"`
	NewName string    `json:"new_name"`
	NewID   string    `json:"new_id,omitempty"`
	Before  []string  `json:"before"` // the ids that were there before the create
	Stage   string    `json:"stage"`
	Started time.Time `json:"started"`
	To      []string  `json:"to"`      // the destinations, commands by their first word only
	ToHash  string    `json:"to_hash"` // of the destinations in full and the folder they are relative to

	path string
}

// endedName is the file that says which rotation was the last to come to its
// end.
const endedName = "ended"

// records are the rotations of one origin that this machine has under way.
type records struct {
	dir    string
	origin string
	look   string // the command that shows what stands
}

func (a *app) rotationRecords(s *session) (*records, error) {
	dir, err := a.state()
	if err != nil {
		return nil, fmt.Errorf("rotate keeps a record of how far it came: %w", err)
	}
	return &records{dir: filepath.Join(dir, "rotations"), origin: s.origin, look: a.command("token", "list", "-o", "wide")}, nil
}

func (r *records) path(id string) string {
	sum := sha256.Sum256([]byte(r.origin + "\n" + id))
	return filepath.Join(r.dir, hex.EncodeToString(sum[:12])+".json")
}

// ended changes with every rotation that deleted its old token: a list from
// before that may still have it.
func (r *records) ended() string {
	data, err := privfile.ReadSecret(filepath.Join(r.dir, endedName))
	if err != nil {
		return "" // none has ended, or none that could say so
	}
	return string(data)
}

// lock keeps a second rotation of the same token off. It does not wait for the
// first one's end: the token will be gone then.
func (r *records) lock(id string) (release func(), err error) {
	if err := privfile.MkdirAll(r.dir); err != nil {
		return nil, fmt.Errorf("rotate %s: %w", id, err)
	}
	release, ok, err := privfile.TryLock(strings.TrimSuffix(r.path(id), ".json") + ".lock")
	if err != nil {
		return nil, fmt.Errorf("rotate %s: %w", id, err)
	}
	if !ok {
		return nil, failf(exitError, "error", "rotate %s: another rotation of this token is under way on this machine", id)
	}
	return release, nil
}

// read returns the record of a rotation of the token; nil where there is none.
func (r *records) read(id string) (*rotationRecord, error) {
	path := r.path(id)
	data, err := privfile.ReadSecret(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("record of an earlier rotation: %w", err)
	}
	rec := &rotationRecord{path: path}
	if err := json.Unmarshal(data, rec); err != nil || rec.Version != 1 || rec.OldID != id || rec.Origin != r.origin {
		return nil, failf(exitError, "error", "the record of an earlier rotation of %s, %s, cannot be read", id, path).
			with("look at what stands with %s, then remove that file", r.look)
	}
	return rec, nil
}

// begin writes the record of a rotation that is about to send its create.
func (r *records) begin(rot *rotation, tokens []utho.Token) (*rotationRecord, error) {
	rec := &rotationRecord{
		Version: 1, Origin: r.origin, OldID: rot.old.ID, OldName: rot.old.Name,
		NewName: rot.making.req.Name, Stage: stageSent, Started: time.Now().UTC(),
		path: r.path(rot.old.ID),
	}
	for _, t := range tokens {
		rec.Before = append(rec.Before, t.ID)
	}
	rec.To, rec.ToHash = shortDestinations(rot.req.to), hashDestinations(rot.req.to)
	if err := rec.save(); err != nil {
		return nil, err
	}
	return rec, nil
}

// reach notes how far the rotation came.
func (rec *rotationRecord) reach(stage, newID string) error {
	rec.Stage = stage
	if newID != "" {
		rec.NewID = newID
	}
	return rec.save()
}

func (rec *rotationRecord) save() error {
	data, err := json.MarshalIndent(rec, "", "  ")
	if err == nil {
		err = privfile.WriteSecret(rec.path, append(data, '\n'))
	}
	if err != nil {
		return fmt.Errorf("write the record of the rotation of %s: %w", rec.OldID, err)
	}
	return nil
}

// appearsFor is how long after its begin a killed rotation may have made a token
// that no list shows yet.
const appearsFor = time.Minute

// mayAppear tells whether the rotation may have made a token that the list is yet
// to show.
func (rec *rotationRecord) mayAppear() bool {
	return (rec.Stage == stageSent || rec.Stage == stageMade) && rec.NewID == "" && time.Since(rec.Started) < appearsFor
}

// left are the tokens that the rotation made, or may have made.
func (rec *rotationRecord) left(tokens []utho.Token) []utho.Token {
	return matching(tokens, func(t utho.Token) bool {
		if rec.NewID != "" {
			return t.ID == rec.NewID
		}
		return t.Name == rec.NewName && !slices.Contains(rec.Before, t.ID)
	})
}

// await lists again at 1 and 3 s where the rotation was killed a moment ago and
// the list shows nothing of it. It returns the last list.
func (rec *rotationRecord) await(soft context.Context, s *session, list *utho.TokenList) (*utho.TokenList, error) {
	for _, wait := range []time.Duration{time.Second, 2 * time.Second} {
		if !rec.mayAppear() || len(rec.left(list.Tokens)) > 0 {
			break
		}
		pause(soft, wait)
		var err error
		if list, err = s.list(soft); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// end removes the record: nothing is left to finish or to explain. One that
// cannot be removed is found and judged by the next rotation.
func (rec *rotationRecord) end() { _ = os.Remove(rec.path) }

// over is end for a rotation whose old token is gone. Who locks it all the same
// has an older list, and sees by what ended says that it is out of date.
func (rec *rotationRecord) over() {
	said := rec.OldID + " " + time.Now().UTC().Format(time.RFC3339Nano) + "\n"
	_ = privfile.WriteSecret(filepath.Join(filepath.Dir(rec.path), endedName), []byte(said)) // only two at once need it
	rec.end()
	_ = os.Remove(strings.TrimSuffix(rec.path, ".json") + ".lock")
}

// endUnless ends the record but where err says that something is left.
func (rec *rotationRecord) endUnless(exit int, err error) {
	if classify(err).exit != exit {
		rec.end()
	}
}

// shortDestinations names destinations without the arguments of commands,
// which may hold secrets of other services.
func shortDestinations(to []string) []string {
	short := []string{}
	for _, text := range to {
		spec, err := deliver.ParseSpec(text)
		if err == nil && spec.Kind == deliver.KindExec {
			words := strings.FieldsFunc(spec.Arg, func(r rune) bool { return strings.ContainsRune(" \t\r\n", r) })
			text = "exec:" + words[0]
		}
		short = append(short, text)
	}
	if len(short) == 0 {
		short = append(short, "stdout")
	}
	return short
}

func hashDestinations(to []string) string {
	dir, err := os.Getwd()
	if err != nil {
		dir = ""
	}
	sum := sha256.Sum256([]byte(dir + "\x00" + strings.Join(to, "\x00")))
	return hex.EncodeToString(sum[:])
}

// prune removes the records of rotations whose old token is gone: there is
// nothing to finish. Those of another account at the same origin stay: none of
// their tokens is among these. What cannot be read is left for read to complain
// about.
func (r *records) prune(tokens []utho.Token) {
	there, known := map[string]bool{}, ids(tokens)
	for _, t := range tokens {
		there[filepath.Base(r.path(t.ID))] = true
	}
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if there[e.Name()] || filepath.Ext(e.Name()) != ".json" {
			continue
		}
		path := filepath.Join(r.dir, e.Name())
		var rec rotationRecord
		data, err := privfile.ReadSecret(path)
		if err == nil && json.Unmarshal(data, &rec) == nil && rec.Origin == r.origin &&
			(known[rec.NewID] || slices.ContainsFunc(rec.Before, func(id string) bool { return known[id] })) {
			_ = os.Remove(path)
			_ = os.Remove(strings.TrimSuffix(path, ".json") + ".lock")
		}
	}
}

// findRotated is find, but where a killed rotation left two tokens of one name,
// the name means the old one, whose record is there.
func (a *app) findRotated(tokens []utho.Token, r *records, arg string) (utho.Token, error) {
	t, err := a.find(tokens, arg)
	var f *failure
	if !errors.As(err, &f) || f.code != "ambiguous" {
		return t, err
	}
	var found []utho.Token
	for _, t := range tokens {
		rec, readErr := r.read(t.ID)
		if readErr != nil || rec == nil || baseName(t.Name) != baseName(arg) {
			continue
		}
		found = append(found, t)
	}
	if len(found) != 1 {
		return t, err
	}
	return found[0], nil
}

// resume looks at what an earlier, killed rotation of the token left, and
// finishes it or says what stands. done means that this command has nothing
// else to do.
func (a *app) resume(soft context.Context, s *session, rec *rotationRecord, old utho.Token, list *utho.TokenList, req rotateRequest, out *secretOutput) (done bool, err error) {
	left := rec.left(list.Tokens)
	since := rec.Started.Local().Format("2006-01-02 15:04:05")
	if len(left) == 0 {
		if rec.mayAppear() { // a rotation that goes on from here writes a record of its own over this one
			a.note("an earlier rotation of %s, begun %s, was cut short while it made a token; the list shows nothing of it, but it may still appear: its secret is lost", old.ID, since)
			return false, nil
		}
		a.note("an earlier rotation of %s, begun %s, left nothing behind", old.ID, since)
		rec.end()
		return false, nil
	}
	if rec.Stage == stageDelivered && len(left) == 1 && !req.keepOld && rec.sameTo(req, out) {
		return true, a.finish(soft, s, rec, old, left[0], req, out)
	}
	if rec.NewID == "" || rec.Stage == stageDelivered && req.keepOld {
		// It has been told. Which token is meant is not certain, or both are
		// wanted; it must not be in the way for ever.
		rec.end()
	}
	names := idList(left)
	if len(left) > 1 { // none of them has been delivered: the id would be known
		var each []string
		for _, t := range left {
			each = append(each, t.ID)
		}
		return true, failf(exitUnknown, "unknown_outcome",
			"earlier rotations of %s, the last begun %s, were killed before they delivered anything: tokens %s, named %s, are new, one of them at least was made so, and its secret is lost; the old token %s still works",
			old.ID, since, names, quoteText(left[0].Name), old.ID).
			with("delete those that nobody uses, then rotate again: %s", a.deleteCommand(each...))
	}
	switch rec.Stage {
	case stageSent, stageMade:
		return true, failf(exitUnknown, "unknown_outcome",
			"an earlier rotation of %s, begun %s, was killed before it delivered anything: token %s, named %s, is what it made, and its secret is lost; the old token %s still works",
			old.ID, since, names, quoteText(left[0].Name), old.ID).
			with("delete it, then rotate again: %s", a.deleteCommand(left[0].ID))
	case stageDelivering:
		return true, failf(exitUnknown, "unknown_outcome",
			"an earlier rotation of %s, begun %s, was killed while it delivered the secret of token %s to %s: it may have arrived; the old token %s still works",
			old.ID, since, names, strings.Join(rec.To, ", "), old.ID).
			with("where it has arrived: %s; where not: %s, then rotate again", a.deleteCommand(old.ID), a.deleteCommand(left[0].ID))
	}
	return true, failf(exitUnknown, "unknown_outcome",
		"an earlier rotation of %s, begun %s, delivered the secret of token %s to %s, but did not delete the old token; both work",
		old.ID, since, names, strings.Join(rec.To, ", ")).
		with("where it is in use: %s; where it got lost: %s, then rotate again", a.deleteCommand(old.ID), a.deleteCommand(left[0].ID))
}

// finish deletes the old token of a rotation that had delivered its secret.
func (a *app) finish(soft context.Context, s *session, rec *rotationRecord, old, made utho.Token, req rotateRequest, out *secretOutput) error {
	a.note("an earlier rotation of %s delivered the secret of token %s to %s, but did not delete the old token", old.ID, made.ID, strings.Join(rec.To, ", "))
	if !req.yes {
		if err := a.ask(soft, "Delete the old token "+old.ID+" for good?"); err != nil {
			return err
		}
	}
	end, err := a.sig.shield()
	if err != nil {
		return err
	}
	defer end()
	if err := removeToken(soft, a.sig.hard, s.client, old.ID, s.timeout); err != nil {
		return stillBoth(a, old.ID, made.ID, err)
	}
	rec.over()
	a.note("finished it: deleted the old token %s", old.ID)
	return a.finished(old, made, out)
}

// gone is for a rotation that was killed after it had deleted the old token: all
// that is left to finish is its record.
func (a *app) gone(r *records, list *utho.TokenList, req rotateRequest, out *secretOutput) (done bool, err error) {
	rec, err := r.read(req.arg)
	if err != nil || rec == nil || rec.Stage != stageDelivered {
		return false, nil //nolint:nilerr // the caller has the better error
	}
	made := matching(list.Tokens, func(t utho.Token) bool { return t.ID == rec.NewID })
	if len(made) != 1 {
		return false, nil
	}
	rec.over()
	a.note("an earlier rotation of %s delivered the secret of token %s to %s and deleted the old token", rec.OldID, rec.NewID, strings.Join(rec.To, ", "))
	if !rec.sameTo(req, out) {
		return true, failf(exitError, "error",
			"nothing new was made: the secret of token %s is where the earlier rotation delivered it, %s", made[0].ID, strings.Join(rec.To, ", ")).
			with("for another secret: %s", a.about([]string{made[0].ID}, "token", "rotate"))
	}
	old := utho.Token{ID: rec.OldID, Name: rec.OldName, Scope: made[0].Scope}
	return true, a.finished(old, made[0], out)
}

// sameTo tells whether a command sends its secret where the rotation of the
// record has delivered it, and nowhere else.
func (rec *rotationRecord) sameTo(req rotateRequest, out *secretOutput) bool {
	return !out.secret && rec.ToHash == hashDestinations(req.to)
}

// finished ends a command that had only to finish an earlier one.
func (a *app) finished(old, made utho.Token, out *secretOutput) error {
	out.show(made, a.views(time.Now()))
	out.replaced = &old
	if !out.wanted() {
		return nil
	}
	return out.Deliver(a.sig.hard, "")
}
