package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/utho/utho-cli/internal/sandbox/sandboxtest"
)

// TestScripts runs the program in processes of its own against the sandbox on
// loopback. Each script has two services, which can be told to misbehave:
//
//	SERVICE_URL, SERVICE_KEY   the service, and a secret with write scope for it
//	OTHER_URL, OTHER_KEY       a second one that knows none of its secrets
//	STANDIN_PROGRAM            stands for kubectl, if it is called so
//
// and these commands besides testscript's own:
//
//	exits CODE COMMAND...       run, and pin the exit status
//	fault OP WHAT... | clear    make requests go wrong, or none any more; see fault
//	await NAME                  wait until another request is held by hold=NAME
//	release NAME                let them go on
//	sequence [-other] OP...     pin the requests since the last sequence; see sequence
//	tokens NAME N               pin how many tokens of that name, or any, the service has
//	mode PERM FILE              pin a file's permissions
//	shell LINE                  run a line of POSIX shell
//	[!] leaks                   fail if the state or configuration folder holds a secret, as also at the end
//
// and these conditions:
//
//	[root]        the tests run as root
//	[tool:NAME]   the program is installed; if UTHO_TEST_TOOLS is set, it must be
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		Setup:               setupScript,
		Condition: func(cond string) (bool, error) {
			if tool, ok := strings.CutPrefix(cond, "tool:"); ok {
				return installed(tool)
			}
			if cond != "root" {
				return false, fmt.Errorf("no such condition: %s", cond)
			}
			return os.Geteuid() == 0, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    command(2, 99, exits),
			"fault":    command(1, 99, fault),
			"await":    command(1, 1, func(ts *testscript.TestScript, s *service, args []string) { s.await(ts, args[0]) }),
			"release":  command(1, 1, func(_ *testscript.TestScript, s *service, args []string) { s.release(args[0]) }),
			"sequence": command(0, 99, sequence),
			"tokens":   command(2, 2, tokens),
			"mode":     command(2, 2, mode),
			"shell":    command(1, 1, func(ts *testscript.TestScript, _ *service, args []string) { ts.Check(ts.Exec("sh", "-c", args[0])) }),
			"leaks": func(ts *testscript.TestScript, neg bool, _ []string) {
				if found, err := leaks(ts.Getenv("UTHO_STATE_DIR"), ts.Getenv("UTHO_CONFIG_DIR")); err != nil || (len(found) > 0) != neg {
					ts.Fatalf("these hold a secret: %q, %v", found, err)
				}
			},
		},
	})
}

// command is one with so many arguments that is not negated.
func command(least, most int, run func(*testscript.TestScript, *service, []string)) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) < least || len(args) > most {
			ts.Fatalf("the usage is with TestScripts")
		}
		run(ts, serviceOf(ts, "SERVICE"), args)
	}
}

func setupScript(env *testscript.Env) error {
	home := filepath.Join(env.WorkDir, "home")
	if err := os.Mkdir(home, 0o700); err != nil {
		return err
	}
	for name, value := range variables(env.WorkDir, home) {
		env.Setenv(name, value)
	}
	program, err := filepath.Abs("testdata/standin/program")
	if err != nil {
		return err
	}
	env.Setenv("STANDIN_PROGRAM", program)
	env.Setenv("NO_PROXY", "*")
	env.Defer(func() {
		if found, err := leaks(env.Getenv("UTHO_STATE_DIR"), env.Getenv("UTHO_CONFIG_DIR")); err != nil || len(found) > 0 {
			env.T().Fatal("these hold a secret: ", found, err)
		}
	})
	for _, name := range []string{"SERVICE", "OTHER"} {
		box, err := sandboxtest.Open(filepath.Join(env.WorkDir, "."+name, "sandbox.json"))
		if err != nil {
			return err
		}
		s := serve(box, env.Defer)
		env.Values[name] = s
		env.Setenv(name+"_URL", s.url)
		env.Setenv(name+"_KEY", s.key)
	}
	return nil
}

