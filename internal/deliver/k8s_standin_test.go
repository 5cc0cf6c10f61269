package deliver

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const kubeTestSecret = "live_kube_0123456789abcdefABCDEF"

// A bench is a namespace with one Secret of interest, called "api". Its kubectl, first on the PATH,
// records what it is given, misbehaves when told, and is otherwise the real one if there is a
// server, else a small look-alike that keeps the Secret in a file.
type bench struct{ dir, namespace string }

// kubeCall is one run of kubectl as it was seen.
type kubeCall struct {
	Argv  []string
	Stdin string
	Leak  string // where the secret could be seen while kubectl ran
}

// eachBench runs a test with the look-alike, and with the server that UTHO_TEST_KUBECONFIG names.
func eachBench(t *testing.T, run func(t *testing.T, b *bench)) {
	t.Run("stand-in", func(t *testing.T) { run(t, newBench(t, "")) })
	t.Run("server", func(t *testing.T) { run(t, serverBench(t)) })
}

func serverBench(t *testing.T) *bench {
	t.Helper()
	config := os.Getenv("UTHO_TEST_KUBECONFIG")
	if config == "" {
		t.Skip("UTHO_TEST_KUBECONFIG names no server; .ci/kube/test starts one")
	}
	t.Setenv("KUBECONFIG", config)
	real, err := exec.LookPath("kubectl")
	if err != nil {
		t.Fatal(err)
	}
	return newBench(t, real)
}

// newBench takes the look-alike if real is empty.
func newBench(t *testing.T, real string) *bench {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("k8s: is refused on Windows")
	}
	b := &bench{t.TempDir(), "t-" + strconv.FormatInt(time.Now().UnixNano(), 36)}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("#!/bin/sh\nUTHO_TEST_BENCH='%s' UTHO_TEST_KUBECTL='%s' exec '%s' -test.run='^TestKubectlStandIn$' -- \"$@\"\n",
		b.dir, real, exe)
	syscall.ForkLock.RLock() // a fork that holds the file open for writing would keep it from being executed
	err = os.WriteFile(filepath.Join(b.dir, "kubectl"), []byte(script), 0o700)
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", b.dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("HOME", t.TempDir()) // where kubectl keeps its cache
	t.Setenv("UTHO_API_KEY", "live_parent_0123456789")
	if real != "" {
		b.kubectl(t, "", "create", "namespace", b.namespace)
	}
	return b
}

// kubectl runs kubectl as somebody else does.
func (b *bench) kubectl(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, err := b.try(stdin, args...)
	if err != nil {
		t.Fatalf("kubectl %q: %v: %s", args, err, out)
	}
	return out
}

func (b *bench) try(stdin string, args ...string) (string, error) {
	cmd := exec.Command("kubectl", args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// put creates the Secret with these members beside its name.
func (b *bench) put(t *testing.T, members string) {
	t.Helper()
	b.kubectl(t, fmt.Sprintf(`{"apiVersion":"v1","kind":"Secret","metadata":{"name":"api","namespace":%q,"annotations":{"a":"b"}},%s}`,
		b.namespace, members), "create", "-f", "-")
}

// change merges members into the Secret, as somebody else.
func (b *bench) change(t *testing.T, members string) {
	t.Helper()
	b.kubectl(t, members, "patch", "secret", "api", "-n", b.namespace, "--type=merge", "--patch-file=/dev/stdin")
}

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
}

// state is the Secret without what every write changes; empty if there is none.
func (b *bench) state(t *testing.T) string {
	t.Helper()
	out := b.kubectl(t, "", "get", "secret", "api", "-n", b.namespace, "--ignore-not-found", "-o", "json")
	if out == "" {
		return ""
	}
	var s struct {
		Type, Data any
		Metadata   struct{ Name, Annotations any }
	}
	decode(t, out, &s)
	text, _ := json.Marshal(s)
	return string(text)
}

// open is the destination of a key of the Secret.
func (b *bench) open(t *testing.T, key string) *kubernetes {
	t.Helper()
	d, err := newKubernetes(Spec{Kind: KindKubernetes, Arg: b.namespace + "/api#" + key}, Env{Environ: os.Environ()})
	if err != nil {
		t.Fatal(err)
	}
	return d.(*kubernetes)
}

// fault makes the next run of kubectl VERB misbehave: "refuse", "drop" (not done, no answer),
// "lose" (done, no answer), "hang" (not done, no end), "stay" (done, no end), or a patch that
// arrives from elsewhere just before.
func (b *bench) fault(t *testing.T, verb, what string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, "fault-"+verb), []byte(what), 0o600); err != nil {
		t.Fatal(err)
	}
}

