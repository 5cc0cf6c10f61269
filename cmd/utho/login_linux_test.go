//go:build linux

package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/utho/utho-cli/internal/sandbox/sandboxtest"
)

// What must be known before a person pastes what is shown only once.
func TestLoginBeforePrompt(t *testing.T) {
	t.Parallel()
	m := newServed(t).with("UTHO_API_KEY", "")
	asksNot := func(says string, code int, args ...string) {
		t.Helper()
		shown := m.onTerminal(nil, append([]string{"utho", "login"}, args...)...).exits(code)
		if !strings.Contains(shown, says) || strings.Contains(shown, "token: ") || strings.Contains(shown, "[y/N]") {
			t.Errorf("%q: it does not say %q, or asks all the same:\n%s", args, says, shown)
		}
	}
	asksNot("does not have that format", 2, "--store", "file", "-o", "csv")
	asksNot("http", 2, "--store", "file", "--api-url", "http://192.0.2.1/")
	asksNot("there is no D-Bus session here", 1, "--store", "keyring")

	// No keyring: a file may take its place, if the person says so. Then where the token will
	// go, if that is not the usual place.
	for answer, says := range map[string]string{"n\r": "nothing was changed", "y\r": "it will be sent to " + strings.TrimSuffix(m.url, "/v2")} {
		p := m.onTerminal(nil, "utho", "login")
		p.until(`there is no D-Bus session here(.|\n)*Keep the token in a file that only you can read instead\? \[y/N\]: `)
		p.types(answer)
		p.until(says)
		if answer == "y\r" {
			p.until("Paste the token: ")
			p.types(ctrlD)
		}
		p.exits(3)
	}

	// A keyring that does not answer: a word, and Ctrl-C ends the waiting.
	m.env["DBUS_SESSION_BUS_ADDRESS"] = silentBus(t)
	p := m.onTerminal(nil, "utho", "login")
	p.until("waiting for the keyring")
	p.types(ctrlC)
	if shown := p.exits(130); strings.Contains(shown, "token: ") || strings.Contains(shown, "[y/N]") {
		t.Errorf("it asks all the same:\n%s", shown)
	}
	if n := m.Count(sandboxtest.Any); n > 0 {
		t.Errorf("%d requests came", n)
	}
}

// A token that is typed is not shown: while stderr goes to a file, with --with-token, and
// after the program was stopped and the shell has set its own modes. What is pasted behind its line
// is not left for the shell, which would run it, and remember it.
func TestLoginHidden(t *testing.T) {
	t.Parallel()
	m := newServed(t).with("UTHO_API_KEY", "")
	log, err := os.Create(m.path("log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	p := m.onTerminal(func(cmd *exec.Cmd) { cmd.Stderr = log }, "utho", "login", "--with-token", "--store", "file", "-o", "json")
	hidden := func() (modes *unix.Termios) {
		for limit := time.Now().Add(patience); time.Now().Before(limit); time.Sleep(time.Millisecond) {
			if modes, err = unix.IoctlGetTermios(int(p.tty.Fd()), unix.TCGETS); err != nil || modes.Lflag&unix.ECHO == 0 {
				return modes
			}
		}
		t.Fatal("what is typed is shown")
		return nil
	}
	hidden()
	p.signal(unix.SIGSTOP)
	modes := hidden()
	modes.Lflag |= unix.ECHO
	if err := unix.IoctlSetTermios(int(p.tty.Fd()), unix.TCSETS, modes); err != nil {
		t.Fatal(err)
	}
	p.signal(unix.SIGCONT)
	hidden()
	p.types(m.key + "\rlive_test_the_rest_of_a_wrapped_token\r")
	if shown := p.exits(0); !strings.Contains(shown, `"authenticated": true`) || strings.Contains(shown, "live_") {
		t.Errorf("the terminal shows:\n%s", shown)
	}
	if said, err := os.ReadFile(log.Name()); err != nil || !strings.Contains(string(said), "Paste the token: ") {
		t.Errorf("nothing asks for the token: %q, %v", said, err)
	}
	if n, err := unix.IoctlGetInt(int(p.tty.Fd()), unix.TIOCINQ); err != nil || n > 0 {
		t.Errorf("%d bytes are left to be read, %v", n, err)
	}
}

// Ctrl-C ends a logout of all at the keyring that does not answer: what comes
// behind it is left alone, and said to be.
func TestLogoutAllInterrupted(t *testing.T) {
	t.Parallel()
	m := newMachine(t).with("DBUS_SESSION_BUS_ADDRESS", silentBus(t))
	m.write("profiles:\n  before: {store: file}\n  silent: {store: keyring}\n  behind: {store: file}\n", "config", "config.yaml")
	for _, name := range []string{"before", "behind"} {
		m.write(`{"origin":"https://api.utho.com","token":"live_test_of_a_file"}`, "config", "credentials", name+".json")
	}
	p := m.onTerminal(nil, "utho", "logout", "--all")
	p.until("waiting for the keyring")
	p.types(ctrlC)
	p.exits(130)
	p.says(`2 of 3 profiles keep their token(.|\n)*silent: log out of(.|\n)*behind: interrupted; nothing was changed`)
	if m.read("config", "credentials", "before.json") != "" || m.read("config", "credentials", "behind.json") == "" {
		t.Error("not the token before the silent keyring was removed, and that alone")
	}
}
