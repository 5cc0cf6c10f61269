package cli

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/expiry"
	"github.com/utho/utho-cli/internal/listing"
	"github.com/utho/utho-cli/pkg/utho"
)

// clockSkew is how far the local clock may be off before somebody is told.
const clockSkew = 5 * time.Minute

// bindSelectors gives a command the flags that choose tokens.
func (p *program) bindSelectors(cmd *cobra.Command, s *listing.Selectors) {
	f := cmd.Flags()
	f.Var(once(globFlag(&s.Name)), "name", "only names that match this pattern: * ? [a-z], such as 'ci-*'")
	f.Var(once(scopeFlag(&s.Scope)), "scope", "only read-only or only write tokens")
	f.Var(once(durationFlag(&s.Older)), "older-than", "only tokens older than this: 90m, 36h, 30d, 12w")
	f.Var(once(durationFlag(&s.Newer)), "newer-than", "only tokens newer than this")
	f.BoolVar(&s.Expired, "expired", false, "only tokens whose expiry has passed")
	f.Var(once(durationFlag(&s.Within)), "expires-within", "only tokens that have not expired yet, but will within this")
	f.BoolVar(&s.WithoutExpiry, "without-expiry", false, "only tokens without an expiry")
	f.Var(listFlag(&s.Except, "ID|NAME"), "except", "with selectors: not this token (repeatable)")
	_ = cmd.RegisterFlagCompletionFunc("scope", fixed("read-only", "write"))
	_ = cmd.RegisterFlagCompletionFunc("except", p.completeTokens(-1))
	for _, flag := range []string{"older-than", "newer-than", "expires-within"} {
		_ = cmd.RegisterFlagCompletionFunc(flag, fixed("36h", "7d", "30d", "12w"))
	}
}

// warnClock says so if the local clock is far from the service's, which counts.
func (p *program) warnClock(l *utho.TokenList) {
	if l.ServerTime.IsZero() {
		return
	}
	if off := time.Since(l.ServerTime); off.Abs() > clockSkew {
		p.console.Warn("this machine's clock is off by %s; ages and expiries go by the service's clock", expiry.Human(off.Abs()))
	}
}