// calls are the runs of kubectl by the destination, which always names a context.
func (b *bench) calls(t *testing.T) []kubeCall {
	t.Helper()
	log, err := os.ReadFile(filepath.Join(b.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	var calls []kubeCall
	for line := range bytes.Lines(log) {
		var c kubeCall
		decode(t, string(line), &c)
		if slices.ContainsFunc(c.Argv, func(a string) bool { return strings.HasPrefix(a, "--context=") }) {
			calls = append(calls, c)
		}
	}
	return calls
}

// TestKubectlStandIn is the kubectl of a bench, and no test.
func TestKubectlStandIn(t *testing.T) {
	dir := os.Getenv("UTHO_TEST_BENCH")
	if dir == "" {
		t.Skip("it runs as a kubectl")
	}
	k := standIn{dir: dir, real: os.Getenv("UTHO_TEST_KUBECTL"), argv: os.Args[slices.Index(os.Args, "--")+1:]}
	if err := k.main(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0) // before the testing package writes to stdout
}

type standIn struct {
	dir, real string
	argv      []string
	stdin     []byte
}

func (k *standIn) file(name string) string { return filepath.Join(k.dir, name) }

func (k *standIn) main() error {
	verb := k.argv[0]
	k.stdin, _ = io.ReadAll(os.Stdin)
	dry := slices.Contains(k.argv, "--dry-run=server")
	fault, _ := os.ReadFile(k.file("fault-" + verb))
	if dry {
		fault = nil
	} else {
		_ = os.Remove(k.file("fault-" + verb))
	}
	call := kubeCall{Argv: k.argv, Stdin: string(k.stdin)}
	if os.Getenv("UTHO_API_KEY") != "" {
		call.Leak = "its environment"
	}
	switch what := string(fault); {
	case what == "refuse":
		return fmt.Errorf(`Error from server (Forbidden): secrets "api" is forbidden: User "u" cannot %s resource "secrets"`, verb)
	case what == "hang":
		return k.hang()
	case what == "drop":
		k.record(call)
		return fmt.Errorf("Unable to connect to the server: EOF while sending %s", k.stdin)
	case strings.HasPrefix(what, "{"):
		namespace := k.argv[slices.IndexFunc(k.argv, func(a string) bool { return strings.HasPrefix(a, "--namespace=") })]
		other := standIn{dir: k.dir, real: k.real, stdin: fault,
			argv: []string{"patch", "secret", "api", namespace, "--type=merge", "--patch-file=/dev/stdin"}}
		if err := other.do(&call, io.Discard); err != nil {
			return err
		}
	}
	var out bytes.Buffer
	err := k.do(&call, &out)
	k.record(call)
	if string(fault) == "stay" {
		return k.hang()
	}
	if string(fault) == "lose" {
		return fmt.Errorf("Unable to connect to the server: EOF while sending %s", k.stdin)
	}
	_, _ = os.Stdout.Write(out.Bytes())
	return err
}

func (k *standIn) hang() error {
	_ = os.WriteFile(k.file("hanging"), nil, 0o600)
	time.Sleep(time.Hour)
	return nil
}

func (k *standIn) record(c kubeCall) {
	line, _ := json.Marshal(c)
	f, err := os.OpenFile(k.file("log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, _ = f.Write(append(line, '\n'))
		_ = f.Close()
	}
}

// do does what kubectl does.
func (k *standIn) do(call *kubeCall, out io.Writer) error {
	if k.real == "" {
		return k.imitate(out)
	}
	cmd := exec.Command(k.real, k.argv...)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = out, &said
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	call.Leak = cmp.Or(call.Leak, leak(cmd.Process.Pid)) // it waits for its stdin
	_, _ = stdin.Write(k.stdin)
	_ = stdin.Close()
	if cmd.Wait() != nil {
		return fmt.Errorf("%s", strings.TrimSpace(said.String()))
	}
	return nil
}

// leak is where others could see the secret: an argument of any process, the environment of pid.
func leak(pid int) string {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range append(files, fmt.Sprintf("/proc/%d/environ", pid)) {
		b, _ := os.ReadFile(f)
		for _, s := range []string{kubeTestSecret, base64.StdEncoding.EncodeToString([]byte(kubeTestSecret))} {
			if bytes.Contains(b, []byte(s)) {
				return f
			}
		}
	}
	return ""
}

// imitate keeps the Secret in a file and answers as kubectl 1.33 does.
func (k *standIn) imitate(out io.Writer) error {
	var s map[string]any
	if b, err := os.ReadFile(k.file("secret")); err == nil {
		_ = json.Unmarshal(b, &s)
	}
	switch k.argv[0] {
	case "config":
		fmt.Fprint(out, "test\nhttps://192.0.2.1:6443\n")
		return nil
	case "get":
		if s != nil {
			_ = json.NewEncoder(out).Encode(s)
		}
		return nil
	}
	var in map[string]any
	if err := json.Unmarshal(k.stdin, &in); err != nil {
		return err
	}
	conflict := fmt.Errorf(`Error from server (Conflict): Operation cannot be fulfilled on secrets "api"`)
	switch k.argv[0] {
	case "create":
		if s != nil {
			return fmt.Errorf(`Error from server (AlreadyExists): error when creating "STDIN": secrets "api" already exists`)
		}
		s = in
		s["metadata"].(map[string]any)["uid"] = "uid-" + strconv.FormatInt(time.Now().UnixNano(), 36)
	case "patch":
		if s == nil {
			return fmt.Errorf(`Error from server (NotFound): secrets "api" not found`)
		}
		meta := s["metadata"].(map[string]any)
		want, _ := in["metadata"].(map[string]any)
		if v, ok := want["resourceVersion"]; ok && v != meta["resourceVersion"] {
			return conflict
		}
		before := fmt.Sprint(s)
		if merge(s, in); fmt.Sprint(s) == before { // nothing is written, and the version stays
			_, err := fmt.Fprint(out, meta["resourceVersion"])
			return err
		}
	case "delete":
		want, is := in["preconditions"].(map[string]any), s["metadata"].(map[string]any)
		if want["uid"] != is["uid"] || want["resourceVersion"] != is["resourceVersion"] {
			return conflict
		}
		return os.Remove(k.file("secret"))
	}
	meta := s["metadata"].(map[string]any)
	meta["resourceVersion"] = strconv.FormatInt(time.Now().UnixNano(), 10)
	if slices.Contains(k.argv, "jsonpath={.metadata.uid}") {
		fmt.Fprint(out, meta["uid"])
	} else {
		fmt.Fprint(out, meta["resourceVersion"])
	}
	if slices.Contains(k.argv, "--dry-run=server") {
		return nil
	}
	b, _ := json.Marshal(s)
	return os.WriteFile(k.file("secret"), b, 0o600)
}

// merge is a JSON merge patch (RFC 7396).
func merge(into, patch map[string]any) {
	for name, v := range patch {
		if v == nil {
			delete(into, name)
		} else if sub, ok := v.(map[string]any); ok {
			old, ok := into[name].(map[string]any)
			if !ok {
				old = make(map[string]any)
				into[name] = old
			}
			merge(old, sub)
		} else {
			into[name] = v
		}
	}
}
