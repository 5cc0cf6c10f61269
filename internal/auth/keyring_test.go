package auth

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/zalando/go-keyring"
)

func TestServices(t *testing.T) {
	t.Parallel()
	for origin, want := range map[string]string{
		"https://api.utho.com":      "utho:api.utho.com",
		"https://api.utho.com:8443": "utho:api.utho.com:8443",
		"https://127.0.0.1":         "utho:127.0.0.1",
		"http://127.0.0.1":          "utho:http://127.0.0.1",
		"http://[::1]:8080":         "utho:http://[::1]:8080",
	} {
		if got, err := service(Ref{"Prod.EU", origin}); err != nil || got != want {
			t.Errorf("%s: %s, %v", origin, got, err)
		}
	}
	for _, origin := range []string{"", "x", "https://", "ftp://127.0.0.1", "https://a/b", "https://u:p@a"} {
		if got, err := service(Ref{"a", origin}); err == nil {
			t.Errorf("%q: %s", origin, got)
		}
	}
}

// What a keyring keeps is the secret on its first line, whatever the name of the token is.
func TestItemValue(t *testing.T) {
	t.Parallel()
	for _, i := range []Item{{Secret: secret}, item, {secret, "1", ""}, {secret, "", "a b: c"}} {
		if got := itemOf(i.value()); got != i {
			t.Errorf("%q: %+v", i.value(), got)
		}
	}
	for _, name := range []string{"a\ntoken_id: 5", strings.Repeat("x", 256)} {
		if got := itemOf(Item{secret, "1", name}.value()); got != (Item{secret, "1", ""}) {
			t.Errorf("%+v", got)
		}
	}
	if got := itemOf(secret + "\r\nfuture: x\n"); got != (Item{Secret: secret}) {
		t.Errorf("%+v", got)
	}
}

// mock puts a keyring in memory in the place of the system's. It belongs to the
// process, so what uses it does not run in parallel.
func mock(t *testing.T) *KeyringStore {
	t.Helper()
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
	keyring.MockInit()
	return NewKeyring(KeyringOptions{Limit: time.Minute})
}

