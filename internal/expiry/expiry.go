// Package expiry writes the end of a token's life into its name and reads it
// back.
//
// The service knows no expiry, so the name carries it: "ci" that ends on 23
// December 2026 at 09:30 UTC is called "ci.expires-20261223T0930Z". This package
// is the only printer and the only parser of that form. Nothing enforces it but
// those who read it.
package expiry

import (
	"fmt"
	"time"
)

// layout is the form of the time in a suffix, as package time spells layouts:
// UTC, to the minute. The Z is literal.
const layout = "20060102T1504Z"

// maxName is how long a token's name may be, in bytes, its suffix included.
const maxName = 255

const (
	marker    = ".expires-"
	suffixLen = len(marker) + len(layout)

	// maxBase is how long a name may be, in bytes, for a suffix to fit behind it.
	maxBase = maxName - suffixLen
)

// Append returns name with the suffix for at, rounded up to the next whole
// minute, so that a token never ends earlier than was asked.
//
// It is an error where name is empty or already ends in a suffix, where the whole
// would be longer than 255 bytes, and where at, rounded, is outside the years
// 1 to 9999. For what Append returns, Split gives back name and the rounded time.
func Append(name string, at time.Time) (string, error) {
	if name == "" {
		return "", fmt.Errorf("add expiry: the name is empty")
	}
	if Has(name) {
		return "", fmt.Errorf("add expiry to %q: it already has one", name)
	}
	if len(name) > maxBase {
		return "", fmt.Errorf("add expiry to %q: the name is %d bytes long; with an expiry it may have %d", name, len(name), maxBase)
	}
	minute := at.UTC().Truncate(time.Minute)
	if minute.Before(at) {
		minute = minute.Add(time.Minute)
	}
	if y := minute.Year(); y < 1 || y > 9999 {
		return "", fmt.Errorf("add expiry to %q: the year %d cannot be written with four digits", name, y)
	}
	return name + marker + minute.Format(layout), nil
}

// Split takes the suffix off name. ok says whether there is one: at the very end,
// behind at least one byte, exactly as Append writes it, and a minute that exists
// (the 31st of June does not, nor does the year 0). Anything that only looks alike
// is part of the name; then base is the whole name and at is the zero time.
//
// Only one suffix is taken off. Where base ends in another one (Append never makes
// that, a person may), the last one counts and the other belongs to the name.
func Split(name string) (base string, at time.Time, ok bool) {
	cut := len(name) - suffixLen
	if cut < 1 || name[cut:cut+len(marker)] != marker {
		return name, time.Time{}, false
	}
	text := name[cut+len(marker):]
	at, err := time.Parse(layout, text)
	// Printing it again holds the parser to the one spelling there is.
	if err != nil || at.Year() < 1 || at.Format(layout) != text {
		return name, time.Time{}, false
	}
	return name[:cut], at, true
}

// Has tells whether name ends in a suffix, as Split understands it.
func Has(name string) bool {
	_, _, ok := Split(name)
	return ok
}

// Expired tells whether name carries an expiry that has come by now: the minute it
// names is the first one in which the token counts as expired. A name without a
// suffix never expires.
func Expired(name string, now time.Time) bool {
	_, at, ok := Split(name)
	return ok && !now.Before(at)
}
