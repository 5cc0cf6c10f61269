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
	m, service := newMachine(t), record(t)
	m.env["UTHO_API_URL"] = service.url
	for says, args := range map[string][]string{
		"does not have that format": {"--store", "file", "-o", "csv"}, "http": {"--store", "file", "--api-url", "http://192.0.2.1/"},
	} {
		shown := m.onTerminal(nil, append([]string{"utho", "login"}, args...)...).ends(2)
		if !strings.Contains(shown, says) || strings.Contains(shown, "token: ") {
			t.Errorf("%q: it does not say %q, or asks all the same:\n%s", args, says, shown)
		}
	}

	// No keyring: a file may take its place, if the person says so. Then where the token will
	// go, if that is not the usual place.
	p := m.onTerminal(nil, "utho", "login")
	p.until("there is no D-Bus session here")
	p.until(`Keep the token in a file that only you can read instead\? \[y/N\]: `)
	p.types("n\r")
	p.ends(3)
	p = m.onTerminal(nil, "utho", "login")
	p.until(`\[y/N\]: `)
	p.types("y\r")
	p.until("it will be sent to " + strings.TrimSuffix(service.url, "/v2"))
	p.until("Paste the token: ")
	p.types("\x04")
	p.ends(3)
	if shown := m.onTerminal(nil, "utho", "login", "--store", "keyring").ends(1); strings.Contains(shown, "[y/N]") {
		t.Errorf("a store that was named is not the only one:\n%s", shown)
	}

	// A keyring that does not answer: a word, and Ctrl-C ends the waiting.
	m.env["DBUS_SESSION_BUS_ADDRESS"] = silentBus(t)
	p = m.onTerminal(nil, "utho", "login")
	p.until("waiting for the keyring")
	p.types("\x03")
	if shown := p.ends(130); strings.Contains(shown, "token: ") || strings.Contains(shown, "[y/N]") {
		t.Errorf("it asks all the same:\n%s", shown)
	}
	if came := service.take(); len(came) > 0 {
		t.Errorf("sent: %q", came)
	}
}

// awaitHidden waits until a terminal does not show what is typed.
func (p *process) awaitHidden() {
	p.t.Helper()
	for limit := time.Now().Add(patience); time.Now().Before(limit); time.Sleep(time.Millisecond) {
		modes, err := unix.IoctlGetTermios(int(p.tty.Fd()), unix.TCGETS)
		if err != nil {
			p.t.Fatal(err)
		}
		if modes.Lflag&unix.ECHO == 0 {
			return
		}
	}
	p.t.Fatal("what is typed is shown")
}

// A token that is typed is not shown: while stderr goes to a file, with --with-token, and
// after the program was stopped and the shell has set its own modes. What is pasted behind its line
// is not left for the shell, which would run it, and remember it.
func TestLoginHidden(t *testing.T) {
	t.Parallel()
	m, service := newMachine(t), record(t)
	m.env["UTHO_API_URL"] = service.url
	log, err := os.Create(m.path("log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	p := m.onTerminal(func(cmd *exec.Cmd) { cmd.Stderr = log }, "utho", "login", "--with-token", "--store", "file", "-o", "json")
	p.awaitHidden()
	p.signal(unix.SIGSTOP)
	modes, err := unix.IoctlGetTermios(int(p.tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	modes.Lflag |= unix.ECHO
	if err := unix.IoctlSetTermios(int(p.tty.Fd()), unix.TCSETS, modes); err != nil {
		t.Fatal(err)
	}
	p.signal(unix.SIGCONT)
	p.awaitHidden()
	p.types(filedSecret + "\rlive_test_the_rest_of_a_wrapped_token\r")
	shown := p.ends(0)
	if !strings.Contains(shown, `"authenticated": true`) || strings.Contains(shown, "live_") {
		t.Errorf("the terminal shows:\n%s", shown)
	}
	if n, err := unix.IoctlGetInt(int(p.tty.Fd()), unix.TIOCINQ); err != nil || n > 0 {
		t.Errorf("%d bytes are left to be read, %v", n, err)
	}
}

// Ctrl-C ends a logout of all at the keyring that does not answer: what comes
// behind it is left alone, and said to be.
func TestLogoutAllInterrupted(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.env["DBUS_SESSION_BUS_ADDRESS"] = silentBus(t)
	config := "profiles:\n"
	for _, name := range []string{"before", "silent", "behind", "last"} {
		store := "file"
		if name == "silent" {
			store = "keyring"
		}
		config += "  " + name + ": {api_url: https://x.example/v2, store: " + store + "}\n"
		m.write(`{"origin":"https://x.example","token":"`+filedSecret+`"}`, "config", "credentials", name+".json")
	}
	m.write(config, "config", "config.yaml")
	p := m.onTerminal(nil, "utho", "logout", "--all")
	p.until("waiting for the keyring")
	p.types("\x03")
	shown := p.ends(130)
	for _, want := range []string{"3 of 4 profiles keep their token", "silent: log out of", "last: interrupted; nothing was changed"} {
		if !strings.Contains(shown, want) {
			t.Errorf("it does not say %q:\n%s", want, shown)
		}
	}
	for name, there := range map[string]bool{"before": false, "behind": true, "last": true} {
		if _, err := os.Stat(m.path("config", "credentials", name+".json")); (err == nil) != there {
			t.Errorf("the token of %s: %v", name, err)
		}
	}
}

// logout --revoke names the token and the account before it deletes anything.
func TestRevokeConfirmation(t *testing.T) {
	t.Parallel()
	m := newServed(t)
	key := m.key
	m = m.with("UTHO_API_KEY", "")
	m.login(key, "login", "--own-token", "--name", "laptop", "--store", "file").want(t, 0)
	// A rejection of the deletion alone: the token still works, and its secret stays.
	m.Fault(sandboxtest.Fault{On: sandboxtest.Delete, Status: 401, Body: `{"status":"error","message":"Unauthorized access."}`, Times: 1})
	m.utho("logout", "--revoke", "--yes").want(t, 4).says(t, "token 10004 was not deleted, and profile default keeps it")
	m.utho("status").want(t, 0)
	for typed, code := range map[string]int{"n\r": 3, "\x03": 130} {
		p := m.onTerminal(nil, "utho", "logout", "--revoke")
		p.until(`Delete token 10004 "laptop" of asha.rao@example.com \(profile default\) and log out\? \[y/N\]: `)
		p.types(typed)
		p.ends(code)
		m.utho("status").want(t, 0)
	}
	p := m.onTerminal(nil, "utho", "logout", "--revoke")
	p.until(`\[y/N\]: `)
	p.types("y\r")
	p.ends(0)
	m.remain(4)
}
