package auth

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/zalando/go-keyring"
)

func TestItems(t *testing.T) {
	t.Parallel()
	for origin, want := range map[string]item{
		"https://api.utho.com":      {service: "utho:api.utho.com", hostPort: "api.utho.com"},
		"https://api.utho.com:8443": {service: "utho:api.utho.com:8443", hostPort: "api.utho.com:8443"},
		"https://127.0.0.1":         {"utho:127.0.0.1", "utho-origin:127.0.0.1", "", "127.0.0.1"},
		"http://127.0.0.1":          {"utho:127.0.0.1:80", "utho-origin:127.0.0.1:80", "", "127.0.0.1:80"},
		"http://127.1.2.3:8080":     {"utho:127.1.2.3:8080", "utho-origin:127.1.2.3:8080", "", "127.1.2.3:8080"},
		"https://localhost:80":      {"utho:localhost:80", "utho-origin:localhost:80", "", "localhost:80"},
		"http://[::1]":              {"utho:[::1]:80", "utho-origin:[::1]:80", "", "[::1]:80"},
		"http://[::1]:8080":         {"utho:[::1]:8080", "utho-origin:[::1]:8080", "", "[::1]:8080"},
		"https://[2001:db8::1]":     {service: "utho:[2001:db8::1]", hostPort: "[2001:db8::1]"},
	} {
		want.account = "Prod.EU"
		if got, err := newItem(Ref{"Prod.EU", origin}); err != nil || got != want {
			t.Errorf("%s: %+v, %v", origin, got, err)
		}
	}
	for _, origin := range []string{"", "x", "https://", "ftp://127.0.0.1", "http://api.utho.com", "http://127.0.0.1.evil.example", "http://localhost.evil.example:80", "http://10.0.0.1", "https://a/b", "https://u:p@a", "http://[2001:db8::1]:80"} {
		if got, err := newItem(Ref{"a", origin}); err == nil {
			t.Errorf("%q: %+v", origin, got)
		}
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
	if _, err := k.Get(ctx, api("work")); !errors.Is(err, ErrNotFound) {
		t.Errorf("empty: %v", err)
	}
	if err := k.Delete(ctx, api("work")); !errors.Is(err, ErrNotFound) {
		t.Errorf("delete from empty: %v", err)
	}
	for _, s := range []string{secret, secret + "2", strings.Repeat("x", MaxSecret)} {
		if err := k.Set(ctx, api("work"), s); err != nil {
			t.Fatal(err)
		}
		if got, err := k.Get(ctx, api("work")); err != nil || got != s {
			t.Errorf("%q, %v", got, err)
		}
		if bare, err := keyring.Get("utho:api.utho.com", "work"); err != nil || bare != s {
			t.Errorf("under the documented key: %q, %v", bare, err)
		}
	}
	for _, other := range []string{"https://api.utho.com:8443", "https://evil.example", "https://127.0.0.1"} {
		if got, err := k.Get(ctx, Ref{"work", other}); !errors.Is(err, ErrNotFound) || got != "" {
			t.Errorf("%s: %q, %v", other, got, err)
		}
	}
	if err := k.Probe(ctx, api("work")); err != nil {
		t.Error(err)
	}
	if err := k.Delete(ctx, api("work")); err != nil {
		t.Error(err)
	}
	if _, err := k.Get(ctx, api("work")); !errors.Is(err, ErrNotFound) {
		t.Errorf("after delete: %v", err)
	}
	if err := k.Set(ctx, api("work"), ""); !errors.Is(err, ErrEmpty) {
		t.Errorf("an empty secret: %v", err)
	}
	err := k.Set(ctx, api("work"), strings.Repeat("x", MaxSecret+1))
	var ke *KeyringError
	if !errors.As(err, &ke) || ke.Reason != ReasonTooBig || !errors.Is(err, ErrTooBig) || ke.Hint() != "" {
		t.Errorf("too big: %v", err)
	}
	if err := keyring.Set("utho:api.utho.com", "work", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Get(ctx, api("work")); !errors.Is(err, ErrNotFound) {
		t.Errorf("an empty item: %v", err)
	}
}

// On loopback both schemes are possible on one port.
func TestKeyringLoopback(t *testing.T) {
	k, ctx := mock(t), t.Context()
	plain, tls := Ref{"work", "http://127.0.0.1:8443"}, Ref{"work", "https://127.0.0.1:8443"}
	if err := k.Set(ctx, plain, secret); err != nil {
		t.Fatal(err)
	}
	if got, err := k.Get(ctx, plain); err != nil || got != secret {
		t.Errorf("%q, %v", got, err)
	}
	got, err := k.Get(ctx, tls)
	var other *OriginError
	if !errors.As(err, &other) || got != "" || *other != (OriginError{"work", plain.Origin, tls.Origin}) {
		t.Errorf("%q, %v", got, err)
	}
	noSecret(t, err)
	if err := k.Set(ctx, tls, secret+"2"); err != nil {
		t.Fatal(err)
	}
	if got, err := k.Get(ctx, tls); err != nil || got != secret+"2" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := k.Get(ctx, plain); !errors.As(err, &other) || got != "" {
		t.Errorf("%q, %v", got, err)
	}
	// A save that was cut short leaves no origin, and so no secret.
	if err := keyring.Delete("utho-origin:127.0.0.1:8443", "work"); err != nil {
		t.Fatal(err)
	}
	if got, err := k.Get(ctx, tls); !errors.Is(err, ErrNotFound) || got != "" {
		t.Errorf("%q, %v", got, err)
	}
	if err := k.Delete(ctx, plain); err != nil {
		t.Errorf("delete for the other scheme: %v", err)
	}
	if err := k.Delete(ctx, plain); !errors.Is(err, ErrNotFound) {
		t.Errorf("second delete: %v", err)
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
			opGet: getErr, opSet: k.Set(t.Context(), api("work"), secret),
			opDelete: k.Delete(t.Context(), api("work")), opProbe: k.Probe(t.Context(), api("work")),
		} {
			var ke *KeyringError
			if !errors.As(err, &ke) || ke.Reason != ReasonOther || ke.Op != op || errors.Is(err, ErrNotFound) {
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
	if err := k.Set(t.Context(), api("work"), secret); !errors.As(err, &ke) || ke.Reason != ReasonUnsupported {
		t.Errorf("%v", err)
	}
}

// Every reason has words of its own, and names the ways out.
func TestKeyringErrorTexts(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for r := ReasonOther; r <= ReasonTooBig; r++ {
		e := &KeyringError{Op: opSet, Reason: r, After: 3 * time.Second}
		if seen[e.Error()] || seen[r.String()] || !strings.HasPrefix(e.Error(), opSet+": ") {
			t.Errorf("%v: %q", r, e)
		}
		seen[e.Error()], seen[r.String()] = true, true
		if r != ReasonTooBig && (!strings.Contains(e.Hint(), "--store file") || !strings.Contains(e.Hint(), "UTHO_API_KEY")) {
			t.Errorf("%v: hint %q", r, e.Hint())
		}
		if errors.Is(e, ErrNotFound) || errors.Is(e, context.DeadlineExceeded) {
			t.Errorf("%v passes for another error", r)
		}
	}
}

func TestBounded(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
	stuck := make(chan struct{})
	t.Cleanup(func() { close(stuck) })
	hang := func(context.Context) (string, error) { <-stuck; return "", nil }
	for _, op := range []string{opGet, opSet, opDelete, opProbe} {
		k := NewKeyring(KeyringOptions{Limit: 20 * time.Millisecond})
		_, err := k.bounded(t.Context(), op, secret, hang)
		var ke *KeyringError
		if !errors.As(err, &ke) || ke.Reason != ReasonTimeout || errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", op, err)
		}
		if (op == opSet) != strings.Contains(fmt.Sprint(err), "not known to be saved") {
			t.Errorf("%s: %v", op, err)
		}
	}
	t.Run("the caller's own deadline", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		_, err := NewKeyring(KeyringOptions{}).bounded(ctx, opGet, "", hang)
		var ke *KeyringError
		if !errors.As(err, &ke) || ke.Reason != ReasonTimeout || ke.After >= keyringLimit {
			t.Errorf("%v", err)
		}
	})
	t.Run("interrupted", func(t *testing.T) {
		cause := errors.New("by Ctrl-C")
		ctx, cancel := context.WithCancelCause(t.Context())
		_, err := NewKeyring(KeyringOptions{Terminal: true}).bounded(ctx, opGet, "", func(ctx context.Context) (string, error) {
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
		got, err := k.bounded(t.Context(), opGet, "", func(context.Context) (string, error) {
			first := <-said
			said <- first
			return "answer", nil
		})
		if err != nil || got != "answer" || len(said) != 1 {
			t.Errorf("%q, %v, %d words", got, err, len(said))
		}
	})
	t.Run("no word without a terminal", func(t *testing.T) {
		k := NewKeyring(KeyringOptions{Limit: 1500 * time.Millisecond, Waiting: func(string) { t.Error("said something") }})
		if _, err := k.bounded(t.Context(), opGet, "", hang); err == nil {
			t.Error("no error")
		}
	})
	t.Run("panic", func(t *testing.T) {
		_, err := NewKeyring(KeyringOptions{}).bounded(t.Context(), opGet, "", func(context.Context) (string, error) { panic(secret) })
		var ke *KeyringError
		if !errors.As(err, &ke) || !strings.Contains(err.Error(), "makes no sense") {
			t.Errorf("%v", err)
		}
		noSecret(t, err)
	})
}

// Completion must never wait for the keyring, nor ask.
func TestUnlockedInDoubt(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the Credential Manager never asks")
	}
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
	k := NewKeyring(KeyringOptions{Terminal: true})
	if k.Unlocked(t.Context(), api("work")) || k.Unlocked(t.Context(), Ref{}) {
		t.Error("a keyring that is not there is unlocked")
	}
	if os.Getenv("DBUS_SESSION_BUS_ADDRESS") != "unix:path=/nowhere" {
		t.Error("looking changed the environment")
	}
}
