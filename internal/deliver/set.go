package deliver

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
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

// A Set is all the destinations of one secret. The order of calls is Prepare,
// Deliver and always Close. It is not for concurrent use.
type Set struct {
	targets []Target // in the order of delivery
	begun   int      // how many of them Deliver has been called on
}

// NewSet puts targets in the order of delivery: file, env and profile, then exec,
// then stdout, each kind as given. It touches nothing.
//
// The same place twice is a *SpecError: two names of one file (a link to its folder
// is seen through), one variable in one dotenv file twice, one profile twice (whatever
// the case), stdout twice. Two variables in one dotenv file are two places. Commands
// may repeat.
func NewSet(targets []Target) (*Set, error) {
	for i, t := range targets {
		for _, earlier := range targets[:i] {
			if samePlace(earlier, t) {
				return nil, &SpecError{Text: t.String(), Why: fmt.Sprintf("it is the same place as %q", earlier.String())}
			}
		}
	}
	sorted := slices.Clone(targets)
	slices.SortStableFunc(sorted, func(a, b Target) int { return a.class() - b.class() })
	return &Set{targets: sorted}, nil
}

// class is 0 for what can be undone, more for what goes later.
func (t Target) class() int {
	switch t.Spec.Kind {
	case KindExec:
		return 1
	case KindStdout:
		return 2
	}
	return 0
}

// place says where a target is: a path or another unique word, and the part of it
// that the target takes, "" for the whole. ok is false for what may repeat.
func (t Target) place() (where, part string, ok bool) {
	switch d := t.Destination.(type) {
	case *file:
		return realPath(d.path), "", true
	case *envFile:
		return realPath(d.path), d.name, true
	}
	switch t.Spec.Kind {
	case KindProfile:
		return "profile:" + strings.ToLower(t.Spec.Arg), "", true
	case KindStdout:
		return "stdout:", "", true
	}
	return "", "", false
}

func samePlace(a, b Target) bool {
	whereA, partA, okA := a.place()
	whereB, partB, okB := b.place()
	if !okA || !okB || (partA != partB && partA != "" && partB != "") {
		return false
	}
	// Where file systems usually ignore case, a false alarm is the smaller evil.
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		return strings.EqualFold(whereA, whereB)
	}
	return whereA == whereB
}

// realPath is path with the links of its folder resolved, where there is such a folder.
func realPath(path string) string {
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		return filepath.Join(dir, filepath.Base(path))
	}
	return path
}

// Prepare prepares every destination and stops at the first that cannot be used. The
// error names it. Nothing has been delivered then; Close is still due.
func (s *Set) Prepare(ctx context.Context) error {
	for _, t := range s.targets {
		if err := t.Prepare(ctx); err != nil {
			return fmt.Errorf("destination %s: %w", t, err)
		}
	}
	return nil
}

// Deliver takes the secret to every destination. Where one fails, all of them have been
// undone, in reverse order and even where ctx has ended, and the error is a *Failure.
// It can be called once.
func (s *Set) Deliver(ctx context.Context, secret string) error {
	if secret == "" {
		return errors.New("deliver: there is no secret")
	}
	if s.begun > 0 {
		return errors.New("deliver: the secret was delivered already")
	}
	for i, t := range s.targets {
		s.begun = i + 1
		if err := t.Deliver(ctx, secret); err != nil {
			return &Failure{Destination: t.String(), Err: err, Report: s.undo(ctx, i)}
		}
	}
	return nil
}

// undo undoes what was begun, in reverse order and even where ctx has ended. The target at index failed is not reported as put back:
// nothing arrived there.
func (s *Set) undo(ctx context.Context, failed int) Report {
	var r Report
	for i := s.begun - 1; i >= 0; i-- {
		t := s.targets[i]
		err := undoOne(ctx, t)
		switch {
		case errors.Is(err, ErrCannotUndo):
			r.Kept = append(r.Kept, t.String())
		case err != nil:
			r.Failed = append(r.Failed, UndoFailure{Destination: t.String(), Err: err})
		case i != failed:
			r.PutBack = append(r.PutBack, t.String())
		}
	}
	s.begun = 0
	return r
}

func undoOne(ctx context.Context, d Destination) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	return d.Undo(ctx)
}

// Close releases what the destinations hold.
func (s *Set) Close() error {
	var errs []error
	for _, t := range s.targets {
		if err := t.Close(); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", t, err))
		}
	}
	return errors.Join(errs...)
}

// A Report tells what an undo came to. Destinations are named as they were typed, in the
// order in which they were undone.
type Report struct {
	PutBack []string      // as they were before
	Kept    []string      // have the secret for good: a command that ran, stdout
	Failed  []UndoFailure // should have been put back and were not
}

// String says it in words; empty where there is nothing to say.
func (r Report) String() string {
	var parts []string
	if len(r.PutBack) > 0 {
		parts = append(parts, "put back as before: "+strings.Join(r.PutBack, ", "))
	}
	if len(r.Kept) > 0 {
		parts = append(parts, "cannot be taken back: "+strings.Join(r.Kept, ", "))
	}
	for _, f := range r.Failed {
		parts = append(parts, fmt.Sprintf("not put back: %s (%v)", f.Destination, f.Err))
	}
	return strings.Join(parts, "; ")
}

// An UndoFailure is a destination that could not be put back, and why.
type UndoFailure struct {
	Destination string
	Err         error
}

// A Failure says which destination failed and what became of the others.
type Failure struct {
	Destination string // as it was typed
	Err         error  // why
	Report             // what the undo came to, of the failed one too where it has kept something
}

func (f *Failure) Error() string {
	text := fmt.Sprintf("deliver to %s: %v", f.Destination, f.Err)
	if r := f.Report.String(); r != "" {
		text += "; " + r
	}
	return text
}

// Unwrap gives the reason of the destination that failed.
func (f *Failure) Unwrap() error { return f.Err }
