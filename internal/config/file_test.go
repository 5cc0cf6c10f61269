package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// example is the one of the contract, with the traps of other libraries added.
const example = `current_profile: work
defaults:                     # below flags and environment (UTHO_OUTPUT, UTHO_TIMEOUT, UTHO_COLOR)
  output: table
  timeout: 30s
  pager: less
profiles:
  work:
    api_url: https://api.utho.com/v2
    store: keyring            # or file
    time_zone: "+05:30"       # of the service's time stamps; this is the default
  ci:
    credential_command: [op, read, "op://infra/utho/token"]
  Prod.EU:
    store: file
    api-url: https://x.example/v2
    other_secrets: [keyring Prod.EU https://old.example]
  0123:
  true: {time_zone: Asia/Kolkata}
plugins: [1, {a: b}]
Profiles: {}
`

func chmod(t testing.TB, path string, mode fs.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func write(t testing.TB, text string) string {
	t.Helper()
	dir := t.TempDir()
	chmod(t, dir, 0o700)
	path := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoad(t *testing.T) {
	t.Parallel()
	path := write(t, example)
	f, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	want := []Profile{
		{Name: "work", APIURL: "https://api.utho.com/v2", Store: "keyring", TimeZone: "+05:30"},
		{Name: "ci", CredentialCommand: []string{"op", "read", "op://infra/utho/token"}},
		{Name: "Prod.EU", Store: "file", OtherSecrets: []string{"keyring Prod.EU https://old.example"}},
		{Name: "0123"},
		{Name: "true", TimeZone: "Asia/Kolkata"},
	}
	if got := f.Profiles(); !reflect.DeepEqual(got, want) {
		t.Errorf("profiles\n got %+v\nwant %+v", got, want)
	}
	var warned []string
	for _, key := range []string{
		`5: the key "pager" in defaults`, `15: the key "api-url" in profile Prod.EU`, `19: the key "plugins"`, `20: the key "Profiles"`,
	} {
		warned = append(warned, path+":"+key+" means nothing to utho and is ignored")
	}
	if !slices.Equal(f.Warnings(), warned) {
		t.Errorf("%q", f.Warnings())
	}
	p, _ := f.Profile("PROD.eu")
	if _, ok := f.Profile("prod"); p.Name != "Prod.EU" || ok || f.Current() != "work" {
		t.Errorf("ignoring case: %+v; part of a name: %v; current: %s", p, ok, f.Current())
	}
}

func TestLoadEmpty(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "\n", "# only words\n", "---\n", "{}\n", "~\n",
		"profiles:\ndefaults: ~\ncurrent_profile:\n", "profiles: {}\n", "\ufeff", "a: 1"} {
		f, err := Load(write(t, text))
		if err != nil || len(f.Profiles()) > 0 || f.Current() != "" {
			t.Errorf("%q: %+v, %v", text, f, err)
		}
	}
	if f, err := Load(filepath.Join(t.TempDir(), "no", "config.yaml")); err != nil || len(f.Profiles()) > 0 || f.Reachable() != nil {
		t.Errorf("missing: %+v, %v", f, err)
	}
}

func TestAliases(t *testing.T) {
	t.Parallel()
	text := "base: &b\n  api_url: &u https://x.example/v2\n  store: file\nprofiles:\n  a: *b\n  b: {api_url: *u}\n"
	want := []Profile{{Name: "a", APIURL: "https://x.example/v2", Store: "file"}, {Name: "b", APIURL: "https://x.example/v2"}}
	if f, err := Load(write(t, text)); err != nil || !reflect.DeepEqual(f.Profiles(), want) {
		t.Errorf("%+v, %v", f, err)
	}
	if _, err := Load(write(t, "profiles: &p\n  a: *p\n")); err != nil {
		t.Errorf("a mapping inside itself: %v", err)
	}
}

// Each wrong file is refused with its place and what is allowed there, and without the value: a secret may have
// been pasted there.
func TestSyntaxErrors(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ text, place, says string }{
		{"\xfe\xff", "", "UTF-8"},
		{"a: b: c\n", "", "is not valid YAML: mapping values"},
		{"a: 1\nb: 'c\n", "2", "is not valid YAML from here on: found unexpected end"},
		{"a: 1\nb: [c\nd: e\n", "2", "is not valid YAML from here on: did not find"},
		{"---\na: 1\n---\nb: 1\n", "3", "second document"},
		{"[1]\n", "1", "must be a mapping"},
		{"a: 1\nb: 2\na: 3\n", "3", `"a" stands twice`},
		{"profiles:\n  work:\n  Work:\n", "3", "case does not count"},
		{"profiles:\n  0123:\n  \"0123\":\n", "3", "stands twice"},
		{"profiles:\n  a b:\n", "2", "letters, digits"},
		{"profiles:\n  sandbox:\n", "2", "reserved"},
		{"profiles:\n  ? [a]\n  : b\n", "2", "letters, digits"},
		{"profiles:\n  a: b\n", "2", "must be a mapping"},
		{"defaults:\n  output: live_secret\n", "2", "table, wide, json"},
		{"defaults:\n  columns: name,token\n", "2", "name, scope, created"},
		{"defaults:\n  expires_in: 90\n", "2", "30d"},
		{"defaults:\n  timeout: 30\n", "2", "30s"},
		{"defaults:\n  timeout: 0s\n", "2", "above 0"},
		{"current_profile: [a]\n", "1", "letters, digits"},
		{"current_profile: Sandbox\n", "1", "reserved"},
		{"profiles:\n  a:\n    store: live_secret\n", "3", "keyring or file"},
		{"profiles:\n  a:\n    api_url: [live_secret]\n", "3", "a URL"},
		{"profiles:\n  a:\n    time_zone: live_secret\n", "3", "+05:30"},
		{"profiles:\n  a:\n    credential_command: live_secret\n", "3", "list"},
		{"profiles:\n  a:\n    credential_command: []\n", "3", "list"},
		{"profiles:\n  a:\n    credential_command: [~]\n", "3", "list"},
		{"profiles:\n  a:\n    credential_command: [\"a\\0\"]\n", "3", "list"},
		{"profiles:\n  a:\n    store: file\n    credential_command: [op]\n", "2", "one of them"},
	} {
		path := write(t, tc.text)
		f, err := Load(path)
		if err == nil {
			t.Errorf("%q: %+v", tc.text, f)
			continue
		}
		if want := strings.TrimSuffix(path+":"+tc.place, ":") + ": "; !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), tc.says) ||
			strings.Contains(err.Error(), "live_secret") {
			t.Errorf("%q:\n got %v\nwant %s…%s", tc.text, err, want, tc.says)
		}
	}
}

