package sandbox

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// child is another process that uses the file at path; see TestMain.
func child(role, path string) error {
	s, err := Open(path)
	if err != nil {
		return err
	}
	ctx := context.Background()
	secret, err := s.OperatorSecret(ctx)
	if err != nil {
		return err
	}
	switch role {
	case "create", "create for ever":
		for i := 0; role != "create" || i < eachMakes; i++ {
			name := fmt.Sprintf("%d-%d", os.Getpid(), i)
			if err := createByName(ctx, &http.Client{Transport: s.Transport()}, BaseURL, secret, name); err != nil {
				return err
			}
			fmt.Println(name) // it was answered, so it must never be lost
		}
		return nil
	case "serve":
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		fmt.Println("http://" + ln.Addr().String() + "/v2")
		ctx, stop := context.WithCancel(ctx)
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin) // until the parent has gone
			stop()
		}()
		return s.Serve(ctx, ln)
	case "full":
		return onFullDisk(ctx, s, secret, path)
	}
	return fmt.Errorf("no role %q", role)
}

// eachMakes is how many tokens each process makes.
const eachMakes = 12

func createByName(ctx context.Context, c *http.Client, base, secret, name string) error {
	g, err := roundTrip(ctx, c, "POST", base+"/api/generate", secret, `{"name":"`+name+`","write":"off"}`)
	if err == nil && !strings.HasPrefix(g.body, `{"status":"success","apikey":"live_sandbox_`) {
		err = fmt.Errorf("create %s: %d %s", name, g.status, g.body)
	}
	return err
}

func start(t *testing.T, role, path string) (cmd *exec.Cmd, stdin io.WriteCloser, stdout *bufio.Scanner) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), "SANDBOX_TEST_ROLE="+role, "SANDBOX_TEST_PATH="+path)
	cmd.Stderr = os.Stderr
	if stdin, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, stdin, bufio.NewScanner(out)
}

// Several processes at once lose nothing, a running serve among them.
func TestProcessesTogether(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state", "sandbox.json") // which one of them makes
	server, hangUp, url := start(t, "serve", path)
	if !url.Scan() {
		t.Fatal("serve said nothing")
	}
	s := openAt(t, path)
	secret := operator(t, s)

	var mu sync.Mutex
	want := map[string]bool{}
	made := func(name string) {
		mu.Lock()
		defer mu.Unlock()
		want[name] = true
	}
	var wg sync.WaitGroup
	for range 3 {
		cmd, _, names := start(t, "create", path)
		wg.Go(func() {
			for names.Scan() {
				made(names.Text())
			}
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
	for who, via := range map[string]struct {
		client *http.Client
		base   string
	}{
		"http":   {newClient(), url.Text()},
		"here-1": {inProcess(s), BaseURL},
		"here-2": {inProcess(openAt(t, path)), BaseURL},
	} {
		wg.Go(func() {
			for i := range eachMakes {
				name := fmt.Sprintf("%s-%d", who, i)
				if err := createByName(t.Context(), via.client, via.base, secret, name); err != nil {
					t.Error(err)
				}
				made(name)
			}
		})
	}
	wg.Wait()
	if err := hangUp.Close(); err != nil {
		t.Error(err)
	}
	if err := server.Wait(); err != nil {
		t.Errorf("serve: %v", err)
	}
	if len(want) != 6*eachMakes {
		t.Errorf("%d answered, want %d", len(want), 6*eachMakes)
	}
	ids := map[string]bool{}
	for _, tok := range tokens(t, s)[4:] {
		f := strings.Fields(tok)
		if ids[f[0]] {
			t.Errorf("id %s stands twice", f[0])
		}
		ids[f[0]] = true
		delete(want, f[1])
	}
	if len(want) > 0 || len(ids) != 6*eachMakes {
		t.Errorf("%d tokens; lost %v", len(ids), want)
	}
}

// A process that is killed at any moment leaves a file that can be read, with
// all that it had answered, and no lock behind.
func TestKilled(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sandbox.json")
	s := openAt(t, path)
	op := operator(t, s)
	for round := range 8 {
		cmd, _, names := start(t, "create for ever", path)
		var answered []string
		for len(answered) <= round && names.Scan() {
			answered = append(answered, names.Text())
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for names.Scan() { // what it said before the signal came
			answered = append(answered, names.Text())
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("it ended by itself")
		}
		all := strings.Join(tokens(t, s), "\n") + "\n"
		for _, name := range answered {
			if !strings.Contains(all, " "+name+" 0\n") {
				t.Errorf("round %d: %s was answered and is lost", round, name)
			}
		}
		if operator(t, s) != op {
			t.Error("the operator's secret changed")
		}
		mustCreate(t, s, "after", "on") // nobody holds the lock
	}
}
