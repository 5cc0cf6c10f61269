package main

import (
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
)

// A create that never left, since nobody takes the connection any more, made
// nothing: 9, and the old token of a rotation is untouched.
func TestCreateNeverLeft(t *testing.T) {
	for _, args := range []string{"create new", "rotate old --yes", "run -- true"} {
		t.Run(strings.Fields(args)[0], func(t *testing.T) {
			t.Parallel()
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			var posts atomic.Int32
			server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost {
					posts.Add(1)
				}
				_ = ln.Close() // the first list is the last request that can be made
				w.Header().Set("Connection", "close")
				_, _ = fmt.Fprint(w, `{"status":"success","api":[{"id":"1","name":"old","write":"0","created_at":"2024-01-01 00:00:00"}]}`)
			})}
			go func() { _ = server.Serve(ln) }()
			defer server.Close() //nolint:errcheck // nothing is left to lose
			dir := t.TempDir()
			cmd := exec.Command("utho", append([]string{"--timeout", "5s", "token"}, strings.Fields(args)...)...)
			cmd.Dir = dir
			cmd.Env = append(cmd.Environ(), "HOME="+dir, "UTHO_CONFIG_DIR="+dir+"/config", "UTHO_STATE_DIR="+dir+"/state",
				"UTHO_API_URL=http://"+ln.Addr().String()+"/v2", "UTHO_API_KEY=live_test_0123456789abcdef", "NO_PROXY=*")
			var stdout, stderr strings.Builder
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			_ = cmd.Run() // its status is looked at
			want := 9
			if strings.HasPrefix(args, "run") {
				want = 125
			}
			if cmd.ProcessState.ExitCode() != want || !strings.Contains(stderr.String(), "nothing was created") || stdout.Len() > 0 {
				t.Errorf("status %d, want %d; stdout %q, stderr:\n%s", cmd.ProcessState.ExitCode(), want, stdout.String(), stderr.String())
			}
			if posts.Load() != 0 {
				t.Errorf("%d creates came", posts.Load())
			}
		})
	}
}
