//go:build unix

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// A file that cannot be written whole is not written at all, and the reason
// reaches the caller. A process of its own is put under a limit on file sizes,
// which fails a write half-way as a full disk does.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	cmd, _, out := start(t, "full", filepath.Join(t.TempDir(), "sandbox.json"))
	said := out.Scan()
	if err := cmd.Wait(); err != nil || !said || out.Text() != "done" {
		t.Errorf("%v %s", err, out.Text())
	}
}

func onFullDisk(ctx context.Context, s *Sandbox, secret, path string) error {
	before, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	signal.Ignore(syscall.SIGXFSZ)
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	limit.Cur = 100
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	for _, request := range [][3]string{
		{"POST", "/api/generate", `{"name":"x","write":"on"}`},
		{"DELETE", "/api/10000/delete", ""},
	} {
		c := &http.Client{Transport: s.Transport()}
		g, err := roundTrip(ctx, c, request[0], BaseURL+request[1], secret, request[2])
		if !errors.As(err, new(*StoreError)) || !errors.Is(err, syscall.EFBIG) {
			return fmt.Errorf("%s: %v %s, want EFBIG", request[0], err, g.body)
		}
	}
	if err := s.Reset(ctx); !errors.Is(err, syscall.EFBIG) {
		return fmt.Errorf("reset: %v, want EFBIG", err)
	}
	after, err := os.ReadFile(path)
	if err != nil || !slices.Equal(before, after) {
		return fmt.Errorf("the file was changed: %v %s", err, after)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 2 { // the file and its lock
		return fmt.Errorf("left behind: %v %v", err, entries)
	}
	_, err = fmt.Println("done")
	return err
}
