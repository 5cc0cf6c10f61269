package deliver

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"al.essio.dev/pkg/shellescape"
)

// A Kind says what sort of place a destination is. The order of the constants is
// the order of delivery.
type Kind uint8

// The kinds of destinations. The zero Kind is none of them.
const (
	KindFile    Kind = iota + 1 // file:PATH
	KindEnv                     // env:PATH#NAME
	KindProfile                 // profile:NAME
	KindExec                    // exec:COMMAND
	KindStdout                  // stdout
)

// String gives the word that a destination starts with.
func (k Kind) String() string {
	switch k {
	case KindFile:
		return "file"
	case KindEnv:
		return "env"
	case KindProfile:
		return "profile"
	case KindExec:
		return "exec"
	case KindStdout:
		return "stdout"
	}
	return "unknown"
}

// DefaultVariable is the variable that env:PATH sets where no name is given.
const DefaultVariable = "UTHO_API_KEY"

// A Spec is a destination as it was typed, checked for its form only.
type Spec struct {
	Kind Kind
	Arg  string // what follows the colon; empty for stdout
}

// String gives the destination as it was typed. It may hold control characters.
func (s Spec) String() string {
	if s.Kind == KindStdout {
		return s.Kind.String()
	}
	return s.Kind.String() + ":" + s.Arg
}

// A SpecError says that a destination was typed wrongly, or that the same place was
// given twice: a mistake in the arguments, found before anything was touched.
type SpecError struct {
	Text string // the destination as it was typed
	Why  string // what is wrong with it
	Hint string // what to write instead; may be empty
}

// Error names the destination, quoted, and what is wrong with it, without the hint.
func (e *SpecError) Error() string {
	return fmt.Sprintf("bad destination %q: %s", e.Text, e.Why)
}

// ParseSpec reads one destination: stdout, file:PATH, env:PATH#NAME, profile:NAME or
// exec:COMMAND. It looks at nothing but the text. Its errors are *SpecError.
func ParseSpec(text string) (Spec, error) {
	bad := func(why, hint string) (Spec, error) {
		return Spec{}, &SpecError{Text: text, Why: why, Hint: hint}
	}
	word, arg, colon := strings.Cut(text, ":")
	s := Spec{Arg: arg}
	for k := KindFile; k <= KindStdout; k++ {
		if word == k.String() {
			s.Kind = k
		}
	}
	switch {
	case s.Kind == 0:
		return bad("it is none of the known kinds", "write stdout, file:PATH, env:PATH#NAME, profile:NAME or exec:COMMAND")
	case s.Kind == KindStdout && colon:
		return bad("stdout takes nothing behind it", "write stdout")
	case s.Kind == KindStdout:
		return s, nil
	case arg == "":
		return bad("there is nothing behind "+word+":", "")
	case strings.ContainsRune(arg, 0):
		return bad("it has a NUL byte", "")
	}
	var why, hint string
	switch s.Kind {
	case KindFile:
		why = badPath(arg)
	case KindEnv:
		path, name := splitVariable(arg)
		if why = badPath(path); why == "" && !isVariable(name) {
			why = fmt.Sprintf("%q is not the name of a variable", name)
			hint = "the last # separates path and name: env:PATH#NAME, with NAME of letters, digits and _"
		}
	case KindExec:
		_, err := splitWords(arg)
		if err != nil {
			why = err.Error()
			if err.shell {
				hint = "no shell runs the command; for one, write --to " + shellWord("exec:sh -c "+shellescape.Quote(arg))
			}
		}
	}
	if why != "" {
		return bad(why, hint)
	}
	return s, nil
}

// shellWord quotes s for a shell, in double quotes where it has single ones and nothing
// that double ones leave to the shell.
func shellWord(s string) string {
	if strings.Contains(s, "'") && !strings.ContainsAny(s, "\"$`\\!") {
		return `"` + s + `"`
	}
	return shellescape.Quote(s)
}

// New makes the destination that a Spec of the kinds file, env and exec describes.
// stdout and profile are the caller's to make. Relative paths are taken from the
// current folder, now and for good. Nothing is touched. Its errors are *SpecError.
func New(s Spec, env Env) (Destination, error) {
	switch s.Kind {
	case KindFile:
		path, err := absolute(s, s.Arg, env.Home)
		if err != nil {
			return nil, err
		}
		return &file{spec: s, path: path}, nil
	case KindEnv:
		arg, name := splitVariable(s.Arg)
		path, err := absolute(s, arg, env.Home)
		if err != nil {
			return nil, err
		}
		return &envFile{spec: s, path: path, name: name, env: env}, nil
	case KindExec:
		words, err := splitWords(s.Arg)
		if err != nil {
			return nil, &SpecError{Text: s.String(), Why: err.Error()}
		}
		return &command{spec: s, argv: words, env: env, limit: commandTime}, nil
	}
	return nil, &SpecError{Text: s.String(), Why: "it is not a destination of files and commands"}
}

// splitVariable takes PATH#NAME apart at the last #.
func splitVariable(arg string) (path, name string) {
	if i := strings.LastIndexByte(arg, '#'); i >= 0 {
		return arg[:i], arg[i+1:]
	}
	return arg, DefaultVariable
}

// isVariable tells whether name is [A-Za-z_][A-Za-z0-9_]*.
func isVariable(name string) bool {
	for i, c := range []byte(name) {
		letter := c == '_' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

// badPath says what keeps path from being a file's, "" where nothing does.
func badPath(path string) string {
	if path == "" {
		return "the path is empty"
	}
	base := filepath.Base(path)
	if os.IsPathSeparator(path[len(path)-1]) || base == "." || base == ".." {
		return "the path names a folder; a file is needed"
	}
	return ""
}

// absolute expands ~/ and makes path independent of the current folder.
func absolute(s Spec, path, home string) (string, error) {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		if home == "" {
			return "", &SpecError{Text: s.String(), Why: "there is no home folder for ~/ to stand for", Hint: "write the whole path"}
		}
		path = filepath.Join(home, rest)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", &SpecError{Text: s.String(), Why: "the current folder is gone", Hint: "write the whole path"}
	}
	return abs, nil
}
