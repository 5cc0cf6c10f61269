//go:build linux

package main

import (
	"os/exec"
	"regexp"
	"testing"
)

// A full disk is found before anything is created, and one that fills up on the way is
// rolled back. The file system is a small tmpfs in a mount namespace of its own.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	if out, err := exec.Command("unshare", "-rm", "mount", "-t", "tmpfs", "none", t.TempDir()).CombinedOutput(); err != nil {
		t.Skipf("nothing can be mounted here: %v: %s", err, out)
	}
	const full = "no space left on device"
	for _, d := range []struct {
		name, script string
		code         int
		says         string
		tokens       int
	}{
		{"file", `fill; utho token create full --to file:small/secret`, 1, full + ".*; nothing was created", 0},
		{"env", `fill; utho token create full --to env:small/env`, 1, full + ".*; nothing was created", 0},
		{"env that is there", `echo A=1 >small/env; fill; utho token create full --to env:small/env`, 1, full + ".*; nothing was created", 0},
		{"stdout", `fill; utho token create full >small/left`, 1, "the new token \"full\" was deleted again: .*no space left on device", 0},
		{
			"on the way", `utho token create full --to env:small/env --to 'exec:sh -c "cat /dev/zero >small/x; exit 1"'`,
			1, "was deleted again; exec:.* may now hold a secret", 0,
		},
		{"record of a rotation", `mkdir -m 700 small/s; fill; UTHO_STATE_DIR=small/s utho token rotate grafana --yes --to file:new`, 1, full, 0},
	} {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			w := newServed(t)
			script := `set -e; mkdir small; mount -t tmpfs -o size=128k none small
				fill() { : >small/left; cat /dev/zero >small/fill 2>/dev/null || true; }
				set +e; ` + d.script + `; code=$?; ls -A small >listing; test ! -e small/env || cat small/env >env; exit $code`
			r := w.run("", "unshare", "-rm", "sh", "-c", script).want(t, d.code)
			if !regexp.MustCompile(d.says).MatchString(r.stderr) {
				t.Errorf("it does not say %q:\n%s", d.says, r.stderr)
			}
			if n := w.count("full"); n != d.tokens || w.count("grafana") != 1 {
				t.Errorf("%d tokens, want %d", n, d.tokens)
			}
			if left := w.read("listing") + w.read("env"); regexp.MustCompile(`\.utho-|secret|live_`).MatchString(left) {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}
