package expiry

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"
	"unicode"

	"pgregory.net/rapid"
)

func utc(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestAppend(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("n", 232)
	for _, c := range []struct{ name, at, want string }{ // the suffix, or a part of the error
		{"ci", "2026-12-23T09:30:00Z", ".expires-20261223T0930Z"},
		{"ci", "2026-12-23T09:30:00.000000001Z", ".expires-20261223T0931Z"},
		{"ci", "2026-12-23T15:00:00+05:30", ".expires-20261223T0930Z"},
		{"कुंजी", "9999-12-31T23:59:00Z", ".expires-99991231T2359Z"},
		// Only a suffix is a name like any other here; CheckName refuses it for new tokens.
		{".expires-20250101T0000Z", "2026-12-23T09:30:00Z", ".expires-20261223T0930Z"},
		{long, "2026-12-23T09:30:00Z", ".expires-20261223T0930Z"},
		{long + "n", "2026-12-23T09:30:00Z", "233 bytes long; with an expiry it may have 232"},
		{"", "2026-12-23T09:30:00Z", "empty"},
		{"ci.expires-20261223T0930Z", "2026-12-23T09:30:00Z", "already has one"},
		{"ci", "9999-12-31T23:59:00.1Z", "year 10000"},
		{"ci", "0000-12-31T23:00:00Z", "year 0"},
	} {
		got, err := Append(c.name, utc(t, c.at))
		if err != nil && got == "" {
			got = c.name + err.Error()
		}
		if fine := c.want[0] == '.'; (err == nil) != fine || fine && got != c.name+c.want || !strings.Contains(got, c.want) {
			t.Errorf("Append(%q, %s) = %q, %v; want %q", c.name, c.at, got, err, c.want)
		}
	}
}

func TestSplit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, base, at string }{
		{"ci.expires-20261223T0930Z", "ci", "2026-12-23T09:30:00Z"},
		{"x.expires-20240229T2359Z", "x", "2024-02-29T23:59:00Z"},
		{"x.expires-00010101T0000Z", "x", "0001-01-01T00:00:00Z"},
		{"a.expires-20250101T0000Z.expires-20261223T0930Z", "a.expires-20250101T0000Z", "2026-12-23T09:30:00Z"},
		{"\x00\xff.expires-20261223T0930Z", "\x00\xff", "2026-12-23T09:30:00Z"},
	} {
		base, at, ok := Split(c.name)
		if !ok || base != c.base || !at.Equal(utc(t, c.at)) || at.Location() != time.UTC {
			t.Errorf("Split(%q) = %q, %s, %t; want %q, %s", c.name, base, at, ok, c.base, c.at)
		}
	}
	for _, name := range []string{ // look-alikes; the last with U+2024 for the dot
		"", "ci", ".expires-20261223T0930Z", "ci.expires-", "ci.expires-20261332T0930Z", "ci.expires-20260631T0930Z",
		"ci.expires-20250229T0930Z", "ci.expires-20261223T2400Z", "ci.expires-20261223T0960Z", "ci.expires-20260023T0930Z",
		"ci.expires-00000101T0000Z", "ci.expires-20261223t0930Z", "ci.expires-20261223T0930z", "ci.expires-20261223T0930",
		"ci.expires-20261223T093000Z", "ci.expires-120261223T0930Z", "ci.expires-2026-12-23T09:30Z", "ci.expires-20261223T0930Z ",
		"ci.expires-20261223T0930Zone", "ci.expires-20261223T0930Z.old", "ci.Expires-20261223T0930Z", "ci-expires-20261223T0930Z",
		"ci.expires--2026122T0930Z", "ci.expires-2026122 T0930Z", "ci.expires-٢٠٢٦1223T0930Z", "ci․expires-20261223T0930Z",
	} {
		if base, at, ok := Split(name); ok || base != name || !at.IsZero() || Expired(name, utc(t, "9999-12-31T00:00:00Z")) {
			t.Errorf("Split(%q) = %q, %s, %t; want the whole name and no expiry", name, base, at, ok)
		}
	}
}

