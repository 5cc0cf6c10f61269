package expiry

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const (
	day  = 24 * time.Hour
	week = 7 * day
)

// ParseDuration reads a length of time as --expires-in, --ttl, --older-than and the like take it: one positive
// whole number and one unit, m, h, d or w, as in 90m, 36h, 30d, 12w. A day is 24 hours, a week seven of them. The
// error says what to write instead.
func ParseDuration(s string) (time.Duration, error) {
	letters := strings.TrimLeft(s, "0123456789")
	n, err := strconv.ParseInt(s[:len(s)-len(letters)], 10, 64)
	unit := map[string]time.Duration{"m": time.Minute, "h": time.Hour, "d": day, "w": week}[letters]
	switch {
	case unit > 0 && n > int64(math.MaxInt64/unit): // n is the largest there is if it does not fit
		return 0, fmt.Errorf("bad duration %q: the longest is %d%s", s, math.MaxInt64/unit, letters)
	case err == nil && unit > 0 && n > 0:
		return time.Duration(n) * unit, nil
	case err == nil && unit > 0:
		return 0, fmt.Errorf("bad duration %q: it must be longer than zero, like 90m, 36h, 30d or 12w", s)
	case err == nil && letters == "":
		return 0, fmt.Errorf("bad duration %q: which unit? Write %dd for days or %[2]dm for minutes", s, n)
	case 0 < n && n < 100 && letters == "y":
		return 0, fmt.Errorf("bad duration %q: there is no unit for years; write %dd", s, 365*n)
	}
	if d, err := time.ParseDuration(s); err == nil && d > 0 && d%time.Minute == 0 {
		return 0, fmt.Errorf("bad duration %q: use one whole number and one unit; write %dm", s, d/time.Minute)
	}
	return 0, fmt.Errorf("bad duration %q: use one whole number and one unit of m, h, d or w, like 90m, 36h, 30d or 12w", s)
}

// Age prints how old something is, in the largest unit of m, h and d that fits, rounded down: 45m, 7h, 12d. Less
// than a minute, before or after now, is 0m. A token from the future, as a wrong clock or time zone gives, has an
// age with a minus sign, so that the mistake shows.
func Age(d time.Duration) string {
	switch {
	case d <= -day || d >= day:
		return fmt.Sprintf("%dd", d/day)
	case d <= -time.Hour || d >= time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dm", d/time.Minute)
}

// Human writes a length of time in words, in the largest unit of which it has two or more, rounded: "5 minutes",
// "about 3 days", "about 73 years". A year is 365 days. The sign is dropped.
func Human(d time.Duration) string {
	d = max(d, -d)
	names := []string{"year", "day", "hour", "minute", "second"}
	for i, unit := range []time.Duration{365 * day, day, time.Hour, time.Minute, time.Second} {
		switch {
		case d == unit:
			return "1 " + names[i]
		case d >= unit && d%unit == 0:
			return fmt.Sprintf("%d %ss", d/unit, names[i])
		case d >= 2*unit:
			return fmt.Sprintf("about %d %ss", d.Round(unit)/unit, names[i])
		}
	}
	return "less than 2 seconds"
}
