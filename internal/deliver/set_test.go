package deliver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// fake is a destination as the caller hands in: stdout, a profile.
type fake struct {
	name               string
	log                *[]string
	prepare, put, undo error
}

func (f *fake) String() string { return f.name }

func (f *fake) note(what string) { *f.log = append(*f.log, what+" "+f.name) }

func (f *fake) Prepare(context.Context) error { f.note("prepare"); return f.prepare }

func (f *fake) Deliver(context.Context, string) error { f.note("deliver"); return f.put }

func (f *fake) Undo(ctx context.Context) error {
	f.note("undo")
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return f.undo
}

func (f *fake) Close() error { f.note("close"); return nil }

func fakes(log *[]string, texts ...string) []Target {
	var all []Target
	for _, text := range texts {
		spec, err := ParseSpec(text)
		if err != nil {
			panic(err)
		}
		f := &fake{name: text, log: log}
		if spec.Kind == KindExec || spec.Kind == KindStdout {
			f.undo = ErrCannotUndo
		}
		all = append(all, Target{spec, f})
	}
	return all
}

// clean tells whether nothing of the secret is left anywhere.
func clean(r Report) bool { return len(r.Kept) == 0 && len(r.Failed) == 0 }

func TestSetOrder(t *testing.T) {
	t.Parallel()
	var log []string
	targets := fakes(&log, "stdout", "exec:b", "profile:p", "exec:a", "file:f", "exec:b", "env:e")
	given := slices.Clone(targets)
	s, err := NewSet(targets)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(targets, given) {
		t.Error("the caller's targets were put in another order")
	}
	if err := errors.Join(s.Prepare(t.Context()), s.Deliver(t.Context(), testSecret)); err != nil {
		t.Fatal(err)
	}
	r := s.undo(t.Context(), -1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	order := []string{"profile:p", "file:f", "env:e", "exec:b", "exec:a", "exec:b", "stdout"}
	var want []string
	for _, what := range []string{"prepare ", "deliver "} {
		for _, o := range order {
			want = append(want, what+o)
		}
	}
	for _, o := range slices.Backward(order) {
		want = append(want, "undo "+o)
	}
	for _, o := range order {
		want = append(want, "close "+o)
	}
	if !slices.Equal(log, want) {
		t.Errorf("calls:\n%s\nwant:\n%s", strings.Join(log, "\n"), strings.Join(want, "\n"))
	}
	if clean(r) || !slices.Equal(r.Kept, []string{"stdout", "exec:b", "exec:a", "exec:b"}) || !slices.Equal(r.PutBack, []string{"env:e", "file:f", "profile:p"}) {
		t.Errorf("report: %+v", r)
	}
	if r := s.undo(t.Context(), -1); !clean(r) || r.String() != "" {
		t.Errorf("a second undo: %+v", r)
	}
}

func TestSetPrepareFails(t *testing.T) {
	t.Parallel()
	var log []string
	targets := fakes(&log, "profile:a", "profile:b", "stdout")
	why := errors.New("no room")
	targets[1].Destination.(*fake).prepare = why
	s, err := NewSet(targets)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Prepare(t.Context())
	fails(t, err, "destination profile:b: no room")
	if !errors.Is(err, why) || !slices.Equal(log, []string{"prepare profile:a", "prepare profile:b"}) {
		t.Errorf("%v, %q", err, log)
	}
}

func TestSetDeliverFails(t *testing.T) {
	t.Parallel()
	var log []string
	targets := fakes(&log, "stdout", "exec:c", "profile:a", "profile:b", "profile:d")
	why := errors.New("pipe is broken")
	targets[0].Destination.(*fake).put = why
	targets[3].Destination.(*fake).undo = errors.New("disk is full")
	s, err := NewSet(targets)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // undoing goes on all the same
	err = s.Deliver(ctx, testSecret)
	var f *Failure
	if !errors.As(err, &f) || !errors.Is(err, why) || f.Destination != "stdout" {
		t.Fatalf("%v", err)
	}
	if !slices.Equal(f.PutBack, []string{"profile:d", "profile:a"}) || !slices.Equal(f.Kept, []string{"stdout", "exec:c"}) ||
		len(f.Failed) != 1 || f.Failed[0].Destination != "profile:b" || f.Failed[0].Err.Error() != "disk is full" || clean(f.Report) {
		t.Errorf("%+v", f.Report)
	}
	const text = "deliver to stdout: pipe is broken; put back as before: profile:d, profile:a; cannot be taken back: stdout, exec:c; not put back: profile:b (disk is full)"
	if err.Error() != text {
		t.Errorf("says %q", err)
	}
}

// What failed is asked to undo too, but is not said to have been put back: nothing arrived.
func TestSetFirstFails(t *testing.T) {
	t.Parallel()
	var log []string
	targets := fakes(&log, "profile:a", "stdout")
	targets[0].Destination.(*fake).put = errors.New("no")
	s, err := NewSet(targets)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Deliver(t.Context(), testSecret)
	if fmt.Sprint(err) != "deliver to profile:a: no" || !slices.Equal(log, []string{"deliver profile:a", "undo profile:a"}) {
		t.Errorf("%v, %q", err, log)
	}
	var f *Failure
	if !errors.As(err, &f) || !clean(f.Report) {
		t.Errorf("%+v", f)
	}
}

func TestSetMisuse(t *testing.T) {
	t.Parallel()
	var log []string
	s, err := NewSet(fakes(&log, "stdout"))
	if err != nil {
		t.Fatal(err)
	}
	fails(t, s.Deliver(t.Context(), ""), "no secret")
	if err := s.Deliver(t.Context(), testSecret); err != nil {
		t.Fatal(err)
	}
	fails(t, s.Deliver(t.Context(), testSecret), "already")
	empty, err := NewSet(nil)
	if err != nil || empty.Prepare(t.Context()) != nil || empty.Deliver(t.Context(), testSecret) != nil || empty.Close() != nil {
		t.Error("a set of nothing fails")
	}
}

func TestSamePlace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "real"), 0o700); err != nil {
		t.Fatal(err)
	}
	linked := os.Symlink("real", filepath.Join(dir, "link")) == nil
	env, _ := testEnv(t)
	var log []string
	targets := func(texts ...string) (all []Target) {
		for _, text := range texts {
			text = strings.ReplaceAll(text, "DIR", dir)
			spec, err := ParseSpec(text)
			if err != nil {
				t.Fatal(err)
			}
			d, err := New(spec, env)
			if err != nil {
				d = &fake{name: text, log: &log}
			}
			all = append(all, Target{spec, d})
		}
		return all
	}
	for _, pair := range [][2]string{
		{"stdout", "stdout"}, {"profile:ci", "profile:CI"},
		{"file:DIR/a", "file:DIR/a"}, {"file:DIR/a", "file:DIR/b/../a"}, {"file:DIR/a", "env:DIR/a"}, {"env:DIR/a#X", "file:DIR//a"},
		{"env:DIR/a", "env:DIR/./a#UTHO_API_KEY"}, {"file:x", "file:./x"}, {"file:DIR/real/x", "file:DIR/link/x"},
	} {
		if !linked && strings.Contains(pair[1], "link") {
			continue
		}
		_, err := NewSet(targets("exec:true", pair[0], "file:DIR/other", pair[1]))
		fails(t, err, "the same place")
		var bad *SpecError
		if !errors.As(err, &bad) || bad.Text != strings.ReplaceAll(pair[1], "DIR", dir) {
			t.Errorf("%q: %v", pair, err)
		}
	}
	if _, err := NewSet(targets("stdout", "exec:true", "exec:true", "profile:a", "profile:b", "file:DIR/a", "file:DIR/a/b", "file:DIR/A.",
		"env:DIR/b", "env:DIR/b#UTHO_TOKEN", "env:DIR/c", "file:DIR/real/x", "file:DIR/x")); err != nil {
		t.Errorf("different places: %v", err)
	}
}

