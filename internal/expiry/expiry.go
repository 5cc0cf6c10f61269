// Package expiry writes the end of a token's life into its name and reads it back.
//
// The service knows no expiry, so the name carries it: "ci" that ends on 23 December 2026 at 09:30 UTC is called
// "ci.expires-20261223T0930Z". This package is the only printer and the only parser of that form. Nothing enforces
// it but those who read it.
package expiry

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	day       = 24 * time.Hour
	marker    = ".expires-"
	layout    = "20060102T1504Z" // of the time in a suffix: UTC, to the minute; the Z is literal
	suffixLen = len(marker) + len(layout)
	maxName   = 255                 // bytes of a token's name, its suffix included
	maxBase   = maxName - suffixLen // bytes of a name that a suffix fits behind
)

// Append returns name with the suffix for at, rounded up to the next whole minute, so that a token never ends
// earlier than was asked.
//
// It is an error if name is empty or already ends in a suffix, if the whole would be longer than 255 bytes, and if
// at, rounded, is outside the years 1 to 9999. For what Append returns, Split gives back name and the rounded time.
func Append(name string, at time.Time) (string, error) {
	minute := at.UTC().Truncate(time.Minute)
	if minute.Before(at) {
		minute = minute.Add(time.Minute)
	}
	switch y := minute.Year(); {
	case name == "":
		return "", errors.New("add expiry: the name is empty")
	case Has(name):
		return "", fmt.Errorf("add expiry to %q: it already has one", name)
	case len(name) > maxBase:
		return "", fmt.Errorf("add expiry to %q: the name is %d bytes long; with an expiry it may have %d", name, len(name), maxBase)
	case y < 1 || y > 9999:
		return "", fmt.Errorf("add expiry to %q: the year %d cannot be written with four digits", name, y)
	}
	return name + marker + minute.Format(layout), nil
}

// Split takes the suffix off name. ok reports whether there is one: at the very end, behind at least one byte,
// exactly as Append writes it, and a minute that exists (the 31st of June does not, nor does the year 0). Anything
// that only looks alike is part of the name; then base is the whole name and at is the zero time. If base ends in
// another suffix (Append never writes that, a person may), it is part of it.
func Split(name string) (base string, at time.Time, ok bool) {
	cut := max(len(name)-suffixLen, 0)
	text, found := strings.CutPrefix(name[cut:], marker)
	if cut == 0 || !found {
		return name, time.Time{}, false
	}
	at, err := time.Parse(layout, text)
	// Printing it again holds the parser to the one spelling there is.
	if err != nil || at.Year() < 1 || at.Format(layout) != text {
		return name, time.Time{}, false
	}
	return name[:cut], at, true
}

// Has reports whether name ends in a suffix, as Split understands it.
func Has(name string) bool {
	_, _, ok := Split(name)
	return ok
}

// Expired reports whether name carries an expiry that has come by now: the minute it names is the first one in
// which the token counts as expired. A name without a suffix never expires.
func Expired(name string, now time.Time) bool {
	_, at, ok := Split(name)
	return ok && !now.Before(at)
}

// Renew returns the name old with an expiry of the same length from now, for a token that was created at created. A
// name without an expiry stays as it is. It is an error if created is the zero time or not before the expiry, since
// then the length is not known.
//
// Both the length and the new end are rounded to the nearest minute: Append rounds up and the service stamps a token a
// moment later, so rounding one way would change the length by every rotation.
func Renew(old string, created, now time.Time) (string, error) {
	base, until, ok := Split(old)
	if !ok {
		return old, nil
	}
	length := until.Sub(created).Round(time.Minute)
	if created.IsZero() || length <= 0 {
		return "", fmt.Errorf("renew the expiry of %q: its length is not known, because its creation time is not usable", old)
	}
	return Append(base, now.Add(length).Round(time.Minute))
}

// ErrSuffix is for a new name that was typed with an expiry in it, which only Append may write there.
var ErrSuffix = errors.New("it ends like a name with an expiry, which utho writes itself")

// CheckName returns an error unless name can be that of a new token: 1 to 255 bytes of UTF-8 text without control
// characters (C0, DEL, C1) and without line or paragraph separators. ErrSuffix if it ends in an expiry, or is nothing
// but one. A name that passes may still be too long for an expiry behind it; Append reports that.
func CheckName(name string) error {
	switch {
	case name == "":
		return errors.New("it is empty")
	case len(name) > maxName:
		return fmt.Errorf("it is %d bytes long; at most %d are allowed", len(name), maxName)
	case !utf8.ValidString(name):
		return fmt.Errorf("%q: it is not valid UTF-8", name)
	case Has("x" + name): // the x is for a name that is only a suffix
		return fmt.Errorf("%q: %w", name, ErrSuffix)
	}
	for _, r := range name {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' { // which break lines
			return fmt.Errorf("%q: it has a control character, %U", name, r)
		}
	}
	return nil
}

// ParseDuration reads a length of time as --expires-in, --ttl, --older-than and the like take it: one positive
// whole number and one unit, m, h, d or w, as in 90m, 36h, 30d, 12w. A day is 24 hours, a week seven of them. The
// error says what to write instead.
func ParseDuration(s string) (time.Duration, error) {
	letters := strings.TrimLeft(s, "0123456789")
	n, err := strconv.ParseInt(s[:len(s)-len(letters)], 10, 64)
	unit := map[string]time.Duration{"m": time.Minute, "h": time.Hour, "d": day, "w": 7 * day}[letters]
	switch {
	case unit > 0 && n > int64(math.MaxInt64/unit): // n is the largest there is if it does not fit
		return 0, fmt.Errorf("bad duration %q: the longest is %d%s", s, math.MaxInt64/unit, letters)
	case n > 0 && unit > 0:
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

// Age prints how old something is, in the largest unit of m, h and d that fits, rounded down: 45m, 7h, 12d. A token
// from the future, as a wrong clock or time zone gives, has an age with a minus sign, so that the mistake shows.
func Age(d time.Duration) string {
	switch {
	case d.Abs() >= day:
		return fmt.Sprintf("%dd", d/day)
	case d.Abs() >= time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dm", d/time.Minute)
}

// Human writes a length of time in words, in the largest unit of which it has two or more, rounded: "5 minutes",
// "about 3 days". A year is 365 days. The sign is dropped.
func Human(d time.Duration) string {
	d = d.Abs()
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