func TestKeyringStore(t *testing.T) {
	k, ctx := mock(t), t.Context()
	if err := k.Delete(ctx, api("work")); !errors.Is(err, ErrNotFound) {
		t.Errorf("delete from empty: %v", err)
	}
	for _, i := range []Item{item, {Secret: secret + "2"}, {Secret: strings.Repeat("x", MaxSecret)}} {
		if err := k.Set(ctx, api("work"), i); err != nil {
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
	if err := errors.Join(k.CheckSet(ctx, api("work")), k.Delete(ctx, api("work"))); err != nil {
		t.Error(err)
	}
	if _, err := k.Get(ctx, api("work")); !errors.Is(err, ErrNotFound) {
		t.Errorf("after delete: %v", err)
	}
	for bad, want := range map[string]error{"": ErrEmpty, strings.Repeat("x", MaxSecret+1): ErrTooBig} {
		if err := k.Set(ctx, api("work"), Item{Secret: bad}); !errors.Is(err, want) || errors.As(err, new(*NotKnownError)) {
			t.Errorf("%d bytes: %v", len(bad), err)
		}
	}
	if err := keyring.Set("utho:api.utho.com", "work", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Get(ctx, api("work")); !errors.Is(err, ErrNotFound) {
		t.Errorf("an empty item: %v", err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := k.Set(ended, api("work"), item); err == nil || errors.As(err, new(*NotKnownError)) {
		t.Errorf("a Set that never began: %v", err)
	}
}

// What the system says is shown on one line, and never with the secret.
func TestKeyringErrors(t *testing.T) {
	k := mock(t)
	for name, said := range map[string]string{
		"plain":    "it broke",
		"a secret": "cannot keep " + secret + " here",
		"hostile":  "a\nb\x1b[31m\u202e" + strings.Repeat("x", 1000),
	} {
		keyring.MockInitWithError(errors.New(said))
		_, getErr := k.Get(t.Context(), api("work"))
		for op, err := range map[string]error{
			opGet: getErr, opSet: k.Set(t.Context(), api("work"), item),
			opDelete: k.Delete(t.Context(), api("work")), opCheck: k.CheckSet(t.Context(), api("work")),
		} {
			var ke *KeyringError
			if !errors.As(err, &ke) || ke.Op != op || errors.Is(err, ErrNotFound) {
				t.Errorf("%s, %s: %v", name, op, err)
				continue
			}
			if name != "a secret" || op == opSet {
				noSecret(t, err)
			}
			if strings.ContainsAny(err.Error(), "\n\x1b\u202e") || len(err.Error()) > 500 {
				t.Errorf("%s, %s: %q", name, op, err)
			}
			if name == "plain" && !strings.Contains(err.Error(), said) {
				t.Errorf("%s: %v does not say why", op, err)
			}
		}
	}
	keyring.MockInitWithError(keyring.ErrUnsupportedPlatform)
	var ke *KeyringError
	err := k.Set(t.Context(), api("work"), item)
	if !errors.As(err, &ke) || !errors.Is(err, errUnsupported) || errors.As(err, new(*NotKnownError)) {
		t.Errorf("%v", err)
	}
}

func TestBounded(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
	stuck := make(chan struct{})
	t.Cleanup(func() { close(stuck) })
	hang := func(context.Context) (Item, error) { <-stuck; return Item{}, nil }
	timedOut := func(t *testing.T, err error, within time.Duration) {
		t.Helper()
		var ke *KeyringError
		if !errors.As(err, &ke) || ke.After == 0 || ke.After > within || errors.Is(err, ErrNotFound) {
			t.Errorf("%v", err)
		}
	}
	_, err := NewKeyring(KeyringOptions{}).bounded(t.Context(), opGet, "", 20*time.Millisecond, hang)
	timedOut(t, err, time.Minute)
	t.Run("the caller's own deadline", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		_, err := NewKeyring(KeyringOptions{}).bounded(ctx, opGet, "", time.Hour, hang)
		timedOut(t, err, time.Minute)
	})
	t.Run("interrupted", func(t *testing.T) {
		cause := errors.New("by Ctrl-C")
		ctx, cancel := context.WithCancelCause(t.Context())
		_, err := NewKeyring(KeyringOptions{Terminal: true}).bounded(ctx, opGet, "", time.Hour, func(ctx context.Context) (Item, error) {
			cancel(cause)
			return hang(ctx)
		})
		var ke *KeyringError
		if !errors.Is(err, cause) || errors.As(err, &ke) {
			t.Errorf("%v", err)
		}
	})
	t.Run("a word, once, then the answer", func(t *testing.T) {
		said := make(chan string, 10)
		k := NewKeyring(KeyringOptions{Terminal: true, Waiting: func(text string) { said <- text }})
		got, err := k.bounded(t.Context(), opGet, "", time.Hour, func(context.Context) (Item, error) {
			first := <-said
			said <- first
			return item, nil
		})
		if err != nil || got != item || len(said) != 1 {
			t.Errorf("%v, %v, %d words", got, err, len(said))
		}
	})
	t.Run("no word without a terminal", func(t *testing.T) {
		k := NewKeyring(KeyringOptions{Waiting: func(string) { t.Error("said something") }})
		if _, err := k.bounded(t.Context(), opGet, "", 1500*time.Millisecond, hang); err == nil {
			t.Error("no error")
		}
	})
	t.Run("panic", func(t *testing.T) {
		_, err := NewKeyring(KeyringOptions{}).bounded(t.Context(), opGet, "", time.Hour, func(context.Context) (Item, error) { panic(secret) })
		var ke *KeyringError
		if !errors.As(err, &ke) || !strings.Contains(err.Error(), "makes no sense") {
			t.Errorf("%v", err)
		}
		noSecret(t, err)
	})
}
