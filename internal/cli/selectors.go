package cli

import (
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/utho/utho-cli/internal/expiry"
	"github.com/utho/utho-cli/internal/lifecycle"
	"github.com/utho/utho-cli/pkg/utho"
)

// clockSkew is how far the local clock may be off before somebody is told.
const clockSkew = 5 * time.Minute

// selectors choose tokens by what they are; together they combine with AND.
type selectors struct {
	name                   string
	scope                  utho.Scope
	older, newer, within   time.Duration
	expired, withoutExpiry bool
	except                 []string
}

func (s *selectors) bind(p *program, cmd *cobra.Command) {
	f := cmd.Flags()
	f.Var(once(globFlag(&s.name)), "name", "only names that match this pattern: * ? [a-z], such as 'ci-*'")
	f.Var(once(scopeFlag(&s.scope)), "scope", "only read-only or only write tokens")
	f.Var(once(durationFlag(&s.older)), "older-than", "only tokens older than this: 90m, 36h, 30d, 12w")
	f.Var(once(durationFlag(&s.newer)), "newer-than", "only tokens newer than this")
	f.BoolVar(&s.expired, "expired", false, "only tokens whose expiry has passed")
	f.Var(once(durationFlag(&s.within)), "expires-within", "only tokens that have not expired yet, but will within this")
	f.BoolVar(&s.withoutExpiry, "without-expiry", false, "only tokens without an expiry")
	f.Var(listFlag(&s.except, "ID|NAME"), "except", "with selectors: not this token (repeatable)")
	_ = cmd.RegisterFlagCompletionFunc("scope", fixed("read-only", "write"))
	_ = cmd.RegisterFlagCompletionFunc("except", p.completeTokens(-1))
	for _, flag := range []string{"older-than", "newer-than", "expires-within"} {
		_ = cmd.RegisterFlagCompletionFunc(flag, fixed("36h", "7d", "30d", "12w"))
	}
}

// set reports whether one was given besides except. --expired=false chooses nothing: alone it must not mean all.
func (s *selectors) set() bool {
	return s.name != "" || s.scope != 0 || s.withoutExpiry || s.usesClock()
}

// usesClock reports whether the choice depends on what time it is.
func (s *selectors) usesClock() bool { return s.older > 0 || s.newer > 0 || s.within > 0 || s.expired }

// match reports whether t is chosen. A token whose creation time does not parse never matches an age.
func (s *selectors) match(t utho.Token, now time.Time) bool {
	_, ends, limited := expiry.Split(t.Name)
	undated, age := t.CreatedAt.IsZero(), now.Sub(t.CreatedAt)
	switch {
	case s.name != "" && !glob(s.name, t.Name),
		s.scope != 0 && t.Scope != s.scope,
		s.older > 0 && (undated || age <= s.older),
		s.newer > 0 && (undated || age >= s.newer),
		s.expired && !expiry.Expired(t.Name, now),
		s.within > 0 && (!limited || expiry.Expired(t.Name, now) || ends.Sub(now) > s.within),
		s.withoutExpiry && limited:
		return false
	}
	return true
}

// choose returns the tokens that match, without those of except, each of which must be there:
// *lifecycle.NotFoundError, *lifecycle.AmbiguousError.
func (s *selectors) choose(list *utho.TokenList) ([]utho.Token, error) {
	var except []string
	for _, arg := range s.except {
		t, err := lifecycle.Find(list.Tokens, arg)
		if err != nil {
			return nil, err
		}
		except = append(except, t.ID)
	}
	now := lifecycle.Now(list)
	var chosen []utho.Token
	for _, t := range list.Tokens {
		if s.match(t, now) && !slices.Contains(except, t.ID) {
			chosen = append(chosen, t)
		}
	}
	return chosen, nil
}

// checkClock refuses what cannot be undone if the two clocks differ by more than a day: one of them is wrong.
func (p *program) checkClock(l *utho.TokenList) error {
	service, local := lifecycle.Now(l).UTC(), time.Now().UTC()
	if service.Sub(local).Abs() <= 24*time.Hour {
		return nil
	}
	const minutes = "2006-01-02 15:04 UTC"
	err := fmt.Errorf("the service says that it is %s, and this machine that it is %s; nothing was deleted",
		service.Format(minutes), local.Format(minutes))
	return hintf(err, "set this machine's clock if it is the one that is wrong, or delete by id: %s",
		p.route.command("token", "list", "-o", "wide"))
}

// warnClock says so if the local clock is far from the service's, which counts.
func (p *program) warnClock(l *utho.TokenList) {
	if l.ServerTime.IsZero() {
		return
	}
	if off := time.Since(l.ServerTime); off.Abs() > clockSkew {
		p.console.warn("this machine's clock is off by %s; ages and expiries go by the service's clock", expiry.Human(off.Abs()))
	}
}
