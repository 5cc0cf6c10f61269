package deliver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Target is a destination and what was typed for it.
type Target struct {
	Spec Spec
	Destination
}

// String is what was typed.
func (t Target) String() string { return t.Spec.String() }

// A Set is all the destinations of one secret. The calls are Prepare, Deliver, and Undo if something failed. It is not
// for concurrent use.
type Set struct {
	targets []Target // in the order of delivery
	begun   int      // how many of them Deliver has been called on
	failed  bool     // the last of those
}

// NewSet puts targets in the order of delivery.
func NewSet(targets []Target) *Set {
	s := &Set{targets: slices.Clone(targets)}
	slices.SortStableFunc(s.targets, func(a, b Target) int { return int(a.Spec.Kind) - int(b.Spec.Kind) })
	return s
}

// checkPlaces refuses the same place twice; commands may repeat.
func (s *Set) checkPlaces() error {
	for i, t := range s.targets {
		for _, earlier := range s.targets[:i] {
			same := t.Place() == earlier.Place() || t.Spec.Kind == KindProfile && strings.EqualFold(t.Place(), earlier.Place())
			if whole, ok := earlier.Destination.(*file); ok { // it holds the secret and nothing else
				variable, ok := t.Destination.(*envFile)
				same = same || ok && variable.path == whole.path
			}
			if same && t.Spec.Kind != KindExec {
				return bad(t.String(), fmt.Sprintf("it is the same place as %q", earlier.String()), "")
			}
		}
	}
	return nil
}

// Add prepares one more target, of the last kind.
func (s *Set) Add(ctx context.Context, t Target) error {
	s.targets = append(s.targets, t)
	return s.prepare(ctx, t)
}

// secrets are the targets that get the secret. A document without it has no Place.
func (s *Set) secrets() []Target {
	return slices.DeleteFunc(slices.Clone(s.targets), func(t Target) bool { return t.Place() == "" })
}

// Names are where the secret goes, as it was typed, in the order of delivery.
func (s *Set) Names() (names []string) {
	for _, t := range s.secrets() {
		names = append(names, t.String())
	}
	return names
}

// Places are the Place of each that gets the secret.
func (s *Set) Places() (places []string) {
	for _, t := range s.secrets() {
		places = append(places, t.Place())
	}
	return places
}

// Holds returns the secret whose SHA-256 is sum if every place holds it, and "" if not; holders are the places that do.
// The error names the first that cannot be read.
func (s *Set) Holds(ctx context.Context, sum [32]byte) (secret string, holders []string, err error) {
	targets := s.secrets()
	for _, t := range targets {
		held, readErr := t.Holds(ctx, sum)
		switch {
		case readErr != nil:
			err = cmp.Or(err, fmt.Errorf("%s: %w", t.Place(), readErr))
		case held != "":
			secret, holders = held, append(holders, t.Place())
		}
	}
	if len(holders) < len(targets) {
		secret = ""
	}
	return secret, holders, err
}

// Prepare stops at the first destination that cannot be used, which the error names. The same place twice is a
// problem.Usage. Nothing has been delivered then.
func (s *Set) Prepare(ctx context.Context) error {
	for _, t := range s.targets {
		if err := s.prepare(ctx, t); err != nil {
			return err
		}
	}
	return s.checkPlaces() // now that they know where they are: k8s: asks kubectl
}

func (s *Set) prepare(ctx context.Context, t Target) error {
	err := context.Cause(ctx)
	if err == nil {
		err = t.Prepare(ctx)
	}
	if err != nil {
		return fmt.Errorf("destination %s: %w; nothing was created", t, err)
	}
	return nil
}

// A Failure says which destination did not get the secret. Those before it did, and nothing has been undone.
type Failure struct {
	Destination string // as it was typed
	Kind        Kind
	Err         error
}

func (f *Failure) Error() string { return fmt.Sprintf("deliver to %s: %v", f.Destination, f.Err) }
func (f *Failure) Unwrap() error { return f.Err }

// Deliver stops at the first destination that fails: a *Failure. It is called once.
func (s *Set) Deliver(ctx context.Context, t Token) error {
	for _, target := range s.targets {
		s.begun++
		err := context.Cause(ctx)
		if err == nil {
			err = target.Deliver(ctx, t)
		}
		if err != nil {
			s.failed = true
			return &Failure{Destination: target.String(), Kind: target.Spec.Kind, Err: err}
		}
	}
	return nil
}

// Undone says what an undo came to, destinations as they were typed, in the order in which they were undone. Only if
// all but Restored are empty is the secret nowhere.
type Undone struct {
	Restored []string // as they were before
	Kept     []string // have the secret for good
	Doubtful []string // a command that failed by itself: it may have stored the secret
	Unknown  []string // not known to be as they were, and why
}

// Undo undoes what Deliver began, in reverse order, each destination within 10 s. One that failed and is as it was is
// not mentioned.
func (s *Set) Undo(ctx context.Context) Undone {
	var u Undone
	for ; s.begun > 0; s.begun-- {
		t := s.targets[s.begun-1]
		ctx, cancel := context.WithTimeout(ctx, undoTime)
		err := t.Undo(ctx)
		cancel()
		switch {
		case errors.Is(err, ErrKept):
			u.Kept = append(u.Kept, t.String())
		case errors.Is(err, ErrDoubtful):
			u.Doubtful = append(u.Doubtful, t.String())
		case err != nil:
			u.Unknown = append(u.Unknown, fmt.Sprintf("%s (%v)", t, err))
		case !s.failed:
			u.Restored = append(u.Restored, t.String())
		}
		s.failed = false
	}
	return u
}

// A Recorded is what a destination itself remembers of its last delivery.
type Recorded struct {
	TokenID, PreviousID string
	Sum                 [32]byte // SHA-256 of the secret
}

// Recorded returns what the first destination remembers that has a record and still holds that secret, if any.
func (s *Set) Recorded(ctx context.Context) (r Recorded, ok bool, err error) {
	type recorder interface {
		Recorded(ctx context.Context) (Recorded, bool, error)
	}
	for _, t := range s.targets {
		if d, can := t.Destination.(recorder); can {
			if r, ok, err = d.Recorded(ctx); ok || err != nil {
				return r, ok, err
			}
		}
	}
	return Recorded{}, false, nil
}
