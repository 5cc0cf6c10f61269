//go:build linux

package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What must be known before a person pastes what is shown only once.
func TestLoginBeforePrompt(t *testing.T) {
	t.Parallel()
	m, service := newMachine(t), record(t)
	m.env["UTHO_API_URL"] = service.url
	for _, tc := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"no keyring", []string{"utho", "login"}, 1, "the keyring cannot keep a token"},
		{"another format", []string{"utho", "login", "--store", "file", "-o", "csv"}, 2, "csv"},
		{"a refused address", []string{"utho", "login", "--store", "file", "--api-url", "http://192.0.2.1/"}, 2, "http"},
	} {
		shown := m.onTerminal(nil, tc.args...).ends(tc.code)
		if !strings.Contains(shown, tc.says) || strings.Contains(shown, "Paste the token: ") {
			t.Errorf("%s: it does not say %q, or asks all the same:\n%s", tc.name, tc.says, shown)
		}
	}

	// Where the token will go, where that is not the usual place.
	p := m.onTerminal(nil, "utho", "login", "--store", "file")
	p.until("it will be sent to " + strings.TrimSuffix(service.url, "/v2"))
	p.until("Paste the token: ")
	p.types("\x04")
	p.ends(3)

	// A keyring that does not answer: a word, and Ctrl-C ends the waiting.
	m.env["DBUS_SESSION_BUS_ADDRESS"] = silentBus(t)
	p = m.onTerminal(nil, "utho", "login")
	p.until("waiting for the keyring")
	p.types("\x03")
	if shown := p.ends(130); strings.Contains(shown, "Paste the token: ") {
		t.Errorf("it asks all the same:\n%s", shown)
	}
	if came := service.take(); len(came) > 0 {
		t.Errorf("sent: %q", came)
	}
}

// A token that is typed while stderr goes to a file is not shown either.
func TestLoginStderrElsewhere(t *testing.T) {
	t.Parallel()
	m, service := newMachine(t), record(t)
	m.env["UTHO_API_URL"] = service.url
	log, err := os.Create(m.path("log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	p := m.onTerminal(func(cmd *exec.Cmd) { cmd.Stderr = log }, "utho", "login", "--store", "file", "-o", "json")
	for limit := time.Now().Add(time.Minute); ; { // there is no prompt to wait for
		modes, err := unix.IoctlGetTermios(int(p.tty.Fd()), unix.TCGETS)
		if err != nil {
			t.Fatal(err)
		}
		if modes.Lflag&unix.ECHO == 0 {
			break
		}
		if time.Now().After(limit) {
			t.Fatal("what is typed is shown")
		}
		time.Sleep(time.Millisecond)
	}
	p.types(filedSecret + "\r")
	shown := p.ends(0)
	if !strings.Contains(shown, `"authenticated": true`) || strings.Contains(shown, "live_") {
		t.Errorf("the terminal shows:\n%s", shown)
	}
}

// What is pasted behind the line with the token is not left for the shell, which
// would run it, and remember it.
func TestLoginDropsTheRest(t *testing.T) {
	t.Parallel()
	m, service := newMachine(t), record(t)
	m.env["UTHO_API_URL"] = service.url
	p := m.onTerminal(nil, "utho", "login", "--store", "file")
	p.until("Paste the token: ")
	p.types(filedSecret + "\rlive_test_the_rest_of_a_wrapped_token\r")
	if shown := p.ends(0); strings.Contains(shown, "live_") {
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
	profile := func(name, store string) string {
		if store == "file" {
			m.write(`{"origin":"https://x.example","token":"`+filedSecret+`"}`, "config", "credentials", name+".json")
		}
		return "  " + name + ":\n    api_url: https://x.example/v2\n    store: " + store + "\n    token_id: \"10000\"\n"
	}
	m.write("profiles:\n"+profile("before", "file")+profile("silent", "keyring")+profile("behind", "file")+profile("last", "file"), "config", "config.yaml")
	p := m.onTerminal(nil, "utho", "logout", "--all")
	p.until("waiting for the keyring")
	p.types("\x03")
	shown := p.ends(130)
	if want := "interrupted: 1 of 4 profiles were done, and not silent, behind, last"; !strings.Contains(shown, want) {
		t.Errorf("it does not say %q:\n%s", want, shown)
	}
	for name, there := range map[string]bool{"before": false, "behind": true, "last": true} {
		if _, err := os.Stat(m.path("config", "credentials", name+".json")); (err == nil) != there {
			t.Errorf("the token of %s: %v", name, err)
		}
	}
	text, err := os.ReadFile(m.path("config", "config.yaml"))
	if err != nil || strings.Count(string(text), "token_id") != 3 {
		t.Errorf("the configuration is %s, %v", text, err)
	}
}

// A credential command may ask on the terminal, and Ctrl-C reaches it too.
func TestCommandOnTerminal(t *testing.T) {
	t.Parallel()
	m, service := newMachine(t), record(t)
	tool := m.write("#!/bin/sh\nprintf 'PIN: ' > /dev/tty\nread -r pin < /dev/tty\n[ \"$pin\" = 1234 ] && echo "+commandSecret+"\n", "tool")
	if err := os.Chmod(tool, 0o700); err != nil {
		t.Fatal(err)
	}
	m.write("current_profile: work\nprofiles:\n  work:\n    api_url: "+service.url+"\n    credential_command: ["+tool+"]\n", "config", "config.yaml")
	for _, tc := range []struct {
		typed string
		code  int
		says  string
	}{
		{"1234\r", 0, "API NAME"},
		{"0000\r", 4, "failed: exit status 1"},
		{"\x03", 130, "interrupted"},
	} {
		p := m.onTerminal(nil, "utho", "token", "list")
		p.until("PIN: ")
		p.types(tc.typed)
		if shown := p.ends(tc.code); !strings.Contains(shown, tc.says) || strings.Contains(shown, "live_") {
			t.Errorf("typed %q: the terminal shows:\n%s", tc.typed, shown)
		}
	}
}
