package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/zalando/go-keyring"
)

// Bounds on one use of the keyring. With a terminal there is somebody who may have to type a password first.
const (
	keyringLimit         = 3 * time.Second
	keyringTerminalLimit = 60 * time.Second
	keyringSilence       = time.Second // before a word is said about waiting
	peekLimit            = time.Second
)

// KeyringOptions says how the keyring may behave.
type KeyringOptions struct {
	// Terminal says that somebody is there to answer a dialog: 60 s and not 3.
	Terminal bool
	// Waiting is called once if an answer takes longer than a second and Terminal is set, with a line to show.
	// May be nil.
	Waiting func(text string)
	// Limit bounds one operation if it is above 0, in place of 60, 3 or 1 s.
	Limit time.Duration
}

// KeyringStore keeps secrets in the keyring of the system: the Secret Service on Linux and BSD, the Keychain
// on macOS, the Credential Manager on Windows.
//
// An item has the service `utho:HOST[:PORT]` (for http `utho:http://HOST[:PORT]`), so that the place a secret
// is for is a part of its key; the account is the profile's name. Its value is the secret, and if the token is
// known, lines with its id and name after it, so that others can read it too:
//
//	secret-tool lookup service utho:api.utho.com username work | head -n1
//
// The library under it knows no bounds, and some of its calls never return. So each operation runs on a
// goroutine of its own, which is abandoned if it takes too long: the process is about to end then.
type KeyringStore struct{ opts KeyringOptions }

// NewKeyring returns the store. Nothing is connected or started before its use.
func NewKeyring(opts KeyringOptions) *KeyringStore { return &KeyringStore{opts} }

// service is what a keyring calls the place of a Ref.
func service(ref Ref) (string, error) {
	if err := ref.check(); err != nil {
		return "", err
	}
	scheme, host, _ := strings.Cut(ref.Origin, "://")
	switch {
	case host == "" || strings.ContainsAny(host, "/@ ") || scheme != "https" && scheme != "http":
		return "", errors.New("the place the token is for must look like https://HOST")
	case scheme == "http":
		host = ref.Origin
	}
	return "utho:" + host, nil
}

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

// fetch reads the item, on the goroutine of a bounded call.
func fetch(service string, ref Ref) (Item, error) {
	value, err := keyring.Get(service, ref.Profile)
	item := itemOf(value)
	if err == nil && item.Secret == "" {
		err = keyring.ErrNotFound
	}
	return item, err
}

// Get implements Store.
func (k *KeyringStore) Get(ctx context.Context, ref Ref) (Item, error) {
	service, err := service(ref)
	if err != nil {
		return Item{}, fmt.Errorf("%s: %w", opGet, err)
	}
	return k.bounded(ctx, opGet, "", k.limit(), func(context.Context) (Item, error) { return fetch(service, ref) })
}

// Peek implements Store.
//
// With the Secret Service it looks, over D-Bus, whether the keyring and the item in it are unlocked. On macOS
// it is always ErrLocked: to ask the Keychain can itself raise a dialog. On Windows it is Get: the Credential
// Manager is unlocked with the session and never asks.
func (k *KeyringStore) Peek(ctx context.Context, ref Ref) (Item, error) {
	service, err := service(ref)
	if err != nil {
		return Item{}, fmt.Errorf("%s: %w", opGet, err)
	}
	limit := peekLimit
	if k.opts.Limit > 0 {
		limit = k.opts.Limit
	}
	return (&KeyringStore{}).bounded(ctx, opGet, "", limit, func(ctx context.Context) (Item, error) {
		if err := unlocked(ctx, service, ref.Profile); err != nil {
			return Item{}, err
		}
		return fetch(service, ref)
	})
}

// Set implements Store.
func (k *KeyringStore) Set(ctx context.Context, ref Ref, item Item) error {
	service, err := service(ref)
	if err = errors.Join(err, item.check(), ctx.Err()); err != nil {
		return fmt.Errorf("%s: %w", opSet, err)
	}
	_, err = k.bounded(ctx, opSet, item.Secret, k.limit(), func(context.Context) (Item, error) {
		return Item{}, put(service, ref.Profile, item.value())
	})
	return notKnown("saved", err)
}

// Delete implements Store. It takes what a killed CheckSet left with it.
func (k *KeyringStore) Delete(ctx context.Context, ref Ref) error {
	service, err := service(ref)
	if err = errors.Join(err, ctx.Err()); err != nil {
		return fmt.Errorf("%s: %w", opDelete, err)
	}
	_, err = k.bounded(ctx, opDelete, "", k.limit(), func(context.Context) (Item, error) {
		err := keyring.Delete(service, ref.Profile)
		_ = keyring.Delete(probe(service), ref.Profile)
		return Item{}, err
	})
	return notKnown("removed", err)
}

