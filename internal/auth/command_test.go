//go:build unix

package auth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
)

func TestCommand(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		argv []string
		says string // in the error; "" for success
	}{
		"newline":           {[]string{"echo", secret}, ""},
		"none":              {[]string{"printf", secret}, ""},
		"CRLF":              {[]string{"printf", secret + `\r\n`}, ""},
		"absolute path":     {[]string{"/bin/echo", secret}, ""},
		"no shell":          {[]string{"echo", "$HOME;`x`"}, ""},
		"background child":  {[]string{"sh", "-c", "sleep 60 & echo " + secret + "; exec 1>&-"}, ""},
		"reads no stdin":    {[]string{"sh", "-c", "cat && echo " + secret}, ""},
		"fails":             {[]string{"sh", "-c", "echo " + secret + "; exit 3"}, "sh: failed: exit status 3"},
		"killed":            {[]string{"sh", "-c", "echo " + secret + "; kill -9 $$"}, "sh: failed: signal: killed"},
		"prints nothing":    {[]string{"true"}, "true: printed nothing"},
		"prints blanks":     {[]string{"echo", "  "}, "echo: printed nothing"},
		"two lines":         {[]string{"printf", secret + `\nuser: x\n`}, "there are 2 lines"},
		"a sentence":        {[]string{"echo", "the", "token", secret}, "no token"},
		"binary":            {[]string{"printf", secret + `\001`}, "no token"},
		"too much":          {[]string{"sh", "-c", "yes " + secret}, "printed more than 65536 bytes"},
		"too big a secret":  {[]string{"sh", "-c", "head -c 3000 /dev/zero | tr '\\0' x"}, "no token"},
		"no such program":   {[]string{"utho-no-such-program", secret}, "cannot be run: no such command"},
		"no such path":      {[]string{"/no/such", secret}, "cannot be run"},
		"a folder":          {[]string{"/", secret}, "/: cannot be run"},
		"relative path":     {[]string{"./x", secret}, "must be absolute"},
		"deeper path":       {[]string{"a/x", secret}, "must be absolute"},
		"home":              {[]string{"~/x", secret}, "must be absolute"},
		"empty":             {nil, "names no program"},
		"empty name":        {[]string{""}, "names no program"},
		"NUL in arguments":  {[]string{"echo", secret + "\x00"}, "echo: cannot be run"},
		"not a program":     {[]string{notExecutable(t), secret}, "cannot be run: permission denied"},
		"of no known kind":  {[]string{garbage(t), secret}, "cannot be run: exec format error"},
		"a pasted header":   {[]string{"echo", "Bearer " + secret}, ""},
		"quoted by a store": {[]string{"echo", `"` + secret + `"`}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var errOut bytes.Buffer
			got, err := Command(t.Context(), tc.argv, os.Environ(), &errOut)
			want := secret
			if name == "no shell" {
				want = "$HOME;`x`"
			}
			if tc.says == "" {
				if err != nil || got != want {
					t.Errorf("%q, %v", got, err)
				}
				return
			}
			var failed *CommandError
			if !errors.As(err, &failed) || !strings.Contains(err.Error(), tc.says) || got != "" {
				t.Errorf("%q, %v; want %q", got, err, tc.says)
			}
			noSecret(t, err)
		})
	}
}

func notExecutable(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "prog")
	writeFile(t, path, "#!/bin/sh\n", 0o600)
	return path
}

func garbage(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "prog")
	writeFile(t, path, "\x7fELF-not", 0o700)
	return path
}

