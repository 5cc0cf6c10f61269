package config

import (
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/utho/utho-cli/internal/problem"
)

// flagSet is a command line with the flags that Resolve knows; given are those that were typed.
func flagSet(t *testing.T, given map[string]string) *pflag.FlagSet {
	t.Helper()
	flags := pflag.NewFlagSet("utho", pflag.ContinueOnError)
	flags.StringP("output", "o", "", "")
	flags.String("color", "auto", "")
	flags.String("timeout", "30s", "")
	for name, value := range given {
		if err := flags.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	return flags
}

// Every combination of the four sources: the strongest wins. The environment belongs to the process, so nothing
// here runs in parallel.
func TestPrecedence(t *testing.T) {
	for key, v := range map[string][4]string{ // built in, file, environment, flag
		"output":  {"table", "json", "yaml", "csv"},
		"color":   {"auto", "never", "always", "never"},
		"timeout": {"30s", "3s", "2s", "1s"},
	} {
		for mask := range 8 {
			given, text, want := map[string]string{}, "# nothing\n", v[0]
			if mask&1 != 0 {
				text, want = "defaults:\n  "+key+": "+v[1]+"\n", v[1]
			}
			t.Setenv("UTHO_"+strings.ToUpper(key), "")
			if mask&2 != 0 {
				t.Setenv("UTHO_"+strings.ToUpper(key), v[2])
				want = v[2]
			}
			if mask&4 != 0 {
				given[key], want = v[3], v[3]
			}
			f, err := Load(write(t, text))
			if err != nil {
				t.Fatal(err)
			}
			s, err := Resolve(f, flagSet(t, given))
			if got := map[string]string{"output": s.Output, "color": s.Color, "timeout": s.Timeout.String()}[key]; err != nil || got != want {
				t.Errorf("%s, sources %03b: %v, want %v; %v", key, mask, got, want, err)
			}
		}
	}
	for _, key := range []string{"OUTPUT", "COLOR", "TIMEOUT"} {
		t.Setenv("UTHO_"+key, "")
	}
	f, err := Load(write(t, "defaults:\n  columns: name, age\n  expires_in: 90d\n"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := Resolve(f, pflag.NewFlagSet("", 0)) // a command without the flags
	if want := (Settings{"table", "auto", 30 * time.Second, "name, age", 90 * 24 * time.Hour}); err != nil || s != want {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err := Resolve(nil, flagSet(t, nil)); err != nil || s != (Settings{"table", "auto", 30 * time.Second, "", 0}) {
		t.Errorf("built in: %+v, %v", s, err)
	}
}

func TestBadSettings(t *testing.T) {
	for _, tc := range [][2]string{
		{"UTHO_COLOR", "yes"},
		{"UTHO_TIMEOUT", "30"}, {"UTHO_TIMEOUT", "soon"}, {"UTHO_TIMEOUT", "-1s"}, {"UTHO_TIMEOUT", "0"},
		{"--output", "xml"}, {"--output", ""}, {"--color", "x"}, {"--timeout", "1"}, {"--timeout", "1h1"},
	} {
		given := map[string]string{}
		t.Setenv("UTHO_COLOR", "")
		t.Setenv("UTHO_TIMEOUT", "")
		if key, isFlag := strings.CutPrefix(tc[0], "--"); isFlag {
			given[key] = tc[1]
		} else {
			t.Setenv(tc[0], tc[1])
		}
		s, err := Resolve(nil, flagSet(t, given))
		if !problem.Is(err, problem.Usage) || !strings.HasPrefix(err.Error(), tc[0]+": ") {
			t.Errorf("%q: %+v, %v", tc, s, err)
		}
	}
	// A format of the environment is not everybody's, and a good flag is the way out of a bad variable.
	t.Setenv("UTHO_OUTPUT", "xml")
	t.Setenv("UTHO_TIMEOUT", "x")
	for flag, want := range map[string]string{"": "xml", "json": "json"} {
		given := map[string]string{"timeout": "1s"}
		if flag != "" {
			given["output"] = flag
		}
		if s, err := Resolve(nil, flagSet(t, given)); err != nil || s.Output != want || s.Timeout != time.Second {
			t.Errorf("%+v, %v", s, err)
		}
	}
}
