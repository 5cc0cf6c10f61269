package deliver

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/subosito/gotenv"
)

// What reads dotenv files: a model of docker's rules, a library, and the real sh. Each gives the variables, or
// nil if it refuses the whole file.
type vars map[string]string

func gotenvRead(content string) vars {
	got, err := gotenv.StrictParse(strings.NewReader(content))
	if err != nil {
		return nil
	}
	return vars(got)
}

// dockerRead reads as docker run --env-file does: a line is a name, = and whatever follows.
func dockerRead(content string) vars {
	got := vars{}
	if !utf8.ValidString(content) {
		return nil
	}
	for line := range strings.Lines(content) {
		line = strings.TrimLeftFunc(strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), unicode.IsSpace)
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if name == "" || strings.ContainsAny(name, " \t\v\f") {
			return nil
		}
		if ok {
			got[name] = value
		}
	}
	return got
}

// shRead has a shell source the file; only what it exports by itself if not all.
func shRead(t *testing.T, content string, all bool) vars {
	t.Helper()
	path := filepath.Join(t.TempDir(), "env")
	write(t, path, content, 0o600)
	script := `. "$1" >/dev/null 2>&1; env -0`
	if all {
		script = "set -a; " + script
	}
	cmd := exec.Command("sh", "-c", script, "sh", path)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	out, err := cmd.Output()
	if err != nil {
		return nil
	}
	got := vars{}
	for _, entry := range strings.Split(string(out), "\x00") {
		if name, value, ok := strings.Cut(entry, "="); ok && !regexp.MustCompile(`^(PATH|PWD|OLDPWD|_|SHLVL)$`).MatchString(name) {
			got[name] = value
		}
	}
	return got
}
