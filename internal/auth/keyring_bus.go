//go:build !darwin && !windows

package auth

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
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

// reachable says why there is no use in asking. The library must not be called without a bus: it would run
// dbus-launch, whose daemons outlive the command. With one of these two it looks no further.
func reachable() error {
	if a := os.Getenv("DBUS_SESSION_BUS_ADDRESS"); a != "" && a != "autolaunch:" {
		return nil
	}
	info, err := os.Stat(fmt.Sprintf("/run/user/%d/bus", os.Getuid()))
	if err != nil || info.Mode()&fs.ModeSocket == 0 {
		return errNoBus
	}
	return nil
}

// classify is what an error of the library means, or nil. Most of them have no types.
func classify(err error) error {
	var bus dbus.Error
	var network *net.OpError
	_ = errors.As(err, &bus)
	name := strings.TrimPrefix(bus.Name, "org.freedesktop.DBus.Error.")
	collection, locked := strings.CutPrefix(err.Error(), "failed to unlock correct collection '")
	switch {
	case slices.Contains([]string{"ServiceUnknown", "NameHasNoOwner", "TimedOut"}, name), strings.HasPrefix(name, "Spawn."):
		return errNoService
	case strings.HasPrefix(collection, secretRoot+"/aliases/default'"):
		return errNeverCreated // the library asks for the alias only if there is no collection `login`
	case locked, name == "org.freedesktop.Secret.Error.IsLocked":
		return ErrLocked
	case errors.As(err, &network) && network.Op == "dial", strings.HasPrefix(err.Error(), "dbus: invalid bus address"):
		return errNoBus
	}
	return nil
}

// unlocked is nil if the item can be read without a prompt, ErrNotFound if the keyring is open and has none, and
// ErrLocked if it would ask or that is in doubt. It starts no service and unlocks nothing.
func unlocked(ctx context.Context, service, account string) error {
	conn, err := dbus.ConnectSessionBus(dbus.WithContext(ctx))
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // nothing was written that could be lost
	ask := func(path dbus.ObjectPath, method string, out any, args ...any) bool {
		return conn.Object(secretService, path).CallWithContext(ctx, method, dbus.FlagNoAutoStart, args...).Store(out) == nil
	}
	get := func(path dbus.ObjectPath, iface, name string, out any) bool {
		var v dbus.Variant
		return ask(path, getProperty, &v, iface, name) && v.Store(out) == nil
	}
	open := func(path dbus.ObjectPath, iface string) bool {
		locked := true
		return get(path, iface, "Locked", &locked) && !locked
	}
	// The same collection as the library takes: login, else the default one.
	var paths, items []dbus.ObjectPath
	collection := dbus.ObjectPath(secretLogin)
	known := get(secretRoot, serviceInterface, "Collections", &paths)
	if known && !slices.Contains(paths, collection) {
		known = ask(secretRoot, serviceInterface+".ReadAlias", &collection, "default") && collection != "/"
	}
	attributes := map[string]string{"username": account, "service": service}
	switch {
	case !known, !open(collection, collInterface), !ask(collection, collInterface+".SearchItems", &items, attributes):
		return ErrLocked
	case len(items) == 0:
		return keyring.ErrNotFound
	case !open(items[0], itemInterface): // some services ask for each item
		return ErrLocked
	}
	return nil
}
