package lifecycle_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/utho/utho-cli/internal/lifecycle"
	"github.com/utho/utho-cli/internal/sandbox"
	"github.com/utho/utho-cli/internal/sandbox/sandboxtest"
	"github.com/utho/utho-cli/pkg/utho"
)

var errSignal = errors.New("signal")

// world is a service, a machine that keeps records, and the places that secrets go to.
type world struct {
	t      *testing.T
	srv    *sandboxtest.Server
	client *utho.Client
	dir    string
	places map[string]string             // what each place holds
	notes  map[string]lifecycle.Recorded // what k8s: places remember
	warned []string
	others map[string]bool // the ids of tokens that somebody else created

	ctx, grace context.Context
	signal     func() // the first one
	kill       func() // the second one
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, srv: sandboxtest.New(t), dir: t.TempDir(), places: map[string]string{}, notes: map[string]lifecycle.Recorded{}, others: map[string]bool{}}
	w.client = w.as(w.srv.Operator())
	w.start()
	return w
}

// start is a new process.
func (w *world) start() {
	ctx, endCtx := context.WithCancelCause(w.t.Context())
	grace, endGrace := context.WithCancelCause(w.t.Context())
	w.ctx, w.grace = ctx, grace
	w.kill = func() { endCtx(errSignal); endGrace(errSignal) }
	w.signal = func() {
		endCtx(errSignal)
		timer := time.AfterFunc(10*time.Second, func() { endGrace(errSignal) })
		w.t.Cleanup(func() { timer.Stop() })
	}
}

func (w *world) as(secret string) *utho.Client {
	c, err := utho.New(secret, utho.WithBaseURL(sandbox.BaseURL), utho.WithTransport(w.srv.Transport()))
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) session() *lifecycle.Session {
	return &lifecycle.Session{
		Client: w.client, Timeout: 30 * time.Second,
		Waiting: func(string) func() { return func() {} },
		Warn:    func(format string, args ...any) { w.warned = append(w.warned, fmt.Sprintf(format, args...)) },
	}
}

func (w *world) records() lifecycle.Records {
	return lifecycle.Records{Dir: w.dir, Origin: "http://127.0.0.1"}
}

// add creates a token as somebody else would.
func (w *world) add(name string, write bool) sandboxtest.Token {
	tok := w.srv.Add(name, write)
	w.others[tok.ID] = true
	return tok
}

// token is the one of that id; nil if it is gone.
func (w *world) token(id string) *sandboxtest.Token {
	for _, t := range w.srv.Tokens() {
		if t.ID == id {
			return &t
		}
	}
	return nil
}

// created are the tokens of that name without expiry.
func (w *world) named(name string) (found []sandboxtest.Token) {
	for _, t := range w.srv.Tokens() {
		if lifecycle.BaseName(t.Name) == name {
			found = append(found, t)
		}
	}
	return found
}

// shelf is Destinations in memory, with faults.
type shelf struct {
	w     *world
	names []string // places in their order; exec:… and stdout cannot be read back, own:… is the profile's own
	old   map[string]string

	unprepared  error
	failAt      string // the place whose delivery fails
	failWritten bool   // … after it was written
	unknown     string // the place whose undo fails
	unreadable  string
	killBefore  bool // the process dies before the delivery, or after it
	killAfter   bool
	signal      bool     // comes in the middle of the delivery
	ownID       string   // the token that the profile in use holds, if utho knows it
	rotates     []string // the ids of the tokens that a rotation is about
}

func (s *shelf) Prepare(context.Context) error { return s.unprepared }

func (s *shelf) Rotates(_ context.Context, ids ...string) error {
	s.rotates = ids
	if s.ownID != "" && slices.Contains(ids, s.ownID) {
		s.names = append(s.names, "own:p")
	}
	return nil
}

func (s *shelf) Places() []string { return s.names }

