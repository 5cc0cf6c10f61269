package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/zalando/go-keyring"
)

// Bounds on one use of the keyring. With a terminal there is somebody who may
// have to type a password first.
const (
	keyringLimit         = 3 * time.Second
	keyringTerminalLimit = 60 * time.Second
	keyringSilence       = time.Second // before a word is said about waiting
	unlockedLimit        = time.Second // of Unlocked
)

// KeyringOptions says how the keyring may behave.
type KeyringOptions struct {
	// Terminal says that somebody is there to answer a dialog: 60 s and not 3.
	Terminal bool
	// Waiting is called once where an answer takes longer than a second and
	// Terminal is set, with a line to show. May be nil.
	Waiting func(text string)
	// Limit bounds one operation where it is above 0, in place of 60, 3 or 1 s.
	Limit time.Duration
}

// KeyringStore keeps secrets in the keyring of the system: the Secret Service
// on Linux and BSD, the Keychain on macOS, the Credential Manager on Windows.
//
// A secret is the item with the service `utho:HOST[:PORT]`, the account the
// profile's name, and nothing but the secret as its value, so that others can
// read it too:
//
//	secret-tool lookup service utho:api.utho.com username work
//
// So the host and port a secret is for are a part of its key. The scheme is
// https, but for loopback, where both schemes are possible on one port: there a
// second item, service `utho-origin:HOST[:PORT]` and the same account, holds the
// whole origin and is compared.
//
// The library under it knows no bounds, and some of its calls never return. So
// each operation runs on a goroutine of its own, which is abandoned where it
// takes too long: the process is about to end then.
type KeyringStore struct{ opts KeyringOptions }

// NewKeyring returns the store. Nothing is connected or started before its use.
func NewKeyring(opts KeyringOptions) *KeyringStore { return &KeyringStore{opts} }

// item is what names the secret of a Ref in the keyring.
type item struct {
	service  string // of the secret
	origin   string // of the item with the origin; "" where there is none
	account  string
	hostPort string
}

// newItem works out an item's names.
func newItem(ref Ref) (item, error) {
	if err := ref.check(); err != nil {
		return item{}, err
	}
	scheme, host, _ := strings.Cut(ref.Origin, "://")
	loopback := isLoopback(host)
	switch {
	case host == "" || strings.ContainsAny(host, "/@ ") || scheme != "https" && scheme != "http":
		return item{}, errors.New("the place the token is for must look like https://HOST")
	case scheme == "http" && !loopback:
		return item{}, errors.New("a token is not kept for http to another machine")
	}
	if scheme == "http" && !strings.Contains(host[strings.LastIndexByte(host, ']')+1:], ":") {
		host += ":80" // or it would be the item of https
	}
	it := item{service: "utho:" + host, account: ref.Profile, hostPort: host}
	if loopback {
		it.origin = "utho-origin:" + host
	}
	return it, nil
}

// SameItem tells whether the keyring keeps the secrets of both in one item, as it
// does for the two schemes on one port of this machine.
func SameItem(a, b Ref) bool {
	itemA, errA := newItem(a)
	itemB, errB := newItem(b)
	return errA == nil && errB == nil && itemA.service == itemB.service && itemA.account == itemB.account
}

// isLoopback tells whether host, with or without a port, is this machine by its
// name or address.
func isLoopback(host string) bool {
	if ap, err := netip.ParseAddrPort(host); err == nil {
		return ap.Addr().IsLoopback()
	}
	if a, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return a.IsLoopback()
	}
	name, _, _ := strings.Cut(host, ":")
	return strings.EqualFold(name, "localhost")
}

// Get implements Store.
func (k *KeyringStore) Get(ctx context.Context, ref Ref) (string, error) {
	it, err := newItem(ref)
	if err != nil {
		return "", fmt.Errorf("%s: %w", opGet, err)
	}
	return k.bounded(ctx, opGet, "", func(context.Context) (string, error) {
		if it.origin != "" {
			// A secret without it is one whose saving was cut short.
			stored, err := keyring.Get(it.origin, it.account)
			if err != nil {
				return "", err
			}
			if stored != ref.Origin {
				return "", &OriginError{ref.Profile, stored, ref.Origin}
			}
		}
		secret, err := keyring.Get(it.service, it.account)
		if err == nil && secret == "" {
			err = keyring.ErrNotFound
		}
		return secret, err
	})
}

// Set implements Store.
func (k *KeyringStore) Set(ctx context.Context, ref Ref, secret string) error {
	it, err := newItem(ref)
	if err == nil && secret == "" {
		err = ErrEmpty
	}
	if err != nil {
		return fmt.Errorf("%s: %w", opSet, err)
	}
	if len(secret) > MaxSecret {
		return &KeyringError{Op: opSet, Reason: ReasonTooBig, Err: ErrTooBig}
	}
	_, err = k.bounded(ctx, opSet, secret, func(ctx context.Context) (string, error) {
		if it.origin == "" {
			return "", put(it.service, it.account, secret)
		}
		// The origin goes first and comes last: whenever this is cut short, no
		// secret stands under an origin it is not for.
		err := keyring.Delete(it.origin, it.account)
		if errors.Is(err, keyring.ErrNotFound) {
			err = nil
		}
		if err == nil && ctx.Err() == nil {
			err = put(it.service, it.account, secret)
		}
		if err == nil && ctx.Err() == nil {
			err = put(it.origin, it.account, ref.Origin)
		}
		return "", err
	})
	return err
}

