package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"

	"github.com/utho/utho-cli/internal/privfile"
)

// store keeps one state. Memory and a file implement it.
type store interface {
	// update calls change with the state, alone, and keeps the state where change
	// returns true. Where update fails, nothing was kept. Errors are *StoreError.
	update(ctx context.Context, change func(*state) bool) error
	// reset puts the seeds back. Errors are *StoreError.
	reset(ctx context.Context) error
}

// A StoreError says that what the sandbox stands on could not be used: a broken
// file, no permission, a full disk, a lock not had in time. The request or call
// that met it changed nothing.
type StoreError struct {
	Err error // names the file that is at fault
}

func (e *StoreError) Error() string { return "sandbox: " + e.Err.Error() }

// Unwrap returns the reason.
func (e *StoreError) Unwrap() error { return e.Err }

type memoryStore struct {
	mu    sync.Mutex
	state *state
}

func (m *memoryStore) update(_ context.Context, change func(*state) bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(m.state)
	return nil
}

func (m *memoryStore) reset(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state = newState(m.state.Operator)
	return nil
}

// fileStore reads the file anew for each update, since other processes write it.
type fileStore struct {
	path string
	// turn holds one value while nobody of this process uses the file: in
	// process the requests queue up, instead of all polling the lock file.
	turn chan struct{}
}

func newFileStore(path string) *fileStore {
	f := &fileStore{path: path, turn: make(chan struct{}, 1)}
	f.turn <- struct{}{}
	return f
}

func (f *fileStore) update(ctx context.Context, change func(*state) bool) error {
	return f.alone(ctx, func() error {
		data, err := privfile.ReadSecret(f.path)
		if errors.Is(err, fs.ErrNotExist) {
			st := newState("")
			change(st)
			return f.save(st)
		}
		if err != nil {
			return err
		}
		st, err := decode(data)
		if err != nil {
			return fmt.Errorf("%s cannot be used: %w; start afresh with: utho sandbox reset", f.path, err)
		}
		if !change(st) {
			return nil
		}
		return f.save(st)
	})
}

func (f *fileStore) reset(ctx context.Context) error {
	return f.alone(ctx, func() error {
		// Whatever cannot be read is replaced; a secret that others could read
		// is not kept.
		data, err := privfile.ReadSecret(f.path)
		if err != nil {
			data = nil
		}
		return f.save(newState(salvageOperator(data)))
	})
}

func (f *fileStore) save(st *state) error {
	data, err := st.encode()
	if err != nil {
		return fmt.Errorf("write %s: %w", f.path, err)
	}
	return privfile.WriteSecret(f.path, data)
}

// alone runs do while no other request of any process uses the file.
func (f *fileStore) alone(ctx context.Context, do func() error) error {
	err := f.locked(ctx, do)
	if err != nil {
		return &StoreError{Err: err}
	}
	return nil
}

func (f *fileStore) locked(ctx context.Context, do func() error) error {
	select {
	case <-f.turn:
		defer func() { f.turn <- struct{}{} }()
	case <-ctx.Done():
		return fmt.Errorf("wait for %s: %w", f.path, ctx.Err())
	}
	if err := privfile.MkdirAll(filepath.Dir(f.path)); err != nil {
		return err
	}
	unlock, err := privfile.Lock(ctx, f.path+".lock")
	if err != nil {
		return err
	}
	defer unlock()
	return do()
}
