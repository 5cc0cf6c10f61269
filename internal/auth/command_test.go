//go:build unix

package auth

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestCommand(t *testing.T) {
	t.Parallel()
	sh := func(script string) []string { return []string{"sh", "-c", script} }
	for name, tc := range map[string]struct {
		argv []string
		says string // in the error; "" for success
	}{
		"newline":          {[]string{"echo", secret}, ""},
		"absolute path":    {[]string{"/bin/echo", secret}, ""},
		"background child": {sh("sleep 60 & echo " + secret + "; exec 1>&-"), ""},
		"reads no stdin":   {sh("cat && echo " + secret), ""},
		"no credentials":   {sh(`echo word >&2; test -z "$UTHO_API_KEY" && echo $OTHER`), ""},
		"fails":            {sh("echo " + secret + "; exit 3"), "sh: failed: exit status 3"},
		"killed":           {sh("echo " + secret + "; kill -9 $$"), "sh: failed: signal: killed"},
		"prints nothing":   {[]string{"true"}, "true: what it printed is no token: the token is empty"},
		"no shell":         {[]string{"echo", "$HOME; `x`"}, "white space"},
		"two lines":        {[]string{"printf", secret + `\nuser: x\n`}, "there are 2 lines"},
		"no such program":  {[]string{"utho-no-such-program", secret}, "cannot be run: no such command"},
		"a folder":         {[]string{"/", secret}, "/: cannot be run"},
		"relative path":    {[]string{"./x", secret}, "must be absolute"},
		"home":             {[]string{"~/x", secret}, "must be absolute"},
		"NUL in arguments": {[]string{"echo", secret + "\x00"}, "echo: cannot be run"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var errOut bytes.Buffer
			got, err := Command(t.Context(), tc.argv, append(os.Environ(), "UTHO_API_KEY=x", "OTHER="+secret), &errOut)
			if tc.says == "" && (err != nil || got != secret) || tc.says != "" && (err == nil || got != "" || !strings.Contains(err.Error(), tc.says)) {
				t.Errorf("%q, %v; want %q", got, err, tc.says)
			}
			if words := errOut.String(); name == "no credentials" && words != "word\n" {
				t.Errorf("stderr: %q", words)
			}
			noSecret(t, err)
		})
	}
}

func TestCommandEnded(t *testing.T) {
	t.Parallel()
	argv := []string{"sh", "-c", "echo started >&2; exec sleep 600"}
	cause := errors.New("by Ctrl-C")
	for _, when := range []string{"before", "meanwhile"} {
		ctx, cancel := context.WithCancelCause(t.Context())
		if when == "before" {
			cancel(cause)
		}
		if _, err := Command(ctx, argv, os.Environ(), writerFunc(func() { cancel(cause) })); !errors.Is(err, cause) {
			t.Errorf("%s: %v", when, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Command(ctx, argv, os.Environ(), io.Discard); err == nil || !strings.Contains(err.Error(), "did not end in time") {
		t.Error(err)
	}
}

type writerFunc func()

func (f writerFunc) Write(p []byte) (int, error) { f(); return len(p), nil }

func TestReadKeyFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, tc := range map[string]struct{ text, says string }{
		"newline": {secret + "\n", ""}, "none": {secret, ""}, "CRLF": {secret + "\r\n", ""}, "BOM": {"\ufeff" + secret, ""},
		"empty": {"", "the token is empty"}, "blank": {" \n", "the token is empty"}, "two lines": {secret + "\nx\n", "2 lines"},
		"variable": {"UTHO_API_KEY = " + secret, "white space"}, "binary": {secret + "\x00", "control character"},
	} {
		path := filepath.Join(dir, name)
		writeFile(t, path, tc.text, 0o644) // nothing is said of modes and links
		must(t, os.Symlink(path, path+".link"))
		got, err := ReadKeyFile(path + ".link")
		said := err != nil && strings.Contains(err.Error(), tc.says) && strings.Contains(err.Error(), path)
		if tc.says == "" && (err != nil || got != secret) || tc.says != "" && !said {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		noSecret(t, err)
	}
	for _, path := range []string{filepath.Join(dir, "missing"), dir} {
		if _, err := ReadKeyFile(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
