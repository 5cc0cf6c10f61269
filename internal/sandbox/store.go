package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/utho/utho-cli/internal/privfile"
)

// A StoreError says that the sandbox's file could not be used: it is broken,
// there is no permission, the disk is full, the lock was not had in time. The
// request or call that met it changed nothing.
type StoreError struct {
	Err error // names the file that is at fault
}

func (e *StoreError) Error() string { return "sandbox: " + e.Err.Error() }

// Unwrap returns the reason.
func (e *StoreError) Unwrap() error { return e.Err }

// store keeps one state in a file. It reads the file anew for each update, since
// other processes write it.
type store struct {
	path string
	// turn holds one value while nobody of this process uses the file: in
	// process the requests queue up, instead of all polling the lock file.
	turn chan struct{}
}

func newStore(path string) *store {
	s := &store{path: path, turn: make(chan struct{}, 1)}
	s.turn <- struct{}{}
	return s
}

// update calls change with the state, alone, and keeps the state if change
// returns true. If update fails, nothing was kept. Errors are *StoreError.
func (s *store) update(ctx context.Context, change func(*state) bool) error {
	return s.alone(ctx, func() error {
		data, err := privfile.ReadSecret(s.path)
		if errors.Is(err, fs.ErrNotExist) {
			st := newState("")
			change(st)
			return s.save(st)
		}
		if err != nil {
			return err
		}
		st, err := decode(data)
		if err != nil {
			return fmt.Errorf("%s cannot be used: %w; start afresh with: utho sandbox reset", s.path, err)
		}
		if !change(st) {
			return nil
		}
		return s.save(st)
	})
}

// reset writes the seeds. It keeps the operator's secret if that can be read,
// and nobody else could read it. Errors are *StoreError.
func (s *store) reset(ctx context.Context) error {
	return s.alone(ctx, func() error {
		var old state
		data, err := privfile.ReadSecret(s.path)
		if err != nil || json.Unmarshal(data, &old) != nil || !validOperator(old.Operator) {
			old.Operator = ""
		}
		return s.save(newState(old.Operator))
	})
}

func (s *store) save(st *state) error {
	data, err := st.encode()
	if err != nil {
		return fmt.Errorf("write %s: %w", s.path, err)
	}
	return privfile.Replace(s.path, data)
}

// alone runs do while no other request of any process uses the file.
func (s *store) alone(ctx context.Context, do func() error) error {
	if err := s.locked(ctx, do); err != nil {
		return &StoreError{Err: err}
	}
	return nil
}

func (s *store) locked(ctx context.Context, do func() error) error {
	select {
	case <-s.turn:
		defer func() { s.turn <- struct{}{} }()
	case <-ctx.Done():
		return fmt.Errorf("wait for %s: %w", s.path, ctx.Err())
	}
	if err := privfile.MkdirAll(filepath.Dir(s.path)); err != nil {
		return err
	}
	unlock, err := privfile.Lock(ctx, s.path+".lock")
	if err != nil {
		return err
	}
	defer unlock()
	return do()
}
