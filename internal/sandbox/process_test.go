package sandbox

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// createForEver is another process that uses the file at path; see TestMain.
func createForEver(path string) error {
	s := Open(path)
	var err error
	for i := 0; err == nil; i++ {
		name := fmt.Sprintf("%d-%d", os.Getpid(), i)
		if err = createByName(context.Background(), s, name); err == nil {
			_, err = fmt.Println(name) // it was answered, so it must never be lost
		}
	}
	return err
}

func createByName(ctx context.Context, s *Sandbox, name string) error {
	secret, err := s.OperatorSecret(ctx)
	if err != nil {
		return err
	}
	g, err := roundTrip(ctx, s.Transport(), "POST", BaseURL+"/api/generate", secret, `{"name":"`+name+`","write":"off"}`)
	if err == nil && !strings.HasPrefix(g.body, `{"status":"success","apikey":"live_sandbox_`) {
		err = fmt.Errorf("create %s: %d %s", name, g.status, g.body)
	}
	return err
}

// Several processes at once, and several requests in one, lose nothing, also if some are killed in the middle: the
// file can be read, all that was answered is in it, ids are given once, and nobody holds the lock.
func TestProcesses(t *testing.T) {
	t.Parallel()
	s := open(t)
	op := operator(t, s)
	var mu sync.Mutex
	var answered []string
	var wg sync.WaitGroup
	for answers := range 4 {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env, cmd.Stderr = append(os.Environ(), "SANDBOX_TEST_PATH="+s.path), os.Stderr
		out, err := cmd.StdoutPipe()
		if err = errors.Join(err, cmd.Start()); err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			lines := bufio.NewScanner(out)
			for n := 0; lines.Scan(); n++ { // to the end: what it said before the signal came
				mu.Lock()
				answered = append(answered, lines.Text())
				mu.Unlock()
				if n == 3*answers {
					_ = cmd.Process.Kill() // that it was still there shows in its end
				}
			}
			if err := cmd.Wait(); err == nil {
				t.Error("it ended by itself")
			}
		})
	}
	for who, box := range []*Sandbox{s, s, Open(s.path)} {
		wg.Go(func() {
			for i := range 10 {
				if err := createByName(t.Context(), box, fmt.Sprintf("here-%d-%d", who, i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	all, ids := tokens(t, s), map[string]bool{}
	for _, tok := range all {
		ids[tok[:strings.IndexByte(tok, ' ')]] = true
	}
	if len(ids) != len(all) || len(all) < 4+30+len(answered) || operator(t, s) != op {
		t.Errorf("%d tokens with %d ids, after %d answers", len(all), len(ids), 30+len(answered))
	}
	for _, name := range answered {
		if !strings.Contains(strings.Join(all, "\n")+"\n", " "+name+" 0\n") {
			t.Errorf("%s was answered and is lost", name)
		}
	}
	mustCreate(t, s, "after", "on") // nobody holds the lock
}
