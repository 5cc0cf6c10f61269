//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// Which credential wins, which host gets it, and what it shadows. A row sets flags, variables and the
// current profile; what comes of it is the status, the profile, the source, who was sent which secret,
// what is named as not used, and how many warnings there are. The secrets are called by their places.
func TestPrecedence(t *testing.T) {
	t.Parallel()
	const good = "live_test_good_of_"
	var mu sync.Mutex
	var came string
	listen := func(name string) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			what := r.Host
			if name == "proxy" {
				w.WriteHeader(http.StatusForbidden)
			} else {
				what = strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "+good)
				_, _ = io.WriteString(w, `{"status":"success","api":[],"user":{"id":"1"}}`)
			}
			if what = "; " + name + ": " + what; !strings.Contains(came, what) {
				came += what
			}
		}))
		t.Cleanup(server.Close)
		return server.URL
	}
	home, other := listen("home")+"/v2", listen("other")+"/v2"
	urls := strings.NewReplacer("home", home, "other", other)
	m := newMachine(t).with("HTTPS_PROXY", listen("proxy"))
	m.login(good+"the_file_store", "-p", "filed", "--api-url", home, "login", "--store", "file").want(t, 0)
	m.write(good+"the_key_file\n", "key")
	for _, row := range []struct{ flags, variables, current, want string }{
		{"", "", "", "4 default <nil>"},
		{"", "", "filed", "0 filed file; home: the_file_store"},
		{"-p filed", "", "", "0 filed file; home: the_file_store"},
		{"-p commanded", "", "filed", "0 commanded command; home: the_command; not used: profile filed"},
		{"", "PROFILE=commanded", "filed", "0 commanded command; home: the_command; not used: profile filed"},
		{"-p filed", "PROFILE=commanded", "", "0 filed file; home: the_file_store; not used: profile commanded"},
		{"", "API_KEY", "filed", "9 <nil> UTHO_API_KEY; proxy: api.utho.com:443; not used: profile filed"},
		{"", "TOKEN API_URL=other", "filed", "0 <nil> UTHO_TOKEN; other: UTHO_TOKEN; not used: profile filed"},
		{"", "API_KEY_FILE API_URL=home", "", "0 <nil> UTHO_API_KEY_FILE; home: the_key_file"},
		{"", "TOKEN API_KEY_FILE API_URL=other", "", "0 <nil> UTHO_TOKEN; other: UTHO_TOKEN; not used: UTHO_API_KEY_FILE"},
		{
			"", "API_KEY TOKEN API_KEY_FILE PROFILE=commanded API_URL=other", "filed",
			"0 <nil> UTHO_API_KEY; other: UTHO_API_KEY; not used: UTHO_TOKEN, UTHO_API_KEY_FILE, profile commanded, profile filed; 2 warnings",
		},
		{"-p filed", "TOKEN API_KEY_FILE", "", "0 filed file; home: the_file_store; not used: UTHO_TOKEN, UTHO_API_KEY_FILE"},
		{"--api-url home", "API_KEY API_URL=other", "", "0 <nil> UTHO_API_KEY; home: UTHO_API_KEY"},
		// A profile's secret is bound to the place it was stored for.
		{"--api-url home", "API_URL=other", "filed", "0 filed file; home: the_file_store"},
		{"--api-url other", "", "filed", "4 filed file"},
		{"", "API_URL=other", "filed", "4 filed file"},
		{"-p commanded", "API_KEY API_URL=other", "", "4 commanded command; not used: UTHO_API_KEY"},
		// The sandbox wins wherever it is named, over its address too.
		{"-p sandbox", "API_KEY API_URL=other", "filed", "0 sandbox sandbox; not used: UTHO_API_KEY, profile filed"},
		{"", "PROFILE=sandbox API_KEY", "filed", "0 sandbox sandbox; not used: UTHO_API_KEY, profile filed"},
		{"-p filed", "PROFILE=sandbox", "", "0 filed file; home: the_file_store; not used: profile sandbox"},
		{"-p sandbox --api-url other", "", "", "2"},
	} {
		m.write("profiles:\n  filed: {api_url: "+home+", store: file}\n  commanded: {api_url: "+home+", credential_command: [echo, "+good+
			"the_command]}\n"+strings.TrimSuffix("current_profile: "+row.current+"\n", "current_profile: \n"), "config", "config.yaml")
		m := m
		for pair := range strings.FieldsSeq(row.variables) {
			name, value, _ := strings.Cut("UTHO_"+pair, "=")
			// White space around a secret is trimmed.
			m = m.with(name, map[string]string{"UTHO_API_KEY": " " + good + name + "\n", "UTHO_TOKEN": good + name,
				"UTHO_API_KEY_FILE": m.path("key"), "UTHO_API_URL": urls.Replace(value), "UTHO_PROFILE": value}[name])
		}
		came = ""
		r := m.utho(append(strings.Fields(urls.Replace(row.flags)), "status", "-o", "json")...)
		got, doc := fmt.Sprint(r.code), map[string]any{}
		if json.Unmarshal([]byte(r.stdout), &doc) == nil {
			got += fmt.Sprintf(" %v %v", doc["profile"], doc["credential_source"])
		}
		got += came
		if _, shadows, ok := strings.Cut(r.stderr, "not used: "); ok {
			shadows, _, _ = strings.Cut(shadows, "\n")
			got += "; not used: " + shadows
		}
		if n := strings.Count(r.stderr, "warning: "); n > 0 {
			got += fmt.Sprintf("; %d warnings", n)
		}
		if got != row.want || strings.Contains(r.stdout+r.stderr, "live_test") || doc["authenticated"] == true != (r.code == 0) {
			t.Errorf("%q %q, current %q:\ngot  %s\nwant %s\n%s%s", row.flags, row.variables, row.current, got, row.want, r.stdout, r.stderr)
		}
	}
}
