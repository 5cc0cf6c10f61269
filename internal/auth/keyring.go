package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/zalando/go-keyring"
)

// KeyringStore keeps secrets in the Secret Service (Linux, BSD), the Keychain (macOS) or the Credential Manager
// (Windows). An item has the service `utho:HOST[:PORT]` (for http `utho:http://HOST[:PORT]`), so that the place a
// secret is for is a part of its key; the account is the profile's name. Its value is the secret, and if the token
// is known, lines with its id and name after it, so that others can read it too:
//
//	secret-tool lookup service utho:api.utho.com username work | head -n1
type KeyringStore struct {
	waiting      func(text string)
	limit, quick time.Duration // of an operation, and of Peek
}

// NewKeyring returns the store. Nothing is connected or started before its use. If somebody is there to type a
// password, waiting is called with a line to show when an answer takes longer than a second, and it may take 60 s; else
// waiting is nil and the limit 3 s.
func NewKeyring(waiting func(text string)) *KeyringStore {
	k := &KeyringStore{waiting, 3 * time.Second, time.Second}
	if waiting != nil {
		k.limit = time.Minute
	}
	return k
}

// The lines after the secret in a keyring item.
const (
	idLine   = "token_id: "
	nameLine = "token_name: "
)

// value is an item as the keyring keeps it. What would be lines of its own is left out: the service lets anyone call a
// token anything.
func (i Item) value() string {
	s := i.Secret
	if i.TokenID != "" && !strings.ContainsAny(i.TokenID, "\r\n") {
		s += "\n" + idLine + i.TokenID
	}
	if i.TokenName != "" && !strings.ContainsAny(i.TokenName, "\r\n") {
		s += "\n" + nameLine + i.TokenName
	}
	return s
}

func itemOf(value string) Item {
	secret, rest, _ := strings.Cut(value, "\n")
	i := Item{Secret: secret}
	for line := range strings.SplitSeq(rest, "\n") {
		if id, ok := strings.CutPrefix(line, idLine); ok {
			i.TokenID = id
		} else if name, ok := strings.CutPrefix(line, nameLine); ok {
			i.TokenName = name
		}
	}
	return i
}

// Get implements Store.
func (k *KeyringStore) Get(ctx context.Context, ref Ref) (Item, error) {
	return k.bounded(ctx, k.limit, opGet, func() (Item, error) { return fetch(ref) })
}

// Peek implements Store. With the Secret Service it looks whether the keyring and the item are unlocked. On macOS it
// is always ErrLocked: to ask the Keychain can itself raise a dialog. On Windows it is Get, which never asks.
func (k *KeyringStore) Peek(ctx context.Context, ref Ref) (Item, error) {
	return k.bounded(ctx, k.quick, opGet, func() (Item, error) {
		if err := unlocked(ctx, service(ref), ref.Profile); err != nil {
			return Item{}, err
		}
		return fetch(ref)
	})
}

func fetch(ref Ref) (Item, error) {
	value, err := keyring.Get(service(ref), ref.Profile)
	item := itemOf(value)
	if err == nil && item.Secret == "" {
		err = keyring.ErrNotFound
	}
	return item, err
}

// Set implements Store.
func (k *KeyringStore) Set(ctx context.Context, ref Ref, item Item) error {
	if err := item.check(); err != nil {
		return fmt.Errorf("%s: %w", opSet, err)
	}
	return k.change(ctx, opSet, "saved", func() error { return put(service(ref), ref.Profile, item.value()) })
}

// Delete implements Store.
func (k *KeyringStore) Delete(ctx context.Context, ref Ref) error {
	return k.change(ctx, opDelete, "removed", func() error {
		if err := keyring.Delete(service(ref), ref.Profile); err != nil {
			return err
		}
		// The library takes a "no" to the question whether to delete it for success.
		if _, err := keyring.Get(service(ref), ref.Profile); !errors.Is(err, keyring.ErrNotFound) {
			return errors.New("it may still hold the token")
		}
		return nil
	})
}

// CheckSet implements Store. It may ask for the keyring to be unlocked, as Set would. A process at a time can do it
// for one profile; the next removes what a killed one left.
func (k *KeyringStore) CheckSet(ctx context.Context, ref Ref) error {
	_, err := k.bounded(ctx, k.limit, opCheck, func() (Item, error) {
		probe := "utho-probe:" + strings.TrimPrefix(service(ref), "utho:")
		err := put(probe, ref.Profile, "may be deleted")
		if removed := keyring.Delete(probe, ref.Profile); err == nil {
			err = removed
		}
		return Item{}, err
	})
	return err
}

// service is what a keyring calls the place of a Ref.
func service(ref Ref) string { return "utho:" + strings.TrimPrefix(ref.Origin, "https://") }

// put saves a value and reads it back.
func put(service, account, value string) error {
	if err := keyring.Set(service, account, value); err != nil {
		return err
	}
	back, err := keyring.Get(service, account)
	if err == nil && back != value {
		err = errors.New("it is another value")
	}
	if err != nil { // without its type: it was saved, whatever that says
		return errors.New("what it kept is not what it was given: " + err.Error())
	}
	return nil
}

// change is a use that changes something: a *NotKnownError unless it is sure that the keyring did nothing.
func (k *KeyringStore) change(ctx context.Context, op, done string, use func() error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", op, context.Cause(ctx))
	}
	_, err := k.bounded(ctx, k.limit, op, func() (Item, error) { return Item{}, use() })
	if err == nil || errors.Is(err, ErrNotFound) || refused(err) {
		return err
	}
	return &NotKnownError{done, err}
}

// bounded runs use on a goroutine of its own, and abandons it if that takes too long: the library knows no bounds,
// and some of its calls never return. The error is ErrNotFound, *KeyringError, or the cause of ctx if that was
// cancelled.
func (k *KeyringStore) bounded(ctx context.Context, limit time.Duration, op string,
	use func() (Item, error)) (Item, error) {
	if err := reachable(); err != nil {
		return Item{}, &KeyringError{op, err}
	}
	started := time.Now() // before the bound: of a wait that took 3 s nobody is to read 2.996 s
	bound, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	type result struct {
		item Item
		err  error
	}
	done := make(chan result, 1) // so that an abandoned use can end
	go func() {
		r := result{err: errors.New("its answer makes no sense")}
		// The library asserts types of what a service sends it, and uses the signal of a connection that was
		// closed.
		defer func() {
			_ = recover()
			done <- r
		}()
		item, err := use()
		r = result{item, err}
	}()
	var silence <-chan time.Time
	if k.waiting != nil && limit > time.Second {
		silence = time.After(time.Second)
	}
	for {
		select {
		case r := <-done:
			switch {
			case errors.Is(r.err, keyring.ErrNotFound):
				return Item{}, ErrNotFound
			case r.err != nil:
				return Item{}, &KeyringError{op, reason(r.err)}
			}
			return r.item, nil
		case <-silence:
			k.waiting("waiting for the keyring, which may be asking to be unlocked; Ctrl-C stops this")
		case <-bound.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return Item{}, fmt.Errorf("%s: %w", op, context.Cause(ctx))
			}
			after := min(limit, time.Since(started)).Round(time.Millisecond)
			return Item{}, &KeyringError{op, fmt.Errorf("no answer within %v; %w", after, errTimeout)}
		}
	}
}
