//go:build linux

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// sources says which of them are there.
type sources struct {
	flag     string // --profile
	variable string // UTHO_PROFILE
	key      bool   // UTHO_API_KEY
	token    bool   // UTHO_TOKEN
	current  string // current_profile
	flagURL  string // --api-url
	varURL   string // UTHO_API_URL
}

// verdict is what the contract says about them, worked out here a second time.
type verdict struct {
	code     int
	profile  string
	source   string // credential_source
	store    string
	url      string // whose: profile's, other, default, or the sandbox's own
	secret   string // that reaches it; empty where nothing may be sent
	shadows  []string
	warnings int
}

const (
	atProfile = "the profile's"
	atOther   = "another"
	atDefault = "the default"
	atNone    = "none"
)

func (s sources) verdict() verdict {
	all := []struct{ name, secret string }{
		{"UTHO_API_KEY", keySecret}, {"UTHO_TOKEN", tokenSecret},
	}
	var v verdict
	// Everything that would supply a credential, strongest first.
	var order []string
	if s.flag != "" {
		order = append(order, s.flag)
	}
	if s.variable == "sandbox" {
		order = append(order, "sandbox")
	}
	for i, there := range []bool{s.key, s.token} {
		if there {
			order = append(order, all[i].name)
		}
	}
	if s.variable != "" && s.variable != "sandbox" {
		order = append(order, s.variable)
	}
	if s.current != "" {
		order = append(order, s.current)
	}
	if len(order) == 0 {
		return verdict{code: 4, profile: "default", store: "keyring", url: firstGiven(s.flagURL, s.varURL, atDefault)}
	}
	winner := order[0]
	for _, name := range order[1:] {
		if name == winner {
			continue
		}
		if !strings.HasPrefix(name, "UTHO") {
			name = "profile " + name
		}
		if !slices.Contains(v.shadows, name) {
			v.shadows = append(v.shadows, name)
		}
	}
	switch winner {
	case "sandbox":
		v.profile, v.source, v.store, v.url = "sandbox", "sandbox", "sandbox", atNone
		if s.flagURL != "" {
			v = verdict{code: 2, url: atNone}
		}
	case "UTHO_API_KEY", "UTHO_TOKEN":
		v.source, v.store = winner, "environment"
		v.url = firstGiven(s.flagURL, s.varURL, atDefault)
		v.secret = all[slices.Index([]string{"UTHO_API_KEY", "UTHO_TOKEN"}, winner)].secret
		if s.key && s.token {
			v.warnings++
		}
		if s.variable != "" {
			v.warnings++
		}
	case "filed", "commanded":
		v.profile, v.source, v.store, v.secret = winner, "file", "file", filedSecret
		if winner == "commanded" {
			v.source, v.store, v.secret = "command", "command", commandSecret
		}
		v.url = firstGiven(s.flagURL, s.varURL, atProfile)
		if v.url != atProfile {
			v.code, v.secret = 4, "" // bound to the place it was stored for
		}
	}
	return v
}

func firstGiven(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// Which credential wins, and which host it reaches, over every combination of
// what can supply one. The default address is reached through a proxy on
// loopback that answers for it with a certificate of its own.
func TestPrecedence(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"", "filed", "commanded", "sandbox"} {
		for _, current := range []string{"", "filed"} {
			t.Run(fmt.Sprintf("flag=%s,current=%s", flag, current), func(t *testing.T) {
				t.Parallel()
				w := newTable(t, current)
				for _, variable := range []string{"", "commanded", "sandbox"} {
					for env := range 4 {
						for _, urls := range [][2]string{{}, {atOther, ""}, {"", atOther}, {atProfile, atOther}} {
							w.check(t, sources{
								flag: flag, variable: variable, current: current,
								key: env&1 != 0, token: env&2 != 0,
								flagURL: urls[0], varURL: urls[1],
							})
						}
					}
				}
			})
		}
	}
}

// table is a machine with two profiles, and all the services there are.
type table struct {
	m                           *machine
	profile, other, defaultHost *recorder
}

func newTable(t *testing.T, current string) *table {
	t.Helper()
	w := &table{newMachine(t), record(t), record(t), &recorder{}}
	w.m.env["HTTPS_PROXY"], w.m.env["SSL_CERT_FILE"] = impersonate(t, "api.utho.com", w.defaultHost, w.m)
	w.m.login(filedSecret, "-p", "filed", "--api-url", w.profile.url, "login", "--store", "file").want(t, 0)
	config := "profiles:\n  filed:\n    api_url: " + w.profile.url + "\n    store: file\n" +
		"  commanded:\n    api_url: " + w.profile.url + "\n    credential_command: [echo, " + commandSecret + "]\n"
	if current != "" {
		config = "current_profile: " + current + "\n" + config
	}
	w.m.write(config, "config", "config.yaml")
	w.profile.take()
	return w
}

