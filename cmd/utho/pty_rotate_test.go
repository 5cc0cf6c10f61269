//go:build unix

package main

import (
	"strings"
	"testing"
	"time"

	"github.com/utho/utho-cli/internal/sandbox/sandboxtest"
)

// rotate asks before it deletes, and names the account and the profile. What is new is what
// was not there at the answer, not at the question: a person takes their time.
func TestRotateConfirmation(t *testing.T) {
	t.Parallel()
	m := newServed(t)
	m.logIn()
	id := m.Add("ask", false).ID
	for _, test := range []struct {
		typed     string
		meanwhile func() // what somebody else does while the question stands
		code      int
		says      string
		left      int // tokens named ask
	}{
		{"n\r", nil, 3, "declined; nothing was changed", 1},
		{"\x03", nil, 130, "interrupted; nothing was changed", 1},
		{"y\r", func() { m.Remove(id) }, 5, "has gone meanwhile; nothing was created", 0},
		{"y\r", func() { m.Add("ask", false) }, 0, "deleted the old token", 2},
	} {
		if m.count("ask") == 0 {
			id = m.Add("ask", false).ID
		}
		p := m.onTerminal(nil, "utho", "token", "rotate", id, "--to", "exec:true")
		p.asks("Rotate it, and delete the old token of asha.rao@example.com (profile default)? [y/N]: ")
		if test.meanwhile != nil {
			test.meanwhile()
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
	if !ok || err != nil || until.Sub(answered.Add(2*time.Hour)).Abs() > 2*time.Minute {
		t.Errorf("answered at %v: %+v", answered, all)
	}
}

// A person is told what is waited for when the service is slow; the line goes when the answer comes.
func TestSlowService(t *testing.T) {
	t.Parallel()
	w := newServed(t)
	w.stopAt("list", sandboxtest.List, beforeEffect, 1)
	w.stopAt("look", sandboxtest.Confirm, beforeEffect, 1)
	term := w.onTerminal(nil, "utho", "token", "create", "ci", "--to", "file:ci")
	term.until("waiting for the list of tokens …$")
	w.release("list")
	term.until("\r\x1b\\[Kwaiting for the new token to show in the list …$")
	w.release("look")
	term.ends(0)
	term.says("\r\x1b\\[Kcreated")
}