func (s *shelf) Deliver(ctx context.Context, i lifecycle.Issued) (own string, err error) {
	if s.signal {
		s.w.signal()
	}
	if s.killBefore {
		runtime.Goexit()
	}
	s.old = map[string]string{}
	for _, name := range s.names {
		fails := name == s.failAt
		if !fails || s.failWritten {
			s.old[name] = s.w.places[name]
			s.w.places[name] = i.Secret
			if strings.HasPrefix(name, "k8s:") {
				s.w.notes[name] = lifecycle.Recorded{TokenID: i.Token.ID, PreviousID: i.Deletes, Sum: sha256.Sum256([]byte(i.Secret))}
			}
		}
		if fails {
			if strings.HasPrefix(name, "own:") {
				own = name
			}
			return own, errors.New("no space")
		}
	}
	if s.killAfter {
		runtime.Goexit()
	}
	return "", ctx.Err()
}

func (s *shelf) Undo(context.Context) (u lifecycle.Undone) {
	for _, name := range slices.Backward(s.names) {
		old, touched := s.old[name]
		switch {
		case !touched:
		case name == s.unknown:
			u.Unknown = append(u.Unknown, name+" (the keyring died)")
		case strings.HasPrefix(name, "exec:"), name == "stdout":
			u.Kept = append(u.Kept, name)
		default:
			s.w.places[name] = old
			u.Restored = append(u.Restored, name)
		}
	}
	return u
}

func (s *shelf) Holds(_ context.Context, sum [32]byte) (secret string, holders []string, err error) {
	all := true
	for _, name := range s.names {
		if name == s.unreadable || strings.HasPrefix(name, "exec:") || name == "stdout" {
			return "", holders, fmt.Errorf("%s cannot be read back", name)
		}
		if sha256.Sum256([]byte(s.w.places[name])) == sum {
			secret, holders = s.w.places[name], append(holders, name)
		} else {
			all = false
		}
	}
	if !all {
		secret = ""
	}
	return secret, holders, nil
}

func (s *shelf) Recorded(context.Context) (r lifecycle.Recorded, ok bool, err error) {
	for _, name := range s.names {
		if r = s.w.notes[name]; r.PreviousID != "" && r.Sum == sha256.Sum256([]byte(s.w.places[name])) {
			return r, true, nil
		}
	}
	return r, false, nil
}

// run runs a protocol in a process of its own, which may be killed; err is errKilled then.
func (w *world) run(f func() error) (err error) {
	err = errKilled
	done := make(chan struct{})
	go func() {
		defer close(done)
		err = f()
	}()
	<-done
	return err
}

var errKilled = errors.New("killed")

// create is one `token create`.
func (w *world) create(r lifecycle.CreateRequest, to *shelf) (issued lifecycle.Issued, err error) {
	err = w.run(func() (err error) {
		issued, err = w.session().Create(w.ctx, w.grace, r, to)
		return err
	})
	return issued, err
}

// rotate is one `token rotate`.
func (w *world) rotate(r lifecycle.RotateRequest, to *shelf) (plan *lifecycle.Rotation, err error) {
	err = w.run(func() error {
		p, err := w.session().PlanRotation(w.ctx, r, w.records(), to)
		if err != nil {
			return err
		}
		plan = p
		defer p.Close()
		if !p.Due {
			return nil
		}
		_, err = p.Run(w.ctx, w.grace, to)
		return err
	})
	return plan, err
}

// kindOf names what a protocol ended with.
func kindOf(err error) string {
	for _, k := range []struct {
		name string
		fits bool
	}{
		{"done", err == nil},
		{"killed", errors.Is(err, errKilled)},
		{"outcome", errors.As(err, new(*lifecycle.OutcomeError))},
		{"rolled back", errors.As(err, new(*lifecycle.RolledBackError))},
		{"not created", errors.As(err, new(*lifecycle.NotCreatedError))},
		{"verify", errors.As(err, new(*lifecycle.VerifyError))},
		{"taken", errors.As(err, new(*lifecycle.TakenError))},
		{"not found", errors.As(err, new(*lifecycle.NotFoundError))},
		{"ambiguous", errors.As(err, new(*lifecycle.AmbiguousError))},
	} {
		if k.fits {
			return k.name
		}
	}
	return "error"
}
