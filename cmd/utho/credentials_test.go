//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// sources are what can supply a credential, the strongest first, and an address.
type sources struct {
	flag            string // --profile
	variable        string // UTHO_PROFILE
	set             []string
	current         string // current_profile
	flagURL, varURL string
}

// verdict is what the contract says about them, worked out here a second time.
type verdict struct {
	code                   int
	profile, source, store string
	url                    string // whose: the profile's, another, the default, or the sandbox's own
	secret                 string // that reaches it; empty if nothing may be sent
	shadows                []string
	warnings               int
}

const (
	atProfile = "the profile's"
	atOther   = "another"
	atDefault = "the default"
	atNone    = "none"
)

func (s sources) verdict() verdict {
	order := []string{s.flag}
	if s.variable == "sandbox" {
		order = append(order, s.variable)
	}
	order = append(append(order, s.set...), s.variable, s.current)
	order = slices.DeleteFunc(order, func(name string) bool { return name == "" })
	first := func(values ...string) string {
		return slices.DeleteFunc(values, func(v string) bool { return v == "" })[0]
	}
	if len(order) == 0 {
		return verdict{code: 4, profile: "default", store: "keyring", url: first(s.flagURL, s.varURL, atDefault)}
	}
	var v verdict
	winner := order[0]
	for _, name := range order[1:] {
		if name != winner && !strings.HasPrefix(name, "UTHO") {
			name = "profile " + name
		}
		if name != winner && !slices.Contains(v.shadows, name) {
			v.shadows = append(v.shadows, name)
		}
	}
	v.source, v.store, v.url = winner, "environment", first(s.flagURL, s.varURL, atDefault)
	switch winner {
	case "sandbox":
		if s.flagURL != "" {
			return verdict{code: 2, url: atNone}
		}
		v.profile, v.store, v.url = winner, winner, atNone
	case "UTHO_API_KEY", "UTHO_TOKEN", "UTHO_API_KEY_FILE":
		v.secret = map[string]string{"UTHO_API_KEY": keySecret, "UTHO_TOKEN": tokenSecret, "UTHO_API_KEY_FILE": keyFileSecret}[winner]
		if len(s.set) > 1 && s.set[1] == "UTHO_TOKEN" {
			v.warnings++ // that the two differ
		}
		if s.variable != "" {
			v.warnings++
		}
		if v.url == atDefault {
			v.code = 9 // behind a proxy that refuses
		}
	default:
		v.profile, v.secret = winner, map[string]string{"filed": filedSecret, "commanded": commandSecret}[winner]
		v.store = map[string]string{"filed": "file", "commanded": "command"}[winner]
		v.source, v.url = v.store, first(s.flagURL, s.varURL, atProfile)
		if v.url != atProfile {
			v.code, v.secret = 4, "" // bound to the place it was stored for
		}
	}
	return v
}

const keyFileSecret = "live_test_good_of_the_key_file"

// Which credential wins, what it shadows, and which host it reaches, over the combinations of
// what can supply one.
func TestPrecedence(t *testing.T) {
	t.Parallel()
	variables := []string{"UTHO_API_KEY", "UTHO_TOKEN", "UTHO_API_KEY_FILE"}
	urls := [][2]string{{atOther, ""}, {"", atOther}, {atProfile, atOther}}
	for _, flag := range []string{"", "filed", "commanded", "sandbox"} {
		for _, current := range []string{"", "filed"} {
			t.Run(fmt.Sprintf("flag=%s,current=%s", flag, current), func(t *testing.T) {
				t.Parallel()
				w := newTable(t, current)
				for n, variable := range []string{"", "commanded", "sandbox"} {
					for set := range 8 {
						if flag != "" && set != 0 && set != 7 {
							continue
						}
						s := sources{flag: flag, variable: variable, current: current}
						for i, name := range variables {
							if set&(1<<i) != 0 {
								s.set = append(s.set, name)
							}
						}
						w.check(t, s)
						s.flagURL, s.varURL = urls[(set+n)%3][0], urls[(set+n)%3][1]
						w.check(t, s)
					}
				}
			})
		}
	}
}

