package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"go.yaml.in/yaml/v4"
)

// parseTree returns the document of text, whose one child is a mapping, or nil if there is nothing in it.
// What keys and values mean is not looked at.
func parseTree(path string, text []byte) (*yaml.Node, error) {
	if len(text) > maxFile {
		return nil, &SyntaxError{Path: path, Message: fmt.Sprintf("is larger than %d bytes", maxFile)}
	}
	loader, err := yaml.NewLoader(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("read configuration %s: %w", path, err)
	}
	var doc, second yaml.Node
	switch err := loader.Load(&doc); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, yamlError(path, err)
	}
	switch err := loader.Load(&second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		return nil, yamlError(path, err)
	default:
		return nil, errorAt(path, &second, "a second document begins; only one is allowed")
	}
	if len(doc.Content) == 0 || isNull(doc.Content[0]) {
		return nil, nil
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, errorAt(path, root, "must be a mapping of keys such as current_profile, defaults and profiles")
	}
	return &doc, duplicates(path, root)
}

// yamlError is what the YAML library says, with its place.
func yamlError(path string, err error) error {
	e := &SyntaxError{Path: path, Message: "is not valid YAML"}
	var load *yaml.LoadError
	if errors.As(err, &load) {
		e.Line, e.Column = load.Mark.Line, load.Mark.Column
		e.Message += ": " + load.Message
	}
	return e
}

// duplicates refuses a key that stands twice in one mapping, anywhere. Aliases are not followed: what they
// stand for is looked at in its own place.
func duplicates(path string, n *yaml.Node) error {
	seen := make(map[string]bool)
	for key := range pairs(n) {
		id := key.ShortTag() + " " + key.Value
		if key.Kind == yaml.ScalarNode && seen[id] {
			return errorAt(path, key, "key %q stands twice", key.Value)
		}
		seen[id] = true
	}
	for _, c := range n.Content {
		if err := duplicates(path, c); err != nil {
			return err
		}
	}
	return nil
}

// pairs goes through the keys and values of a mapping; what is none has none.
func pairs(m *yaml.Node) iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(key, value *yaml.Node) bool) {
		if m == nil || m.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(m.Content); i += 2 {
			if !yield(m.Content[i], m.Content[i+1]) {
				return
			}
		}
	}
}

// index is where the key of that text stands in a mapping, or -1.
func index(m *yaml.Node, name string) int {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == name {
			return i
		}
	}
	return -1
}

// follow is what an alias stands for, else the node itself.
func follow(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

func isText(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" }

// equal reports whether two trees say the same, comments and style aside. A mapping without keys says as
// little as null.
func equal(a, b *yaml.Node) bool {
	if empty(a) || empty(b) {
		return empty(a) && empty(b)
	}
	return a.Kind == b.Kind && a.ShortTag() == b.ShortTag() && a.Value == b.Value && a.Anchor == b.Anchor &&
		slices.EqualFunc(a.Content, b.Content, equal)
}

func empty(n *yaml.Node) bool {
	return n == nil || isNull(n) || n.Kind == yaml.MappingNode && len(n.Content) == 0
}
