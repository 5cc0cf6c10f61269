package sandboxtest_test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/utho/utho-cli/internal/sandbox"
	"github.com/utho/utho-cli/internal/sandbox/sandboxtest"
)

func send(ctx context.Context, s *sandboxtest.Server, method, path, secret, body string) (int, string, error) {
	r, err := http.NewRequestWithContext(ctx, method, sandbox.BaseURL+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	resp, err := s.Transport().RoundTrip(r)
	if err != nil {
		return 0, "", err
	}
	data, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(data), err
}

func TestSmoke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.New(t)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		s.Fault(sandboxtest.Fault{On: sandboxtest.Create, HoldAfter: make(chan struct{})},
			sandboxtest.Fault{On: sandboxtest.Confirm, Status: 500, Times: 1})
		_, _, err := send(ctx, s, "GET", "/api", s.Operator(), "")
		t.Log(err)
		start := time.Now()
		_, _, err = send(ctx, s, "POST", "/api/generate", s.Operator(), `{"name":"x","write":"on"}`)
		t.Log(err, time.Since(start))
		for range 2 {
			t.Log(send(t.Context(), s, "GET", "/api", s.Operator(), ""))
		}
		all := s.Tokens()
		t.Log(send(t.Context(), s, "GET", "/api", all[4].Secret, ""))
		t.Log(all, s.Ops(), s.Works(all[4].Secret))
		if !slices.Equal(s.Ops(), []sandboxtest.Op{"list", "create", "confirm", "confirm", "verify"}) {
			t.Error(s.Ops())
		}
		s.Remove(all[4].ID)
		t.Log(s.Works(all[4].Secret), s.Add("<x>", true))
	})
}