// CheckSet implements Store. It may ask for the keyring to be unlocked, as Set would. A process at a time can
// do it for one profile; the next one removes what a killed one left.
func (k *KeyringStore) CheckSet(ctx context.Context, ref Ref) error {
	service, err := service(ref)
	if err != nil {
		return fmt.Errorf("%s: %w", opCheck, err)
	}
	_, err = k.bounded(ctx, opCheck, "", k.limit(), func(context.Context) (Item, error) {
		err := put(probe(service), ref.Profile, "may be deleted")
		if removed := keyring.Delete(probe(service), ref.Profile); err == nil {
			err = removed
		}
		return Item{}, err
	})
	return err
}

func probe(service string) string { return "utho-probe:" + strings.TrimPrefix(service, "utho:") }

// A readBackError says that a value was saved, and then could not be read as it was.
type readBackError struct{ err error }

func (e *readBackError) Error() string {
	return "what it kept is not what it was given: " + e.err.Error()
}

// put saves a value and reads it back.
func put(service, account, value string) error {
	if err := keyring.Set(service, account, value); err != nil {
		return err
	}
	back, err := keyring.Get(service, account)
	if err == nil && back != value {
		err = errors.New("it is another value")
	}
	if err != nil {
		return &readBackError{err}
	}
	return nil
}

// notKnown is err, as a *NotKnownError unless it is sure that the keyring did nothing.
func notKnown(done string, err error) error {
	if err == nil || errors.Is(err, ErrNotFound) || refusal(err) {
		return err
	}
	return &NotKnownError{done, err}
}

func (k *KeyringStore) limit() time.Duration {
	switch {
	case k.opts.Limit > 0:
		return k.opts.Limit
	case k.opts.Terminal:
		return keyringTerminalLimit
	}
	return keyringLimit
}

// bounded runs use on a goroutine of its own and waits for it as long as is right. Its error is ErrNotFound,
// *KeyringError, or the cause of ctx if that was cancelled. secret is what no error may repeat.
func (k *KeyringStore) bounded(ctx context.Context, op, secret string, limit time.Duration,
	use func(context.Context) (Item, error)) (Item, error) {
	if err := reachable(); err != nil {
		return Item{}, &KeyringError{Op: op, Err: err}
	}
	started := time.Now()
	bound, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var waiting func()
	if k.opts.Terminal && k.opts.Waiting != nil {
		waiting = func() {
			k.opts.Waiting("waiting for the keyring, which may be asking to be unlocked; Ctrl-C stops this")
		}
	}
	item, err := call(bound, waiting, use)
	switch {
	case err == nil:
		return item, nil
	case errors.Is(err, keyring.ErrNotFound):
		return Item{}, ErrNotFound
	case !errors.Is(err, errAbandoned):
		return Item{}, &KeyringError{Op: op, Err: reason(err, secret)}
	case errors.Is(ctx.Err(), context.Canceled):
		return Item{}, fmt.Errorf("%s: %w", op, context.Cause(ctx))
	}
	return Item{}, &KeyringError{Op: op, After: min(limit, time.Since(started)).Round(time.Millisecond), Err: errTimeout}
}

var (
	errAbandoned = errors.New("abandoned")
	errPanic     = errors.New("its answer makes no sense")
)

// call runs f on a goroutine and returns what it returned, or errAbandoned if ctx ended first. waiting, if not
// nil, is called once after a second.
func call(ctx context.Context, waiting func(), f func(context.Context) (Item, error)) (Item, error) {
	type result struct {
		item Item
		err  error
	}
	done := make(chan result, 1) // so that an abandoned f can end
	go func() {
		r := result{err: errPanic}
		// The library asserts types of what a service sends it, and uses the signal of a connection that was
		// closed.
		defer func() {
			if recover() != nil {
				r.err = errPanic
			}
			done <- r
		}()
		r.item, r.err = f(ctx)
	}()
	var silence <-chan time.Time
	if waiting != nil {
		t := time.NewTimer(keyringSilence)
		defer t.Stop()
		silence = t.C
	}
	for {
		select {
		case r := <-done:
			return r.item, r.err
		case <-silence:
			silence = nil
			waiting()
		case <-ctx.Done():
			return Item{}, errAbandoned
		}
	}
}
