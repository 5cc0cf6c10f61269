package cli

import (
	"bytes"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

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

// The formats that commands have: those of tokens, those of other documents, and those that can carry a secret.
var (
	allFormats      = []format{formatTable, formatWide, formatJSON, formatYAML, formatCSV, formatMarkdown, formatID}
	documentFormats = []format{formatTable, formatJSON, formatYAML}
	secretFormats   = []format{formatJSON, formatYAML}
)

// formatsOf are the formats of the command with that path, for help and completion; nil if it has no answer of its
// own, and takes documentFormats for its errors.
func formatsOf(commandPath string) []format {
	switch strings.TrimPrefix(commandPath, "utho ") {
	case "token list", "token get":
		return allFormats
	case "token create", "token rotate":
		return secretFormats
	case "token delete", "login", "logout", "status", "profile list", "version":
		return documentFormats
	}
	return nil
}

func (f format) hasColumns() bool { return !f.isDocument() && f != formatID }

// isDocument reports whether the format is a document that can carry a secret.
func (f format) isDocument() bool { return slices.Contains(secretFormats, f) }

// format is the one in force for a command that has those allowed. A default that the command does not have counts
// as table; one that is typed is refused.
func (p *program) format(allowed []format) (format, error) {
	if typed := format(p.flags.output); typed != "" {
		if !slices.Contains(allowed, typed) {
			return "", hintf(usagef("-o %s: this command does not have that format", typed), "use one of -o %s", join(allowed))
		}
		return typed, nil
	}
	st, err := p.settings()
	if err != nil {
		return "", err
	}
	f := format(strings.ToLower(st.Output))
	switch {
	case slices.Contains(allowed, f):
		return f, nil
	case slices.Contains(allFormats, f):
		return formatTable, nil
	}
	return "", hintf(usagef("UTHO_OUTPUT=%s: there is no such format", st.Output), "the formats are %s", join(allFormats))
}

func join(formats []format) string { return strings.Join(words(formats), ", ") }

func words(formats []format) (all []string) {
	for _, f := range formats {
		all = append(all, string(f))
	}
	return all
}

// document writes one value as JSON or YAML.
func (p *program) document(f format, v any) error {
	if f == formatYAML {
		return output.YAML(p.out, v)
	}
	return output.JSON(p.out, v)
}

// boldFirstLine is stdout for a table, which is written at once and whose first line is bold on a terminal.
func (p *program) boldFirstLine(header bool) io.Writer {
	if header && p.console.colored(p.out.f) {
		return boldWriter{p.out}
	}
	return p.out
}

type boldWriter struct{ w io.Writer }

func (b boldWriter) Write(text []byte) (int, error) {
	first, rest, _ := bytes.Cut(text, []byte("\n"))
	_, err := fmt.Fprintf(b.w, "\x1b[1m%s%s\n%s", first, plain, rest)
	return len(text), err
}

// glob reports whether a pattern matches a whole name. The slash, at which the * of path.Match stops, means nothing
// in a name.
func glob(pattern, name string) bool {
	ok, err := path.Match(globPattern(pattern), strings.ReplaceAll(name, "/", "\x00"))
	return ok && err == nil
}

// globPattern is a pattern as path.Match reads it, which knows [^a] only, while shells know [!a] too.
func globPattern(pattern string) string {
	return strings.NewReplacer("/", "\x00", `\\`, `\\`, `\[`, `\[`, "[!", "[^").Replace(pattern)
}
