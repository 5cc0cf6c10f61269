package config

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// flags is what was given on a command line.
type flags map[string]string

func (f flags) lookup(name string) (string, bool) { v, ok := f[name]; return v, ok }

// Every combination of the four sources: the strongest wins, and says so. The
// environment belongs to the process, so nothing here runs in parallel.
func TestPrecedence(t *testing.T) {
	type values struct{ flag, env, file, builtin string }
	for key, v := range map[string]values{
		"output":  {"csv", "yaml", "json", "table"},
		"color":   {"never", "always", "never", "auto"},
		"timeout": {"1s", "2s", "3s", "30s"},
	} {
		for mask := range 8 {
			given, text := flags{}, "# nothing\n"
			want, source := v.builtin, SourceDefault
			if mask&1 != 0 {
				text, want, source = "defaults:\n  "+key+": "+v.file+"\n", v.file, SourceFile
			}
			def, _ := define(key)
			t.Setenv(def.env, "")
			if mask&2 != 0 {
				t.Setenv(def.env, v.env)
				want, source = v.env, SourceEnvironment
			}
			if mask&4 != 0 {
				given[key], want, source = v.flag, v.flag, SourceFlag
			}
			f, err := Load(write(t, text))
			if err != nil {
				t.Fatal(err)
			}
			s, err := Resolve(f, given.lookup)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]Setting[string]{
				"output": s.Output, "color": s.Color,
				"timeout": {s.Timeout.Value.String(), s.Timeout.Source},
			}[key]
			if got.Value != want || got.Source != source {
				t.Errorf("%s, sources %03b: got %v from %v, want %v from %v", key, mask, got.Value, got.Source, want, source)
			}
		}
	}
}

func TestBuiltIn(t *testing.T) {
	for _, key := range keys() {
		def, _ := define(key)
		t.Setenv(def.env, "")
	}
	s, err := Resolve(nil, flags{}.lookup)
	if err != nil || s.Output.Value != "table" || s.Color.Value != "auto" || s.Timeout.Value != 30*time.Second {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestBadSettings(t *testing.T) {
	for _, tc := range []struct{ name, value string }{
		{"UTHO_COLOR", "yes"},
		{"UTHO_TIMEOUT", "30"}, {"UTHO_TIMEOUT", "soon"}, {"UTHO_TIMEOUT", "-1s"}, {"UTHO_TIMEOUT", "0"},
		{"--output", "xml"}, {"--output", ""}, {"--color", "x"}, {"--timeout", "1"}, {"--timeout", "1h1"},
	} {
		t.Run(tc.name+" "+tc.value, func(t *testing.T) {
			given := flags{}
			key, isFlag := strings.CutPrefix(tc.name, "--")
			if isFlag {
				given[key] = tc.value
			} else {
				t.Setenv(tc.name, tc.value)
			}
			s, err := Resolve(nil, given.lookup)
			var bad *ValueError
			if !errors.As(err, &bad) || bad.Name != tc.name || !strings.HasPrefix(err.Error(), tc.name+": ") {
				t.Errorf("%+v, %v", s, err)
			}
		})
	}
	t.Run("a format of the environment is not everybody's", func(t *testing.T) {
		t.Setenv("UTHO_OUTPUT", "xml")
		s, err := Resolve(nil, flags{}.lookup)
		if err != nil || s.Output != (Setting[string]{"xml", SourceEnvironment}) {
			t.Errorf("%+v, %v", s, err)
		}
	})
	t.Run("a good flag is the way out of a bad variable", func(t *testing.T) {
		t.Setenv("UTHO_OUTPUT", "xml")
		s, err := Resolve(nil, flags{"output": "json"}.lookup)
		if err != nil || s.Output.Value != "json" {
			t.Errorf("%+v, %v", s, err)
		}
	})
}

func TestSourceNames(t *testing.T) {
	for s, want := range map[Source]string{SourceDefault: "default", SourceFile: "file", SourceEnvironment: "environment", SourceFlag: "flag"} {
		if s.String() != want {
			t.Errorf("%d is %q", s, s)
		}
	}
}
