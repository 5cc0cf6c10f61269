package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/utho/utho-cli/internal/sandbox"
)

var update = flag.Bool("update", false, "rewrite the goldens of scripts and the generated files")

// goRace spares every process of a -race build the second that it waits at its
// end by default. The processes of tests have it in GORACE.
const goRace = "atexit_sleep_ms=0"

func TestMain(m *testing.M) {
	// These tests mostly wait for processes, so more of them fit at once than there
	// are processors; -parallel on the command line still counts.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	testscript.Main(plainUmask{m}, map[string]func(){
		"utho": main,
	})
}

// plainUmask runs the tests, and not the programs that testscript starts, with a
// umask of which they know what it leaves: under 002 a configuration that a script
// writes would be one that others can write.
type plainUmask struct{ *testing.M }

func (m plainUmask) Run() int {
	umask(0o022)
	return m.M.Run()
}

// TestScripts runs the program in processes of its own against the sandbox on
// loopback. Each script has two services, which can be told to misbehave:
//
//	SERVICE_URL, SERVICE_KEY   the service, and a secret with write scope for it
//	OTHER_URL                  a second one that knows none of its secrets
//
// and these commands besides testscript's own:
//
//	exits CODE COMMAND...              run, and pin the exit status
//	fault [-other] [KEY[=VALUE]]...    make the service misbehave; see faultRule
//	release NAME                       let what hold=NAME or hold-after=NAME keeps go on
//	await METHOD PATH [COUNT]          wait until so many requests have come
//	requests [-other] METHOD PATH N    pin how many requests came
//	mode PERM FILE                     pin a file's permissions
//	tokens NAME N                      pin how many tokens of that name (ANY: at all) the service has
//	sequence 'WHO METHOD'...           pin the requests since the last sequence, in order; see cmdSequence
//	shell LINE                         run a line of POSIX shell
//	made [-other] COUNT                wait until so many creates have taken effect
//	leaks                              fail where the state or configuration folder holds a secret
//
// and these conditions:
//
//	[root]        the tests run as root
//	[tool:NAME]   the program is installed; where UTHO_TEST_TOOLS is set, it must be
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		Setup:               setupScript,
		Condition:           scriptCondition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    cmdExits,
			"fault":    cmdFault,
			"release":  cmdRelease,
			"await":    cmdAwait,
			"requests": cmdRequests,
			"mode":     cmdMode,
			"tokens":   cmdTokens,
			"shell":    cmdShell,
			"leaks":    cmdLeaks,
			"made":     cmdMade,
			"sequence": cmdSequence,
		},
	})
}

func scriptCondition(cond string) (bool, error) {
	if cond == "root" {
		return os.Geteuid() == 0, nil
	}
	tool, ok := strings.CutPrefix(cond, "tool:")
	if !ok {
		return false, fmt.Errorf("no such condition: %s", cond)
	}
	_, err := exec.LookPath(tool)
	if err != nil && os.Getenv("UTHO_TEST_TOOLS") != "" {
		return false, fmt.Errorf("%s is not installed", tool)
	}
	return err == nil, nil
}

// service is one sandbox over HTTP with its faults.
type service struct {
	url    string
	key    string
	faults *sandbox.Faults
	plain  *sandbox.Sandbox // the same store, without the faults
	holds  map[string]chan struct{}
	told   int // how many requests sequence has compared
	open   *openConns
}

type serviceKey string

func setupScript(env *testscript.Env) error {
	home := filepath.Join(env.WorkDir, "home")
	if err := os.Mkdir(home, 0o700); err != nil {
		return err
	}
	env.Setenv("HOME", home)
	env.Setenv("UTHO_CONFIG_DIR", filepath.Join(env.WorkDir, "config"))
	env.Setenv("UTHO_STATE_DIR", filepath.Join(env.WorkDir, "state"))
	env.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+filepath.Join(env.WorkDir, "no-bus"))
	env.Setenv("NO_PROXY", "*")
	env.Setenv("GORACE", goRace)
	main, err := startService(filepath.Join(env.WorkDir, ".service"), env.Defer)
	if err != nil {
		return err
	}
	other, err := startService(filepath.Join(env.WorkDir, ".other"), env.Defer)
	if err != nil {
		return err
	}
	env.Values[serviceKey("service")] = main
	env.Values[serviceKey("other")] = other
	env.Setenv("SERVICE_URL", main.url)
	env.Setenv("SERVICE_KEY", main.key)
	env.Setenv("OTHER_URL", other.url)
	env.Setenv("OTHER_KEY", other.key)
	return nil
}

// startService keeps a service in a folder, until what atEnd is given is called.
func startService(dir string, atEnd func(func())) (*service, error) {
	path := filepath.Join(dir, "sandbox.json")
	s := &service{faults: sandbox.NewFaults(), holds: map[string]chan struct{}{}, open: newOpenConns()}
	box, err := sandbox.Open(path, sandbox.WithFaults(s.faults))
	if err != nil {
		return nil, err
	}
	if s.plain, err = sandbox.Open(path); err != nil {
		return nil, err
	}
	if s.key, err = box.OperatorSecret(context.Background()); err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- box.Serve(ctx, countedListener{ln, s.open}) }()
	atEnd(func() {
		for _, c := range s.holds {
			close(c)
		}
		cancel()
		<-done
	})
	s.url = "http://" + ln.Addr().String() + "/v2"
	return s, nil
}

// theService gives the service that a command means, and its arguments without
// -other.
func theService(ts *testscript.TestScript, args []string) (*service, []string) {
	name := "service"
	if len(args) > 0 && args[0] == "-other" {
		name, args = "other", args[1:]
	}
	s, ok := ts.Value(serviceKey(name)).(*service)
	if !ok {
		ts.Fatalf("there is no service %s", name)
	}
	return s, args
}

