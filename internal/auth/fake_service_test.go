//go:build linux

package auth

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/godbus/dbus/v5"
)

// fakeService is a Secret Service that does what real ones should not. It keeps
// something else than what it is given.
type fakeService struct {
	garbage bool // properties of no sense
	locked  bool // and asks by a prompt that nobody answers
	forgets bool // keeps nothing

	mu    sync.Mutex
	calls []string
}

const (
	fakePrompt = "/org/freedesktop/secrets/prompt/p1"
	fakeItem   = "/org/freedesktop/secrets/collection/login/1"
)

// serve puts a service on the session's bus.
func (s *session) serve(t *testing.T, f *fakeService) {
	t.Helper()
	s.bus(t, false)
	conn, err := dbus.Connect(s.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	export := func(methods map[string]any, path dbus.ObjectPath, iface string) {
		if err := conn.ExportMethodTable(methods, path, iface); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []dbus.ObjectPath{secretRoot, secretLogin, fakeItem} {
		export(map[string]any{"Get": f.property}, path, "org.freedesktop.DBus.Properties")
	}
	export(map[string]any{"OpenSession": f.openSession, "Unlock": f.unlock, "ReadAlias": f.readAlias}, secretRoot, serviceInterface)
	export(map[string]any{"SearchItems": f.search, "CreateItem": f.create}, secretLogin, collInterface)
	export(map[string]any{"GetSecret": f.get, "Delete": f.remove}, fakeItem, itemInterface)
	export(map[string]any{"Close": f.end}, "/org/freedesktop/secrets/session/1", "org.freedesktop.Secret.Session")
	export(map[string]any{"Prompt": f.prompt}, fakePrompt, "org.freedesktop.Secret.Prompt")
	if _, err := conn.RequestName(secretService, dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
}

func (f *fakeService) note(call string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, call)
}

func (f *fakeService) property(_, name string) (dbus.Variant, *dbus.Error) {
	switch {
	case f.garbage:
		return dbus.MakeVariant("no list and no truth"), nil
	case name == "Locked":
		return dbus.MakeVariant(f.locked), nil
	default:
		return dbus.MakeVariant([]dbus.ObjectPath{secretLogin}), nil
	}
}

func (f *fakeService) openSession(string, dbus.Variant) (dbus.Variant, dbus.ObjectPath, *dbus.Error) {
	return dbus.MakeVariant(""), "/org/freedesktop/secrets/session/1", nil
}

func (f *fakeService) readAlias(string) (dbus.ObjectPath, *dbus.Error) { return secretLogin, nil }

func (f *fakeService) unlock(paths []dbus.ObjectPath) ([]dbus.ObjectPath, dbus.ObjectPath, *dbus.Error) {
	f.note("unlock")
	if f.locked {
		return nil, fakePrompt, nil
	}
	return paths, "/", nil
}

func (f *fakeService) prompt(string) *dbus.Error { f.note("prompt"); return nil }

func (f *fakeService) end() *dbus.Error { return nil }

func (f *fakeService) search(map[string]string) ([]dbus.ObjectPath, *dbus.Error) {
	if f.forgets {
		return nil, nil
	}
	return []dbus.ObjectPath{fakeItem}, nil
}

type wireSecret struct {
	Session           dbus.ObjectPath
	Parameters, Value []byte
	ContentType       string
}

func (f *fakeService) create(_ map[string]dbus.Variant, _ wireSecret, _ bool) (dbus.ObjectPath, dbus.ObjectPath, *dbus.Error) {
	return fakeItem, "/", nil
}

func (f *fakeService) get(session dbus.ObjectPath) (wireSecret, *dbus.Error) {
	return wireSecret{Session: session, Value: []byte("something else")}, nil
}

func (f *fakeService) remove() (dbus.ObjectPath, *dbus.Error) { return "/", nil }

// A prompt that nobody answers: bounded, and with a terminal there is a word.
func TestKeyringPromptUnanswered(t *testing.T) {
	t.Parallel()
	s := newSession(t)
	f := &fakeService{locked: true}
	s.serve(t, f)
	s.fails(t, errTimeout, short)
	o := s.do(t, "get", api("work"), "UTHO_AUTH_LIMIT=4s", "UTHO_AUTH_TERMINAL=1")
	if len(o.Waited) != 1 || !strings.Contains(o.Waited[0], "Ctrl-C") {
		t.Errorf("%+v", o)
	}
}

// Completion looks without unlocking.
func TestPeekNeverAsks(t *testing.T) {
	t.Parallel()
	for _, locked := range []bool{true, false} {
		s := newSession(t)
		f := &fakeService{locked: locked}
		s.serve(t, f)
		if o := s.do(t, "peek", api("work")); o.Locked != locked || !locked && o.Item.Secret != "something else" {
			t.Errorf("locked %v: %+v", locked, o)
		}
		f.mu.Lock()
		if locked && len(f.calls) > 0 { // on what is open the library's Unlock asks nobody
			t.Errorf("it called %v", f.calls)
		}
		f.mu.Unlock()
		// The looking glass works: Get does unlock.
		s.do(t, "get", api("work"), short)
		f.mu.Lock()
		if !slices.Contains(f.calls, "unlock") {
			t.Error("Get did not unlock, so the check above shows nothing")
		}
		f.mu.Unlock()
	}
}

func TestKeyringStrangeService(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		service   *fakeService
		job, says string
	}{
		"garbage":         {&fakeService{garbage: true}, "get", "makes no sense"},
		"forgets":         {&fakeService{forgets: true}, "set", "not known whether the token was saved"},
		"changes":         {&fakeService{}, "set", "not known whether the token was saved"},
		"forgets a probe": {&fakeService{forgets: true}, "check", "not what it was given"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSession(t)
			s.serve(t, tc.service)
			o := s.do(t, tc.job, api("work"))
			if !o.Keyring || o.NotKnown != (tc.job == "set") || !strings.Contains(o.Err, tc.says) || strings.Contains(o.Err, secret) {
				t.Errorf("%+v, want %q", o, tc.says)
			}
		})
	}
}