// What Append writes, Split reads: the same name, and the first whole minute that is not before the time asked for.
// What Append refuses, it refuses for a stated reason. Names have dots, look-alikes, suffixes cut short, any Unicode.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	names := rapid.SliceOfN(rapid.OneOf(rapid.StringN(0, 8, -1), rapid.StringMatching(`[a-z0-9.-]{0,60}`),
		rapid.SampledFrom([]string{".expires-", "20261223T0930Z", ".expires-20261332T0930Z", ".expires-20261223T0930Z", "T", "Z"})), 0, 6)
	rapid.Check(t, func(t *rapid.T) {
		const first, last = -62135596800, 253402300799 // the years 1 to 9999
		sec := rapid.OneOf(rapid.Int64Range(first-100, last+100), rapid.Int64Range(last-100, last+100)).Draw(t, "seconds")
		at := time.Unix(sec, rapid.Int64Range(0, 999999999).Draw(t, "nanoseconds"))
		name := strings.Join(names.Draw(t, "name"), "")
		full, err := Append(name, at)
		if err != nil {
			up := at.UTC().Add(time.Minute - 1).Truncate(time.Minute)
			if name != "" && len(name) <= maxBase && !Has(name) && up.Year() >= 1 && up.Year() <= 9999 {
				t.Fatalf("refused without a reason: %v", err)
			}
			return
		}
		base, got, ok := Split(full)
		if late := got.Sub(at); !ok || base != name || len(full) > maxName || late < 0 || late >= time.Minute || got.Second() != 0 {
			t.Fatalf("%q until %s became %q: %q, %s, %t", name, at, full, base, got, ok)
		}
		if Expired(full, got.Add(-1)) || !Expired(full, got) {
			t.Fatalf("%q does not expire at its minute", full)
		}
	})
}

func TestCheckName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"ci", "10000", "-x", " ", "prod deploy", "कुंजी", "a\u200db", "日本", "it's $HOME", "x.expires-20261332T0930Z",
		".expires-20261223T0930", strings.Repeat("n", 255), strings.Repeat("é", 127), "a\u00a0b", "\ufffd"} {
		if err := CheckName(name); err != nil {
			t.Errorf("CheckName(%q) = %v", name, err)
		}
	}
	for name, says := range map[string]string{
		"": "empty", strings.Repeat("n", 256): "256 bytes", strings.Repeat("é", 128): "256 bytes", "a\xffb": "UTF-8",
		"a\xed\xa0\x80": "UTF-8", "a\x00": "U+0000", "a\tb": "U+0009", "a\n": "U+000A", "\x1b[31mred": "U+001B", "a\x7f": "U+007F",
		"a\u0085b": "U+0085", "a\u009bb": "U+009B", "a\u2028b": "U+2028", "a\u2029": "U+2029",
	} {
		err := CheckName(name)
		if err == nil || !strings.Contains(err.Error(), says) || errors.Is(err, ErrSuffix) ||
			strings.ContainsFunc(err.Error(), func(r rune) bool { return unicode.IsControl(r) || r == 0x2028 || r == 0x2029 }) {
			t.Errorf("CheckName(%q) = %v; want %q in it, and no such character", name, err, says)
		}
	}
	for _, name := range []string{"ci.expires-20261223T0930Z", ".expires-20261223T0930Z", strings.Repeat("n", 232) + ".expires-20261223T0930Z"} {
		if err := CheckName(name); !errors.Is(err, ErrSuffix) {
			t.Errorf("CheckName(%q) = %v; want ErrSuffix", name, err)
		}
	}
}

