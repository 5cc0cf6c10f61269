package auth

import (
	"errors"
	"strings"
	"testing"
)

func TestClean(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		raw   string
		notes int // how many things it says it took off
	}{
		"as it is":              {secret, 0},
		"newline":               {secret + "\n", 0},
		"several newlines":      {"\n" + secret + "\n\n", 1},
		"BOM and CRLF":          {"\ufeff" + secret + "\r\n", 1},
		"bracketed, newline":    {"\x1b[200~" + secret + "\n\x1b[201~\n", 2},
		"two lines":             {secret + "\nand more\n", 1},
		"another token below":   {secret + " \n" + secret[:12], 1},
		"blanks":                {" \t" + secret + "  ", 1},
		"BOM":                   {"\ufeff" + secret, 1},
		"bracketed paste":       {"\x1b[200~" + secret + "\x1b[201~", 1},
		"double quotes":         {`"` + secret + `"`, 1},
		"Bearer, quoted":        {`Bearer "` + secret + `"`, 2},
		"quotes inside a paste": {"\x1b[200~'Bearer " + secret + "'\x1b[201~", 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, notes, err := Clean([]byte(tc.raw))
			if err != nil || got != secret || len(notes) != tc.notes {
				t.Errorf("%q, %q, %v; want %d notes", got, notes, err, tc.notes)
			}
			for _, n := range notes {
				if strings.Contains(n, secret) {
					t.Errorf("a note holds the secret: %q", n)
				}
			}
		})
	}
}

func TestCleanRefuses(t *testing.T) {
	t.Parallel()
	half := secret[:12]
	for raw, want := range map[string]error{
		"":                                   ErrEmpty,
		" \r\n\t\ufeff":                      ErrEmpty,
		"Bearer \n":                          ErrEmpty,
		"\x1b[200~\x1b[201~":                 ErrEmpty,
		half + " " + half:                    errBytes,
		half + "\u00a0" + half:               errBytes,
		half + "\r" + half:                   errBytes,
		half + "\x00" + half:                 errBytes,
		half + "\x1b[31m" + half:             errBytes,
		half + "é":                           errBytes,
		half + "\xff" + half:                 errBytes,
		"mytoken " + secret:                  errBytes,
		strings.Repeat("x", MaxSecret+1):     ErrTooBig,
		strings.Repeat(" ", maxRaw) + "xx":   ErrTooBig,
		"[" + strings.Repeat("x", MaxSecret): ErrTooBig,
	} {
		got, notes, err := Clean([]byte(raw))
		if !errors.Is(err, want) || got != "" {
			t.Errorf("%.40q: %q, %v, want %v", raw, got, err, want)
		}
		for _, text := range append(notes, err.Error()) {
			if strings.Contains(text, half) {
				t.Errorf("%.40q comes back in %q", raw, text)
			}
		}
	}
	if got, _, err := Clean([]byte(strings.Repeat("x", MaxSecret))); err != nil || len(got) != MaxSecret {
		t.Errorf("the largest: %d, %v", len(got), err)
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{secret, `"Bearer ` + secret + `"`, "\x1b[200~export UTHO_API_KEY=x\x1b[201~", "\ufeff«x»\r\n", "'\"`'\"`"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, notes, err := Clean(raw)
		if err != nil {
			return
		}
		if got == "" || len(got) > MaxSecret || strings.ContainsFunc(got, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Fatalf("%q passed", got)
		}
		if again, more, err := Clean([]byte(got)); again != got || len(more) > 0 || err != nil {
			t.Fatalf("%q becomes %q, %q, %v", got, again, more, err)
		}
		if len(notes) == 0 && got != strings.TrimRight(string(raw), "\r\n") {
			t.Fatalf("%q became %q without a word", raw, got)
		}
	})
}
