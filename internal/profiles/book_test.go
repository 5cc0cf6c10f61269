package profiles

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/zalando/go-keyring"

	"github.com/utho/utho-cli/internal/auth"
	"github.com/utho/utho-cli/internal/config"
)

const oldURL, newURL = "https://old.example/v2", "https://new.example/v2"

var (
	oldItem = auth.Item{Secret: "live_test_old", TokenID: "1", TokenName: "old"}
	newItem = auth.Item{Secret: "live_test_new", TokenID: "2", TokenName: "new"}
)

// A fault happens at the nth use of any store of a Book.
type fault struct {
	mode string // see faulty.do; "" for none
	at   int
	used int  // how often they were used
	dead bool // and fail from then on
}

// faulty is a real store that fails at one of its uses.
type faulty struct {
	auth.Store
	*fault
}

var (
	errDefinite = errors.New("no space left on device")
	errUnsure   = &auth.KeyringError{Op: "use the keyring", Err: errors.New("it failed: it died")}
)

// do is one use. changes says that it is a Set or a Delete, which may have been done without an answer. A kill ends the
// goroutine.
func (s *faulty) do(changes bool, use func() error) error {
	unsure := error(errUnsure)
	if changes {
		unsure = &auth.NotKnownError{Done: "saved", Err: errUnsure}
	}
	s.used++
	switch hit := s.used == s.at+1; {
	case s.dead:
		return unsure
	case !hit || s.mode == "":
		return use()
	case s.mode == "fails":
		return errDefinite
	case s.mode == "killed before":
		runtime.Goexit()
	}
	_ = use()
	if s.mode == "killed after" {
		runtime.Goexit()
	}
	s.dead = s.mode == "dies after"
	return unsure
}

func (s *faulty) Get(ctx context.Context, ref auth.Ref) (item auth.Item, err error) {
	err = s.do(false, func() (err error) { item, err = s.Store.Get(ctx, ref); return err })
	if err != nil {
		item = auth.Item{}
	}
	return item, err
}

func (s *faulty) Set(ctx context.Context, ref auth.Ref, item auth.Item) error {
	return s.do(true, func() error { return s.Store.Set(ctx, ref, item) })
}

func (s *faulty) Delete(ctx context.Context, ref auth.Ref) error {
	return s.do(true, func() error { return s.Store.Delete(ctx, ref) })
}

// A world is a machine with a configuration, a folder of secrets and a keyring in memory.
type world struct{ paths config.Paths }

