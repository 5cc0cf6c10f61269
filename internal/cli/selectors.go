package cli

import (
	"path"
	"time"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/expiry"
	"github.com/utho/utho-cli/pkg/utho"
)

// selectors choose tokens by what they are; together they combine with AND.
type selectors struct {
	name, olderThan, newerThan string
	scope                      utho.Scope
	expired                    bool

	set        bool // at least one was given
	older, new time.Duration
}

func (s *selectors) bind(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.name, "name", "", "only names that match this pattern: * ? [a-z], for example 'ci-*'")
	f.Var(&s.scope, "scope", "only this scope: read-only or write")
	f.Lookup("scope").DefValue = "" // which the help then leaves out
	f.StringVar(&s.olderThan, "older-than", "", "only tokens older than this: 90m, 36h, 30d, 12w")
	f.StringVar(&s.newerThan, "newer-than", "", "only tokens newer than this: 90m, 36h, 30d, 12w")
	f.BoolVar(&s.expired, "expired", false, "only tokens whose name carries an expiry that has passed")
	_ = cmd.RegisterFlagCompletionFunc("scope", fixed("read-only", "write"))
	pre := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		if pre != nil {
			if err := pre(cmd, args); err != nil {
				return err
			}
		}
		return s.check(cmd)
	}
}

// check reads the flags; what is wrong with them is a usage error.
func (s *selectors) check(cmd *cobra.Command) (err error) {
	s.set = s.expired // --expired=false chooses nothing; alone it must not mean all
	for _, name := range []string{"name", "scope", "older-than", "newer-than"} {
		s.set = s.set || cmd.Flags().Changed(name)
	}
	if cmd.Flags().Changed("name") && s.name == "" {
		return usagef("--name: the pattern is empty")
	}
	if _, err := path.Match(s.name, ""); err != nil {
		return usagef("--name %s: not a pattern; use * ? and [a-z]", quoteText(s.name))
	}
	for flag, d := range map[string]struct {
		text string
		to   *time.Duration
	}{"older-than": {s.olderThan, &s.older}, "newer-than": {s.newerThan, &s.new}} {
		if !cmd.Flags().Changed(flag) {
			continue
		}
		if *d.to, err = expiry.ParseDuration(d.text); err != nil {
			return usagef("--%s: %w", flag, err)
		}
	}
	return nil
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
