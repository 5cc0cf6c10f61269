package config

import (
	"errors"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// A document is a configuration's text together with its tree.
//
// The YAML library can write a tree, but not as it was: blank lines and
// indentation change everywhere. So a change is made twice: in the tree, which
// says what must come out, and in the lines of the text, as few as will do. The
// text is taken only where it reads back as that tree; else more lines are
// written anew, in the end all of them.
type document struct {
	path string
	text []byte
	root *yaml.Node // nil for an empty file
}

// A change sets the value at a path of keys, or removes it where value is nil.
type change struct {
	path  []string
	value *yaml.Node
}

var errByHand = errors.New("it is written in a way that cannot be edited here; change it by hand")

func newDocument(path string, text []byte) (*document, error) {
	root, err := parseTree(path, text)
	if err != nil {
		return nil, err
	}
	return &document{path, text, root}, nil
}

// apply makes one change.
func (d *document) apply(c change) error {
	want := clone(d.root)
	if want == nil {
		want = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	}
	if !applyTree(want, c) {
		return nil
	}
	ways := []func() (string, bool){func() (string, bool) { return d.patch(c) }}
	for depth := len(c.path); depth >= 0; depth-- {
		ways = append(ways, func() (string, bool) { return d.rewrite(c.path[:depth], want) })
	}
	for _, way := range ways {
		text, ok := way()
		if !ok {
			continue
		}
		root, err := parseTree(d.path, []byte(text))
		if err == nil && equal(root, want) {
			d.text, d.root = []byte(text), root
			return nil
		}
	}
	return errByHand
}

// patch makes the change by touching its own lines only.
func (d *document) patch(c change) (string, bool) {
	l := split(d.text)
	if d.root == nil {
		out, ok := l.render(d.root, nest(c.path, c.value), 0)
		return l.insert(len(l.lines), out), ok
	}
	var key *yaml.Node // the entry that parent is the value of; nil for the top
	parent := d.root
	for i, name := range c.path {
		if parent.Kind == yaml.ScalarNode && isNull(parent) && key != nil { // "profiles:" and nothing after it
			out, ok := l.render(d.root, nest(c.path[i:], c.value), key.Column-1+l.step(d.root))
			if parent.Value != "" { // ~ or null
				ok = ok && l.overwrite(parent, "")
			}
			return l.insert(key.Line, out), ok
		}
		if !isBlock(parent) {
			return "", false
		}
		k, v := find(parent, name)
		if k == nil {
			last, first := parent.Content[len(parent.Content)-2], parent.Content[0]
			out, ok := l.render(d.root, nest(c.path[i:], c.value), first.Column-1)
			return l.insert(l.end(last), out), ok
		}
		key, parent = k, v
	}
	if c.value == nil {
		return l.remove(key), true
	}
	return l.replaceScalar(parent, c.value)
}

// rewrite writes the entry at path anew, from the tree that must come out; the
// empty path is the whole file but for what stands above its first key.
func (d *document) rewrite(path []string, want *yaml.Node) (string, bool) {
	if d.root == nil {
		return "", false
	}
	l := split(d.text)
	if len(path) == 0 {
		if len(want.Content) > 0 {
			want = clone(want)
			want.HeadComment = ""
			want.Content[0].HeadComment = ""
		}
		out, ok := l.render(d.root, want, 0)
		return strings.Join(l.lines[:d.root.Line-1], "") + out, ok
	}
	var oldKey, newKey, newValue *yaml.Node
	old := d.root
	for _, name := range path {
		if !isBlock(old) {
			return "", false
		}
		if oldKey, old = find(old, name); oldKey == nil {
			return "", false
		}
		if newKey, newValue = find(want, name); newKey == nil {
			return "", false
		}
		want = newValue
	}
	newKey = clone(newKey)
	newKey.HeadComment, newKey.FootComment = "", "" // they stand outside the entry's lines
	out, ok := l.render(d.root, &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{newKey, newValue}}, oldKey.Column-1)
	return strings.Join(l.lines[:oldKey.Line-1], "") + out + strings.Join(l.lines[l.end(oldKey):], ""), ok
}

// applyTree makes the change in a tree, and tells whether there was one.
func applyTree(m *yaml.Node, c change) bool {
	last := len(c.path) - 1
	for i, name := range c.path {
		at := index(m, name)
		switch {
		case at < 0 && c.value == nil:
			return false
		case at < 0:
			if len(m.Content) == 0 {
				m.Style &^= yaml.FlowStyle // {} grows into lines
			}
			n := nest(c.path[i:], c.value)
			m.Content = append(m.Content, n.Content...)
			return true
		case i == last && c.value == nil:
			m.Content = slices.Delete(m.Content, at, at+2)
			return true
		case i == last:
			old := m.Content[at+1]
			m.Content[at+1] = clone(c.value)
			m.Content[at+1].LineComment = old.LineComment
			return true
		}
		next := m.Content[at+1]
		if next.Kind == yaml.AliasNode { // what others share must not change with it
			next = clone(next.Alias)
			next.Anchor = ""
			m.Content[at+1] = next
		}
		if isNull(next) {
			*next = yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", LineComment: next.LineComment}
		}
		m = next
	}
	return false
}

// nest is a mapping that holds value at path.
func nest(path []string, value *yaml.Node) *yaml.Node {
	for _, name := range slices.Backward(path) {
		key := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: name}
		value = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: []*yaml.Node{key, value}}
	}
	return value
}

// index is where the key of that text stands in a mapping, or -1.
func index(m *yaml.Node, name string) int {
	for i := 0; m != nil && m.Kind == yaml.MappingNode && i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == name {
			return i
		}
	}
	return -1
}

func find(m *yaml.Node, name string) (key, value *yaml.Node) {
	if i := index(m, name); i >= 0 {
		return m.Content[i], m.Content[i+1]
	}
	return nil, nil
}

// isBlock tells whether n is a mapping with a line for each key.
func isBlock(n *yaml.Node) bool {
	return n.Kind == yaml.MappingNode && n.Style&yaml.FlowStyle == 0 && len(n.Content) > 0
}

// clone copies a tree; an alias in it refers to the copy of its anchor.
func clone(n *yaml.Node) *yaml.Node {
	copies := make(map[*yaml.Node]*yaml.Node)
	var walk func(*yaml.Node) *yaml.Node
	walk = func(n *yaml.Node) *yaml.Node {
		if n == nil {
			return nil
		}
		c := *n
		copies[n] = &c
		c.Content = nil
		for _, child := range n.Content {
			c.Content = append(c.Content, walk(child))
		}
		if there, ok := copies[n.Alias]; ok {
			c.Alias = there
		}
		return &c
	}
	return walk(n)
}

// equal tells whether two trees say the same, comments and style aside. A
// mapping without keys says as little as null.
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
