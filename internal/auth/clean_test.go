package auth

import (
	"errors"
	"strings"
	"testing"
)

func TestClean(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		secret, secret + "\n", "\n" + secret + "\n\n", "\ufeff" + secret + "\r\n", " \t" + secret + "  ", `"` + secret + `"`,
		`Bearer "` + secret + `"`, " 'bearer " + secret + "' ", "`" + secret + "`",
		"\x1b[200~" + secret + "\x1b[201~",
	} {
		if got, err := Clean([]byte(raw)); err != nil || got != secret {
			t.Errorf("%q: %q, %v", raw, got, err)
		}
	}
}

func TestCleanRefuses(t *testing.T) {
	t.Parallel()
	half := secret[:12]
	for raw, want := range map[string]error{
		"":                                   ErrEmpty,
		" \r\n\t\ufeff":                      ErrEmpty,
		"Bearer \n":                          ErrEmpty,
		half + " " + half:                    errBytes,
		half + "\u00a0" + half:               errBytes,
		half + "\r" + half:                   errBytes,
		half + "\n" + half:                   errBytes,
		half + "\x00" + half:                 errBytes,
		half + "\x1b[31m" + half:             errBytes,
		half + "é":                           errBytes,
		half + "\xff" + half:                 errBytes,
		"mytoken " + secret:                  errBytes,
		strings.Repeat("x", MaxSecret+1):     ErrTooBig,
		"[" + strings.Repeat("x", MaxSecret): ErrTooBig,
	} {
		if got, err := Clean([]byte(raw)); !errors.Is(err, want) || got != "" || strings.Contains(err.Error(), half) {
			t.Errorf("%.40q: %q, %v, want %v", raw, got, err, want)
		}
	}
	if got, err := Clean([]byte(strings.Repeat("x", MaxSecret))); err != nil || len(got) != MaxSecret {
		t.Errorf("the largest: %d, %v", len(got), err)
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{secret, `"Bearer ` + secret + `"`, "export UTHO_API_KEY=x", "\ufeff«x»\r\n", "'\"`'\"`"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := Clean(raw)
		if err != nil {
			return
		}
		if got == "" || len(got) > MaxSecret || strings.ContainsFunc(got, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Fatalf("%q passed", got)
		}
		if again, err := Clean([]byte(got)); again != got || err != nil {
			t.Fatalf("%q becomes %q, %v", got, again, err)
		}
	})
}