func (w *table) url(whose string) string {
	return map[string]string{
		atProfile: w.profile.url, atOther: w.other.url, atDefault: "https://api.utho.com/v2", atNone: "http://sandbox.invalid/v2",
	}[whose]
}

func (w *table) check(t *testing.T, s sources) {
	t.Helper()
	m, args := w.m, []string{"status", "-o", "json"}
	if s.flag != "" {
		args = append(args, "--profile", s.flag)
	}
	if s.flagURL != "" {
		args = append(args, "--api-url", w.url(s.flagURL))
	}
	m = m.with("UTHO_PROFILE", s.variable, "UTHO_API_URL", w.url(s.varURL))
	if s.key {
		m = m.with("UTHO_API_KEY", " "+keySecret+"\n") // white space around it is trimmed
	}
	if s.token {
		m = m.with("UTHO_TOKEN", tokenSecret)
	}
	want, got := s.verdict(), m.utho(args...)
	fail := func(format string, args ...any) {
		t.Helper()
		t.Errorf("%+v: %s\nstdout: %s\nstderr: %s", s, fmt.Sprintf(format, args...), got.stdout, got.stderr)
	}
	if got.code != want.code {
		fail("exit status %d, want %d", got.code, want.code)
	}
	for whose, service := range map[string]*recorder{atProfile: w.profile, atOther: w.other, atDefault: w.defaultHost} {
		var allowed []string
		if want.secret != "" && want.url == whose {
			allowed = []string{"Bearer " + want.secret}
		}
		if came := service.take(); !slices.Equal(came, allowed) {
			fail("%s service got %q, want %q", whose, came, allowed)
		}
	}
	if n := strings.Count(got.stderr, "utho: warning: "); n != want.warnings {
		fail("%d warnings, want %d", n, want.warnings)
	}
	if s.key && s.token && want.source == "UTHO_API_KEY" && !strings.Contains(got.stderr, "different values; UTHO_API_KEY is used") {
		fail("no word about the winner")
	}
	if strings.Contains(got.stdout+got.stderr, "live_test") {
		fail("a secret was shown")
	}
	if want.code == 2 {
		return
	}
	var doc struct {
		Profile       string `json:"profile"`
		URL           string `json:"api_url"`
		Source        string `json:"credential_source"`
		Store         string `json:"store"`
		Authenticated bool   `json:"authenticated"`
	}
	if err := json.Unmarshal([]byte(got.stdout), &doc); err != nil {
		fail("no document: %v", err)
		return
	}
	if doc.Profile != want.profile || doc.Source != want.source || doc.Store != want.store || doc.Authenticated != (want.code == 0) {
		fail("the document differs from %+v", want)
	}
	if want.url != atNone && doc.URL != w.url(want.url) {
		fail("api_url is %s, want %s", doc.URL, w.url(want.url))
	}
	var shadows []string
	for line := range strings.Lines(got.stderr) {
		if list, ok := strings.CutPrefix(line, "utho: shadowed: "); ok {
			shadows = strings.Split(strings.TrimSpace(list), ", ")
		}
	}
	slices.Sort(shadows)
	slices.Sort(want.shadows)
	if !slices.Equal(shadows, want.shadows) {
		fail("shadowed are %q, want %q", shadows, want.shadows)
	}
}

// impersonate serves https://HOST on loopback, behind a proxy. It returns the
// proxy's address and the file with the certificate to trust.
func impersonate(t *testing.T, host string, handler http.Handler, m *machine) (proxy, trust string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	server.StartTLS()
	t.Cleanup(server.Close)
	tunnel := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Host != host+":443" {
			t.Errorf("the proxy was asked for %s %s", r.Method, r.Host)
			w.WriteHeader(http.StatusForbidden)
			return
		}
		there, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		here, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			_ = there.Close()
			return
		}
		_, _ = io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n")
		go func() {
			_, _ = io.Copy(there, buffered)
			_ = there.Close()
		}()
		_, _ = io.Copy(here, there)
		_ = here.Close()
	}))
	t.Cleanup(tunnel.Close)
	trust = m.write(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), "trusted.pem")
	return tunnel.URL, trust
}
