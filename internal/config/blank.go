package config

import (
	"bytes"
	"errors"
	"strings"

	"go.yaml.in/yaml/v4"
)

// markerText stands for a blank line while a tree is edited: the YAML library keeps comments and drops blank
// lines.
const markerText = "#utho~blank~line"

// A marker carries blank lines through an edit; the zero one does not.
type marker struct{ on bool }

func newMarker(text []byte) marker { return marker{on: !bytes.Contains(text, []byte(markerText))} }

var errMoved = errors.New("a blank line got into a value")

// edit is text after apply changed its tree.
func (m marker) edit(path string, text []byte, apply func(root *yaml.Node)) ([]byte, error) {
	eol := "\n"
	if first, _, ok := bytes.Cut(text, []byte("\n")); ok && bytes.HasSuffix(first, []byte("\r")) {
		eol = "\r\n"
	}
	s := strings.ReplaceAll(string(text), "\r\n", "\n")
	doc, err := parseTree(path, []byte(m.mark(s)))
	if err != nil {
		return nil, err
	}
	head := ""
	if doc == nil { // the library drops comments that nothing follows
		doc, head = document(), comments(s)
	}
	step := step(doc.Content[0])
	apply(doc.Content[0])
	if len(doc.Content[0].Content) == 0 && head == "" {
		head = comments(s)
	}
	out, err := yaml.Dump(doc, yaml.WithLineWidth(-1), yaml.WithIndent(step))
	if err != nil {
		return nil, err
	}
	s, err = m.unmark(string(out))
	return []byte(strings.ReplaceAll(head+s, "\n", eol)), err
}

// mark puts a marker in place of each blank line, as deep as the line that follows.
func (m marker) mark(s string) string {
	if !m.on {
		return s
	}
	lines := strings.SplitAfter(s, "\n")
	depth := 0
	for i := len(lines) - 1; i >= 0; i-- {
		if body := strings.TrimSpace(lines[i]); body != "" {
			depth = len(lines[i]) - len(strings.TrimLeft(lines[i], " "))
		} else if lines[i] != "" {
			lines[i] = strings.Repeat(" ", depth) + markerText + "\n"
		}
	}
	return strings.Join(lines, "")
}

// unmark brings the blank lines back, and drops those that the library adds by itself.
func (m marker) unmark(s string) (string, error) {
	if !m.on {
		return s, nil
	}
	var b strings.Builder
	for line := range strings.Lines(s) {
		switch body := strings.TrimSpace(line); {
		case body == markerText:
			b.WriteByte('\n')
		case strings.Contains(line, markerText):
			return "", errMoved
		case body != "":
			b.WriteString(line)
		}
	}
	return b.String(), nil
}

// comments are the comments and blank lines of a text.
func comments(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		if body := strings.TrimSpace(line); body == "" || body[0] == '#' {
			b.WriteString(strings.TrimSuffix(line, "\n") + "\n")
		}
	}
	return b.String()
}

// step is how many spaces the file indents by.
func step(root *yaml.Node) int {
	for _, value := range pairs(root) {
		if value.Kind == yaml.MappingNode && value.Style&yaml.FlowStyle == 0 && len(value.Content) > 0 {
			if n := value.Content[0].Column - root.Column; n >= 2 && n <= 8 {
				return n
			}
		}
	}
	return 2
}
