package deliver

import (
	"bytes"
	"encoding/json"
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

// What reads dotenv files: models of docker's and systemd's rules, a library, and the real sh and
// node. Each gives the variables, or nil if it refuses the whole file.
type vars map[string]string

func readers(content string) map[string]vars {
	lib, err := gotenv.StrictParse(strings.NewReader(content))
	if err != nil {
		lib = nil
	}
	return map[string]vars{"docker": dockerRead(content), "systemd": systemdRead(content), "gotenv": vars(lib)}
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

// systemdRead reads as EnvironmentFile= does.
func systemdRead(content string) vars {
	const preKey, key, preValue, value, valueEscape, single, double, doubleEscape, comment, commentEscape = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9
	got := vars{}
	state, k, v, hard := preKey, "", "", 0 // hard: how much of v is not to be trimmed
	push := func() {
		if k = strings.TrimRight(k, " \t"); regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`).MatchString(k) {
			got[k] = v[:hard] + strings.TrimRight(v[hard:], " \t")
		}
		state, k, v, hard = preKey, "", "", 0
	}
	for _, c := range []byte(content) {
		newline, blank := c == '\n' || c == '\r', c == ' ' || c == '\t'
		switch state {
		case preKey:
			if c == '#' || c == ';' {
				state = comment
			} else if !newline && !blank {
				state, k = key, string(c)
			}
		case key:
			switch {
			case newline:
				state, k = preKey, ""
			case c == '=':
				state = preValue
			default:
				k += string(c)
			}
		case preValue, value:
			switch {
			case newline:
				push()
			case state == preValue && c == '\'':
				state = single
			case state == preValue && c == '"':
				state = double
			case c == '\\':
				state = valueEscape
			case state == value || !blank:
				state, v = value, v+string(c)
			}
		case valueEscape:
			if state = value; !newline {
				v += string(c)
			}
			hard = len(v)
		case single, double:
			switch {
			case c == map[int]byte{single: '\'', double: '"'}[state]:
				state, hard = preValue, len(v)
			case c == '\\' && state == double:
				state = doubleEscape
			default:
				v += string(c)
			}
		case doubleEscape:
			state = double
			if strings.IndexByte("\"\\`$", c) >= 0 {
				v += string(c)
			} else if c != '\n' {
				v += `\` + string(c)
			}
		case comment:
			if c == '\\' {
				state = commentEscape
			} else if newline {
				state = preKey
			}
		case commentEscape:
			state = comment
		}
	}
	if state != preKey && state != key {
		push()
	}
	return got
}

// nodeRead has node read many files at once, with the parser of --env-file.
func nodeRead(t *testing.T, contents []string) []vars {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		missing(t, "node")
		return nil
	}
	in, err := json.Marshal(contents)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(node, "-e",
		`console.log(JSON.stringify(JSON.parse(require("fs").readFileSync(0)).map(require("util").parseEnv)))`)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	var got []vars
	if err != nil || json.Unmarshal(out, &got) != nil {
		t.Skipf("this node has no parser of dotenv files: %v", err)
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
