//go:build unix

package auth

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

func TestCommand(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		argv []string
		says string // in the error; "" for success
	}{
		"absolute path":    {[]string{"/bin/echo", secret}, ""},
		"prints nothing":   {[]string{"true"}, "true: what it printed is no token: the token is empty"},
		"prints words":     {[]string{"echo", secret, secret}, "white space"},
		"no such program":  {[]string{"utho-no-such-program", secret}, "cannot be run: no such command"},
		"relative path":    {[]string{"./x", secret}, "must be absolute"},
		"home":             {[]string{"~/x", secret}, "must be absolute"},
		"NUL in arguments": {[]string{"echo", secret + "\x00"}, "echo: cannot be run"},
	} {
		got, err := Command(t.Context(), tc.argv, os.Environ(), io.Discard)
		refused := err != nil && got == "" && strings.Contains(err.Error(), tc.says)
		if tc.says == "" && (err != nil || got != secret) || tc.says != "" && !refused {
			t.Errorf("%s: %q, %v; want %q", name, got, err, tc.says)
		}
		noSecret(t, err)
	}
	cause := errors.New("by Ctrl-C")
	interrupted, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	late, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	for says, ctx := range map[string]context.Context{"did not end in time": late, cause.Error(): interrupted} {
		_, err := Command(ctx, []string{"sleep", "600"}, os.Environ(), io.Discard)
		if err == nil || !strings.Contains(err.Error(), says) || errors.Is(err, cause) != (ctx == interrupted) {
			t.Errorf("%v, want %s", err, says)
		}
	}
}