// Two variables of one new file are made and unmade one after the other.
func TestSetOneFileTwoVariables(t *testing.T) {
	t.Parallel()
	env, _ := testEnv(t)
	dir := t.TempDir()
	var log []string
	for _, content := range []string{"", "UTHO_TOKEN='old'\nA=1"} {
		path := filepath.Join(dir, ".env")
		if content != "" {
			write(t, path, content, 0o640)
		}
		before := strings.SplitN(mustTree(t, dir), "\n", 2)[1]
		broken := fakes(&log, "stdout")[0]
		broken.Destination.(*fake).put = errors.New("broken")
		set := func(last ...Target) *Set {
			targets := last
			for _, text := range []string{"env:" + path, "env:" + path + "#UTHO_TOKEN"} {
				spec, _ := ParseSpec(text)
				targets = append(targets, Target{spec, open(t, env, text)})
			}
			s, err := NewSet(targets)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Prepare(t.Context()); err != nil {
				t.Fatal(err)
			}
			return s
		}
		fails(t, set(broken).Deliver(t.Context(), testSecret), "broken", "put back as before")
		if after := strings.SplitN(mustTree(t, dir), "\n", 2)[1]; after != before {
			t.Errorf("%s\nbecame\n%s", before, after)
		}
		if err := set().Deliver(t.Context(), testSecret); err != nil {
			t.Fatal(err)
		}
		if vars := nodeRead(read(t, path)); vars["UTHO_API_KEY"] != testSecret || vars["UTHO_TOKEN"] != testSecret {
			t.Errorf("%q", vars)
		}
		_ = os.Remove(path)
	}
}

