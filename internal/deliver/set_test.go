package deliver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/utho/utho-cli/internal/problem"
)

// fake is a destination as the caller hands in: stdout, a profile.
type fake struct {
	Spec
	log                *[]string
	prepare, put, undo error
}

func (f *fake) note(what string) { *f.log = append(*f.log, what+" "+f.String()) }

func (f *fake) Place() string { return strings.TrimSuffix(f.String(), ":") }

func (f *fake) Prepare(context.Context) error { f.note("prepare"); return f.prepare }

func (f *fake) Deliver(context.Context, Token) error { f.note("deliver"); return f.put }

func (f *fake) Undo(context.Context) error { f.note("undo"); return f.undo }

func (f *fake) Holds(context.Context, [32]byte) (string, error) { return "", ErrUnreadable }

func fakes(log *[]string, texts ...string) []Target {
	var all []Target
	for _, text := range texts {
		word, arg, _ := strings.Cut(text, ":")
		s := Spec{KindOwn, arg}
		for k := KindFile; k < KindOwn && text != "own:"; k++ {
			if k.String() == word {
				s.Kind = k
			}
		}
		all = append(all, Target{s, &fake{Spec: s, log: log}})
	}
	return all
}

func TestSetOrder(t *testing.T) {
	t.Parallel()
	var log []string
	s := NewSet(fakes(&log, "own:", "stdout", "exec:b", "k8s:k", "profile:p", "exec:a", "file:f", "exec:b", "env:e", "file:F"))
	if err := errors.Join(s.Prepare(t.Context()), s.Deliver(t.Context(), Token{Secret: testSecret})); err != nil {
		t.Fatal(err)
	}
	u := s.Undo(t.Context())
	order := []string{"file:f", "file:F", "env:e", "profile:p", "k8s:k", "exec:b", "exec:a", "exec:b", "stdout", "profile:"}
	var want []string
	for _, what := range []string{"prepare", "deliver", "undo"} {
		for i := range order {
			if what == "undo" {
				i = len(order) - 1 - i
			}
			want = append(want, what+" "+order[i])
		}
	}
	if !slices.Equal(log, want) {
		t.Errorf("calls:\n%s\nwant:\n%s", strings.Join(log, "\n"), strings.Join(want, "\n"))
	}
	if len(u.Restored) != len(order) || len(s.Names()) != len(order) {
		t.Errorf("%+v, %q", u, s.Names())
	}
	if u := s.Undo(t.Context()); len(u.Restored) > 0 {
		t.Errorf("a second undo: %+v", u)
	}
	for _, pair := range [][]string{{"stdout", "stdout"}, {"profile:ci", "profile:CI"}, {"file:a", "file:a"}} {
		err := NewSet(fakes(&log, "exec:a", pair[0], "file:A", pair[1])).Prepare(t.Context())
		if !problem.Is(err, problem.Usage) || !strings.HasPrefix(err.Error(), fmt.Sprintf("--to %q: it is the same place as %q", pair[1], pair[0])) {
			t.Errorf("%q: %v", pair, err)
		}
	}
}

func TestSetFails(t *testing.T) {
	t.Parallel()
	why := errors.New("no room")
	var log []string
	targets := fakes(&log, "profile:a", "profile:b", "stdout")
	targets[1].Destination.(*fake).prepare = why
	s := NewSet(targets)
	if err := s.Prepare(t.Context()); !errors.Is(err, why) || err.Error() != "destination profile:b: no room; nothing was created" || len(log) != 2 {
		t.Errorf("%v, %q", err, log)
	}
	// After the end nothing begins.
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	log = nil
	if !errors.Is(s.Prepare(ended), why) || !errors.Is(s.Deliver(ended, Token{Secret: testSecret}), why) || len(log) > 0 {
		t.Errorf("calls: %q", log)
	}
	// A delivery stops at the first that fails, and undoes nothing by itself.
	targets = fakes(&log, "own:", "stdout", "exec:c", "exec:d", "profile:a", "profile:b", "file:f")
	for i, err := range []error{nil, ErrKept, ErrDoubtful, ErrKept, nil, why, nil} {
		targets[i].Destination.(*fake).undo = err
	}
	targets[1].Destination.(*fake).put = why
	targets[1].Destination.(*fake).undo = nil
	log = nil
	s = NewSet(targets)
	err := s.Deliver(t.Context(), Token{Secret: testSecret})
	var f *Failure
	if !errors.As(err, &f) || f.Destination+err.Error() != "stdoutdeliver to stdout: no room" || f.Kind != KindStdout || len(log) != 6 {
		t.Fatalf("%v, %q", err, log)
	}
	u := s.Undo(t.Context())
	if !slices.Equal(u.Restored, []string{"profile:a", "file:f"}) || !slices.Equal(u.Kept, []string{"exec:d"}) ||
		!slices.Equal(u.Doubtful, []string{"exec:c"}) || len(u.Unknown) != 1 || u.Unknown[0] != "profile:b ("+why.Error()+")" {
		t.Errorf("%+v", u)
	}
}