// What others can write is refused. In a folder that cannot be entered there is no configuration, which only those mind
// who need it.
func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	path := write(t, example)
	if f, err := Load(filepath.Join(path, "utho", "config.yaml")); err != nil || f.Reachable() == nil { // as with HOME=/dev/null
		t.Errorf("in a file: %v", err)
	}
	chmod(t, path, 0o666)
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "chmod go-w") {
		t.Errorf("%v", err)
	}
	if os.Geteuid() <= 0 {
		return // root enters every folder, and Windows has no modes
	}
	chmod(t, path, 0)
	if _, err := Load(path); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("a file without rights: %v", err)
	}
	chmod(t, filepath.Dir(path), 0)
	defer chmod(t, filepath.Dir(path), 0o700)
	if f, err := Load(path); err != nil || f.Reachable() == nil {
		t.Errorf("a folder without rights: %+v, %v", f, err)
	}
}

// An offset is one that RFC 3339 can write; package time reads 24 hours and 60 minutes too.
func TestLocation(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 4, 22, 0, 0, 0, 0, time.UTC)
	for zone, offset := range map[string]int{"+05:30": 19800, "-03:00": -10800, "Z": 0, "UTC": 0, "Asia/Kolkata": 19800, "+23:59": 86340} {
		loc, err := Profile{TimeZone: zone}.Location()
		if err != nil {
			t.Fatalf("%s: %v", zone, err)
		}
		if _, got := at.In(loc).Zone(); got != offset {
			t.Errorf("%s: offset %d, want %d", zone, got, offset)
		}
	}
	if loc, err := (Profile{}).Location(); loc != nil || err != nil {
		t.Errorf("no zone: %v, %v", loc, err)
	}
	for _, zone := range []string{"+24:00", "-24:00", "+05:60", "+5:30", "+0530", "05:30", "x", "Local", "Asia/Nowhere"} {
		_, err := Profile{TimeZone: zone}.Location()
		if err == nil || strings.Contains(strings.ReplaceAll(err.Error(), zone, ""), "/") || !strings.Contains(err.Error(), "+05:30") {
			t.Errorf("%s: %v: taken, or recommends what may be refused", zone, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(example))
	f.Add([]byte("profiles:\n  a: &x {store: file}\n  b: *x\n"))
	f.Add([]byte("? a\n: b\n--- |\n x"))
	f.Add([]byte("# one\u2028current_profile: b\u2029profiles:\u0085  a: ~\r  b: ~ # c\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := parse("config.yaml", text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "config.yaml:") {
				t.Fatal(err)
			}
			return
		}
		// What can be read can be edited, or it is said that it cannot.
		e := &Edit{file}
		want := Profile{Name: "zz", APIURL: "https://x.example/v2", Store: "file"}
		if err := e.SetProfile(want); err == nil {
			got, _ := e.Profile("zz")
			want.Name = got.Name
			if !reflect.DeepEqual(got, want) || len(e.Profiles()) < len(file.Profiles()) {
				t.Fatalf("set %+v, got %+v", want, got)
			}
			if err := e.RemoveProfile("zz"); err != nil && !errors.Is(err, errByHand) {
				t.Fatal(err)
			}
		} else if !errors.Is(err, errByHand) {
			t.Fatal(err)
		}
	})
}
