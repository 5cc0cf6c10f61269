package cli

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/utho/utho-cli/internal/listing"
)

// bindSelectors gives a command the flags that choose tokens.
func (p *program) bindSelectors(cmd *cobra.Command, s *listing.Selectors) {
	f, ages := cmd.Flags(), fixed("36h", "7d", "30d", "12w")
	f.Var(once(globFlag(&s.Name)), "name", "only names that match this pattern: * ? [a-z], such as 'ci-*'")
	bind(cmd, "scope", once(scopeFlag(&s.Scope)), "only read-only or only write tokens", fixed("read-only", "write"))
	bind(cmd, "older-than", once(durationFlag(&s.Older)), "only tokens older than this: 90m, 36h, 30d, 12w", ages)
	bind(cmd, "newer-than", once(durationFlag(&s.Newer)), "only tokens newer than this", ages)
	f.BoolVar(&s.Expired, "expired", false, "only tokens whose expiry has passed")
	bind(cmd, "expires-within", once(durationFlag(&s.Within)), "only tokens that have not expired yet, but will within this", ages)
	f.BoolVar(&s.WithoutExpiry, "without-expiry", false, "only tokens without an expiry")
	bind(cmd, "except", listFlag(&s.Except, "ID|NAME"), "with selectors: not this token (repeatable)", p.completeTokens(-1))
}

// bind gives a command a flag and what completes it.
func bind(cmd *cobra.Command, name string, v pflag.Value, usage string, complete cobra.CompletionFunc) {
	cmd.Flags().Var(v, name, usage)
	_ = cmd.RegisterFlagCompletionFunc(name, complete) // fails only for a flag that is not there
}
