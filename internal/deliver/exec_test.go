//go:build unix

package deliver

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Whether a command may have stored the secret decides what becomes of the token.
func TestExec(t *testing.T) {
	t.Parallel()
	env, _ := testEnv(t)
	for text, c := range map[string]struct {
		says string
		undo error
	}{
		"exit 0":        {"", ErrKept}, // never reads its stdin
		"exit 3":        {"exit status 3", ErrDoubtful},
		"kill -9 $$":    {"signal: killed", ErrKept},
		"exec sleep 99": {"did not end within 1s", ErrKept},
		"gone":          {"no such file", nil}, // before it could start
	} {
		script := filepath.Join(t.TempDir(), "script")
		write(t, script, "#!/bin/sh\n"+text+"\n", 0o700)
		d := prepared(t, env, "exec:"+script).(*command)
		switch text {
		case "gone":
			_ = os.Remove(script)
		case "exec sleep 99":
			d.limit = time.Second
		}
		err := d.Deliver(t.Context(), Token{Secret: testSecret + strings.Repeat("x", 1<<17)}) // more than a pipe holds
		if c.says != "" {
			fails(t, err, c.says)
		} else if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if err := d.Undo(t.Context()); !errors.Is(err, c.undo) {
			t.Errorf("%s: undo: %v", text, err)
		}
		if _, err := d.Holds(t.Context(), [32]byte{}); !errors.Is(err, ErrUnreadable) {
			t.Error(err)
		}
	}
	fails(t, open(t, env, "exec:~/bin/put").Prepare(t.Context()), "write the whole path")
}