// TestFailureLeavesNothing: whatever the destinations and wherever a delivery fails, the
// tree is byte for byte what it was, times of files included.
func TestFailureLeavesNothing(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	locks := t.TempDir()
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		dir := filepath.Join(root, fmt.Sprint(n))
		if err := os.Mkdir(dir, 0o700); err != nil {
			rt.Fatal(err)
		}
		for _, f := range []string{"e1", "e2"} {
			if rapid.Bool().Draw(rt, "has "+f) {
				write(t, filepath.Join(dir, f), dotenvs().Draw(rt, f), 0o600)
			}
		}
		texts := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"file:f1", "file:f2", "env:e1#KEY", "env:e1#OTHER", "env:e2", "env:e2#KEY", "profile:p", "profile:q"}),
			0, 8, rapid.ID).Draw(rt, "destinations")
		texts = append(texts, "stdout")
		failing := rapid.IntRange(0, len(texts)-1).Draw(rt, "failing")
		var log []string
		var targets []Target
		for i, text := range texts {
			kind, arg, _ := strings.Cut(text, ":")
			if kind == "file" || kind == "env" {
				text = kind + ":" + dir + "/" + arg
			}
			spec, err := ParseSpec(text)
			if err != nil {
				rt.Fatal(err)
			}
			d, err := New(spec, Env{LockDir: locks})
			if err != nil {
				f := &fake{name: text, log: &log}
				if i >= failing { // the first of those handed in behind it, stdout at the latest
					f.put = errors.New("broken")
				}
				d = f
			}
			targets = append(targets, Target{spec, d})
		}
		s, err := NewSet(targets)
		if err != nil {
			rt.Fatal(err)
		}
		defer s.Close()
		before, err := tree(dir)
		if err != nil {
			rt.Fatal(err)
		}
		if err := s.Prepare(t.Context()); err != nil {
			rt.Fatal(err)
		}
		blocked := rapid.IntRange(-2, len(texts)-1).Draw(rt, "blocked")
		if blocked >= 0 && strings.HasPrefix(texts[blocked], "file:") {
			// One that fails by itself: somebody took the name since.
			write(t, filepath.Join(dir, strings.TrimPrefix(texts[blocked], "file:")), "theirs", 0o600)
			if before, err = tree(dir); err != nil {
				rt.Fatal(err)
			}
		}
		prepared, err := tree(dir)
		if err != nil || skipDirs(prepared) != skipDirs(before) {
			rt.Fatalf("prepare changed\n%s\nto\n%s (%v)", before, prepared, err)
		}
		err = s.Deliver(t.Context(), testSecret)
		var f *Failure
		if !errors.As(err, &f) || !clean(f.Report) || strings.Contains(err.Error(), testSecret) {
			rt.Fatalf("deliver: %v", err)
		}
		after, err := tree(dir)
		if err != nil || skipDirs(after) != skipDirs(before) {
			rt.Fatalf("a failed delivery changed\n%s\nto\n%s (%v)", before, after, err)
		}
	})
}

// skipDirs leaves out the folder itself.
func skipDirs(tree string) string {
	_, rest, _ := strings.Cut(tree, "\n")
	return rest
}
