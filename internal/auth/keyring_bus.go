//go:build linux || freebsd || netbsd || openbsd || dragonfly

package auth

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/godbus/dbus/v5"
	"github.com/zalando/go-keyring"
)

// The names of the Secret Service.
const (
	secretService    = "org.freedesktop.secrets"
	secretRoot       = "/org/freedesktop/secrets"
	secretLogin      = "/org/freedesktop/secrets/collection/login"
	serviceInterface = "org.freedesktop.Secret.Service"
	collInterface    = "org.freedesktop.Secret.Collection"
	itemInterface    = "org.freedesktop.Secret.Item"
	getProperty      = "org.freedesktop.DBus.Properties.Get"
)

// busAddress is the address of the session's bus, or "" if there is none. It is looked for where the D-Bus
// libraries look: the environment, then the folder for the session's run-time files.
func busAddress() string {
	if a := os.Getenv("DBUS_SESSION_BUS_ADDRESS"); a != "" && a != "autolaunch:" {
		return a
	}
	dirs := []string{"/run/user/" + strconv.Itoa(os.Getuid())}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		dirs = append([]string{dir}, dirs...)
	}
	for _, dir := range dirs {
		socket := filepath.Join(dir, "bus")
		if info, err := os.Stat(socket); err == nil && info.Mode()&fs.ModeSocket != 0 {
			return "unix:path=" + dbus.EscapeBusAddressValue(socket)
		}
		if text, err := os.ReadFile(filepath.Join(dir, "dbus-session")); err == nil {
			if a, ok := strings.CutPrefix(string(text), "DBUS_SESSION_BUS_ADDRESS="); ok && strings.TrimSpace(a) != "" {
				return strings.TrimSpace(a)
			}
		}
	}
	return ""
}

// reachable says why there is no use in asking.
//
// The library must not be called without a bus: it would run dbus-launch, whose daemons outlive the command.
// So the address found goes into the environment, as the library itself does if it finds one; then it looks no
// further.
func reachable() error {
	a := busAddress()
	if a == "" {
		return errNoBus
	}
	if os.Getenv("DBUS_SESSION_BUS_ADDRESS") != a {
		if err := os.Setenv("DBUS_SESSION_BUS_ADDRESS", a); err != nil {
			return fmt.Errorf("%w: %w", errNoBus, err)
		}
	}
	return nil
}

// classify is what an error of the library means, or nil. Most of them have no types.
func classify(err error) error {
	if errors.Is(err, keyring.ErrUnsupportedPlatform) {
		return errUnsupported
	}
	var bus dbus.Error
	if !errors.As(err, &bus) {
		var p *dbus.Error
		if errors.As(err, &p) {
			bus = *p
		}
	}
	switch name := bus.Name; {
	case name == "org.freedesktop.DBus.Error.ServiceUnknown",
		name == "org.freedesktop.DBus.Error.NameHasNoOwner",
		name == "org.freedesktop.DBus.Error.TimedOut", // it was started and never came
		strings.HasPrefix(name, "org.freedesktop.DBus.Error.Spawn."):
		return errNoService
	case name == "org.freedesktop.Secret.Error.IsLocked":
		return ErrLocked
	}
	text := err.Error()
	if rest, ok := strings.CutPrefix(text, "failed to unlock correct collection '"); ok {
		// The library asks for the alias only if there is no collection `login`.
		if strings.HasPrefix(rest, secretRoot+"/aliases/default'") {
			return errNeverCreated
		}
		return ErrLocked
	}
	var netErr *net.OpError
	if errors.As(err, &netErr) && netErr.Op == "dial" || strings.HasPrefix(text, "dbus: invalid bus address") ||
		strings.HasPrefix(text, "dbus: couldn't determine address") {
		return errNoBus
	}
	return nil
}

// unlocked is nil if the item can be read without a prompt, ErrNotFound if the keyring is open and has none,
// and ErrLocked if it would ask or that is in doubt. It starts no service and unlocks nothing.
func unlocked(ctx context.Context, service, account string) error {
	conn, err := dbus.Connect(busAddress(), dbus.WithContext(ctx))
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // nothing was written that could be lost
	ask := func(path dbus.ObjectPath, method string, out any, args ...any) bool {
		return conn.Object(secretService, path).CallWithContext(ctx, method, dbus.FlagNoAutoStart, args...).Store(out) == nil
	}
	locked := func(path dbus.ObjectPath, iface string) bool {
		var v dbus.Variant
		if !ask(path, getProperty, &v, iface, "Locked") {
			return true
		}
		is, ok := v.Value().(bool)
		return !ok || is
	}
	// The same collection as the library takes: login, else the default one.
	var all dbus.Variant
	if !ask(secretRoot, getProperty, &all, serviceInterface, "Collections") {
		return ErrLocked
	}
	paths, _ := all.Value().([]dbus.ObjectPath)
	collection := dbus.ObjectPath(secretLogin)
	if !slices.Contains(paths, collection) && (!ask(secretRoot, serviceInterface+".ReadAlias", &collection, "default") || collection == "/") {
		return ErrLocked
	}
	var items []dbus.ObjectPath
	attributes := map[string]string{"username": account, "service": service}
	switch {
	case locked(collection, collInterface), !ask(collection, collInterface+".SearchItems", &items, attributes):
		return ErrLocked
	case len(items) == 0:
		return keyring.ErrNotFound
	case locked(items[0], itemInterface): // some services ask for each item
		return ErrLocked
	}
	return nil
}