// put saves a value and reads it back.
func put(service, account, value string) error {
	if err := keyring.Set(service, account, value); err != nil {
		return err
	}
	back, err := keyring.Get(service, account)
	if err == nil && back != value || errors.Is(err, keyring.ErrNotFound) {
		return errors.New("what it kept is not what it was given")
	}
	return err
}

// Delete implements Store.
func (k *KeyringStore) Delete(ctx context.Context, ref Ref) error {
	it, err := newItem(ref)
	if err != nil {
		return fmt.Errorf("%s: %w", opDelete, err)
	}
	_, err = k.bounded(ctx, opDelete, "", func(context.Context) (string, error) {
		err := keyring.Delete(it.service, it.account)
		if it.origin != "" && (err == nil || errors.Is(err, keyring.ErrNotFound)) {
			if other := keyring.Delete(it.origin, it.account); !errors.Is(other, keyring.ErrNotFound) {
				err = errors.Join(err, other)
			}
		}
		return "", err
	})
	return err
}

// Probe implements Store. It may ask for the keyring to be unlocked, as Set would.
func (k *KeyringStore) Probe(ctx context.Context, ref Ref) error {
	it, err := newItem(ref)
	if err != nil {
		return fmt.Errorf("%s: %w", opProbe, err)
	}
	_, err = k.bounded(ctx, opProbe, "", func(context.Context) (string, error) {
		// An account of its own, for two that try at the same time.
		service, account := "utho-probe:"+it.hostPort, it.account+"."+rand.Text()[:8]
		err := put(service, account, "may be deleted")
		if removed := keyring.Delete(service, account); err == nil {
			err = removed
		}
		return "", err
	})
	return err
}

// Unlocked tells whether Get would find the secret without asking anybody
// anything, for completion, where a dialog must never appear. In doubt it is
// false. It takes no longer than a second (or Limit) and no longer than ctx.
//
// With the Secret Service it looks, over D-Bus, whether the keyring and the item
// in it are unlocked. On macOS it is always false: to ask the Keychain can
// itself raise a dialog. On Windows it is true: the Credential Manager is
// unlocked with the session and never asks.
func (k *KeyringStore) Unlocked(ctx context.Context, ref Ref) bool {
	it, err := newItem(ref)
	if err != nil {
		return false
	}
	limit := unlockedLimit
	if k.opts.Limit > 0 {
		limit = k.opts.Limit
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	open, err := call(ctx, nil, func() (bool, error) { return unlocked(ctx, it), nil })
	return err == nil && open
}

// bounded runs use on a goroutine of its own and waits for it as long as is
// right. Its error is ErrNotFound, *OriginError, *KeyringError, or the cause of
// ctx where that was cancelled. secret is what no error may repeat.
func (k *KeyringStore) bounded(ctx context.Context, op, secret string, use func(context.Context) (string, error)) (string, error) {
	if err := reachable(); err != nil {
		return "", &KeyringError{Op: op, Reason: err.reason, Err: err.err}
	}
	limit := keyringLimit
	if k.opts.Terminal {
		limit = keyringTerminalLimit
	}
	if k.opts.Limit > 0 {
		limit = k.opts.Limit
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
	value, err := call(bound, waiting, func() (string, error) { return use(bound) })
	var origin *OriginError
	switch {
	case err == nil:
		return value, nil
	case errors.Is(err, keyring.ErrNotFound):
		return "", ErrNotFound
	case errors.As(err, &origin):
		return "", origin
	case !errors.Is(err, errAbandoned):
		reason := classify(err)
		if reason == ReasonNeverCreated || reason == ReasonLocked || reason == ReasonUnsupported || reason == ReasonNoService {
			return "", &KeyringError{Op: op, Reason: reason} // the system's own words add nothing
		}
		return "", &KeyringError{Op: op, Reason: reason, Err: saying(err, secret)}
	case errors.Is(ctx.Err(), context.Canceled):
		return "", fmt.Errorf("%s: %w", op, context.Cause(ctx))
	}
	waited := time.Since(started)
	if waited >= limit {
		waited = limit
	}
	return "", &KeyringError{Op: op, Reason: ReasonTimeout, After: waited.Round(time.Millisecond)}
}

var (
	errAbandoned = errors.New("abandoned")
	errPanic     = errors.New("its answer makes no sense")
)

// call runs f on a goroutine and returns what it returned, or errAbandoned
// where ctx ended first. waiting, if not nil, is called once after a second.
func call[T any](ctx context.Context, waiting func(), f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1) // so that an abandoned f can end
	go func() {
		r := result{err: errPanic}
		// The library asserts types of what a service sends it, and uses the
		// signal of a connection that was closed.
		defer func() {
			if recover() != nil {
				r.err = errPanic
			}
			done <- r
		}()
		r.value, r.err = f()
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
			return r.value, r.err
		case <-silence:
			silence = nil
			waiting()
		case <-ctx.Done():
			var none T
			return none, errAbandoned
		}
	}
}

// unusable says why the keyring need not even be asked.
type unusable struct {
	reason Reason
	err    error
}
