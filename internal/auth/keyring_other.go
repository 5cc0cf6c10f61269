//go:build !linux && !freebsd && !netbsd && !openbsd && !dragonfly && !darwin && !windows

package auth

import "context"

func reachable() *unusable { return &unusable{reason: ReasonUnsupported} }

func classify(error) Reason { return ReasonUnsupported }

func unlocked(context.Context, item) bool { return false }
