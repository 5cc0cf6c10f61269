package cli

import (
	"io"
	"slices"
	"strings"
	"time"

	"github.com/utho/utho-cli/internal/lifecycle"
	"github.com/utho/utho-cli/internal/listing"
	"github.com/utho/utho-cli/internal/output"
	"github.com/utho/utho-cli/internal/problem"
)

// view shows tokens in this run. now is the service's clock, zone that of its time stamps; nil is the default.
func (p *program) view(f format, now time.Time, zone *time.Location) listing.View {
	prefix := p.env.Route.Command("token", "delete") + " "
	return listing.View{Now: now, Zone: zoneOr(zone), CSV: f == formatCSV, Action: func(id string) string {
		switch {
		case id == "":
			return ""
		case lifecycle.IsID(id): // digits, as most ids are, need no quotes
			return prefix + id
		}
		return p.env.Route.About([]string{id}, "token", "delete")
	}}
}

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

// formatsOf are the formats of the command with that path; nil if it has no answer, and documentFormats for its errors.
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

// keys are the columns of tokens that the format shows unless others are named; "" is all.
func (f format) keys() string {
	switch f {
	case formatCSV:
		return ""
	case formatWide:
		return "id,name,scope,created,age,expires,action"
	}
	return "name,scope,created,action"
}

func (f format) hasColumns() bool { return !f.isDocument() && f != formatID }

// isDocument reports whether the format is a document that can carry a secret.
func (f format) isDocument() bool { return slices.Contains(secretFormats, f) }

// format is the one in force. A default that the command does not have counts as table; a typed one is refused.
func (p *program) format(allowed []format) (format, error) {
	if typed := format(p.output); typed != "" {
		if !slices.Contains(allowed, typed) {
			return "", problem.Usagef("-o %s: this command does not have that format", typed).Hintf("use one of -o %s", join(allowed))
		}
		return typed, nil
	}
	st, err := p.env.Settings()
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
	return "", problem.Usagef("UTHO_OUTPUT=%s: there is no such format", st.Output).Hintf("the formats are %s", join(allFormats))
}

func join(formats []format) string { return strings.Join(words(formats), ", ") }

func words(formats []format) (all []string) {
	for _, f := range formats {
		all = append(all, string(f))
	}
	return all
}

func document(w io.Writer, f format, v any) error {
	if f == formatYAML {
		return output.YAML(w, v)
	}
	return output.JSON(w, v)
}

// documents is document for a list, which is not nil.
func documents[T any](w io.Writer, f format, all []T) error {
	if f == formatJSON {
		return output.JSONList(w, all)
	}
	return document(w, f, all)
}