func TestCommandEnvironment(t *testing.T) {
	t.Parallel()
	env := append(os.Environ(), "UTHO_API_KEY="+secret, "UTHO_TOKEN="+secret, "UTHO_API_KEY_FILE=x", "UTHO_TOKENX=stays")
	got, err := Command(t.Context(), []string{"sh", "-c", `echo "${UTHO_API_KEY-unset}:${UTHO_TOKEN-unset}:${UTHO_API_KEY_FILE-unset}:$UTHO_TOKENX"`}, env, nil)
	if err != nil || got != "unset:unset:unset:stays" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestCommandStderr(t *testing.T) {
	t.Parallel()
	var errOut bytes.Buffer
	if _, err := Command(t.Context(), []string{"sh", "-c", "echo word >&2; echo " + secret}, os.Environ(), &errOut); err != nil || errOut.String() != "word\n" {
		t.Errorf("%q, %v", errOut.String(), err)
	}
}

// A program of the current directory is not run, whatever the PATH says.
func TestCommandNotHere(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "utho-test-here"), "#!/bin/sh\necho "+secret+"\n", 0o700)
	t.Chdir(dir)
	t.Setenv("PATH", ".:"+os.Getenv("PATH"))
	got, err := Command(t.Context(), []string{"utho-test-here"}, os.Environ(), nil)
	if err == nil || got != "" || !strings.Contains(err.Error(), "current directory") {
		t.Errorf("%q, %v", got, err)
	}
}

func TestCommandInterrupted(t *testing.T) {
	t.Parallel()
	cause := errors.New("by Ctrl-C")
	for _, when := range []string{"before", "meanwhile"} {
		ctx, cancel := context.WithCancelCause(t.Context())
		if when == "before" {
			cancel(cause)
		}
		started := writerFunc(func() { cancel(cause) })
		_, err := Command(ctx, []string{"sh", "-c", "echo started >&2; exec sleep 600"}, os.Environ(), started)
		if !errors.Is(err, cause) {
			t.Errorf("%s: %v", when, err)
		}
	}
}

type writerFunc func()

func (f writerFunc) Write(p []byte) (int, error) { f(); return len(p), nil }

// Without a terminal, the end of the time ends all that the command started.
func TestCommandTimeoutKillsAll(t *testing.T) {
	t.Parallel()
	pids := filepath.Join(t.TempDir(), "pids")
	script := `sleep 600 & echo $! >>"$1"; sh -c 'echo $$ >>"$1"; trap "" TERM HUP INT; while :; do sleep 600; done' _ "$1"`
	o := run(t, "command", nil,
		"UTHO_AUTH_ARGV="+argv(t, "sh", "-c", script, "_", pids), "UTHO_AUTH_LIMIT=3s")
	if !strings.Contains(o.Err, "did not end in time") {
		t.Errorf("%+v", o)
	}
	data, err := os.ReadFile(pids)
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(data))
	if len(fields) != 2 {
		t.Fatalf("the command started %q", fields)
	}
	for _, f := range fields {
		pid, err := strconv.Atoi(f)
		if err != nil {
			t.Fatal(err)
		}
		awaitGone(t, pid)
	}
}

// A child that left the group and holds the pipe does not hold utho.
func TestCommandPipeHeld(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("setsid"); err != nil {
		t.Skip("no setsid(1) here")
	}
	pid := filepath.Join(t.TempDir(), "pid")
	script := `setsid sh -c 'echo $$ >"$1.new"; mv "$1.new" "$1"; exec sleep 600' _ "$1" 2>/dev/null & while [ ! -e "$1" ]; do sleep 0.01; done; echo ` + secret
	for name, tail := range map[string]string{"ends well": "", "takes too long": "; sleep 600"} {
		limit := "60s"
		if tail != "" {
			limit = "5s"
		}
		file := pid + name
		o := run(t, "command", nil, "UTHO_AUTH_ARGV="+argv(t, "sh", "-c", script+tail, "_", file), "UTHO_AUTH_LIMIT="+limit)
		if tail == "" && o.Value != secret || tail != "" && !strings.Contains(o.Err, "did not end in time") {
			t.Errorf("%s: %+v", name, o)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		held, err := strconv.Atoi(strings.TrimSpace(string(data)))
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(held, syscall.SIGKILL); err != nil {
			t.Errorf("%s: the child was gone, so nothing was tried: %v", name, err)
		}
	}
}

// On a terminal the command can ask there.
func TestCommandAsksOnTheTerminal(t *testing.T) {
	t.Parallel()
	ptmx, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer ptmx.Close()
	cmd := helperCmd(t, "command", "UTHO_AUTH_ARGV="+argv(t, "sh", "-c", `echo "token?" >/dev/tty; read -r x </dev/tty; echo "$x"`), "UTHO_AUTH_LIMIT=60s")
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout = tty, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = tty.Close()
	prompt := make([]byte, len("token?"))
	if _, err := io.ReadFull(ptmx, prompt); err != nil || string(prompt) != "token?" {
		t.Fatalf("%q, %v", prompt, err)
	}
	if _, err := ptmx.WriteString(secret + "\n"); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, ptmx) }()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	var o outcome
	if err := json.Unmarshal(out.Bytes(), &o); err != nil || o.Value != secret {
		t.Errorf("%+v, %v", o, err)
	}
}