// newWorld is a world with a profile, if it has a name, that holds the old secret.
func newWorld(t *testing.T, start config.Profile) *world {
	t.Helper()
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
	keyring.MockInit()
	w := &world{config.Paths{Config: filepath.Join(t.TempDir(), "utho")}}
	b := w.book(&fault{})
	err := b.locked(t.Context(), func(h *config.Held, _ *config.File) error {
		_, err := h.Update(func(e *config.Edit) error {
			if start.Name == "" {
				return nil
			}
			return e.SetProfile(start)
		})
		return err
	})
	var places []place
	if at, ok := b.placeOf(start); ok {
		places = append(places, at)
	}
	for _, other := range start.OtherSecrets {
		places = append(places, placeNamed(other))
	}
	for _, at := range places {
		err = errors.Join(err, b.Store(at.kind).Set(t.Context(), at.ref, oldItem))
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// book is a new Book, as another process has it, with a fault.
func (w *world) book(f *fault) *Book {
	return &Book{Paths: w.paths, DefaultURL: oldURL, Warn: func(string) {}, Store: func(kind string) auth.Store {
		if kind == config.StoreFile {
			return &faulty{auth.NewFile(w.paths.Credentials()), f}
		}
		return &faulty{auth.NewKeyring(nil), f}
	}}
}

func (w *world) load(t *testing.T) *config.File {
	t.Helper()
	f, err := config.Load(w.paths.File())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// secrets are all that any store holds, by place.
func (w *world) secrets(t *testing.T) map[string]string {
	t.Helper()
	found := make(map[string]string)
	for _, name := range []string{"work", "Work", "other"} {
		for _, origin := range []string{"old.example", "new.example"} {
			if s, err := keyring.Get("utho:"+origin, name); err == nil {
				found["keyring "+name+" "+origin], _, _ = strings.Cut(s, "\n")
			}
		}
	}
	files, _ := filepath.Glob(filepath.Join(w.paths.Credentials(), "*"))
	for _, path := range files {
		data, _ := os.ReadFile(path)
		found["file "+filepath.Base(path)] = newItem.Secret
		if strings.Contains(string(data), oldItem.Secret) {
			found["file "+filepath.Base(path)] = oldItem.Secret
		}
	}
	return found
}

// holds is what a profile's own place holds, as any command would read it; "" for nothing.
func (w *world) holds(t *testing.T, name string) string {
	t.Helper()
	b := w.book(&fault{})
	p, _ := w.load(t).Profile(name)
	at, has := b.placeOf(p)
	if !has {
		return ""
	}
	item, _ := b.Store(at.kind).Get(t.Context(), at.ref)
	return item.Secret
}

// logoutAll is `logout --all` of another process. No secret may remain.
func (w *world) logoutAll(t *testing.T) {
	t.Helper()
	b := w.book(&fault{})
	for _, p := range w.load(t).Profiles() {
		if _, err := b.Forget(t.Context(), p.Name, auth.Item{}, false); err != nil {
			t.Errorf("logout of %s: %v", p.Name, err)
		}
	}
	if left := w.secrets(t); len(left) > 0 {
		data, _ := os.ReadFile(w.paths.File())
		t.Errorf("no command removes %v; the configuration is\n%s", left, data)
	}
}

// starts are what a machine may have before.
func starts() map[string]config.Profile {
	return map[string]config.Profile{
		"nothing":  {},
		"file":     {Name: "work", APIURL: oldURL, Store: "file", TimeZone: "+05:30"},
		"keyring":  {Name: "work", APIURL: oldURL, Store: "keyring"},
		"defaults": {Name: "work"},
		"command":  {Name: "work", CredentialCommand: []string{"pass"}},
		"killed":   {Name: "work", APIURL: oldURL, Store: "keyring", OtherSecrets: []string{"file work https://old.example"}},
	}
}

// An operation is one method of a Book, and what it leads to.
type operation struct {
	run   func(ctx context.Context, b *Book) error
	name  string // of the profile after it
	after string // the secret that it holds
}

func ref(p config.Profile) auth.Ref {
	return auth.Ref{Profile: p.Name, Origin: strings.TrimSuffix(p.APIURL, "/v2")}
}

func operations(start config.Profile) map[string]operation {
	save := func(p config.Profile) func(context.Context, *Book) error {
		return func(ctx context.Context, b *Book) error {
			_, err := b.Save(ctx, p, ref(p), newItem)
			return err
		}
	}
	toFile := config.Profile{Name: "work", APIURL: newURL, Store: "file"}
	toKeyring := config.Profile{Name: "work", APIURL: newURL, Store: "keyring"}
	ops := map[string]operation{
		"save in a file":     {save(toFile), "work", newItem.Secret},
		"save in a keyring":  {save(toKeyring), "work", newItem.Secret},
		"save at its origin": {save(config.Profile{Name: "work", APIURL: oldURL, Store: "keyring"}), "work", newItem.Secret},
	}
	// A disk that fills up between the rehearsal and the change.
	ops["save on a full disk"] = operation{func(ctx context.Context, b *Book) error {
		rehearsed := false
		return b.locked(ctx, func(h *config.Held, f *config.File) error {
			to := place{config.StoreKeyring, ref(toKeyring)}
			return b.put(ctx, h, f, move{"work", "work", to, newItem, func(e *config.Edit, others []string) error {
				if rehearsed {
					return errDefinite
				}
				rehearsed = true
				return write(toKeyring, true)(e, others)
			}})
		})
	}, "work", newItem.Secret}
	if start.Name == "" {
		ops["add"] = operation{func(ctx context.Context, b *Book) error {
			if err := b.CheckAdd(ctx, toFile, ref(toFile)); err != nil {
				return err
			}
			_, err := b.Add(ctx, toFile, ref(toFile), newItem)
			return err
		}, "work", newItem.Secret}
		return ops
	}
	for name, remove := range map[string]bool{"forget": false, "remove": true} {
		ops[name] = operation{func(ctx context.Context, b *Book) error {
			_, err := b.Forget(ctx, "work", auth.Item{}, remove)
			return err
		}, map[bool]string{false: "work"}[remove], ""}
	}
	if start.CredentialCommand == nil {
		ops["rename"] = operation{func(ctx context.Context, b *Book) error { return b.Rename(ctx, "work", "other") }, "other", oldItem.Secret}
		ops["rename, case"] = operation{func(ctx context.Context, b *Book) error { return b.Rename(ctx, "work", "Work") }, "Work", oldItem.Secret}
		ops["swap"] = operation{func(ctx context.Context, b *Book) error {
			at, _ := b.placeOf(start)
			if err := b.CheckSwap(ctx, at.ref, at.kind, oldItem); err != nil {
				return err
			}
			return b.Swap(ctx, at.ref, at.kind, oldItem, newItem)
		}, "work", newItem.Secret}
	}
	return ops
}

// Whatever an operation starts from, and wherever it fails or is killed: logout finds every secret, an old
// secret is not lost before the new one is there, and an error says what is stored.
func TestFaults(t *testing.T) {
	modes := []string{"", "killed before", "killed after", "fails", "dies after", "late and done"}
	for startName, start := range starts() {
		for opName, op := range operations(start) {
			for _, mode := range modes {
				for at, more := 0, true; more; at++ {
					t.Run(fmt.Sprintf("%s/%s/%s at %d", startName, opName, mode, at), func(t *testing.T) {
						w := newWorld(t, start)
						f, killed, err := &fault{mode: mode, at: at}, true, error(nil)
						var wait sync.WaitGroup
						wait.Go(func() {
							err = op.run(t.Context(), w.book(f))
							killed = false
						})
						wait.Wait()
						more = mode != "" && f.used > at
						w.judge(t, start, op, killed, err)
					})
				}
			}
		}
	}
}

// judge says what is wrong in the world after an operation.
func (w *world) judge(t *testing.T, start config.Profile, op operation, killed bool, err error) {
	t.Helper()
	had := ""
	if start.Name != "" && start.CredentialCommand == nil {
		had = oldItem.Secret
	}
	name := start.Name
	if _, ok := w.load(t).Profile(op.name); ok {
		name = op.name
	}
	now := w.holds(t, name)
	var state *StateError
	switch {
	case killed:
		// The file of a profile holds one secret and its address: killed before the profile has the new address,
		// the file says so when it is read.
		if had != "" && op.after != "" && now == "" && (start.Store != config.StoreFile || len(w.secrets(t)) == 0) {
			t.Errorf("the secret is lost: %v", w.secrets(t))
		}
	case err == nil:
		if now != op.after {
			t.Errorf("done, and the profile holds %q, want %q", now, op.after)
		}
		if p, ok := w.load(t).Profile(op.name); ok != (op.name != "") || p.Name != op.name {
			t.Errorf("done, and the profile is %+v", p)
		}
	case errors.As(err, &state):
		if now != had && !state.Unknown {
			t.Errorf("it holds %q, and the error says otherwise: %v", now, err)
		}
	case errors.As(err, new(*auth.NotKnownError)), strings.Contains(err.Error(), "holds no token now") && now == "":
	default:
		if p, _ := w.load(t).Profile(start.Name); now != had || !reflect.DeepEqual(p, start) {
			t.Errorf("failed, and the profile is not as it was: %+v holds %q: %v", p, now, err)
		}
	}
	if err != nil && (strings.Contains(err.Error(), oldItem.Secret) || strings.Contains(err.Error(), newItem.Secret)) {
		t.Errorf("the error holds a secret: %v", err)
	}
	w.logoutAll(t)
}

// What could be added can be taken away again, and what others stored meanwhile stays.
func TestAdd(t *testing.T) {
	p := config.Profile{Name: "work", APIURL: newURL, Store: "file"}
	for name, start := range starts() {
		w := newWorld(t, start)
		b := w.book(&fault{})
		if err := b.CheckAdd(t.Context(), p, ref(p)); errors.As(err, new(*TakenError)) != (name != "nothing") {
			t.Errorf("%s: %v", name, err)
		}
	}
	empty := config.Profile{Name: "work", APIURL: oldURL, Store: "keyring"}
	for name, start := range map[string]config.Profile{"new": {}, "without a secret": empty} {
		w := newWorld(t, start)
		keyring.MockInit() // the secret goes
		b := w.book(&fault{})
		if err := b.CheckAdd(t.Context(), p, ref(p)); err != nil || len(w.secrets(t)) > 0 {
			t.Fatalf("%s: %v, %v", name, w.secrets(t), err)
		}
		added, err := b.Add(t.Context(), p, ref(p), newItem)
		if err != nil || w.holds(t, "work") != newItem.Secret {
			t.Fatalf("%s: %v: %v", name, w.secrets(t), err)
		}
		if _, err := b.Add(t.Context(), p, ref(p), newItem); !errors.As(err, new(*TakenError)) {
			t.Errorf("%s: a second one: %v", name, err)
		}
		err = added.Undo(t.Context())
		if now, _ := w.load(t).Profile("work"); err != nil || len(w.secrets(t)) > 0 || !reflect.DeepEqual(now, start) {
			t.Errorf("%s: after undo: %+v, %v, %v", name, now, w.secrets(t), err)
		}
		err = b.Store(p.Store).Set(t.Context(), ref(p), oldItem)
		if err := errors.Join(err, added.Undo(t.Context())); !errors.Is(err, ErrChanged) || len(w.secrets(t)) != 1 {
			t.Errorf("%s: another's secret: %v, %v", name, w.secrets(t), err)
		}
	}
}

// What cannot be replaced is found before anything changes, and what killed runs left is swept.
func TestRefusedBefore(t *testing.T) {
	moved := config.Profile{Name: "work", APIURL: newURL, Store: "file"}
	for name, spoil := range map[string]func(conf, secret string) error{
		"the configuration is a folder":      func(conf, _ string) error { return errors.Join(os.Remove(conf), os.Mkdir(conf, 0o700)) },
		"others can write the configuration": func(conf, _ string) error { return os.Chmod(conf, 0o666) },
		"the secret is behind a link": func(_, secret string) error {
			return errors.Join(os.Rename(secret, secret+".real"), os.Symlink(secret+".real", secret))
		},
	} {
		w := newWorld(t, starts()["file"])
		if err := spoil(w.paths.File(), filepath.Join(w.paths.Credentials(), "work.json")); err != nil {
			t.Fatal(err)
		}
		before := w.secrets(t)
		b := w.book(&fault{})
		err := b.Check(t.Context(), moved, ref(moved))
		_, saveErr := b.Save(t.Context(), moved, ref(moved), newItem)
		_, forgetErr := b.Forget(t.Context(), "work", auth.Item{}, true)
		if err == nil || saveErr == nil || forgetErr == nil || errors.As(saveErr, new(*StateError)) {
			t.Errorf("%s: check: %v, save: %v, forget: %v", name, err, saveErr, forgetErr)
		}
		if after := w.secrets(t); !reflect.DeepEqual(before, after) {
			t.Errorf("%s: %v became %v", name, before, after)
		}
	}
	w := newWorld(t, starts()["file"])
	if err := os.WriteFile(filepath.Join(w.paths.Credentials(), ".utho-1.tmp"), []byte(oldItem.Secret), 0o600); err != nil {
		t.Fatal(err)
	}
	w.logoutAll(t)
}

func TestSaveSaysWhatWasCurrent(t *testing.T) {
	w := newWorld(t, config.Profile{})
	b := w.book(&fault{})
	for _, step := range [][2]string{{"a", ""}, {"b", "a"}, {"b", "b"}} {
		p := config.Profile{Name: step[0], APIURL: newURL, Store: "file"}
		was, err := b.Save(t.Context(), p, ref(p), newItem)
		if err != nil || was.Current != step[1] || w.load(t).Current() != step[0] {
			t.Errorf("%v: was %q, %v", step, was.Current, err)
		}
	}
	at := auth.Ref{Profile: "a", Origin: "https://new.example"}
	_, forgetErr := b.Forget(t.Context(), "nosuch", auth.Item{}, false)
	for _, tc := range []struct{ got, want error }{
		{b.CheckSwap(t.Context(), at, "file", oldItem), ErrChanged},
		{b.Swap(t.Context(), at, "file", oldItem, auth.Item{Secret: "x"}), ErrChanged},
		{forgetErr, config.ErrNoProfile},
		{b.Rename(t.Context(), "nosuch", "b"), config.ErrNoProfile},
		{b.Rename(t.Context(), "B", "work"), nil},
		{b.Rename(t.Context(), "a", "A"), nil},
	} {
		if !errors.Is(tc.got, tc.want) {
			t.Errorf("%v, want %v", tc.got, tc.want)
		}
	}
	if err := b.Rename(t.Context(), "A", "work"); !errors.As(err, new(*TakenError)) || w.load(t).Current() != "work" {
		t.Errorf("rename to another: %v", err)
	}
}
