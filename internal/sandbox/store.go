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

// A StoreError says that the sandbox's file could not be used: it is broken, there is no permission, the disk is
// full, the lock was not had in time. The request or call that met it changed nothing.
type StoreError struct {
	Err error // names the file that is at fault
}

func (e *StoreError) Error() string { return "sandbox: " + e.Err.Error() }

// Unwrap returns the reason.
func (e *StoreError) Unwrap() error { return e.Err }

// update calls change with the state, alone, and keeps the state if change returns true. It reads the file anew each
// time, since other processes write it. If update fails, nothing was kept. Errors are *StoreError.
func (s *Sandbox) update(ctx context.Context, change func(*state) bool) error {
	return s.alone(ctx, func() error {
		data, err := privfile.ReadSecret(s.path)
		missing := errors.Is(err, fs.ErrNotExist)
		st := newState("")
		if err != nil && !missing {
			return err
		} else if err == nil {
			if st, err = decode(data); err != nil {
				return fmt.Errorf("%s cannot be used: %w; start afresh with: utho sandbox reset", s.path, err)
			}
		}
		if !change(st) && !missing {
			return nil
		}
		return s.save(st)
	})
}

// Reset starts afresh: the seeds and nothing else, ids counting from where they first did. The operator's secret
// stays, unless the file is too broken to read it or was open to others. Errors are *StoreError.
func (s *Sandbox) Reset(ctx context.Context) error {
	return s.alone(ctx, func() error {
		var old state
		data, err := privfile.ReadSecret(s.path)
		if err != nil || json.Unmarshal(data, &old) != nil || !validOperator(old.Operator) {
			old.Operator = ""
		}
		return s.save(newState(old.Operator))
	})
}

func (s *Sandbox) save(st *state) error {
	data, err := encode(st, "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", s.path, err)
	}
	return privfile.Replace(s.path, data)
}

// alone runs do while no other request of any process uses the file. Errors are *StoreError.
func (s *Sandbox) alone(ctx context.Context, do func() error) error {
	err := privfile.MkdirAll(filepath.Dir(s.path))
	if err == nil {
		var unlock func()
		if unlock, err = privfile.Lock(ctx, s.path+".lock"); err == nil {
			defer unlock()
			err = do()
		}
	}
	if err != nil {
		return &StoreError{err}
	}
	return nil
}
