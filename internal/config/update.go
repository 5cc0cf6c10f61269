package config

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/utho/utho-cli/internal/privfile"
)

// lockWait bounds how long Update waits for another utho, which holds the lock
// for milliseconds.
const lockWait = 10 * time.Second

// holdWait bounds the same for Hold: the other may be waiting for its keyring.
const holdWait = time.Minute

// ErrNoProfile is returned for a profile that the file does not have.
var ErrNoProfile = errors.New("no such profile")

// Update lets edit change the configuration file. It makes the folders where
// they are missing, holds a lock, reads the file again, and replaces it in one
// step. What edit does not touch stays as it was: comments, order, quoting,
// unknown keys. Nothing is written where edit fails or changes nothing.
func Update(ctx context.Context, p Paths, edit func(*Edit) error) error {
	return update(ctx, p, edit, privfile.Write)
}

// Try tells whether Update would do the same, without changing the file. It
// makes the folders where they are missing.
func Try(ctx context.Context, p Paths, edit func(*Edit) error) error {
	return update(ctx, p, edit, func(path string, data []byte) error {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real
		}
		tmp, err := privfile.WriteTemp(filepath.Dir(path), data, 0o600)
		if err != nil {
			return err
		}
		return os.Remove(tmp)
	})
}

// Hold takes the lock under which a secret and what the file says of it change
// together, so that they come from the same login. It waits for another utho, for
// a minute at most; Update has a lock of its own and may be called meanwhile. Where
// the folder cannot be written nobody can log in there, and nothing is locked.
func Hold(ctx context.Context, p Paths) (release func(), err error) {
	if err := makeFolder(p); err != nil {
		if unwritable(err) {
			return func() {}, nil
		}
		return nil, err
	}
	wait, cancel := context.WithTimeout(ctx, holdWait)
	defer cancel()
	release, err = privfile.Lock(wait, p.secretsLock())
	switch {
	case err == nil:
		return release, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case unwritable(err):
		return func() {}, nil
	case wait.Err() != nil:
		return nil, fmt.Errorf("another login or logout has not ended within %v: it holds %s", holdWait, p.secretsLock())
	}
	return nil, err
}

func unwritable(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) ||
		errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) // no room for a lock file: a logout needs none
}

func makeFolder(p Paths) error {
	if err := privfile.MkdirAll(p.Config); err != nil {
		return fmt.Errorf("make the configuration's folder: %w", err)
	}
	if err := privfile.CheckUnwritableDir(p.Config); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return nil
}

func update(ctx context.Context, p Paths, edit func(*Edit) error, write func(path string, data []byte) error) error {
	if err := makeFolder(p); err != nil {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	unlock, err := privfile.Lock(wait, p.lock())
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return fmt.Errorf("write configuration: %w", context.Cause(ctx))
	case wait.Err() != nil:
		return fmt.Errorf("write configuration: another utho has not ended within %v: it holds %s", lockWait, p.lock())
	default:
		return fmt.Errorf("write configuration: %w", err)
	}
	defer unlock()
	f, err := Load(p.File())
	if err == nil {
		err = f.Reachable()
	}
	if err != nil {
		return err
	}
	before := f.text
	e := &Edit{f}
	if err := edit(e); err != nil {
		return err
	}
	if bytes.Equal(before, e.f.text) {
		return nil
	}
	if err := write(p.File(), e.f.text); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return nil
}

// An Edit is the configuration file while Update holds its lock.
type Edit struct{ f *File }

// Current is the name of the current profile, or "".
func (e *Edit) Current() string { return e.f.Current() }

// Profile returns the profile of that name, ignoring case.
func (e *Edit) Profile(name string) (Profile, bool) { return e.f.Profile(name) }

// SetProfile adds p, or changes the profile of that name, whose spelling stays.
// Empty fields are removed from the file, equal ones left alone.
func (e *Edit) SetProfile(p Profile) error {
	if err := ValidName(p.Name); err != nil {
		return err
	}
	old, exists := e.f.Profile(p.Name)
	if exists {
		p.Name = old.Name
	}
	fields := []struct {
		key      string
		old, new *yaml.Node
	}{
		{"api_url", text(old.APIURL, 0), text(p.APIURL, 0)},
		{"store", text(old.Store, 0), text(p.Store, 0)},
		{"time_zone", text(old.TimeZone, 0), text(p.TimeZone, yaml.DoubleQuotedStyle)},
		{"credential_command", list(old.CredentialCommand), list(p.CredentialCommand)},
		{"token_id", text(old.TokenID, 0), text(p.TokenID, yaml.DoubleQuotedStyle)},
	}
	if !exists {
		m := &yaml.Node{Kind: yaml.MappingNode}
		for _, f := range fields {
			if f.new != nil {
				m.Content = append(m.Content, text(f.key, 0), f.new)
			}
		}
		return e.change("profile "+p.Name, change{[]string{"profiles", p.Name}, m})
	}
	// Removals first, so that store never stands beside credential_command.
	var changes []change
	for _, f := range fields {
		if f.new == nil && f.old != nil {
			changes = append(changes, change{[]string{"profiles", p.Name, f.key}, nil})
		}
	}
	for _, f := range fields {
		if f.new != nil && !same(f.old, f.new) {
			changes = append(changes, change{[]string{"profiles", p.Name, f.key}, f.new})
		}
	}
	return e.change("profile "+p.Name, changes...)
}

// RemoveProfile removes the profile of that name, ignoring case, and where it
// is the current one, that too. ErrNoProfile where there is none.
func (e *Edit) RemoveProfile(name string) error {
	p, ok := e.f.Profile(name)
	if !ok {
		return fmt.Errorf("profile %q: %w", name, ErrNoProfile)
	}
	changes := []change{{[]string{"profiles", p.Name}, nil}}
	if strings.EqualFold(e.f.current, p.Name) {
		changes = append(changes, change{[]string{"current_profile"}, nil})
	}
	return e.change("profile "+p.Name, changes...)
}

// SetCurrent makes the profile of that name, ignoring case, the current one.
// ErrNoProfile where there is none.
func (e *Edit) SetCurrent(name string) error {
	p, ok := e.f.Profile(name)
	if !ok {
		return fmt.Errorf("profile %q: %w", name, ErrNoProfile)
	}
	if e.f.current == p.Name {
		return nil
	}
	return e.change("current_profile", change{[]string{"current_profile"}, text(p.Name, 0)})
}

// change makes the changes, all or none, and checks what came out.
func (e *Edit) change(what string, changes ...change) error {
	d, err := newDocument(e.f.path, e.f.text)
	if err != nil {
		return err
	}
	for _, c := range changes {
		if err := d.apply(c); err != nil {
			return fmt.Errorf("edit %s in %s: %w", what, e.f.path, err)
		}
	}
	f, err := parse(e.f.path, d.text)
	if err != nil {
		return fmt.Errorf("edit %s: %w", what, err)
	}
	e.f = f
	return nil
}

// text is a value of text, or nil for an empty one.
func text(s string, style yaml.Style) *yaml.Node {
	if s == "" {
		return nil
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s, Style: style}
}

// list is a value of several words on one line, or nil for none.
func list(words []string) *yaml.Node {
	if len(words) == 0 {
		return nil
	}
	n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Style: yaml.FlowStyle}
	for _, w := range words {
		n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: w})
	}
	return n
}

// same tells whether two values that text and list made are equal.
func same(a, b *yaml.Node) bool {
	return a != nil && a.Value == b.Value && slices.EqualFunc(a.Content, b.Content, same)
}
