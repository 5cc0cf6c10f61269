package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// BenchmarkProcess runs whole processes of a release build against a service on
// loopback, each after one of testdata/floor. ns/op is the median of utho's
// times, x/GET of the ratios of the two: on a machine that does other things
// too, only that ratio means something.
func BenchmarkProcess(b *testing.B) {
	dir := b.TempDir()
	utho := buildProgram(b, dir, "utho", ".")
	floor := buildProgram(b, dir, "floor", "./testdata/floor")
	bodies := map[string][]byte{"/10/api": manyTokens(10), "/1000/api": manyTokens(1000)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(bodies[r.URL.Path]) // a client that went away shows in its own status
	}))
	defer server.Close()
	m := newMachine(b)
	for _, row := range []string{
		"10/version", "10/--help", "10/__complete token delete 1", "10/token list", "10/token list -o json", "1000/token list", "1000/token list -o json",
	} {
		b.Run(row, func(b *testing.B) {
			tokens, args, _ := strings.Cut(row, "/")
			base := server.URL + "/" + tokens
			m := m.with("UTHO_API_URL", base, "UTHO_API_KEY", "live_test_bench", "NO_PROXY", "*")
			run := func(args ...string) float64 {
				cmd := m.command(args...)
				start := time.Now()
				if err := cmd.Run(); err != nil {
					b.Fatal(err)
				}
				return float64(time.Since(start))
			}
			var times, ratios []float64
			for b.Loop() {
				unit := run(floor, base+"/api")
				took := run(append([]string{utho}, strings.Fields(args)...)...)
				times, ratios = append(times, took), append(ratios, took/unit)
			}
			slices.Sort(times)
			slices.Sort(ratios)
			b.ReportMetric(times[len(times)/2], "ns/op")
			b.ReportMetric(ratios[len(ratios)/2], "x/GET")
		})
	}
}

// buildProgram builds as a release does. What comes back is a copy, as people
// have it too: the file that the linker wrote starts up to 0.8 ms later, since
// the system caches it in smaller pieces.
func buildProgram(b *testing.B, dir, name, pkg string) string {
	b.Helper()
	linked, copied := filepath.Join(dir, name+".linked"), filepath.Join(dir, name+".exe")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w -buildid= -X main.version=0.1.0", "-o", linked, pkg)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	program, err := os.ReadFile(linked)
	if err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(copied, program, 0o755); err != nil {
		b.Fatal(err)
	}
	return copied
}

// manyTokens is the service's list of n tokens.
func manyTokens(n int) []byte {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf(`{"id":"%d","name":"ci-deploy-%d","write":"%d","created_at":"2025-%02d-%02d 13:04:20"}`,
			176300+i, i, i%2, i%12+1, i%28+1))
	}
	return []byte(`{"status":"success","api":[` + strings.Join(all, ",") + `]}`)
}