// table is a machine with two profiles, and all the services there are.
type table struct {
	m              *machine
	profile, other *recorder
	mu             sync.Mutex
	asked          []string // what the proxy was asked for
}

func newTable(t *testing.T, current string) *table {
	t.Helper()
	w := &table{m: newMachine(t), profile: record(t), other: record(t)}
	proxy := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.asked = append(w.asked, r.Host)
		rw.WriteHeader(http.StatusForbidden)
	}))
	t.Cleanup(proxy.Close)
	w.m.env["HTTPS_PROXY"] = proxy.URL
	w.m.login(filedSecret, "-p", "filed", "--api-url", w.profile.url, "login", "--store", "file").want(t, 0)
	config := "profiles:\n  filed:\n    api_url: " + w.profile.url + "\n    store: file\n" +
		"  commanded:\n    api_url: " + w.profile.url + "\n    credential_command: [echo, " + commandSecret + "]\n"
	if current != "" {
		config = "current_profile: " + current + "\n" + config
	}
	w.m.write(config, "config", "config.yaml")
	w.m.write(keyFileSecret+"\n", "key")
	w.profile.take()
	return w
}

func (w *table) check(t *testing.T, s sources) {
	t.Helper()
	url := map[string]string{
		atProfile: w.profile.url, atOther: w.other.url, atDefault: "https://api.utho.com/v2", atNone: "http://127.0.0.1/v2",
	}
	m, args := w.m.with("UTHO_PROFILE", s.variable, "UTHO_API_URL", url[s.varURL]), []string{"status", "-o", "json"}
	if s.flag != "" {
		args = append(args, "--profile", s.flag)
	}
	if s.flagURL != "" {
		args = append(args, "--api-url", url[s.flagURL])
	}
	for _, name := range s.set {
		// White space around a secret is trimmed.
		m = m.with(name, map[string]string{"UTHO_API_KEY": " " + keySecret + "\n", "UTHO_TOKEN": tokenSecret, "UTHO_API_KEY_FILE": m.path("key")}[name])
	}
	want, got := s.verdict(), m.utho(args...)
	fail := func(format string, args ...any) {
		t.Helper()
		t.Errorf("%+v: %s\nstdout: %s\nstderr: %s", s, fmt.Sprintf(format, args...), got.stdout, got.stderr)
	}
	if got.code != want.code {
		fail("exit status %d, want %d", got.code, want.code)
	}
	for whose, service := range map[string]*recorder{atProfile: w.profile, atOther: w.other} {
		var allowed []string
		if want.secret != "" && want.url == whose {
			allowed = []string{"Bearer " + want.secret}
		}
		if came := service.take(); !slices.Equal(came, allowed) {
			fail("%s service got %q, want %q", whose, came, allowed)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if toDefault := want.code == 9; toDefault != slices.Equal(w.asked, []string{"api.utho.com:443"}) || !toDefault && len(w.asked) > 0 {
		fail("the proxy was asked for %q", w.asked)
	}
	w.asked = nil
	if n := strings.Count(got.stderr, "warning: "); n != want.warnings {
		fail("%d warnings, want %d", n, want.warnings)
	}
	if strings.Contains(got.stdout+got.stderr, "live_test") {
		fail("a secret was shown")
	}
	if want.code == 2 {
		return
	}
	doc := map[string]any{}
	if err := json.Unmarshal([]byte(got.stdout), &doc); err != nil {
		fail("no document: %v", err)
		return
	}
	for key, value := range map[string]string{"profile": want.profile, "credential_source": want.source, "store": want.store, "api_url": url[want.url]} {
		if shown, _ := doc[key].(string); shown != value {
			fail("%s is %q, want %q", key, shown, value)
		}
	}
	if doc["authenticated"] != (want.code == 0) {
		fail("authenticated is %v", doc["authenticated"])
	}
	shadows := "" // the line ends the word list
	if _, after, ok := strings.Cut(got.stderr, "not used: "); ok {
		shadows, _, _ = strings.Cut(after, "\n")
	}
	if shadows != strings.Join(want.shadows, ", ") {
		fail("not used are %q, want %q", shadows, want.shadows)
	}
}
