package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/zalando/go-keyring"
)

// KeyringOptions says how the keyring may behave.
type KeyringOptions struct {
	// Terminal says that somebody is there to type a password: an answer may take 60 s and not 3.
	Terminal bool
	// Waiting is called with a line to show if Terminal is set and an answer takes longer than a second; may be nil.
	Waiting func(text string)
	// Limit bounds one operation if it is above 0, in place of 60, 3 or 1 s.
	Limit time.Duration
}

// KeyringStore keeps secrets in the Secret Service (Linux, BSD), the Keychain (macOS) or the Credential Manager
// (Windows). An item has the service `utho:HOST[:PORT]` (for http `utho:http://HOST[:PORT]`), so that the place a
// secret is for is a part of its key; the account is the profile's name. Its value is the secret, and if the token
// is known, lines with its id and name after it, so that others can read it too:
//
//	secret-tool lookup service utho:api.utho.com username work | head -n1
type KeyringStore struct{ opts KeyringOptions }

// NewKeyring returns the store. Nothing is connected or started before its use.
func NewKeyring(opts KeyringOptions) *KeyringStore { return &KeyringStore{opts} }

// The lines after the secret in a keyring item.
const (
	idLine   = "token_id: "
	nameLine = "token_name: "
)

// value is an item as the keyring keeps it. What does not fit on a line, or is longer than a name can be, is
// left out: the token then counts as unknown.
func (i Item) value() string {
	s := i.Secret
	for _, line := range [][2]string{{idLine, i.TokenID}, {nameLine, i.TokenName}} {
		if line[1] != "" && len(line[1]) <= 255 && !strings.ContainsAny(line[1], "\r\n") {
			s += "\n" + line[0] + line[1]
		}
	}
	return s
}

func itemOf(value string) Item {
	secret, rest, _ := strings.Cut(value, "\n")
	i := Item{Secret: strings.TrimSuffix(secret, "\r")}
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
	return k.bounded(ctx, opGet, ref, func(_ context.Context, service string) (Item, error) { return fetch(service, ref) })
}

// Peek implements Store. With the Secret Service it looks whether the keyring and the item are unlocked. On macOS it
// is always ErrLocked: to ask the Keychain can itself raise a dialog. On Windows it is Get, which never asks.
func (k *KeyringStore) Peek(ctx context.Context, ref Ref) (Item, error) {
	quick := &KeyringStore{KeyringOptions{Limit: time.Second}}
	if k.opts.Limit > 0 {
		quick.opts.Limit = k.opts.Limit
	}
	return quick.bounded(ctx, opGet, ref, func(ctx context.Context, service string) (Item, error) {
		if err := unlocked(ctx, service, ref.Profile); err != nil {
			return Item{}, err
		}
		return fetch(service, ref)
	})
}

func fetch(service string, ref Ref) (Item, error) {
	value, err := keyring.Get(service, ref.Profile)
	item := itemOf(value)
	if err == nil && item.Secret == "" {
		err = keyring.ErrNotFound
	}
	return item, err
}

// Set implements Store.
func (k *KeyringStore) Set(ctx context.Context, ref Ref, item Item) error {
	_, err := service(ref)
	if err = errors.Join(err, item.check(), ctx.Err()); err != nil {
		return fmt.Errorf("%s: %w", opSet, err)
	}
	_, err = k.bounded(ctx, opSet, ref, func(_ context.Context, service string) (Item, error) {
		return Item{}, put(service, ref.Profile, item.value())
	})
	return notKnown("saved", err)
}

// Delete implements Store. It takes what a killed CheckSet left with it.
func (k *KeyringStore) Delete(ctx context.Context, ref Ref) error {
	_, err := service(ref)
	if err = errors.Join(err, ctx.Err()); err != nil {
		return fmt.Errorf("%s: %w", opDelete, err)
	}
	_, err = k.bounded(ctx, opDelete, ref, func(_ context.Context, service string) (Item, error) {
		err := keyring.Delete(service, ref.Profile)
		_ = keyring.Delete(probe(service), ref.Profile)
		return Item{}, err
	})
	return notKnown("removed", err)
}

// CheckSet implements Store. It may ask for the keyring to be unlocked, as Set would. A process at a time can do it
// for one profile; the next removes what a killed one left.
func (k *KeyringStore) CheckSet(ctx context.Context, ref Ref) error {
	_, err := k.bounded(ctx, opCheck, ref, func(_ context.Context, service string) (Item, error) {
		err := put(probe(service), ref.Profile, "may be deleted")
		if removed := keyring.Delete(probe(service), ref.Profile); err == nil {
			err = removed
		}
		return Item{}, err
	})
	return err
}

func probe(service string) string { return "utho-probe:" + strings.TrimPrefix(service, "utho:") }

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

// notKnown is err, as a *NotKnownError unless it is sure that the keyring did nothing.
func notKnown(done string, err error) error {
	if err == nil || errors.Is(err, ErrNotFound) || refused(err) {
		return err
	}
	return &NotKnownError{done, err}
}

// service is what a keyring calls the place of a Ref.
func service(ref Ref) (string, error) {
	scheme, host, _ := strings.Cut(ref.Origin, "://")
	switch {
	case ref.check() != nil:
		return "", ref.check()
	case host == "" || strings.ContainsAny(host, "/@ ") || scheme != "https" && scheme != "http":
		return "", errors.New("the place the token is for must look like https://HOST")
	case scheme == "http":
		host = ref.Origin
	}
	return "utho:" + host, nil
}

// bounded runs use on a goroutine of its own, and abandons it if that takes too long: the library knows no bounds,
// and some of its calls never return. The error is ErrNotFound, *KeyringError, or the cause of ctx if that was
// cancelled.
func (k *KeyringStore) bounded(ctx context.Context, op string, ref Ref,
	use func(ctx context.Context, service string) (Item, error)) (Item, error) {
	service, err := service(ref)
	if err != nil {
		return Item{}, fmt.Errorf("%s: %w", op, err)
	}
	if err := reachable(); err != nil {
		return Item{}, &KeyringError{Op: op, Err: err}
	}
	limit := 3 * time.Second
	switch {
	case k.opts.Limit > 0:
		limit = k.opts.Limit
	case k.opts.Terminal:
		limit = time.Minute
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
		item, err := use(bound, service)
		r = result{item, err}
	}()
	var silence <-chan time.Time
	if k.opts.Terminal && k.opts.Waiting != nil {
		silence = time.After(time.Second)
	}
	for {
		select {
		case r := <-done:
			switch {
			case errors.Is(r.err, keyring.ErrNotFound):
				return Item{}, ErrNotFound
			case r.err != nil:
				return Item{}, &KeyringError{Op: op, Err: reason(r.err)}
			}
			return r.item, nil
		case <-silence:
			k.opts.Waiting("waiting for the keyring, which may be asking to be unlocked; Ctrl-C stops this")
		case <-bound.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return Item{}, fmt.Errorf("%s: %w", op, context.Cause(ctx))
			}
			return Item{}, &KeyringError{Op: op, After: min(limit, time.Since(started)).Round(time.Millisecond), Err: errTimeout}
		}
	}
}
