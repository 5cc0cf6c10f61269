//go:build !linux && !freebsd && !netbsd && !openbsd && !dragonfly && !darwin && !windows

package auth

import "context"

func reachable() error { return errUnsupported }

func classify(error) error { return errUnsupported }

func unlocked(context.Context, string, string) error { return errUnsupported }
