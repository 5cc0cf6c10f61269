//go:build unix

package main

import (
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/utho/utho-cli/internal/sandbox/sandboxtest"
)

var rotations = flag.Int("many", 12, "TestMany: how many tokens to rotate, ten a profile")

// Many tokens in many profiles, each rotated by a line of its own in the same minute, then
// pruned by one line a profile, with a service that answers 429 now and then: nothing is
// lost, and nothing is created twice.
func TestMany(t *testing.T) {
	t.Parallel()
	requires(t, "xargs")
	box := sandboxtest.New(t)
	var requests, refused atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1)%15 > 0 {
			box.ServeHTTP(w, r)
			return
		}
		refused.Add(1)
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	t.Cleanup(server.Close)
	m := newMachine(t).with("UTHO_API_URL", server.URL+"/v2")
	profiles := max(*rotations/10, 2)
	var rotate, prune strings.Builder
	for n := range profiles {
		m.login(box.Add(fmt.Sprintf("own-%d", n), true).Secret, "-p", fmt.Sprintf("p%d", n), "login", "--store", "file").want(t, 0)
		for k := range 2 {
			box.Add(fmt.Sprintf("p%d-old%d.expires-20250101T0000Z", n, k), false)
		}
		fmt.Fprintf(&prune, "utho -p p%d token delete --expired --name \\'p%d-*\\' --yes\n", n, n)
	}
	soon := time.Now().Add(48 * time.Hour).UTC().Format(".expires-20060102T1504Z")
	for n := range *rotations {
		name := fmt.Sprintf("p%d-t%d", n%profiles, n)
		m.write("UTHO_API_KEY="+box.Add(name+soon, false).Secret+"\n", name+".env")
		fmt.Fprintf(&rotate, "utho -p p%d token rotate %s --if-expires-within 7d --yes --to env:%s.env\n", n%profiles, name, name)
	}
	cron := func(lines string) time.Duration {
		begun := time.Now()
		m.run(lines, "xargs", "-P", "8", "-I{}", "sh", "-c", "{}").want(t, 0)
		return time.Since(begun).Round(100 * time.Millisecond)
	}
	rotated, pruned := cron(rotate.String()), cron(prune.String())
	created, lost := 0, 0
	for _, r := range box.Requests() {
		if r.Op == sandboxtest.Create && r.Effect {
			created++
		}
	}
	for n := range *rotations {
		if !box.Works(m.secret(fmt.Sprintf("p%d-t%d.env", n%profiles, n))) {
			lost++
		}
	}
	left := len(box.Tokens()) - 4 - profiles // without those of the seed and the profiles' own
	if created != *rotations || lost != 0 || left != *rotations {
		t.Errorf("%d tokens: %d created, %d lost, %d there in the end", *rotations, created, lost, left)
	}
	t.Logf("tokens %d, profiles %d, requests %d, of them 429 %d, created %d, lost %d, rotated in %v, pruned in %v",
		*rotations, profiles, requests.Load(), refused.Load(), created, lost, rotated, pruned)
}