// serviceOf gives one of the services.
func serviceOf(ts *testscript.TestScript, name string) *service {
	s, ok := ts.Value(name).(*service)
	if !ok {
		ts.Fatalf("there is no service %s", name)
	}
	return s
}

// operation reads an OP: any, list (all of them), confirm, recheck, verify,
// create, delete or account, as package sandboxtest has them.
func operation(ts *testscript.TestScript, word string) sandboxtest.Op {
	if word == "any" {
		return sandboxtest.Any
	}
	if !slices.Contains([]string{"list", "confirm", "recheck", "verify", "create", "delete", "account"}, word) {
		ts.Fatalf("no such operation: %s", word)
	}
	return sandboxtest.Op(word)
}

func exits(ts *testscript.TestScript, _ *service, args []string) {
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("run %s: %v", args[1], err)
		}
		got = exit.ExitCode()
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("%s exited with %d, want %s", strings.Join(args[1:], " "), got, args[0])
	}
}

// fault sets a fault for an OP; delete=ID is the deletion of one token. Its
// other words are fields of [sandboxtest.Fault]; see setFault.
func fault(ts *testscript.TestScript, s *service, args []string) {
	if args[0] == "clear" {
		s.Clear()
		return
	}
	op, id, _ := strings.Cut(args[0], "=")
	f := sandboxtest.Fault{On: operation(ts, op), ID: id}
	for _, arg := range args[1:] {
		key, value, _ := strings.Cut(arg, "=")
		if err := setFault(&f, s, key, value); err != nil {
			ts.Fatalf("fault: %s: %v", arg, err)
		}
	}
	s.Fault(f)
}

func setFault(f *sandboxtest.Fault, s *service, key, value string) (err error) {
	switch field := map[string]any{
		"times": &f.Times, "status": &f.Status, "body": &f.Body, "redirect": &f.RedirectTo, "retry-after": &f.RetryAfter,
		"drop-before": &f.DropBefore, "drop-after": &f.DropAfter, "force-write": &f.ForceWrite, "effect": &f.Effect,
		"truncate": &f.Truncate, "date": &f.Date,
	}[key].(type) {
	case *bool:
		*field = true
	case *string:
		*field = value
	case *int:
		*field, err = strconv.Atoi(value)
	case *time.Time:
		*field, err = http.ParseTime(value)
	default:
		if key != "hold" {
			return errors.New("no such word")
		}
		s.hold(value).before(f)
	}
	return err
}

// sequence pins the operations that were asked for since the last sequence,
// in their order; confirm and the like begin anew with each sequence. Without
// arguments it only forgets; none says that there were none. What a token asked
// for that is new or old is OP-by-token, but for verify; what the service
// refused, since it does not know the secret, OP-refused.
func sequence(ts *testscript.TestScript, s *service, want []string) {
	if len(want) > 0 && want[0] == "-other" {
		s, want = serviceOf(ts, "OTHER"), want[1:]
	}
	requests := s.Requests()
	var got []string
	for _, r := range requests[s.compared:] {
		word := string(r.Op)
		switch {
		case r.Effect && r.By == "":
			word += "-refused"
		case r.By != "" && r.By != "operator" && r.Op != sandboxtest.Verify:
			word += "-by-token"
		}
		got = append(got, word)
	}
	s.compared = len(requests)
	s.Mark()
	if len(want) > 0 && strings.Join(got, " ") != strings.TrimPrefix(strings.Join(want, " "), "none") {
		ts.Fatalf("requests: %s\nwant: %s", strings.Join(got, " "), strings.Join(want, " "))
	}
}

func tokens(ts *testscript.TestScript, s *service, args []string) {
	got, all := 0, s.Tokens()
	for _, t := range all {
		if t.Name == args[0] || args[0] == "any" {
			got++
		}
	}
	if strconv.Itoa(got) != args[1] {
		ts.Fatalf("the service has %d tokens named %s, want %s; all: %+v", got, args[0], args[1], all)
	}
}

func mode(ts *testscript.TestScript, _ *service, args []string) {
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], got, args[0])
	}
}
