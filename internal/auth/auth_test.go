package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// secret is what no error of this package may hold.
const secret = "live_test_3f9d0c7b51e24a6b"

// TestMain runs the test binary as one short-lived program where it is asked
// to: what reads the environment of the process (the bus's address) or leaves
// goroutines behind is tried in a process of its own.
func TestMain(m *testing.M) {
	if job := os.Getenv("UTHO_AUTH_HELPER"); job != "" {
		os.Exit(helper(job))
	}
	os.Exit(m.Run())
}

// outcome is what a helper tells of what it did.
type outcome struct {
	Value    string
	Err      string
	NotFound bool
	Keyring  bool
	Reason   string
	Hint     string
	Waited   []string
	Took     time.Duration
}

func helper(job string) int {
	var o outcome
	limit, _ := time.ParseDuration(os.Getenv("UTHO_AUTH_LIMIT"))
	k := NewKeyring(KeyringOptions{
		Terminal: os.Getenv("UTHO_AUTH_TERMINAL") != "", Limit: limit,
		Waiting: func(text string) { o.Waited = append(o.Waited, text) },
	})
	ref := Ref{os.Getenv("UTHO_AUTH_PROFILE"), os.Getenv("UTHO_AUTH_ORIGIN")}
	ctx := context.Background()
	var err error
	started := time.Now()
	switch job {
	case "get":
		o.Value, err = k.Get(ctx, ref)
	case "set":
		err = k.Set(ctx, ref, os.Getenv("UTHO_AUTH_SECRET"))
	case "delete":
		err = k.Delete(ctx, ref)
	case "probe":
		err = k.Probe(ctx, ref)
	case "unlocked":
		o.Value = fmt.Sprint(k.Unlocked(ctx, ref))
	case "command":
		var argv []string
		if err := json.Unmarshal([]byte(os.Getenv("UTHO_AUTH_ARGV")), &argv); err != nil {
			return 3
		}
		if limit > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, limit)
			defer cancel()
		}
		o.Value, err = Command(ctx, argv, os.Environ(), os.Stderr)
	default:
		if !otherJob(job) {
			return 3
		}
	}
	o.Took = time.Since(started)
	if err != nil {
		o.Err, o.NotFound = err.Error(), errors.Is(err, ErrNotFound)
		var ke *KeyringError
		if errors.As(err, &ke) {
			o.Keyring, o.Reason, o.Hint = true, ke.Reason.String(), ke.Hint()
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(o); err != nil {
		return 3
	}
	return 0
}

func TestRefCheck(t *testing.T) {
	t.Parallel()
	for _, profile := range []string{"", ".", "..", "../a", "a/b", `a\b`, "-a", "a b", "a\x00", "ä"} {
		ref := Ref{profile, "https://api.utho.com"}
		for name, store := range map[string]Store{"file": NewFile(t.TempDir()), "keyring": NewKeyring(KeyringOptions{})} {
			if _, err := store.Get(t.Context(), ref); err == nil || errors.Is(err, ErrNotFound) {
				t.Errorf("%s: get %q: %v", name, profile, err)
			}
			if err := store.Set(t.Context(), ref, secret); err == nil || strings.Contains(err.Error(), secret) {
				t.Errorf("%s: set %q: %v", name, profile, err)
			}
			if err := store.Delete(t.Context(), ref); err == nil || errors.Is(err, ErrNotFound) {
				t.Errorf("%s: delete %q: %v", name, profile, err)
			}
			if err := store.Probe(t.Context(), ref); err == nil {
				t.Errorf("%s: probe %q", name, profile)
			}
		}
	}
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
