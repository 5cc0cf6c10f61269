package expiry

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

const (
	day  = 24 * time.Hour
	week = 7 * day
)

// ParseDuration reads a length of time as --expires-in, --ttl, --older-than and
// --newer-than take it: one positive whole number and one unit, m, h, d or w, as in
// 90m, 36h, 30d, 12w. A day is 24 hours, a week seven of them.
//
// There are no seconds, fractions, signs, spaces or combinations: ages and expiries
// are counted in minutes. The text of the error says what is allowed.
func ParseDuration(s string) (time.Duration, error) {
	digits := 0
	for digits < len(s) && '0' <= s[digits] && s[digits] <= '9' {
		digits++
	}
	var unit time.Duration
	switch s[digits:] {
	case "m":
		unit = time.Minute
	case "h":
		unit = time.Hour
	case "d":
		unit = day
	case "w":
		unit = week
	}
	if unit == 0 || digits == 0 {
		return 0, fmt.Errorf("bad duration %q: give one whole number and one unit of m, h, d or w, like 90m, 36h, 30d or 12w", s)
	}
	longest := int64(math.MaxInt64 / unit)
	n, err := strconv.ParseInt(s[:digits], 10, 64) // fails for nothing but too many digits
	if err != nil || n > longest {
		return 0, fmt.Errorf("bad duration %q: the longest is %d%s", s, longest, s[digits:])
	}
	if n == 0 {
		return 0, fmt.Errorf("bad duration %q: it must be longer than nothing, like 90m, 36h, 30d or 12w", s)
	}
	return time.Duration(n) * unit, nil
}

// Age prints how old something is, in the largest unit of m, h and d that fits,
// rounded down: 45m, 7h, 12d. Less than a minute, before or after now, is 0m. A
// token from the future, which a wrong clock or time zone makes, has an age with a
// minus sign, so that the mistake can be seen.
func Age(d time.Duration) string {
	switch {
	case d <= -day || d >= day:
		return strconv.FormatInt(int64(d/day), 10) + "d"
	case d <= -time.Hour || d >= time.Hour:
		return strconv.FormatInt(int64(d/time.Hour), 10) + "h"
	}
	return strconv.FormatInt(int64(d/time.Minute), 10) + "m"
}