// pass(1), for real: a key, a store, a token in it, and the documented command.
func TestCommandPass(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"pass", "gpg"} {
		if _, err := exec.LookPath(tool); err != nil {
			missing(t, tool)
		}
	}
	// Short, since gpg-agent's socket stands in it.
	dir, err := os.MkdirTemp("/tmp", "utho-pass") //nolint:usetesting // short: see above
	if err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), "GNUPGHOME="+dir+"/g", "PASSWORD_STORE_DIR="+dir+"/p", "HOME="+dir)
	t.Cleanup(func() {
		stop := exec.Command("gpgconf", "--kill", "all")
		stop.Env = env
		_ = stop.Run()
		_ = os.RemoveAll(dir)
	})
	mkdir(t, dir+"/g")
	for _, step := range []struct {
		stdin string
		argv  []string
	}{
		{"", []string{"gpg", "--batch", "--passphrase", "", "--quick-generate-key", "utho test", "default", "default", "never"}},
		{"", []string{"pass", "init", "utho test"}},
		{secret + "\n", []string{"pass", "insert", "--echo", "utho/token"}},
	} {
		cmd := exec.Command(step.argv[0], step.argv[1:]...)
		cmd.Env, cmd.Stdin = env, strings.NewReader(step.stdin)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", step.argv, err, out)
		}
	}
	got, err := Command(t.Context(), []string{"pass", "show", "utho/token"}, env, os.Stderr)
	if err != nil || got != secret {
		t.Errorf("%q, %v", got, err)
	}
	got, err = Command(t.Context(), []string{"pass", "show", "utho/none"}, env, io.Discard)
	if err == nil || got != "" {
		t.Errorf("%q, %v", got, err)
	}
}

func argv(t *testing.T, words ...string) string {
	t.Helper()
	b, err := json.Marshal(words)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestReadKeyFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, tc := range map[string]struct{ text, says string }{
		"newline": {secret + "\n", ""}, "none": {secret, ""}, "CRLF": {secret + "\r\n", ""}, "BOM": {"\ufeff" + secret, ""},
		"empty": {"", "the token is empty"}, "blank": {" \n", "the token is empty"}, "two lines": {secret + "\nx\n", "2 lines"},
		"variable": {"UTHO_API_KEY = " + secret, "white space"}, "binary": {secret + "\x00", "control"},
	} {
		path := filepath.Join(dir, name)
		writeFile(t, path, tc.text, 0o644) // nothing is said of modes and links
		link(t, path, path+".link")
		got, err := ReadKeyFile(path + ".link")
		if tc.says == "" && (err != nil || got != secret) || tc.says != "" && (err == nil || !strings.Contains(err.Error(), tc.says) || !strings.Contains(err.Error(), path)) {
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

// awaitGone waits until no process has that id, within a bound far above what
// that takes.
func awaitGone(t *testing.T, pid int) {
	t.Helper()
	for end := time.Now().Add(time.Minute); syscall.Kill(pid, 0) == nil && !zombie(pid); {
		if time.Now().After(end) {
			t.Fatalf("process %d is still there", pid)
		}
		time.Sleep(5 * time.Millisecond) // polling for an outcome, not for a time
	}
}

// zombie tells whether a process has ended and only nobody has asked how.
func zombie(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	_, rest, ok := strings.Cut(string(stat), ") ")
	return err == nil && ok && strings.HasPrefix(rest, "Z")
}
