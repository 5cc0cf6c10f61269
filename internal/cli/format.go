package cli

import (
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/term"

	"github.com/utho/utho-cli/internal/config"
	"github.com/utho/utho-cli/internal/output"
)

// format is one of the formats of -o.
type format string

const (
	formatTable    format = "table"
	formatWide     format = "wide"
	formatJSON     format = "json"
	formatYAML     format = "yaml"
	formatCSV      format = "csv"
	formatMarkdown format = "markdown"
	formatID       format = "id"
)

var (
	allFormats = []format{formatTable, formatWide, formatJSON, formatYAML, formatCSV, formatMarkdown, formatID}
	docFormats = []format{formatTable, formatJSON, formatYAML}
)

func (f format) hasColumns() bool {
	return f == formatTable || f == formatWide || f == formatCSV || f == formatMarkdown
}

// isDoc tells whether the format is a document that can carry a secret.
func (f format) isDoc() bool { return f == formatJSON || f == formatYAML }

// format is the one in force for a command that has those allowed.
func (a *app) format(allowed []format) (format, error) {
	if f, err := a.flagFormat(allowed); f != "" || err != nil {
		return f, err
	}
	st, err := a.loadSettings()
	if err != nil {
		return "", err
	}
	from := "defaults.output: " + st.Output.Value + " in the configuration"
	if st.Output.Source == config.SourceEnvironment {
		from = "UTHO_OUTPUT=" + st.Output.Value
	}
	f := format(st.Output.Value)
	if !slices.Contains(allFormats, f) {
		return "", usagef("%s: there is no such format", from).with("the formats are %s", join(allFormats))
	}
	return f, allow(f, from, allowed)
}

// flagFormat is the format that -o names, if it does.
func (a *app) flagFormat(allowed []format) (format, error) {
	f := format(a.flags.output)
	if f == "" {
		return "", nil
	}
	return f, allow(f, "-o "+a.flags.output, allowed)
}

func allow(f format, from string, allowed []format) error {
	if slices.Contains(allowed, f) {
		return nil
	}
	return usagef("%s: this command does not have that format", from).with("use one of -o %s", join(allowed))
}

func join(formats []format) string {
	var words []string
	for _, f := range formats {
		words = append(words, string(f))
	}
	return strings.Join(words, ", ")
}

// doc writes one document as JSON or YAML.
func (a *app) doc(f format, v any) error {
	if f == formatYAML {
		return output.YAML(a.out, v)
	}
	return output.JSON(a.out, v)
}

// quote makes s one word of a POSIX shell.
func quote(s string) string { return output.Quote(s) }

// quoteText is a name in a sentence: in quotes, harmless.
func quoteText(s string) string {
	return `"` + output.Safe(strings.NewReplacer(`"`, `\"`, `\`, `\\`).Replace(s)) + `"`
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// noSlash puts the slash, at which the * of path.Match stops, out of the way: it
// means nothing in a name.
func noSlash(s string) string { return strings.ReplaceAll(s, "/", "\x00") }

// glob matches a whole name.
func glob(pattern, name string) bool {
	ok, err := path.Match(globPattern(pattern), noSlash(name))
	return ok && err == nil
}

// globPattern is a pattern as path.Match reads it, which knows [^a] only, where
// shells know [!a] too.
func globPattern(pattern string) string {
	p := []byte(noSlash(pattern))
	for i, inside := 0, false; i < len(p); i++ {
		switch {
		case p[i] == '\\':
			i++
		case inside:
			inside = p[i] != ']'
		case p[i] == '[':
			inside = true
			if i+1 < len(p) && p[i+1] == '!' {
				p[i+1] = '^'
			}
		}
	}
	return string(p)
}

// colored tells whether text for f is to be coloured.
func (a *app) colored(f *os.File) bool {
	color := a.flags.color
	if a.settings != nil {
		color = a.settings.Color.Value
	} else if env := a.getenv("UTHO_COLOR"); env != "" && !a.flags.changed("color") {
		color = env // an error before the settings were read
	}
	switch color {
	case "always":
		return true
	case "never":
		return false
	}
	return a.getenv("NO_COLOR") == "" && a.getenv("TERM") != "dumb" && os.PathSeparator == '/' && term.IsTerminal(int(f.Fd()))
}

// paint makes the prefix of a note bold on a terminal.
func (a *app) paint(prefix string) string {
	if strings.TrimSpace(prefix) == "" || !a.colored(a.errFile) {
		return prefix
	}
	return "\x1b[1m" + prefix + "\x1b[0m"
}

// boldFirstLine is stdout with its first line bold on a terminal.
func (a *app) boldFirstLine(header bool) io.Writer {
	if !header || !a.colored(a.out.f) {
		return a.out
	}
	return &boldWriter{w: a.out}
}

type boldWriter struct {
	w     io.Writer
	begun bool
	done  bool
}

func (b *boldWriter) Write(p []byte) (int, error) {
	if b.done {
		return b.w.Write(p)
	}
	var text []byte
	if !b.begun {
		text = append(text, "\x1b[1m"...)
		b.begun = true
	}
	if i := slices.Index(p, '\n'); i >= 0 {
		b.done = true
		text = append(append(append(text, p[:i]...), "\x1b[0m"...), p[i:]...)
	} else {
		text = append(text, p...)
	}
	if _, err := b.w.Write(text); err != nil {
		return 0, err
	}
	return len(p), nil
}