func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("run %s: %v", args[1], err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("%s exited with %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// cmdFault adds a rule. Its words are method=, path=, nth=, times=, delay=,
// hold=NAME, drop-before, force-write, cut-name=, hide-lists=, hide-for=,
// refuse-new=, hold-after=NAME, drop-after, status=, body=, redirect=,
// retry-after=, effect, keep-body, prefix=, truncate, date=, after-create, and
// new-secret for requests that come with another secret than SERVICE_KEY;
// `fault clear` takes all rules away.
func cmdFault(ts *testscript.TestScript, neg bool, args []string) {
	s, args := theService(ts, args)
	if neg || len(args) == 0 {
		ts.Fatalf("usage: fault [-other] KEY[=VALUE]...")
	}
	if args[0] == "clear" {
		s.faults.Clear()
		return
	}
	var r sandbox.Rule
	for _, arg := range args {
		key, value, _ := strings.Cut(arg, "=")
		if err := setFault(&r, s, key, value); err != nil {
			ts.Fatalf("fault %s: %v", arg, err)
		}
	}
	s.faults.Add(r)
}

func setFault(r *sandbox.Rule, s *service, key, value string) (err error) {
	switch key {
	case "method":
		r.Method = value
	case "path":
		r.Path = value
	case "nth":
		r.Nth, err = strconv.Atoi(value)
	case "times":
		r.Times, err = strconv.Atoi(value)
	case "delay":
		r.Delay, err = time.ParseDuration(value)
	case "hold":
		r.Hold = s.hold(value)
	case "drop-before":
		r.DropBefore = true
	case "force-write":
		r.ForceWrite = true
	case "cut-name":
		r.CutName, err = strconv.Atoi(value)
	case "hide-lists":
		r.HideLists, err = strconv.Atoi(value)
	case "hide-for":
		r.HideFor, err = time.ParseDuration(value)
	case "refuse-new":
		r.RefuseNew, err = strconv.Atoi(value)
	case "hold-after":
		r.HoldAfter = s.hold(value)
	case "drop-after":
		r.DropAfter = true
	case "status":
		r.Status, err = strconv.Atoi(value)
	case "body":
		r.Body = value
	case "redirect":
		r.RedirectTo = value
	case "retry-after":
		r.RetryAfter = value
	case "effect":
		r.Effect = true
	case "keep-body":
		r.KeepBody = true
	case "prefix":
		r.Prefix = value
	case "truncate":
		r.Truncate = true
	case "after-create":
		r.AfterCreate = true
	case "new-secret":
		r.Match = func(req *http.Request) bool { return req.Header.Get("Authorization") != "Bearer "+s.key }
	case "date":
		r.Header = http.Header{"Date": {value}}
	default:
		return errors.New("no such word")
	}
	return err
}

// hold gives the channel of a name.
func (s *service) hold(name string) chan struct{} {
	if s.holds[name] == nil {
		s.holds[name] = make(chan struct{})
	}
	return s.holds[name]
}

func cmdRelease(ts *testscript.TestScript, _ bool, args []string) {
	s, args := theService(ts, args)
	for _, name := range args {
		if s.holds[name] == nil {
			ts.Fatalf("nothing is held as %s", name)
		}
		close(s.holds[name])
		delete(s.holds, name)
	}
}

func cmdAwait(ts *testscript.TestScript, _ bool, args []string) {
	s, args := theService(ts, args)
	if len(args) < 2 {
		ts.Fatalf("usage: await [-other] METHOD PATH [COUNT]")
	}
	want := 1
	if len(args) > 2 {
		var err error
		want, err = strconv.Atoi(args[2])
		ts.Check(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	method, path := anyIsAll(args[0]), anyIsAll(args[1])
	err := s.faults.Await(ctx, func([]sandbox.Request) bool { return s.faults.Count(method, path) >= want })
	if err != nil {
		ts.Fatalf("await %s %s: %v", args[0], args[1], err)
	}
}

func cmdRequests(ts *testscript.TestScript, _ bool, args []string) {
	s, args := theService(ts, args)
	if len(args) != 3 {
		ts.Fatalf("usage: requests [-other] METHOD PATH COUNT")
	}
	want, err := strconv.Atoi(args[2])
	ts.Check(err)
	method, path := anyIsAll(args[0]), anyIsAll(args[1])
	if got := s.faults.Count(method, path); got != want {
		var came []string
		for _, r := range s.faults.Requests() {
			came = append(came, r.Method+" "+r.Path)
		}
		ts.Fatalf("%s %s: %d requests, want %d; all: %s", method, path, got, want, strings.Join(came, ", "))
	}
}

// anyIsAll makes of the word ANY the empty pattern, which all match.
func anyIsAll(word string) string {
	if word == "ANY" {
		return ""
	}
	return word
}

func cmdMode(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: mode PERM FILE")
	}
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], got, args[0])
	}
}

func cmdTokens(ts *testscript.TestScript, _ bool, args []string) {
	s, args := theService(ts, args)
	if len(args) != 2 {
		ts.Fatalf("usage: tokens [-other] NAME COUNT")
	}
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	names, err := s.names()
	ts.Check(err)
	got := 0
	for _, n := range names {
		if n == args[0] || args[0] == "ANY" {
			got++
		}
	}
	if got != want {
		ts.Fatalf("the service has %d tokens named %s, want %d; all: %q", got, args[0], want, names)
	}
}

func cmdShell(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: shell 'LINE'")
	}
	err := ts.Exec("sh", "-c", args[0])
	if (err != nil) != neg {
		ts.Fatalf("sh -c %q: %v", args[0], err)
	}
}
