package config

import (
	"errors"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Comments that stand for something while a tree is edited: the YAML library keeps comments, but neither blank
// lines nor how deep a comment stood.
const (
	markPrefix = "#utho~"
	blankMark  = markPrefix + "blank"
	edgeMark   = markPrefix + "edge" // above it are comments that are deeper than what follows
)

var errMoved = errors.New("a blank line got into a value")

// edited is a text after apply changed its tree, with or without its blank lines.
func edited(path, s string, blankLines bool, apply func(root *yaml.Node)) (string, error) {
	first, _, _ := strings.Cut(s, "\n")
	windows := strings.HasSuffix(first, "\r")
	s = strings.ReplaceAll(s, "\r\n", "\n")
	marked := s
	if blankLines {
		marked = mark(s)
	}
	doc, err := parseTree(path, []byte(marked))
	if err != nil {
		return "", err
	}
	head := ""
	if doc == nil { // the library drops comments that nothing follows
		doc, head = document(), comments(s)
	}
	indent := step(doc.Content[0])
	apply(doc.Content[0])
	out, err := yaml.Dump(doc, yaml.WithLineWidth(-1), yaml.WithIndent(indent))
	s = string(out)
	if err == nil && blankLines {
		s, err = unmark(s)
	}
	s = head + s
	if windows {
		s = strings.ReplaceAll(s, "\n", "\r\n")
	}
	return s, err
}

// mark puts a mark in place of each blank line, as deep as the line that follows, and below each comment that
// is deeper than that.
func mark(s string) string {
	lines := strings.SplitAfter(s, "\n")
	depth := 0
	for i := len(lines) - 1; i >= 0; i-- {
		body := strings.TrimSpace(lines[i])
		indent := len(lines[i]) - len(strings.TrimLeft(lines[i], " "))
		switch below := strings.Repeat(" ", depth); {
		case lines[i] == "":
		case body == "":
			lines[i] = below + blankMark + "\n"
		case body[0] == '#' && indent > depth:
			lines[i] = strings.TrimSuffix(lines[i], "\n") + "\n" + below + edgeMark + "\n"
		default:
			depth = indent
		}
	}
	return strings.Join(lines, "")
}

// unmark brings the blank lines back. A comment that does not belong to the next key has one below it.
func unmark(s string) (string, error) {
	var out []string
	added := false
	for line := range strings.Lines(s) {
		switch body := strings.TrimSpace(line); {
		case body == "", body == edgeMark:
			added = len(out) > 0 && out[len(out)-1] != "\n"
		case body == blankMark:
			out, added = append(out, "\n"), false
		case strings.Contains(line, markPrefix):
			return "", errMoved
		case added:
			out, added = append(out, "\n", line), false
		default:
			out = append(out, line)
		}
	}
	return strings.Join(out, ""), nil
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
