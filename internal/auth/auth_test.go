package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

// secret is what no error of this package may hold.
const secret = "live_test_3f9d0c7b51e24a6b"

var item = Item{secret, "10000", "ci.expires-20301223T0930Z"}

// TestMain runs the test binary as one short-lived program where it is asked
// to: what reads the environment of the process (the bus's address) or leaves
// goroutines behind is tried in a process of its own.
func TestMain(m *testing.M) {
	if job := os.Getenv("UTHO_AUTH_HELPER"); job != "" {
		if err := json.NewEncoder(os.Stdout).Encode(helper(job)); err != nil {
			panic(err)
		}
		return
	}
	os.Exit(m.Run())
}

// outcome is what a helper tells of what it did.
type outcome struct {
	Item                                Item
	Err, Hint                           string
	NotFound, Keyring, NotKnown, Locked bool
	Waited                              []string
}

func helper(job string) (o outcome) {
	k := NewKeyring(nil)
	if limit, err := time.ParseDuration(os.Getenv("UTHO_AUTH_LIMIT")); err == nil {
		k.limit, k.quick = limit, limit
	}
	if os.Getenv("UTHO_AUTH_TERMINAL") != "" {
		k.waiting = func(text string) { o.Waited = append(o.Waited, text) }
	}
	ctx, ref := context.Background(), api("work")
	var err error
	switch job {
	case "get":
		o.Item, err = k.Get(ctx, ref)
	case "set":
		err = k.Set(ctx, ref, item)
	case "delete":
		err = k.Delete(ctx, ref)
	case "check":
		err = k.CheckSet(ctx, ref)
	case "peek":
		o.Item, err = k.Peek(ctx, ref)
	}
	var ke *KeyringError
	if errors.As(err, &ke) {
		o.Keyring, o.Hint = true, ke.Hint()
	}
	if err != nil {
		o.Err = err.Error()
	}
	o.NotFound, o.NotKnown, o.Locked = errors.Is(err, ErrNotFound), errors.As(err, new(*NotKnownError)), errors.Is(err, ErrLocked)
	return o
}

// noSecret fails where an error holds the secret.
func noSecret(t *testing.T, err error) {
	t.Helper()
	for ; err != nil; err = errors.Unwrap(err) {
		if strings.Contains(err.Error(), secret) || strings.Contains(fmt.Sprintf("%+v %#v", err, err), secret) {
			t.Errorf("an error holds the secret: %T", err)
		}
	}
}

func TestOrigin(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"https://API.utho.com/v2":       "https://api.utho.com",
		"HTTPS://api.utho.com:443/v2":   "https://api.utho.com",
		"https://api.utho.com:8443":     "https://api.utho.com:8443",
		"http://127.0.0.1:80":           "http://127.0.0.1",
		"http://127.0.0.1:443/":         "http://127.0.0.1:443",
		"http://[::1]:8080/v2":          "http://[::1]:8080",
		"https://[2001:DB8::1]:443/v2?": "https://[2001:db8::1]",
	} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := Origin(u); got != want {
			t.Errorf("%s: %s, want %s", raw, got, want)
		}
	}
}
