//go:build linux

package auth

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/godbus/dbus/v5"
)

// fakeService is a Secret Service that does what real ones should not. It keeps something else than what it is given.
type fakeService struct {
	garbage bool // properties of no sense
	locked  bool // and asks by a prompt that nobody answers
	refuses bool // with locked: it does not even ask
	forgets bool // keeps nothing
	unlocks atomic.Int32
}

// serve puts a service on the session's bus.
func (s *session) serve(t *testing.T, f *fakeService) {
	t.Helper()
	type (
		path    = dbus.ObjectPath
		failure = *dbus.Error
		secret  struct {
			Session           path
			Parameters, Value []byte
			ContentType       string
		}
	)
	const run, prompt, kept = path("/org/freedesktop/secrets/session/1"), path("/org/freedesktop/secrets/prompt/p1"), path(secretLogin + "/1")
	property := map[string]any{"Get": func(_, name string) (dbus.Variant, failure) {
		switch {
		case f.garbage:
			return dbus.MakeVariant("no list and no truth"), nil
		case name == "Locked":
			return dbus.MakeVariant(f.locked), nil
		}
		return dbus.MakeVariant([]path{secretLogin}), nil
	}}
	s.bus(t, false)
	conn, err := dbus.Connect(s.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	for _, object := range []struct {
		at      path
		iface   string
		methods map[string]any
	}{
		{secretRoot, "org.freedesktop.DBus.Properties", property},
		{secretLogin, "org.freedesktop.DBus.Properties", property},
		{kept, "org.freedesktop.DBus.Properties", property},
		{secretRoot, serviceInterface, map[string]any{
			"OpenSession": func(string, dbus.Variant) (dbus.Variant, path, failure) { return dbus.MakeVariant(""), run, nil },
			"ReadAlias":   func(string) (path, failure) { return secretLogin, nil },
			"Unlock": func(paths []path) ([]path, path, failure) {
				f.unlocks.Add(1)
				if f.refuses {
					return nil, "/", nil
				} else if f.locked {
					return nil, prompt, nil
				}
				return paths, "/", nil
			},
		}},
		{secretLogin, collInterface, map[string]any{
			"CreateItem": func(map[string]dbus.Variant, secret, bool) (path, path, failure) { return kept, "/", nil },
			"SearchItems": func(map[string]string) ([]path, failure) {
				if f.forgets {
					return nil, nil
				}
				return []path{kept}, nil
			},
		}},
		{kept, itemInterface, map[string]any{
			"GetSecret": func(at path) (secret, failure) { return secret{Session: at, Value: []byte("something else")}, nil },
			"Delete":    func() (path, failure) { return "/", nil },
		}},
		{run, "org.freedesktop.Secret.Session", map[string]any{"Close": func() failure { return nil }}},
		{prompt, "org.freedesktop.Secret.Prompt", map[string]any{"Prompt": func(string) failure { return nil }}},
	} {
		if err := conn.ExportMethodTable(object.methods, object.at, object.iface); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := conn.RequestName(secretService, dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
}

// A keyring that stays locked; a prompt that nobody answers is bounded, and with a terminal there is a word.
func TestKeyringLocked(t *testing.T) {
	t.Parallel()
	s := newSession(t)
	s.serve(t, &fakeService{locked: true, refuses: true})
	s.fails(t, ErrLocked)
	s = newSession(t)
	s.serve(t, &fakeService{locked: true})
	s.fails(t, errTimeout, short)
	o := s.do(t, "get", "UTHO_AUTH_LIMIT=4s", "UTHO_AUTH_TERMINAL=1")
	if len(o.Waited) != 1 || !strings.Contains(o.Waited[0], "Ctrl-C") {
		t.Errorf("%+v", o)
	}
}

// Completion looks without unlocking; on what is open the library's Unlock asks nobody.
func TestPeekNeverAsks(t *testing.T) {
	t.Parallel()
	for _, locked := range []bool{true, false} {
		s := newSession(t)
		f := &fakeService{locked: locked}
		s.serve(t, f)
		if o := s.do(t, "peek"); o.Locked != locked || !locked && o.Item.Secret != "something else" || locked && f.unlocks.Load() > 0 {
			t.Errorf("locked %v: %+v, %d unlocks", locked, o, f.unlocks.Load())
		}
		// The looking glass works: Get does unlock.
		if s.do(t, "get", short); f.unlocks.Load() == 0 {
			t.Error("Get did not unlock, so the check above shows nothing")
		}
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
		"does not delete": {&fakeService{}, "delete", "not known whether the token was removed"},
		"forgets a probe": {&fakeService{forgets: true}, "check", "not what it was given"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSession(t)
			s.serve(t, tc.service)
			o := s.do(t, tc.job)
			changes := tc.job == "set" || tc.job == "delete"
			if !o.Keyring || o.NotKnown != changes || !strings.Contains(o.Err, tc.says) || strings.Contains(o.Err, secret) {
				t.Errorf("%+v, want %q", o, tc.says)
			}
		})
	}
}
