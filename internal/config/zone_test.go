package config

import (
	"testing"
	"time"
)

// An offset is one that RFC 3339 can write; package time reads 24 hours and 60 minutes too.
func TestOffsets(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 4, 22, 1, 12, 36, 0, time.UTC)
	for _, zone := range []string{"+05:30", "-03:00", "+00:00", "-00:00", "+23:59", "-23:59"} {
		loc, err := Profile{TimeZone: zone}.Location()
		if err != nil {
			t.Errorf("%s: %v", zone, err)
			continue
		}
		if _, err := time.Parse(time.RFC3339, at.In(loc).Format(time.RFC3339)); err != nil {
			t.Errorf("%s: %v", zone, err)
		}
	}
	for _, zone := range []string{"+24:00", "-24:00", "+24:30", "+05:60", "-05:60", "+25:00", "+05:61", "+5:30", "+0530", "05:30"} {
		if loc, err := (Profile{TimeZone: zone}).Location(); err == nil {
			t.Errorf("%s was taken for %v", zone, loc)
		}
	}
}