func TestParseDuration(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]time.Duration{
		"90m": 90 * time.Minute, "36h": 36 * time.Hour, "30d": 720 * time.Hour, "12w": 2016 * time.Hour,
		"15250w": 15250 * 168 * time.Hour, "00000000000000000000001h": time.Hour,
	} {
		if got, err := ParseDuration(s); err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %s, %v; want %s", s, got, err, want)
		}
	}
	for s, says := range map[string]string{
		"": "like 90m", "m": "like 90m", "30": "which unit? Write 30d for days or 30m for minutes",
		"2y": "write 730d", "1h30m": "write 90m", "+1h": "write 60m", "30s": "m, h, d or w", "1d12h": "m, h, d or w",
		"-1h": "one whole number", " 1h": "one whole number", "1 h": "one whole number", "1H": "m, h, d or w", "٣h": "one whole number",
		"0h": "longer than zero", "000w": "longer than zero", "0y": "m, h, d or w", "99999999999999999999999999": "m, h, d or w",
		"15251w": "longest is 15250w", "106752d": "longest is 106751d", "99999999999999999999999999m": "longest is 153722867m",
		"1h\x00": "one whole number", "\x1b[2Jh": "one whole number",
	} {
		got, err := ParseDuration(s)
		if err == nil || got != 0 || !strings.Contains(err.Error(), says) || strings.ContainsAny(err.Error(), "\x00\x1b") {
			t.Errorf("ParseDuration(%q) = %s, %v; want an error with %q", s, got, err, says)
		}
	}
}

func TestAge(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0m", -59 * time.Second: "0m", 45*time.Minute + 59*time.Second: "45m", time.Hour - 1: "59m",
		time.Hour: "1h", 24*time.Hour - 1: "23h", 24 * time.Hour: "1d", 943 * day: "943d",
		-time.Minute: "-1m", -5*time.Hour - 30*time.Minute: "-5h", -24 * time.Hour: "-1d", math.MinInt64: "-106751d",
	} {
		if got := Age(d); got != want {
			t.Errorf("Age(%s) = %q; want %q", d, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "less than 2 seconds", 1500 * time.Millisecond: "less than 2 seconds", time.Second: "1 second",
		2500 * time.Millisecond: "about 3 seconds", 90 * time.Second: "90 seconds", -5 * time.Minute: "5 minutes", 36 * time.Hour: "36 hours",
		day: "1 day", 3*day + 5*time.Hour: "about 3 days", 84 * day: "84 days", 365 * day: "1 year", math.MaxInt64: "about 292 years",
	} {
		if got := Human(d); got != want {
			t.Errorf("Human(%s) = %q; want %q", d, got, want)
		}
	}
}

func TestRenew(t *testing.T) {
	t.Parallel()
	now := utc(t, "2026-12-01T04:00:20Z")
	for _, c := range []struct{ old, created, want string }{
		{"ci", "2026-11-01T00:00:00Z", "ci"},
		{"ci.expires-20261201T0000Z", "2026-10-31T23:59:35Z", "ci.expires-20261231T0400Z"}, // 30d, to the minute
		{"ci.expires-20261201T0001Z", "2026-11-01T00:00:59Z", "ci.expires-20261231T0400Z"}, // rounded up by create
		{"a.expires-20250101T0000Z.expires-20261201T0000Z", "2026-11-30T23:00:00Z", ""},    // Append refuses it
		{"ci.expires-20261201T0000Z", "0001-01-01T00:00:00Z", ""},
		{"ci.expires-20261201T0000Z", "2026-12-01T00:00:00Z", ""},
	} {
		got, err := Renew(c.old, utc(t, c.created), now)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("Renew(%q, %s) = %q, %v; want %q", c.old, c.created, got, err, c.want)
		}
	}
}

// A rotation keeps a token's length to the minute, whenever in a minute that is and however late the service stamps it.
// It can lose that minute each time, if the stamp always falls behind the half of one; so the tokens here last for hours.
func TestRenewKeepsTheLength(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(1800000000, 0).UTC()
		length := time.Duration(rapid.IntRange(100, 100000).Draw(t, "minutes")) * time.Minute
		name, err := Append("ci", now.Add(length))
		if err != nil {
			t.Fatal(err)
		}
		created := now
		for range rapid.IntRange(1, 60).Draw(t, "rotations") {
			now = now.Add(time.Duration(rapid.IntRange(0, 86400).Draw(t, "seconds later")) * time.Second)
			before := length
			if name, err = Renew(name, created, now); err != nil {
				t.Fatal(err)
			}
			_, until, _ := Split(name)
			created = now.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "stamped")) * time.Second).Truncate(time.Second)
			if length = until.Sub(created); (length - before).Abs() > time.Minute+3*time.Second {
				t.Fatalf("%s became %s", before, length)
			}
		}
	})
}
