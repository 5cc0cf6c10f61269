package auth

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/zalando/go-keyring"
)

// What a keyring keeps is the secret on its first line, whatever the name of the token is.
func TestItemValue(t *testing.T) {
	t.Parallel()
	for _, i := range []Item{{Secret: secret}, item, {secret, "1", ""}, {secret, "", "a b: c"}} {
		if got := itemOf(i.value()); got != i {
			t.Errorf("%q: %+v", i.value(), got)
		}
	}
	if got := itemOf(secret + "\nfuture: x\n"); got != (Item{Secret: secret}) {
		t.Errorf("%+v", got)
	}
}

// mock puts a keyring in memory in the place of the system's. It belongs to the
// process, so what uses it does not run in parallel.
func mock(t *testing.T) *KeyringStore {
	t.Helper()
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
	keyring.MockInit()
	return &KeyringStore{limit: time.Minute, quick: time.Minute}
}

func TestKeyringStore(t *testing.T) {
	k, ctx := mock(t), t.Context()
	for _, i := range []Item{item, {Secret: secret + "2"}, {Secret: strings.Repeat("x", MaxSecret)}} {
		if err := errors.Join(k.CheckSet(ctx, api("work")), k.Set(ctx, api("work"), i)); err != nil {
			t.Fatal(err)
		}
		if got, err := k.Get(ctx, api("work")); err != nil || got != i {
			t.Errorf("%v, %v", got, err)
		}
	}
	for _, other := range []string{"https://api.utho.com:8443", "https://evil.example", "http://api.utho.com"} {
		if got, err := k.Get(ctx, Ref{"work", other}); !errors.Is(err, ErrNotFound) || got != (Item{}) {
			t.Errorf("%s: %v, %v", other, got, err)
		}
	}
	for bad, want := range map[string]error{"": ErrEmpty, strings.Repeat("x", MaxSecret+1): ErrTooBig} {
		if err := k.Set(ctx, api("work"), Item{Secret: bad}); !errors.Is(err, want) || errors.As(err, new(*NotKnownError)) {
			t.Errorf("%d bytes: %v", len(bad), err)
		}
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := k.Set(ended, api("work"), item); err == nil || errors.As(err, new(*NotKnownError)) {
		t.Errorf("a Set that never began: %v", err)
	}
	if err := keyring.Set("utho:api.utho.com", "work", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Get(ctx, api("work")); !errors.Is(err, ErrNotFound) {
		t.Errorf("an empty item: %v", err)
	}
	if err := errors.Join(k.Delete(ctx, api("work")), k.Delete(ctx, api("work"))); !errors.Is(err, ErrNotFound) {
		t.Errorf("after delete: %v", err)
	}
}

// What the system says is shown, with what was to be done.
func TestKeyringErrors(t *testing.T) {
	k := mock(t)
	for _, said := range []error{errors.New("it broke"), keyring.ErrUnsupportedPlatform} {
		keyring.MockInitWithError(said)
		_, getErr := k.Get(t.Context(), api("work"))
		for op, err := range map[string]error{
			opGet: getErr, opSet: k.Set(t.Context(), api("work"), item),
			opDelete: k.Delete(t.Context(), api("work")), opCheck: k.CheckSet(t.Context(), api("work")),
		} {
			var ke *KeyringError
			if !errors.As(err, &ke) || ke.Op != op || errors.Is(err, ErrNotFound) || !errors.Is(err, said) {
				t.Errorf("%s: %v", op, err)
			}
			changes := (op == opSet || op == opDelete) && said != keyring.ErrUnsupportedPlatform
			if errors.As(err, new(*NotKnownError)) != changes {
				t.Errorf("%s: %v", op, err)
			}
		}
	}
}

func TestBounded(t *testing.T) {
	mock(t)
	stuck := make(chan struct{})
	t.Cleanup(func() { close(stuck) })
	cause := errors.New("by Ctrl-C")
	interrupted, interrupt := context.WithCancelCause(t.Context())
	late, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	said := make(chan string, 10)
	asked := &KeyringStore{func(text string) { said <- text }, time.Minute, time.Minute}
	for name, tc := range map[string]struct {
		k    *KeyringStore
		ctx  context.Context
		use  func() (Item, error)
		says string // "" for the item
	}{
		"its own bound":           {&KeyringStore{limit: 20 * time.Millisecond}, t.Context(), nil, "no answer within 20ms"},
		"the caller's bound":      {NewKeyring(nil), late, nil, "no answer"},
		"interrupted":             {asked, interrupted, func() (Item, error) { interrupt(cause); <-stuck; return item, nil }, cause.Error()},
		"a word, then the answer": {asked, t.Context(), func() (Item, error) { said <- <-said; return item, nil }, ""},
		"panic":                   {NewKeyring(nil), t.Context(), func() (Item, error) { panic(secret) }, "makes no sense"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := tc.k.bounded(tc.ctx, tc.k.limit, opGet, func() (Item, error) {
				if tc.use == nil {
					<-stuck
					return item, nil
				}
				return tc.use()
			})
			var ke *KeyringError
			switch {
			case tc.says == "" && (err != nil || got != item || len(said) != 1):
				t.Errorf("%v, %v, %d words", got, err, len(said))
			case tc.says != "" && (err == nil || !strings.Contains(err.Error(), tc.says) || errors.Is(err, ErrNotFound)):
				t.Errorf("%v, %v", got, err)
			case tc.says != "" && errors.As(err, &ke) == (tc.ctx == interrupted):
				t.Errorf("%T %v", err, err)
			}
			noSecret(t, err)
		})
	}
}
