package auth

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/zalando/go-keyring"
)

// What a keyring keeps is the secret on its first line, whatever the name of the token is, under the name of its place.
func TestItemValue(t *testing.T) {
	t.Parallel()
	for _, i := range []Item{{Secret: secret}, item, {secret, "1", ""}, {secret, "", "a b: c"}} {
		if got := itemOf(i.value()); got != i {
			t.Errorf("%q: %+v", i.value(), got)
		}
	}
	for _, i := range []Item{{secret, "5", "a\ntoken_id: 999"}, {secret, "5\ntoken_id: 999", "a"}} { // called so at the service
		if got := itemOf(i.value()); got.TokenID == "999" {
			t.Errorf("%q: %+v", i.value(), got)
		}
	}
	if got := itemOf(secret + "\nfuture: x\n"); got != (Item{Secret: secret}) {
		t.Errorf("%+v", got)
	}
	for origin, want := range map[string]string{
		"https://api.utho.com": "utho:api.utho.com", "https://x.example:8443": "utho:x.example:8443", "http://[::1]:80": "utho:http://[::1]:80",
	} {
		if got := service(Ref{"work", origin}); got != want {
			t.Errorf("%s is called %s, want %s", origin, got, want)
		}
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

// A use that hangs is given up, with the cause if there is one.
func TestBounded(t *testing.T) {
	k := mock(t)
	cause := errors.New("by Ctrl-C")
	interrupted, interrupt := context.WithCancelCause(t.Context())
	defer interrupt(nil)
	late, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	for says, ctx := range map[string]context.Context{"no answer within": late, "by Ctrl-C": interrupted} {
		_, err := k.bounded(ctx, k.limit, opGet, func() (Item, error) {
			interrupt(cause)
			<-t.Context().Done()
			return item, nil
		})
		if err == nil || !strings.Contains(err.Error(), says) || errors.As(err, new(*KeyringError)) == errors.Is(err, cause) {
			t.Errorf("%s: %T %v", says, err, err)
		}
	}
	if err := k.Set(interrupted, api("work"), item); !errors.Is(err, cause) || errors.As(err, new(*NotKnownError)) {
		t.Errorf("a Set that never began: %v", err)
	}
	keyring.MockInitWithError(keyring.ErrUnsupportedPlatform)
	if err := k.Set(t.Context(), api("work"), item); !errors.As(err, new(*KeyringError)) || errors.As(err, new(*NotKnownError)) {
		t.Errorf("no keyring for this platform: %v", err)
	}
}
