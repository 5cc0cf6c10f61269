package cli

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/expiry"
	"github.com/utho/utho-cli/pkg/utho"
)

// selectors choose tokens by what they are; together they combine with AND.
type selectors struct {
	name       string
	scope      utho.Scope
	older, new time.Duration
	expired    bool

	set bool // at least one was given
}

func (s *selectors) bind(cmd *cobra.Command) {
	f := cmd.Flags()
	f.Var(&onceFlag{Value: (*globFlag)(&s.name)}, "name", "only names that match this pattern: * ? [a-z], for example 'ci-*'")
	f.Var(&onceFlag{Value: &s.scope}, "scope", "only tokens of this `SCOPE`: read-only or write")
	f.Lookup("scope").DefValue = "" // which the help then leaves out
	f.Var(&onceFlag{Value: (*lifetimeFlag)(&s.older)}, "older-than", "only tokens older than this: 90m, 36h, 30d, 12w")
	f.Var(&onceFlag{Value: (*lifetimeFlag)(&s.new)}, "newer-than", "only tokens newer than this: 90m, 36h, 30d, 12w")
	f.BoolVar(&s.expired, "expired", false, "only tokens whose name carries an expiry that has passed")
	_ = cmd.RegisterFlagCompletionFunc("scope", fixed("read-only", "write"))
	noFiles(cmd, "name", "older-than", "newer-than")
	cmd.PreRun = func(*cobra.Command, []string) {
		s.set = s.expired // --expired=false chooses nothing; alone it must not mean all
		for _, name := range []string{"name", "scope", "older-than", "newer-than"} {
			s.set = s.set || f.Changed(name)
		}
	}
}

// usesClock tells whether the choice depends on what time it is.
func (s *selectors) usesClock() bool { return s.older > 0 || s.new > 0 || s.expired }

// match tells whether t is chosen. A token whose creation time does not parse
// never matches an age.
func (s *selectors) match(t utho.Token, now time.Time) bool {
	if s.name != "" && !glob(s.name, t.Name) {
		return false
	}
	if s.scope != 0 && t.Scope != s.scope {
		return false
	}
	if s.older > 0 && (t.CreatedAt.IsZero() || now.Sub(t.CreatedAt) <= s.older) {
		return false
	}
	if s.new > 0 && (t.CreatedAt.IsZero() || now.Sub(t.CreatedAt) >= s.new) {
		return false
	}
	return !s.expired || expiry.Expired(t.Name, now)
}
