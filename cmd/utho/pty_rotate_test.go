//go:build unix

package main

import (
	"strings"
	"testing"
	"time"
)

// rotate asks before it deletes. What is new is told from what was there after
// the answer, not before the question: a person takes their time.
func TestRotateConfirmation(t *testing.T) {
	t.Parallel()
	m := newServed(t)
	m.utho("token", "create", "ask").want(t, 0)
	for _, test := range []struct {
		typed     string
		meanwhile []string // what somebody else does while the question stands
		code      int
		says      string
		left      int // tokens named ask
	}{
		{"n\r", nil, 3, "declined; nothing was changed", 1},
		{"\x03", nil, 130, "interrupted", 1},
		{"y\r", nil, 0, "deleted the old token 10004", 1},
		{"y\r", []string{"token", "create", "ask", "--allow-duplicate"}, 0, "deleted the old token 10005", 2},
		{"y\r", []string{"token", "delete", "10006", "--yes"}, 5, "has gone meanwhile; nothing was created", 1},
	} {
		arg := "ask"
		if test.code == 5 {
			arg = "10006"
		}
		p := m.onTerminal(nil, "utho", "token", "rotate", arg, "--to", "exec:true")
		p.asks("Replace its secret and delete the old token for good? [y/N]: ")
		if test.meanwhile != nil {
			m.utho(test.meanwhile...).want(t, 0)
		}
		p.types(test.typed)
		if shown := p.ends(test.code); !strings.Contains(shown, test.says) || strings.Contains(shown, "warning") {
			t.Errorf("typed %q: the terminal shows:\n%s", test.typed, shown)
		}
		if got := m.count("ask"); got != test.left {
			t.Errorf("typed %q: %d tokens are named ask, want %d", test.typed, got, test.left)
		}
	}
}

// The new expiry counts from the answer, however long the question stood.
func TestRotateExpiryAfterQuestion(t *testing.T) {
	t.Parallel()
	w := newServed(t)
	w.utho("token", "create", "late", "--expires-in", "2h").want(w.t, 0)
	term := w.onTerminal(nil, "utho", "token", "rotate", "late", "--to", "exec:true")
	term.until(`\[y/N\]: `)
	answered := time.Now().Add(24 * time.Hour).UTC()
	w.SetClock(24*time.Hour, 0)
	term.types("y\n")
	term.exits(0)
	all := w.Tokens()
	suffix, ok := strings.CutPrefix(all[len(all)-1].Name, "late.expires-")
	until, err := time.Parse("20060102T1504Z", suffix)
	if !ok || err != nil || until.Before(answered.Add(2*time.Hour-time.Second)) || until.After(answered.Add(2*time.Hour+time.Minute)) {
		t.Errorf("answered at %v: %+v", answered, all)
	}
}
