// Package expiry writes the end of a token's life into its name and reads it back.
//
// The service knows no expiry, so the name carries it: "ci" that ends on 23 December 2026 at 09:30 UTC is called
// "ci.expires-20261223T0930Z". This package is the only printer and the only parser of that form. Nothing enforces
// it but those who read it.
package expiry

import (
	"fmt"
	"time"
)

const (
	marker = ".expires-"
	// layout is that of the time in a suffix: UTC, to the minute. The Z is literal.
	layout    = "20060102T1504Z"
	suffixLen = len(marker) + len(layout)

	maxName = 255                 // bytes of a token's name, its suffix included
	maxBase = maxName - suffixLen // bytes of a name that a suffix fits behind
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
		return "", fmt.Errorf("add expiry: the name is empty")
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
// Both the length and the new end are rounded to the nearest minute: Append rounds up and the service stamps a
// token a moment later, so rounding one way would change the length by every rotation.
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
