package deliver

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"al.essio.dev/pkg/shellescape"

	"github.com/utho/utho-cli/internal/child"
	"github.com/utho/utho-cli/internal/problem"
)

// A Kind says what sort of place a destination is. The order of the constants is the order of delivery.
type Kind uint8

// The kinds of destinations. The zero Kind is none of them.
const (
	KindFile       Kind = iota + 1 // file:PATH
	KindEnv                        // env:PATH#NAME
	KindProfile                    // profile:NAME
	KindKubernetes                 // k8s:[NAMESPACE/]SECRET#KEY
	KindExec                       // exec:COMMAND
	KindStdout                     // stdout
	KindOwn                        // the profile whose own token is rotated; it is never typed
)

// String gives the word that a destination begins with.
func (k Kind) String() string {
	words := [...]string{"unknown", "file", "env", "profile", "k8s", "exec", "stdout", "profile"}
	return words[int(k)%len(words)]
}

// DefaultVariable is the variable that env:PATH sets if no name is given.
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

// bad is the error for a destination that was typed wrongly; hint is what to write instead, or "".
func (s Spec) bad(why, hint string) error { return bad(s.String(), why, hint) }

func bad(text, why, hint string) error {
	return problem.Usagef("--to %q: %s", text, why).Hintf("%s", hint)
}

// ParseSpec reads a destination: stdout, file:PATH, env:PATH#NAME, profile:NAME, k8s:[NAMESPACE/]SECRET#KEY or
// exec:COMMAND. It touches nothing. Its errors are of the kind problem.Usage.
func ParseSpec(text string) (Spec, error) {
	bad := func(why, hint string) (Spec, error) { return Spec{}, bad(text, why, hint) }
	word, arg, colon := strings.Cut(text, ":")
	s := Spec{Arg: arg}
	for k := KindFile; k <= KindStdout; k++ {
		if word == k.String() {
			s.Kind = k
		}
	}
	switch {
	case s.Kind == 0 && !colon && strings.ContainsAny(text, "./"):
		kind := "file:"
		if strings.Contains(text, ".env") {
			kind = "env:"
		}
		return bad("it does not say what kind of place that is", "write --to "+shellescape.Quote(kind+text))
	case s.Kind == 0:
		return bad("it is none of the known kinds",
			"write stdout, file:PATH, env:PATH#NAME, profile:NAME, k8s:[NAMESPACE/]SECRET#KEY or exec:COMMAND")
	case s.Kind == KindStdout && colon:
		return bad("stdout takes nothing after it", "write stdout")
	case s.Kind == KindStdout:
		return s, nil
	case arg == "":
		return bad("there is nothing after "+word+":", "")
	case strings.ContainsRune(arg, 0):
		return bad("it has a NUL byte", "")
	}
	if s.Kind != KindProfile {
		_, err := New(s, Env{Home: string(filepath.Separator)}) // touches nothing
		if err != nil {
			return Spec{}, err
		}
	}
	return s, nil
}

// New returns the destination of a Spec; stdout and profile are for the caller. Relative paths are taken from the
// current folder, now and for good. It touches nothing. Its errors are of the kind problem.Usage.
func New(s Spec, env Env) (Destination, error) {
	switch s.Kind {
	case KindFile:
		path, err := absolute(s, s.Arg, env)
		return &file{spec: s, env: env, path: path}, err
	case KindEnv:
		arg, name := s.Arg, DefaultVariable
		if i := strings.LastIndexByte(s.Arg, '#'); i >= 0 {
			arg, name = s.Arg[:i], s.Arg[i+1:]
		}
		if !regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`).MatchString(name) {
			return nil, s.bad(fmt.Sprintf("%q is not the name of a variable", name),
				"the last # separates path and name: env:PATH#NAME, with NAME of letters, digits and _")
		}
		path, err := absolute(s, arg, env)
		return &envFile{env: env, path: path, name: name}, err
	case KindKubernetes:
		return newKubernetes(s, env)
	case KindExec:
		argv, err := child.Words(s.Arg)
		if err != nil {
			return nil, commandError(s, err)
		}
		return &command{env: env, argv: argv, limit: commandTime}, nil
	}
	return nil, s.bad("it is not a destination of files and commands", "")
}

// commandError is the error of a command that is not plain words, with what to write instead.
func commandError(s Spec, err error) error {
	hint := ""
	switch {
	case strings.Contains(s.Arg, "$UTHO"):
		hint = "the secret is in no variable: the command reads it from stdin, as with --from-file=token=/dev/stdin"
	case problem.Hint(err) != "":
		word := `"exec:sh -c ` + shellescape.Quote(s.Arg) + `"` // it has single quotes
		if strings.ContainsAny(s.Arg, "'\"$`\\!") {
			word = shellescape.Quote(strings.Trim(word, `"`))
		}
		hint = "no shell runs the command; to have one, write --to " + word
	}
	return s.bad(err.Error(), hint)
}

// absolute expands ~/ and gives the one name of a file, independent of the current folder and of links on the way to it.
func absolute(s Spec, path string, env Env) (string, error) {
	bad := func(why, hint string) (string, error) { return "", s.bad(why, hint) }
	if path == "" {
		return bad("the path is empty", "")
	}
	if base := filepath.Base(path); os.IsPathSeparator(path[len(path)-1]) || base == "." || base == ".." {
		return bad("the path names a folder; a file is needed", "")
	}
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		if env.Home == "" {
			return bad("there is no home folder for ~/ to stand for", "write the whole path")
		}
		path = filepath.Join(env.Home, rest)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return bad("the current folder is gone", "write the whole path")
	}
	path = resolve(path)
	for _, own := range env.Own {
		if rel, err := filepath.Rel(resolve(own), path); err == nil && filepath.IsLocal(rel) {
			return bad("the file is one of utho's own", "")
		}
	}
	return path, nil
}

// resolve resolves the links on the way to a file.
func resolve(path string) string {
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		return filepath.Join(dir, filepath.Base(path))
	}
	return path
}
